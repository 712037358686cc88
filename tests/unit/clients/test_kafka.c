/* Configuration and errors of the Kafka client; no broker. The talk with a real broker is in tests/broker. */
#include "base/error.h"
#include "clients/kafka.h"
#include "tests/unit/tap.h"

static const struct clients_option ours[] = { { "enable.auto.commit", "false" } };

/* Error text of a consumer with these options, "" if it is made. */
static const char *attempt(const struct clients_option *options, size_t count, int want)
{
    static char text[1024];
    struct clients_kafka *kafka = NULL;
    struct base_buf error_text = { 0 };
    struct clients_kafka_setup setup = {
        .name = "table orders",
        .options = options,
        .option_count = count,
        .fixed = ours,
        .fixed_count = 1,
    };
    IS_INT(clients_kafka_create(&setup, &kafka, &error_text), want, "result");
    snprintf(text, sizeof text, "%s", error_text.ptr ? error_text.ptr : "");
    if (*text)
        printf("# %s\n", text);
    base_buf_finish(&error_text);
    clients_kafka_destroy(kafka);
    return text;
}

static void test_options(void)
{
    struct clients_option options[] = { { "properties.bootstrap.servers", "127.0.0.1:1" }, { "", "" } };
    IS_STR(attempt(options, 1, 0), "", "a good one");
    OK(strstr(attempt(options, 0, BASE_E_CONFIG), "bootstrap.servers"), "missing servers are named");
    options[1] = (struct clients_option){ "properties.sasl.jaas.config", "org.apache… password=\"hunter2\"" };
    const char *text = attempt(options, 2, BASE_E_CONFIG);
    OK(strstr(text, "sasl.username") && strstr(text, "sasl.password"), "Java's name: what to use instead");
    OK(!strstr(text, "hunter2"), "and no secret in the text");
    options[1] = (struct clients_option){ "properties.ssl.truststore.location", "/etc/x.jks" };
    OK(strstr(attempt(options, 2, BASE_E_CONFIG), "ssl.ca.location"), "truststore");
    options[1] = (struct clients_option){ "properties.fetch.sice", "1" };
    OK(strstr(attempt(options, 2, BASE_E_CONFIG), "'fetch.sice'"), "an unknown one is named");
    options[1] = (struct clients_option){ "properties.security.protocol", "SASL_SLL" };
    OK(strstr(attempt(options, 2, BASE_E_CONFIG), "SASL_SLL"), "a wrong value is shown");
    options[1] = (struct clients_option){ "enable.auto.commit", "true" };
    OK(strstr(attempt(options, 2, BASE_E_CONFIG), "the service sets it itself"), "what is ours is refused");
    options[1] = (struct clients_option){ "properties.ssl.ca.location", "/nonexistent/ca.pem" };
    struct clients_option ssl[] = { options[0], options[1], { "properties.security.protocol", "SSL" } };
    OK(strstr(attempt(ssl, 3, BASE_E_CONFIG), "/nonexistent/ca.pem"), "a missing CA file is named");
}

static void test_classes(void)
{
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR_NO_ERROR), CLIENTS_KAFKA_OK, "none");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR__TRANSPORT), CLIENTS_KAFKA_RETRIABLE, "transport");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR__FENCED), CLIENTS_KAFKA_FENCED, "fenced");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR__AUTHENTICATION), CLIENTS_KAFKA_AUTH, "password");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), CLIENTS_KAFKA_AUTH, "ACL");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION), CLIENTS_KAFKA_ABORTABLE, "generation");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR__FATAL), CLIENTS_KAFKA_FATAL, "fatal");
    IS_INT(clients_kafka_classify(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), CLIENTS_KAFKA_BAD, "size");
    IS_INT(clients_kafka_code(CLIENTS_KAFKA_ABORTABLE), BASE_E_CONFLICT, "code of abortable");
}

static void test_health(void)
{
    struct clients_option options[] = { { "bootstrap.servers", "127.0.0.1:1" },
                                        { "reconnect.backoff.ms", "50" },
                                        { "reconnect.backoff.max.ms", "50" } };
    struct clients_kafka_setup setup = {
        .name = "sink alerts", .producer = true, .options = options, .option_count = 3
    };
    struct clients_kafka *kafka = NULL;
    struct clients_kafka_health health = { 0 };
    IS_INT(clients_kafka_create(&setup, &kafka, NULL), 0, "a client of a port where nobody listens");
    for (int i = 0; i < 100 && !health.last_error; i++) {
        clients_kafka_poll(kafka, 50);
        clients_kafka_health(kafka, &health);
    }
    OK(!health.reachable && health.errors > 0, "is not reachable");
    IS_INT(health.last_error, BASE_E_BROKER, "code");
    OK(strstr(health.text, "sink alerts") && strstr(health.text, "127.0.0.1:1") && strstr(health.text, "refused"),
       "who, where, why");
    printf("# %s\n", health.text);
    clients_kafka_note_error(kafka, RD_KAFKA_RESP_ERR__AUTHENTICATION, "wrong password");
    clients_kafka_note_error(kafka, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    clients_kafka_health(kafka, &health);
    IS_INT(health.last_error, BASE_E_AUTH, "a refusal is not hidden by its effect");
    OK(strstr(health.text, "wrong password") && strstr(health.text, "sasl.password"), "cause and remedy");
    clients_kafka_note_success(kafka);
    clients_kafka_health(kafka, &health);
    OK(health.reachable && health.last_error == 0, "cured");
    clients_kafka_destroy(kafka);
}

int main(void)
{
    test_options();
    test_classes();
    test_health();
    return tap_done();
}
