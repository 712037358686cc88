#include "clients/kafka_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"

#define PREFIX "properties."

/* Names of Kafka's Java client that librdkafka has not, or has with another meaning. */
static const struct {
    const char *java, *remedy;
} java_names[] = {
    { "sasl.jaas.config", "set 'properties.sasl.username' and 'properties.sasl.password' instead" },
    { "sasl.client.callback.handler.class", "set 'properties.sasl.username' and 'properties.sasl.password' instead" },
    { "sasl.login.callback.handler.class",
      "set 'properties.sasl.oauthbearer.method' = 'oidc' and the other 'sasl.oauthbearer.*' properties instead" },
    { "ssl.truststore.location",
      "set 'properties.ssl.ca.location' to a PEM file of the CA instead (keytool -exportcert -rfc writes one)" },
    { "ssl.truststore.password", "a PEM file of 'properties.ssl.ca.location' needs no password: leave it out" },
    { "ssl.truststore.type", "set 'properties.ssl.ca.location' to a PEM file of the CA instead" },
    { "ssl.truststore.certificates", "set 'properties.ssl.ca.pem' instead" },
    { "ssl.keystore.type",
      "'properties.ssl.keystore.location' is read as PKCS#12; for PEM set 'properties.ssl.certificate.location' and "
      "'properties.ssl.key.location': leave it out" },
    { "ssl.keystore.certificate.chain", "set 'properties.ssl.certificate.pem' instead" },
    { "ssl.keystore.key", "set 'properties.ssl.key.pem' instead" },
    { "ssl.enabled.protocols", "OpenSSL chooses the protocol: leave it out" },
    { "ssl.protocol", "OpenSSL chooses the protocol: leave it out" },
    { "key.deserializer", "the table's 'format' decodes records: leave it out" },
    { "value.deserializer", "the table's 'format' decodes records: leave it out" },
    { "key.serializer", "alerts are written as JSON: leave it out" },
    { "value.serializer", "alerts are written as JSON: leave it out" },
    { "max.poll.records", "batches are sized by the service: leave it out" },
    { "default.api.timeout.ms", "set 'properties.socket.timeout.ms' instead" },
    { "request.timeout.ms", "set 'properties.socket.timeout.ms' instead" },
    { "max.partition.fetch.bytes", "set 'properties.fetch.message.max.bytes' instead" },
    { "fetch.max.wait.ms", "set 'properties.fetch.wait.max.ms' instead" },
    { "buffer.memory", "set 'properties.queue.buffering.max.kbytes' instead" },
    { "max.block.ms", "leave it out: the service waits and tells of it" },
    { "interceptor.classes", "there is no such thing here: leave it out" },
    { "metric.reporters", "metrics are at /metrics: leave it out" },
    { "partition.discovery.interval.ms", "set 'properties.topic.metadata.refresh.interval.ms' instead" },
};

bool clients_kafka_is_property(const char *name)
{
    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0;
}

static const char *bare_name(const char *name)
{
    return clients_kafka_is_property(name) ? name + sizeof PREFIX - 1 : name;
}

static bool is_secret(const char *name)
{
    return strstr(name, "password") || strstr(name, "secret") || strstr(name, "key.pem") || strstr(name, "jaas");
}

static int complain(const struct clients_kafka_setup *setup, struct base_buf *reterr, const char *name,
                    const char *what, const char *remedy)
{
    if (reterr)
        base_buf_printf(reterr, "%s: property '%s': %s%s%s", setup->name, name, what, remedy ? "; " : "",
                        remedy ? remedy : "");
    return BASE_E_CONFIG;
}

static int set_one(const struct clients_kafka_setup *setup, rd_kafka_conf_t *conf, const char *name, const char *value,
                   struct base_buf *reterr)
{
    char text[512] = "";
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof text);
    if (result == RD_KAFKA_CONF_OK)
        return 0;
    for (size_t i = 0; i < sizeof java_names / sizeof java_names[0]; i++) {
        if (strcmp(name, java_names[i].java) == 0) /* librdkafka knows some of them just to refuse them */
            return complain(setup, reterr, name, "only Kafka's Java client has it", java_names[i].remedy);
    }
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return complain(setup, reterr, name, "librdkafka has no such property",
                        "its CONFIGURATION.md lists all of them");
    return complain(setup, reterr, name, is_secret(name) ? "its value is not accepted" : text, NULL);
}

static int set_all(const struct clients_kafka_setup *setup, rd_kafka_conf_t *conf, const struct clients_option *options,
                   size_t count, struct base_buf *reterr)
{
    for (size_t i = 0; i < count; i++) {
        int error = set_one(setup, conf, bare_name(options[i].name), options[i].value, reterr);
        if (error)
            return error;
    }
    return 0;
}

/* OpenSSL's own words do not name the file. */
static int check_files(const struct clients_kafka_setup *setup, struct base_buf *reterr)
{
    static const char *const files[] = { "ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
                                         "ssl.keystore.location", "ssl.crl.location" };
    for (size_t i = 0; i < setup->option_count; i++) {
        const char *name = bare_name(setup->options[i].name), *path = setup->options[i].value;
        for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
            if (strcmp(name, files[k]) != 0 || strcmp(path, "probe") == 0 || access(path, R_OK) == 0)
                continue;
            char what[512];
            snprintf(what, sizeof what, "%s cannot be read: %s", path, strerror(errno));
            return complain(setup, reterr, name, what, NULL);
        }
    }
    return 0;
}

static int refuse_fixed(const struct clients_kafka_setup *setup, struct base_buf *reterr)
{
    for (size_t i = 0; i < setup->option_count; i++) {
        const char *name = bare_name(setup->options[i].name);
        for (size_t k = 0; k < setup->fixed_count; k++) {
            if (strcasecmp(name, setup->fixed[k].name) == 0)
                return complain(setup, reterr, name, "the service sets it itself, because its guarantees hang on it",
                                "leave it out");
        }
    }
    return 0;
}

int clients_kafka_config(const struct clients_kafka_setup *setup, rd_kafka_conf_t **ret, char **ret_servers,
                         struct base_buf *reterr)
{
    char servers[4096] = "";
    size_t size = sizeof servers;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int error = refuse_fixed(setup, reterr);
    if (!error)
        error = check_files(setup, reterr);
    if (!error)
        error = set_all(setup, conf, setup->defaults, setup->default_count, reterr);
    if (!error)
        error = set_all(setup, conf, setup->options, setup->option_count, reterr);
    if (!error)
        error = set_all(setup, conf, setup->fixed, setup->fixed_count, reterr);
    if (!error && (rd_kafka_conf_get(conf, "bootstrap.servers", servers, &size) != RD_KAFKA_CONF_OK || !servers[0]))
        error =
            complain(setup, reterr, "bootstrap.servers", "it is missing", "set it to host:port of at least one broker");
    char *copy = error ? NULL : base_strdup(servers);
    if (!error && !copy)
        error = BASE_E_NOMEM;
    if (error) {
        rd_kafka_conf_destroy(conf);
        return error;
    }
    *ret = conf;
    *ret_servers = copy;
    return 0;
}
