/* Webhooks: the published test vector of the signature, the retry schedule with an injected clock and random source, a
 * signed delivery on loopback. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/error.h"
#include "connectors/webhook_retry.h"
#include "connectors/webhook_sign.h"
#include "connectors/webhook_sink.h"
#include "tests/unit/tap.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static void test_signature(void)
{
    struct base_buf out = { 0 };
    struct base_str secrets[] = { BASE_STR(SECRET), BASE_STR("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=") };
    IS_INT(connectors_webhook_sign(secrets, 1, BASE_STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                                   BASE_STR("{\"test\": 2432232314}"), &out),
           0, "signed");
    IS_STR(out.ptr, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "as the specification has it");
    base_buf_clear(&out);
    IS_INT(connectors_webhook_sign(secrets, 2, BASE_STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                                   BASE_STR("{\"test\": 2432232314}"), &out),
           0, "two keys");
    OK(strncmp(out.ptr, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,", 51) == 0 && out.len == 2 * 47 + 1,
       "two signatures");
    base_buf_finish(&out);
    static const char *const bad[] = {
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_!!!!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "====",
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        IS_INT(connectors_webhook_check_secret(base_str_of(bad[i])), BASE_E_CONFIG, "a bad secret is refused");
    IS_INT(connectors_webhook_check_secret(BASE_STR("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")), 0,
           "the prefix may be left out");
}

static void test_schedule(void)
{
    struct connectors_webhook_policy policy;
    connectors_webhook_policy_default(&policy);
    static const int64_t seconds[] = { 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400 };
    for (int jitter = 0; jitter < 2; jitter++) {
        struct connectors_webhook_delivery delivery = { 0 };
        struct connectors_webhook_outcome outcome = { .status = 500, .retry_after_ms = -1 };
        int64_t now_ms = 1000000;
        OK(connectors_webhook_due(&delivery, 0), "a new one is due");
        for (size_t i = 0; i < 9; i++) {
            /* The most that jitter may add is a tenth: random % (span + 1) with random = span. */
            uint64_t random = jitter ? (uint64_t)seconds[i] * 100 : 0;
            IS_INT(connectors_webhook_after(&policy, &delivery, &outcome, now_ms, random, NULL), 0, "failed");
            IS_INT(delivery.phase, CONNECTORS_WEBHOOK_RETRYING, "is tried again");
            IS_INT(delivery.next_ms - now_ms, seconds[i] * 1000 + (jitter ? seconds[i] * 100 : 0), "after this time");
            OK(!connectors_webhook_due(&delivery, delivery.next_ms - 1) &&
                   connectors_webhook_due(&delivery, delivery.next_ms),
               "not before");
            now_ms = delivery.next_ms;
        }
        IS_INT(connectors_webhook_after(&policy, &delivery, &outcome, now_ms, 0, NULL), 0, "the tenth attempt fails");
        IS_INT(delivery.phase, CONNECTORS_WEBHOOK_DEAD, "a dead letter");
        IS_INT(delivery.reason, CONNECTORS_WEBHOOK_EXHAUSTED, "its reason");
        IS_INT(delivery.attempts, 10, "attempts");
        IS_INT(delivery.first_ms, 1000000, "first attempt");
        OK(!connectors_webhook_due(&delivery, INT64_MAX), "is not tried again");
        IS_INT(connectors_webhook_after(&policy, &delivery, &outcome, now_ms, 0, NULL), BASE_E_INVALID, "nor counted");
        connectors_webhook_resend(&delivery);
        OK(connectors_webhook_due(&delivery, 0) && delivery.attempts == 0, "unless re-sent");
        outcome.status = 204;
        IS_INT(connectors_webhook_after(&policy, &delivery, &outcome, now_ms, 0, NULL), 0, "answered 204");
        IS_INT(delivery.phase, CONNECTORS_WEBHOOK_DELIVERED, "delivered");
    }
}

static struct connectors_webhook_delivery once(const struct connectors_webhook_policy *policy,
                                               struct connectors_webhook_outcome outcome, bool *ret_disable)
{
    struct connectors_webhook_delivery delivery = { 0 };
    IS_INT(connectors_webhook_after(policy, &delivery, &outcome, 100, 0, ret_disable), 0, "one attempt");
    return delivery;
}

static void test_outcomes(void)
{
    struct connectors_webhook_policy policy;
    bool disable = false;
    connectors_webhook_policy_default(&policy);
    struct connectors_webhook_delivery delivery =
        once(&policy, (struct connectors_webhook_outcome){ .status = 410, .retry_after_ms = -1 }, &disable);
    OK(disable && delivery.phase == CONNECTORS_WEBHOOK_DEAD && delivery.reason == CONNECTORS_WEBHOOK_GONE,
       "410 disables the endpoint");
    delivery = once(&policy, (struct connectors_webhook_outcome){ .status = 302, .retry_after_ms = -1 }, &disable);
    OK(!disable && delivery.phase == CONNECTORS_WEBHOOK_RETRYING && delivery.reason == CONNECTORS_WEBHOOK_STATUS,
       "a redirect is a failure");
    delivery = once(&policy, (struct connectors_webhook_outcome){ .status = 503, .retry_after_ms = 60000 }, &disable);
    IS_INT(delivery.next_ms, 100 + 60000, "Retry-After is kept");
    delivery = once(&policy, (struct connectors_webhook_outcome){ .status = 429, .retry_after_ms = 1000 }, &disable);
    IS_INT(delivery.next_ms, 100 + 5000, "but a shorter one does not hurry");
    delivery =
        once(&policy, (struct connectors_webhook_outcome){ .status = 429, .retry_after_ms = INT64_MAX }, &disable);
    IS_INT(delivery.next_ms, 100 + 86400000, "and an absurd one is cut");
    delivery = once(&policy, (struct connectors_webhook_outcome){ .retry_after_ms = -1 }, &disable);
    OK(delivery.reason == CONNECTORS_WEBHOOK_NO_ANSWER && delivery.phase == CONNECTORS_WEBHOOK_RETRYING, "no answer");
    delivery = once(&policy, (struct connectors_webhook_outcome){ .retry_after_ms = -1, .refused = true }, &disable);
    OK(delivery.reason == CONNECTORS_WEBHOOK_REFUSED && delivery.phase == CONNECTORS_WEBHOOK_DEAD,
       "an address that is refused");

    struct base_buf bytes = { 0 };
    struct connectors_webhook_delivery back;
    delivery = (struct connectors_webhook_delivery){
        CONNECTORS_WEBHOOK_RETRYING, CONNECTORS_WEBHOOK_STATUS, 3, 503, 10, 20, 1234567890123
    };
    connectors_webhook_encode(&delivery, &bytes);
    IS_INT(connectors_webhook_decode(bytes.ptr, bytes.len, &back), 0, "stored and read back");
    OK(memcmp(&back, &delivery, sizeof back) == 0, "the same");
    for (size_t len = 0; len < bytes.len; len++)
        OK(connectors_webhook_decode(bytes.ptr, len, &back) == BASE_E_CORRUPT, "a cut one is refused");
    bytes.ptr[1] = 9;
    IS_INT(connectors_webhook_decode(bytes.ptr, bytes.len, &back), BASE_E_CORRUPT, "an unknown phase");
    bytes.ptr[0] = 9;
    IS_INT(connectors_webhook_decode(bytes.ptr, bytes.len, &back), BASE_E_VERSION, "an unknown version");
    base_buf_finish(&bytes);
}

static void test_circuit(void)
{
    struct connectors_webhook_policy policy;
    struct connectors_webhook_circuit circuit = { 0 };
    connectors_webhook_policy_default(&policy);
    for (int i = 0; i < 4; i++)
        connectors_webhook_circuit_after(&policy, &circuit, false, 1000);
    OK(connectors_webhook_circuit_allows(&circuit, 1000), "four failures leave it closed");
    connectors_webhook_circuit_after(&policy, &circuit, false, 1000);
    OK(!connectors_webhook_circuit_allows(&circuit, 5999) && connectors_webhook_circuit_allows(&circuit, 6000),
       "the fifth opens it for 5 s");
    connectors_webhook_circuit_after(&policy, &circuit, false, 6000);
    OK(!connectors_webhook_circuit_allows(&circuit, 15999) && connectors_webhook_circuit_allows(&circuit, 16000),
       "a failed trial for twice as long");
    for (int i = 0; i < 20; i++)
        connectors_webhook_circuit_after(&policy, &circuit, false, 20000);
    IS_INT(circuit.until_ms, 20000 + 300000, "at most 5 minutes");
    connectors_webhook_circuit_after(&policy, &circuit, true, 30000);
    OK(connectors_webhook_circuit_allows(&circuit, 30000) && circuit.failures == 0, "an answer closes it");
}

struct server {
    int listener;
    char seen[4096];
};

static void *serve_one(void *ctx)
{
    struct server *server = ctx;
    static const char answer[] =
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    int fd = accept(server->listener, NULL, NULL);
    size_t len = 0;
    while (len < sizeof server->seen - 1 && !strstr(server->seen, "\r\n\r\n{\"a\":1}")) {
        ssize_t got = read(fd, server->seen + len, sizeof server->seen - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (write(fd, answer, sizeof answer - 1) < 0)
        perror("write");
    close(fd);
    return NULL;
}

static void test_delivery(void)
{
    struct server server = { .listener = socket(AF_INET, SOCK_STREAM, 0) };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    char url[64];
    if (bind(server.listener, (struct sockaddr *)&address, sizeof address) || listen(server.listener, 4) ||
        getsockname(server.listener, (struct sockaddr *)&address, &len))
        abort();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", ntohs(address.sin_port));
    const char *secrets[] = { SECRET };
    struct clients_http_header headers[] = { { "Authorization", "Bearer t" } };
    struct connectors_webhook_options options = {
        .name = "ops",
        .url = url,
        .secrets = secrets,
        .secret_count = 1,
        .headers = headers,
        .header_count = 1,
        .http = { .allow_private = true },
    };
    struct connectors_webhook *webhook = NULL;
    struct connectors_webhook_outcome outcome;
    struct base_buf text = { 0 };
    pthread_t thread;
    IS_INT(connectors_webhook_create(&options, &webhook, NULL), 0, "created");
    pthread_create(&thread, NULL, serve_one, &server);
    IS_INT(connectors_webhook_send(webhook, BASE_STR("abc.1"), BASE_STR("{\"a\":1}"), 1614265330999, &outcome, &text),
           0, "sent");
    pthread_join(thread, NULL);
    IS_INT(outcome.status, 503, "status");
    IS_INT(outcome.retry_after_ms, 7000, "Retry-After");
    OK(strstr(text.ptr, "ops") && strstr(text.ptr, "503"), "in words");
    struct base_buf want = { 0 }, line = { 0 };
    struct base_str secret = BASE_STR(SECRET);
    if (connectors_webhook_sign(&secret, 1, BASE_STR("abc.1"), 1614265330, BASE_STR("{\"a\":1}"), &want))
        abort();
    base_buf_printf(&line, "webhook-signature: %s\r\n", want.ptr);
    OK(strstr(server.seen, line.ptr), "signature");
    OK(strstr(server.seen, "webhook-id: abc.1\r\n") && strstr(server.seen, "webhook-timestamp: 1614265330\r\n"),
       "id and time");
    OK(strstr(server.seen, "Content-Type: application/cloudevents+json\r\n") &&
           strstr(server.seen, "Authorization: Bearer t\r\n"),
       "other headers");
    base_buf_clear(&text);
    close(server.listener);
    IS_INT(connectors_webhook_send(webhook, BASE_STR("abc.1"), BASE_STR("{\"a\":1}"), 1614265330999, &outcome, &text),
           0, "nobody there");
    OK(outcome.status == 0 && !outcome.refused, "no answer");
    printf("# %s\n", text.ptr);
    connectors_webhook_interrupt(webhook);
    IS_INT(connectors_webhook_send(webhook, BASE_STR("abc.1"), BASE_STR("{}"), 0, &outcome, NULL), BASE_E_CLOSED,
           "interrupted");
    connectors_webhook_destroy(webhook);
    options.http.allow_private = false;
    options.secret_count = 0;
    base_buf_clear(&text);
    IS_INT(connectors_webhook_create(&options, &webhook, NULL), 0, "created without secret, private addresses refused");
    IS_INT(connectors_webhook_send(webhook, BASE_STR("abc.1"), BASE_STR("{}"), 0, &outcome, &text), 0, "sent");
    OK(outcome.refused && strstr(text.ptr, "allow-private"), "refused");
    connectors_webhook_destroy(webhook);
    headers[0].name = "Webhook-Id";
    IS_INT(connectors_webhook_create(&options, &webhook, NULL), BASE_E_CONFIG, "a header of ours cannot be set");
    headers[0] = (struct clients_http_header){ "X-A", "b\r\nX-C: d" };
    IS_INT(connectors_webhook_create(&options, &webhook, NULL), BASE_E_CONFIG, "nor two in one");
    options.header_count = 0;
    options.url = "ftp://example.org/";
    IS_INT(connectors_webhook_create(&options, &webhook, NULL), BASE_E_CONFIG, "nor another scheme");
    base_buf_finish(&want);
    base_buf_finish(&line);
    base_buf_finish(&text);
}

int main(void)
{
    test_signature();
    test_schedule();
    test_outcomes();
    test_circuit();
    test_delivery();
    return tap_done();
}
