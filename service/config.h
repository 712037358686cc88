/* Settings of the process: one JSON file, environment over file over default, from one table (config.def). Read by the command line at start; what it
 * made is read-only afterwards: any thread. Opens no sink and checks no broker. */
#ifndef SERVICE_CONFIG_H
#define SERVICE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/arena.h"
#include "base/str.h"

enum service_setting {
#define X(name, key, type, value, least, most, reload, doc) SERVICE_##name,
#include "service/config.def"
#undef X
    SERVICE_SETTING_COUNT_
};
enum service_setting_type { SERVICE_TYPE_TEXT, SERVICE_TYPE_COUNT, SERVICE_TYPE_BOOL, SERVICE_TYPE_DURATION, SERVICE_TYPE_SIZE, SERVICE_TYPE_CHOICE };

struct service_option { const char *key, *value; };
/* One entry of "sinks". */
struct service_sink_config {
    const char *name;
    const char *type;                    /* kafka, webhook, file, stdout, or a store */
    const struct service_option *options; /* all but the type, nested objects flattened by dots ("properties.bootstrap.servers") */
    uint32_t option_count;
};
struct service_config {
    struct base_arena arena;
    const char *path;                    /* of the file; NULL: none */
    const char *text[SERVICE_SETTING_COUNT_];   /* as given, or the default; never NULL */
    int64_t number[SERVICE_SETTING_COUNT_];     /* COUNT, BOOL, DURATION (ms), SIZE (bytes), CHOICE (index of the word) */
    struct service_sink_config *sinks;
    uint32_t sink_count;
    struct service_option *variables;    /* "variables": what ${NAME} stands for in rule files, before the environment */
    uint32_t variable_count;
};

/* Reads file (NULL: defaults and environment only). On failure BASE_E_CONFIG, BASE_E_NOTFOUND or BASE_E_NOMEM with a text that names file, key, cause and
 * remedy appended to error. env: NULL-ended "NAME=value" list, as environ. */
int service_config_load(const char *path, char *const *env, struct service_config *config, struct base_buf *error) BASE_MUST_CHECK;
void service_config_finish(struct service_config *config);
/* Option of a sink, or fallback. */
const char *service_sink_option(const struct service_sink_config *sink, const char *key, const char *fallback);
/* Variable by name: "variables" of the file, then the environment; NULL if there is none. */
const char *service_config_variable(const struct service_config *config, struct base_str name);

/* "100 ms", "5 s", "10 min", "2 h", "1 day" to milliseconds; "64 MiB", "1 GiB", "4096" to bytes. False if malformed. */
bool service_parse_duration(const char *text, int64_t *ret_ms);
bool service_parse_size(const char *text, int64_t *ret_bytes);

/* Manual page text (the SETTINGS section, as roff) and a sample file with every setting at its default: what docs ship is compared with these. */
void service_config_print_man(struct base_buf *out);
void service_config_print_sample(struct base_buf *out);

#endif
