#include "service/delivery_sinks.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "connectors/kafka_sink.h"
#include "connectors/sink.h"
#include "service/delivery_store.h"
#include "service/kafka_options.h"

#define FLUSH_MS 10000
#define PREPARE_MS 1000 /* a broker that is away is waited for with the first alert */
#define HEADERS_MAX 32

struct service_delivery_sink {
    const struct service_sink_config *config;
    struct connectors_webhook *webhook;
    struct connectors_sink *file;
    struct connectors_kafka_sink *kafka;
    struct service_delivery_store *store;
    const char *topic;
    struct base_buf why;
};

static int open_webhook(const struct service_config *config, const struct service_sink_config *sink, struct service_delivery_sink *out,
                        struct base_buf *reterr)
{
    const char *secrets[2];
    struct clients_http_header headers[HEADERS_MAX];
    struct connectors_webhook_options options = { .name = sink->name, .url = service_sink_option(sink, "url", ""), .secrets = secrets, .headers = headers };
    const char *secret = service_sink_option(sink, "secret", NULL), *old = service_sink_option(sink, "secret.old", NULL);
    if (secret)
        secrets[options.secret_count++] = secret;
    if (old)
        secrets[options.secret_count++] = old;
    for (uint32_t i = 0; i < sink->option_count && options.header_count < HEADERS_MAX; i++) {
        if (strncmp(sink->options[i].key, "headers.", 8) == 0)
            headers[options.header_count++] = (struct clients_http_header){ sink->options[i].key + 8, sink->options[i].value };
    }
    int64_t timeout_ms = 15000;
    const char *timeout = service_sink_option(sink, "timeout", NULL);
    if (timeout && (!service_parse_duration(timeout, &timeout_ms) || timeout_ms < 100 || timeout_ms > 300000)) {
        base_buf_printf(reterr, "sink \"%s\": \"timeout\" must be a duration between 100 ms and 5 min", sink->name);
        return BASE_E_CONFIG;
    }
    bool private_here = strcmp(service_sink_option(sink, "allow-private", "false"), "true") == 0;
    options.http.allow_private = private_here || config->number[SERVICE_WEBHOOK_PRIVATE];
    options.http.ca_file = service_sink_option(sink, "ca-file", NULL);
    options.http.timeout_ms = (uint32_t)timeout_ms;
    return connectors_webhook_create(&options, &out->webhook, reterr);
}

static int open_file(const struct service_sink_config *sink, struct service_delivery_sink *out, struct base_buf *reterr)
{
    bool is_stdout = strcmp(sink->type, "stdout") == 0;
    const char *path = is_stdout ? "-" : service_sink_option(sink, "path", NULL);
    char text[512] = "";
    if (!path) {
        base_buf_printf(reterr, "sink \"%s\": a file sink needs \"path\"", sink->name);
        return BASE_E_CONFIG;
    }
    int e = connectors_file_sink_open(path, &out->file, text, sizeof text);
    if (e < 0)
        base_buf_printf(reterr, "sink \"%s\": %s", sink->name, *text ? text : base_error_text(e));
    return e;
}

static int open_kafka(const struct service_config *config BASE_UNUSED, const struct service_sink_config *sink,
                      struct service_delivery_sink *out,
                      struct base_buf *reterr)
{
    struct clients_option options[SERVICE_KAFKA_OPTIONS_MAX];
    struct connectors_kafka_sink_options kafka = { .name = sink->name, .options = options };
    kafka.option_count = service_kafka_sink_options(sink, options);
    out->topic = service_sink_option(sink, "topic", NULL);
    if (!out->topic) {
        base_buf_printf(reterr, "sink \"%s\": a Kafka sink needs \"topic\"", sink->name);
        return BASE_E_CONFIG;
    }
    return connectors_kafka_sink_create(&kafka, &out->kafka, reterr);
}

int service_delivery_sink_open(const struct service_config *config, const struct service_sink_config *sink, struct service_delivery_sink **ret,
                               struct base_buf *reterr)
{
    struct service_delivery_sink *out = base_calloc(1, sizeof *out);
    if (!out)
        return BASE_E_NOMEM;
    out->config = sink;
    out->why.limit = 4096;
    int e = strcmp(sink->type, "webhook") == 0 ? open_webhook(config, sink, out, reterr)
            : strcmp(sink->type, "kafka") == 0     ? open_kafka(config, sink, out, reterr)
            : service_delivery_is_store(sink->type) ? service_delivery_store_open(config, sink, &out->store, reterr)
                                                    : open_file(sink, out, reterr);
    if (e < 0) {
        service_delivery_sink_close(out);
        return e;
    }
    *ret = out;
    return 0;
}

void service_delivery_sink_close(struct service_delivery_sink *sink)
{
    if (!sink)
        return;
    connectors_webhook_destroy(sink->webhook);
    connectors_sink_close(sink->file);
    connectors_kafka_sink_destroy(sink->kafka);
    service_delivery_store_close(sink->store);
    base_buf_finish(&sink->why);
    base_free(sink);
}

void service_delivery_sink_prepare(struct service_delivery_sink *sink)
{
    if (sink->kafka)
        connectors_kafka_sink_prepare(sink->kafka, sink->topic, PREPARE_MS);
}

bool service_delivery_sink_is_webhook(const struct service_delivery_sink *sink)
{
    return sink->webhook != NULL;
}

int service_delivery_sink_post(struct service_delivery_sink *sink, const struct service_alert *alert, int64_t now_ms,
                               struct connectors_webhook_outcome *ret, struct base_buf *text)
{
    struct base_buf id = { 0 };
    base_buf_put(&id, alert->alert_id.ptr, alert->alert_id.len);
    base_buf_printf(&id, ".%u", alert->revision);
    int e = id.failed ? BASE_E_NOMEM : connectors_webhook_send(sink->webhook, (struct base_str){ id.ptr, id.len }, alert->body, now_ms, ret, text);
    base_buf_finish(&id);
    return e;
}

int service_delivery_sink_write(struct service_delivery_sink *sink, const struct service_alert *alert)
{
    if (sink->file)
        return connectors_sink_write(sink->file, alert->body, alert->key);
    if (sink->store)
        return service_delivery_store_write(sink->store, alert);
    struct connectors_kafka_header header = { "content-type", BASE_STR("application/cloudevents+json; charset=UTF-8") };
    return connectors_kafka_sink_produce(sink->kafka, sink->topic, alert->key, alert->body, &header, 1);
}

int service_delivery_sink_flush(struct service_delivery_sink *sink)
{
    if (sink->file)
        return connectors_sink_flush(sink->file);
    base_buf_clear(&sink->why);
    if (sink->store)
        return service_delivery_store_flush(sink->store, &sink->why);
    return connectors_kafka_sink_flush(sink->kafka, FLUSH_MS, &sink->why);
}

void service_delivery_sink_error(struct service_delivery_sink *sink, int error, struct base_buf *out)
{
    if (sink->file)
        base_buf_puts(out, sink->file->error);
    else if (sink->why.len)
        base_buf_put(out, sink->why.ptr, sink->why.len);
    if (!out->len)
        base_buf_puts(out, base_error_text(error));
}

void service_delivery_sink_interrupt(struct service_delivery_sink *sink)
{
    if (sink && sink->webhook)
        connectors_webhook_interrupt(sink->webhook);
    if (sink && sink->store)
        service_delivery_store_interrupt(sink->store);
}
