/* Settings: defaults, file, environment over file, nesting, errors with their remedy, sinks, durations and sizes, the sample. */
#include "service/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/unit/tap.h"

static char path[] = "/tmp/cepheid-test-config-XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static int load(const char *text, char *const *env, struct service_config *config, struct base_buf *error)
{
    write_file(text);
    base_buf_clear(error);
    return service_config_load(path, env, config, error);
}

static void refused(const char *text, const char *part)
{
    struct service_config config;
    struct base_buf error = { 0 };
    char *env[] = { NULL };
    IS_INT(load(text, env, &config, &error), BASE_E_CONFIG, "refused");
    if (!OK(error.ptr && strstr(error.ptr, part), part))
        printf("# got %s\n", error.ptr ? error.ptr : "");
    base_buf_finish(&error);
}

static void test_good(void)
{
    struct service_config config;
    struct base_buf error = { 0 };
    char *env[] = { "CEPHEID_COMMIT_INTERVAL=250 ms", "OTHER=1", NULL };
    int e = load("{\"application.id\": \"shop\", \"state\": {\"dir\": \"/x\", \"memory\": \"1 GiB\"}, \"commit.interval\": \"50 ms\", \"shards\": 3,"
                 " \"variables\": {\"KAFKA\": \"b:1\"}, \"sinks\": {\"a\": {\"type\": \"kafka\", \"topic\": \"t\", \"properties\": {\"bootstrap.servers\": \"b:1\"}},"
                 " \"w\": {\"type\": \"webhook\", \"url\": \"http://x\", \"timeout\": \"3 s\"}}}",
                 env, &config, &error);
    IS_INT(e, 0, "read");
    if (e < 0) {
        printf("# %s\n", error.ptr ? error.ptr : "");
        base_buf_finish(&error);
        return;
    }
    IS_STR(config.text[SERVICE_APPLICATION_ID], "shop", "a text");
    IS_STR(config.text[SERVICE_STATE_DIR], "/x", "nested objects are dotted keys");
    IS_INT(config.number[SERVICE_STATE_MEMORY], 1 << 30, "a size");
    IS_INT(config.number[SERVICE_COMMIT_INTERVAL], 250, "the environment wins");
    IS_INT(config.number[SERVICE_SHARDS], 3, "a number");
    IS_STR(config.text[SERVICE_DELIVERY], "exactly-once", "a default");
    IS_INT(config.sink_count, 2, "two sinks");
    IS_STR(service_sink_option(&config.sinks[0], "properties.bootstrap.servers", ""), "b:1", "a sink's nested option");
    IS_STR(service_sink_option(&config.sinks[1], "missing", "fallback"), "fallback", "a fallback");
    IS_STR(service_config_variable(&config, BASE_STR("KAFKA")), "b:1", "a variable");
    OK(service_config_variable(&config, BASE_STR("NO_SUCH_VARIABLE_HERE")) == NULL, "an unknown one");
    service_config_finish(&config);
    base_buf_finish(&error);
}

static void test_bad(void)
{
    refused("{\"aplication.id\": \"x\"}", "did you mean \"application.id\"?");
    refused("{\"shards\": 65}", "within 0 and 64");
    refused("{\"commit.interval\": \"fast\"}", "a duration such as");
    refused("{\"delivery\": \"once\"}", "exactly-once|at-least-once");
    refused("{\"rules.watch\": 1}", "true or false");
    refused("{\"sinks\": {\"a\": {\"type\": \"kaffka\"}}}", "kafka, webhook, file, stdout");
    refused("{\"shards\": [1]}", "must be a text, a number, true or false");
    refused("{\"shards\": 1,}", path);
    refused("{\"shards\": 1, \"shards\": 2}", path);
}

static void test_units(void)
{
    int64_t n = 0;
    OK(service_parse_duration("10 min", &n) && n == 600000, "10 min");
    OK(service_parse_duration("2h", &n) && n == 7200000, "2h");
    OK(service_parse_duration("1 day", &n) && n == 86400000, "1 day");
    OK(!service_parse_duration("-1 s", &n), "no negative ones");
    OK(!service_parse_duration("9223372036854775807 h", &n), "no overflow");
    OK(service_parse_size("64 MiB", &n) && n == 64 << 20, "64 MiB");
    OK(!service_parse_size("64 XB", &n), "unknown unit");
}

static void test_sample(void)
{
    struct base_buf sample = { 0 }, error = { 0 };
    struct service_config config;
    char *env[] = { NULL };
    service_config_print_sample(&sample);
    IS_INT(load(sample.ptr, env, &config, &error), 0, "the sample is a good configuration");
    IS_INT(config.number[SERVICE_COMMIT_INTERVAL], 100, "and holds the defaults");
    service_config_finish(&config);
    base_buf_finish(&sample);
    base_buf_finish(&error);
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    test_good();
    test_bad();
    test_units();
    test_sample();
    unlink(path);
    return tap_done();
}
