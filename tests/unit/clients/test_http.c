/* The HTTP client against a small server of its own on loopback, and the address guard. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/error.h"
#include "base/time.h"
#include "clients/http.h"
#include "tests/unit/tap.h"

struct server {
    int listener;
    uint16_t port;
    const char *answer; /* NULL: never answers */
    char seen[4096];    /* the request */
};

static void *serve_one(void *ctx)
{
    struct server *server = ctx;
    int fd = accept(server->listener, NULL, NULL);
    size_t len = 0;
    while (len < sizeof server->seen - 1) {
        ssize_t got = read(fd, server->seen + len, sizeof server->seen - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        server->seen[len] = 0;
        const char *end = strstr(server->seen, "\r\n\r\n");
        const char *length = strstr(server->seen, "Content-Length: ");
        if (end && len >= (size_t)(end + 4 - server->seen) + (length ? strtoul(length + 16, NULL, 10) : 0))
            break;
    }
    if (server->answer) {
        if (write(fd, server->answer, strlen(server->answer)) < 0)
            perror("write");
    } else {
        char byte;
        while (read(fd, &byte, 1) > 0)
            ;
    }
    close(fd);
    return NULL;
}

static void listen_on(struct server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof address) || listen(server->listener, 4) ||
        getsockname(server->listener, (struct sockaddr *)&address, &len))
        abort();
    server->port = ntohs(address.sin_port);
}

/* One exchange with a server that gives this answer. */
static int exchange(const struct clients_http_options *options, const char *answer, struct server *server,
                    struct clients_http_response *response, bool fail_on_cut)
{
    struct clients_http *http = NULL;
    pthread_t thread;
    char url[64];
    memset(server, 0, sizeof *server);
    server->answer = answer;
    listen_on(server);
    pthread_create(&thread, NULL, serve_one, server);
    if (clients_http_create(options, &http, NULL))
        abort();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook?x=1", server->port);
    struct clients_http_header headers[] = { { "X-Test", "yes" } };
    struct clients_http_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .header_count = 1,
        .body = BASE_STR("{\"a\":1}"),
        .fail_on_cut = fail_on_cut,
    };
    int error = clients_http_send(http, &request, response);
    clients_http_destroy(http);
    pthread_join(thread, NULL);
    close(server->listener);
    return error;
}

static void test_guard(void)
{
    static const char *const refused[] = {
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::1",
        "2001:db8::1",
        "2001::1",
        "::127.0.0.1",
        "localhost",
        "",
        "1.2.3",
        "999.1.1.1",
    };
    static const char *const allowed[] = { "8.8.8.8",         "172.32.0.1",     "172.15.0.1",       "100.128.0.1",
                                           "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "193.0.0.1" };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        OK(clients_http_is_private(refused[i]), refused[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        OK(!clients_http_is_private(allowed[i]), allowed[i]);
}

static void test_refused_hosts(void)
{
    static const char *const urls[] = { "http://127.0.0.1:9/",  "http://localhost:9/", "http://[::1]:9/",
                                        "http://2130706433:9/", "http://0x7f.1:9/",    "http://[::ffff:127.0.0.1]:9/" };
    struct clients_http_options options = { 0 };
    struct clients_http_response response = { 0 };
    struct clients_http *http = NULL;
    IS_INT(clients_http_create(&options, &http, NULL), 0, "created");
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct clients_http_request request = { .method = "GET", .url = urls[i] };
        IS_INT(clients_http_send(http, &request, &response), BASE_E_AUTH, urls[i]);
        OK(response.error.ptr && strstr(response.error.ptr, "allow-private"), "and says how to allow it");
    }
    static const char *const bad[] = { "ftp://example.org/", "file:///etc/passwd", "gopher://x/", "no url", "http://" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct clients_http_request request = { .method = "GET", .url = bad[i] };
        IS_INT(clients_http_send(http, &request, &response), BASE_E_CONFIG, bad[i]);
    }
    clients_http_interrupt(http);
    struct clients_http_request request = { .method = "GET", .url = "http://127.0.0.1:9/" };
    IS_INT(clients_http_send(http, &request, &response), BASE_E_CLOSED, "an interrupted client sends nothing");
    clients_http_destroy(http);
    clients_http_response_finish(&response);
}

static void test_exchanges(void)
{
    struct clients_http_options options = { .allow_private = true, .timeout_ms = 30000, .response_bytes = 8 };
    struct clients_http_response response = { 0 };
    struct server server;
    IS_INT(exchange(&options, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", &server, &response, false), 0,
           "an answer");
    IS_INT(response.status, 204, "its status");
    OK(strncmp(server.seen, "POST /hook?x=1 HTTP/1.1\r\n", 25) == 0, "method and path");
    OK(strstr(server.seen, "X-Test: yes\r\n"), "header");
    OK(strstr(server.seen, "\r\n\r\n{\"a\":1}"), "body");
    OK(!strstr(server.seen, "Expect:"), "no Expect");
    IS_INT(response.retry_after_s, -1, "no Retry-After");
    static const char redirect[] =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    IS_INT(exchange(&options, redirect, &server, &response, false), 0, "a redirect is an answer");
    IS_INT(response.status, 302, "and not followed");
    static const char busy[] = "HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Type: text/plain\r\nContent-Length: "
                               "2\r\nConnection: close\r\n\r\nno";
    IS_INT(exchange(&options, busy, &server, &response, false), 0, "busy");
    IS_INT(response.retry_after_s, 17, "Retry-After in seconds");
    IS_STR(response.content_type, "text/plain", "content type");
    IS_STR(response.body.ptr, "no", "body");
    static const char date[] = "HTTP/1.1 429 Slow\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\nContent-Length: "
                               "0\r\nConnection: close\r\n\r\n";
    IS_INT(exchange(&options, date, &server, &response, false), 0, "slow down");
    OK(response.retry_after_s > 365 * 86400, "Retry-After as a date");
    static const char big[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n12345678901234567890";
    IS_INT(exchange(&options, big, &server, &response, false), 0, "a long answer");
    OK(response.cut && response.status == 200, "is cut");
    IS_STR(response.body.ptr, "12345678", "at the limit");
    IS_INT(exchange(&options, big, &server, &response, true), BASE_E_LIMIT, "or refused");
    int64_t start = base_clock_mono_us();
    options.timeout_ms = 500;
    IS_INT(exchange(&options, NULL, &server, &response, false), BASE_E_TIMEOUT, "a silent server");
    OK(base_clock_mono_us() - start < 25000000, "within the limit of time");
    options.timeout_ms = 30000;
    IS_INT(response.status, 0, "no status");
    IS_INT(exchange(&options, "this is not HTTP\r\n\r\n", &server, &response, false), BASE_E_IO, "nonsense");
    clients_http_response_finish(&response);
}

int main(void)
{
    setenv("http_proxy", "http://127.0.0.1:1/", 1); /* must not be used */
    test_guard();
    test_refused_hosts();
    test_exchanges();
    return tap_done();
}
