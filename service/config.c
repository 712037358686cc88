#include "service/config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum reload { RELOAD_RESTART, RELOAD_LIVE };

struct setting {
    const char *key;
    enum service_setting_type type;
    const char *value; /* default */
    int64_t least, most;
    enum reload reload;
    const char *doc;
};

static const struct setting SETTINGS[] = {
#define X(name, key, type, value, least, most, reload, doc) { key, SERVICE_TYPE_##type, value, least, most, RELOAD_##reload, doc },
#include "service/config.def"
#undef X
};

static bool parse_unit(const char *text, const struct service_option *units, int64_t *ret)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || errno || number < 0)
        return false;
    while (*end == ' ')
        end++;
    for (; units->key; units++) {
        if (strcasecmp(end, units->key) == 0)
            return !__builtin_mul_overflow((int64_t)number, strtoll(units->value, NULL, 10), ret);
    }
    return false;
}

bool service_parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct service_option units[] = {
        { "ms", "1" }, { "", "1" }, { "s", "1000" }, { "sec", "1000" }, { "min", "60000" }, { "m", "60000" }, { "h", "3600000" },
        { "d", "86400000" }, { "day", "86400000" }, { "days", "86400000" }, { NULL, NULL },
    };
    return parse_unit(text, units, ret_ms);
}

bool service_parse_size(const char *text, int64_t *ret_bytes)
{
    static const struct service_option units[] = {
        { "", "1" }, { "b", "1" }, { "kib", "1024" }, { "k", "1024" }, { "kb", "1024" }, { "mib", "1048576" }, { "m", "1048576" },
        { "mb", "1048576" }, { "gib", "1073741824" }, { "g", "1073741824" }, { "gb", "1073741824" }, { NULL, NULL },
    };
    return parse_unit(text, units, ret_bytes);
}

/* Index of word in "a|b|c", -1 if it is none of them. */
static int64_t choice_index(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (int64_t i = 0;; i++) {
        const char *end = strchr(words, '|');
        size_t have = end ? (size_t)(end - words) : strlen(words);
        if (have == len && memcmp(words, word, len) == 0)
            return i;
        if (!end)
            return -1;
        words = end + 1;
    }
}

/* Checks and takes over the text of a setting. origin: where it was written. */
static int set(struct service_config *config, size_t i, const char *text, const char *origin, struct base_buf *error)
{
    const struct setting *s = &SETTINGS[i];
    int64_t number = 0;
    const char *want = NULL;
    switch (s->type) {
    case SERVICE_TYPE_TEXT:
        break;
    case SERVICE_TYPE_COUNT:
        if (!base_str_to_i64(base_str_of(text), &number))
            want = "a whole number";
        break;
    case SERVICE_TYPE_BOOL:
        number = strcmp(text, "true") == 0;
        if (!number && strcmp(text, "false") != 0)
            want = "true or false";
        break;
    case SERVICE_TYPE_DURATION:
        if (!service_parse_duration(text, &number))
            want = "a duration such as \"100 ms\", \"5 s\", \"10 min\" or \"2 h\"";
        break;
    case SERVICE_TYPE_SIZE:
        if (!service_parse_size(text, &number))
            want = "a size such as \"64 MiB\" or \"1 GiB\"";
        break;
    case SERVICE_TYPE_CHOICE:
        number = choice_index(s->value, text);
        if (number < 0)
            want = s->value;
        break;
    }
    if (want) {
        base_buf_printf(error, "%s: %s is \"%s\", but must be %s%s", origin, s->key, text, s->type == SERVICE_TYPE_CHOICE ? "one of " : "", want);
        return BASE_E_CONFIG;
    }
    bool bounded = s->type == SERVICE_TYPE_COUNT || s->type == SERVICE_TYPE_DURATION || s->type == SERVICE_TYPE_SIZE;
    if (bounded && (number < s->least || number > s->most)) {
        base_buf_printf(error, "%s: %s is \"%s\", but must be within %lld and %lld", origin, s->key, text, (long long)s->least, (long long)s->most);
        return BASE_E_CONFIG;
    }
    config->text[i] = base_arena_strndup(&config->arena, text, strlen(text));
    config->number[i] = number;
    return config->text[i] ? 0 : BASE_E_NOMEM;
}

static size_t setting_find(const char *key)
{
    for (size_t i = 0; i < SERVICE_SETTING_COUNT_; i++) {
        if (strcmp(SETTINGS[i].key, key) == 0)
            return i;
    }
    return SERVICE_SETTING_COUNT_;
}

static const char *nearest_key(const char *key)
{
    const char *best = NULL;
    size_t least = 4;
    for (size_t i = 0; i < SERVICE_SETTING_COUNT_; i++) {
        size_t distance = base_str_distance(base_str_of(key), base_str_of(SETTINGS[i].key));
        if (distance < least) {
            least = distance;
            best = SETTINGS[i].key;
        }
    }
    return best;
}

/* A JSON scalar as text in the arena; NULL: it is none, or no memory. */
static const char *scalar(struct service_config *config, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return base_arena_strndup(&config->arena, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return base_arena_printf(&config->arena, "%lld", (long long)json_integer_value(value));
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_REAL:
        return base_arena_printf(&config->arena, "%g", json_real_value(value));
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL:
        break;
    }
    return NULL;
}

struct flat {
    struct service_config *config;
    const char *path;
    struct base_buf *error;
    struct service_option *at; /* NULL: top level, goes to the settings */
    uint32_t count, cap;
};

static int flat_one(struct flat *flat, const char *key, const json_t *value)
{
    const char *text = scalar(flat->config, value);
    if (!text) {
        base_buf_printf(flat->error, "%s: the value of %s must be a text, a number, true or false", flat->path, key);
        return BASE_E_CONFIG;
    }
    if (flat->at) {
        if (flat->count == flat->cap)
            return BASE_E_LIMIT;
        flat->at[flat->count++] = (struct service_option){ key, text };
        return 0;
    }
    size_t i = setting_find(key);
    if (i < SERVICE_SETTING_COUNT_)
        return set(flat->config, i, text, flat->path, flat->error);
    const char *near = nearest_key(key);
    base_buf_printf(flat->error, "%s: unknown setting \"%s\"%s%s%s", flat->path, key, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return BASE_E_CONFIG;
}

/* Walks nested objects; keys are joined by dots. */
static int flatten(struct flat *flat, const char *prefix, json_t *object, int depth)
{
    const char *name;
    json_t *value;
    if (depth > 6)
        return BASE_E_CONFIG;
    json_object_foreach(object, name, value) {
        if (depth == 0 && !flat->at && (strcmp(name, "sinks") == 0 || strcmp(name, "variables") == 0))
            continue;
        const char *key = *prefix ? base_arena_printf(&flat->config->arena, "%s.%s", prefix, name)
                                  : base_arena_strndup(&flat->config->arena, name, strlen(name));
        if (!key)
            return BASE_E_NOMEM;
        int e = json_is_object(value) ? flatten(flat, key, value, depth + 1) : flat_one(flat, key, value);
        if (e < 0)
            return e;
    }
    return 0;
}

#define OPTIONS_MAX 256

static int read_options(struct service_config *config, const char *path, json_t *object, struct service_option **ret, uint32_t *ret_count,
                        struct base_buf *error)
{
    struct flat flat = { .config = config, .path = path, .error = error, .cap = OPTIONS_MAX };
    flat.at = base_arena_zalloc(&config->arena, OPTIONS_MAX, sizeof *flat.at);
    if (!flat.at)
        return BASE_E_NOMEM;
    int e = flatten(&flat, "", object, 0);
    if (e == BASE_E_LIMIT)
        base_buf_printf(error, "%s: more than %d options in one object", path, OPTIONS_MAX);
    *ret = flat.at;
    *ret_count = flat.count;
    return e == BASE_E_LIMIT ? BASE_E_CONFIG : e;
}

const char *service_sink_option(const struct service_sink_config *sink, const char *key, const char *fallback)
{
    for (uint32_t i = 0; i < sink->option_count; i++) {
        if (strcmp(sink->options[i].key, key) == 0)
            return sink->options[i].value;
    }
    return fallback;
}

static int read_sinks(struct service_config *config, const char *path, json_t *sinks, struct base_buf *error)
{
    static const char *const types[] = { "kafka", "webhook", "file", "stdout", "redis", "postgresql", "clickhouse", "elasticsearch", "opensearch" };
    if (!json_is_object(sinks)) {
        base_buf_printf(error, "%s: \"sinks\" must be an object: {\"name\": {\"type\": \"kafka\", …}}", path);
        return BASE_E_CONFIG;
    }
    config->sinks = base_arena_zalloc(&config->arena, json_object_size(sinks) + 1, sizeof *config->sinks);
    if (!config->sinks)
        return BASE_E_NOMEM;
    const char *name;
    json_t *value;
    json_object_foreach(sinks, name, value) {
        struct service_sink_config *sink = &config->sinks[config->sink_count];
        struct service_option *options = NULL;
        if (!json_is_object(value)) {
            base_buf_printf(error, "%s: sink \"%s\" must be an object", path, name);
            return BASE_E_CONFIG;
        }
        int e = read_options(config, path, value, &options, &sink->option_count, error);
        if (e < 0)
            return e;
        sink->options = options;
        sink->name = base_arena_strndup(&config->arena, name, strlen(name));
        sink->type = service_sink_option(sink, "type", "");
        if (!sink->name)
            return BASE_E_NOMEM;
        bool known = false;
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            known = known || strcmp(types[i], sink->type) == 0;
        if (!known || strchr(name, ',')) {
            base_buf_printf(error, "%s: sink \"%s\" has the type \"%s\", but must have one of kafka, webhook, file, stdout, redis, postgresql, clickhouse, elasticsearch, opensearch, and no comma in its name", path,
                            name, sink->type);
            return BASE_E_CONFIG;
        }
        config->sink_count++;
    }
    return 0;
}

static int read_root(struct service_config *config, const char *path, json_t *root, struct base_buf *error)
{
    if (!json_is_object(root)) {
        base_buf_printf(error, "%s: the configuration must be one JSON object", path);
        return BASE_E_CONFIG;
    }
    struct flat flat = { .config = config, .path = path, .error = error };
    int e = flatten(&flat, "", root, 0);
    json_t *variables = json_object_get(root, "variables");
    if (e == 0 && variables && json_is_object(variables))
        e = read_options(config, path, variables, &config->variables, &config->variable_count, error);
    json_t *sinks = json_object_get(root, "sinks");
    if (e == 0 && sinks)
        e = read_sinks(config, path, sinks, error);
    return e;
}

static int read_file(struct service_config *config, const char *path, struct base_buf *error)
{
    json_error_t where;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        base_buf_printf(error, "%s:%d:%d: %s", path, where.line > 0 ? where.line : 0, where.column > 0 ? where.column : 0, where.text);
        return json_error_code(&where) == json_error_cannot_open_file ? BASE_E_NOTFOUND : BASE_E_CONFIG;
    }
    int e = read_root(config, path, root, error);
    json_decref(root);
    return e;
}

static const char *env_find(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; env && *env; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    }
    return NULL;
}

static void env_name(const char *key, char ret[64])
{
    size_t n = (size_t)snprintf(ret, 64, "CEPHEID_%s", key);
    for (size_t i = 8; i < n && i < 64; i++)
        ret[i] = ret[i] == '.' || ret[i] == '-' ? '_' : (char)toupper((unsigned char)ret[i]);
}

static int read_token_file(struct service_config *config, struct base_buf *error)
{
    const char *path = config->text[SERVICE_API_TOKEN_FILE];
    if (!*path)
        return 0;
    char line[1024] = "";
    FILE *file = fopen(path, "re");
    bool read = file && fgets(line, sizeof line, file);
    if (file)
        fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    if (!read || !line[0]) {
        base_buf_printf(error, "api.token-file: no token can be read from %s", path);
        return BASE_E_CONFIG;
    }
    return set(config, SERVICE_API_TOKEN, line, path, error);
}

int service_config_load(const char *path, char *const *env, struct service_config *config, struct base_buf *error)
{
    *config = (struct service_config){ .path = path };
    int e = 0;
    for (size_t i = 0; e == 0 && i < SERVICE_SETTING_COUNT_; i++) {
        const char *value = SETTINGS[i].value;
        if (SETTINGS[i].type == SERVICE_TYPE_CHOICE)
            value = base_arena_strndup(&config->arena, value, strcspn(value, "|"));
        e = value ? set(config, i, value, "default", error) : BASE_E_NOMEM;
    }
    if (e == 0 && path)
        e = read_file(config, path, error);
    for (size_t i = 0; e == 0 && i < SERVICE_SETTING_COUNT_; i++) {
        char name[64];
        env_name(SETTINGS[i].key, name);
        const char *value = env_find(env, name);
        if (value)
            e = set(config, i, value, name, error);
    }
    if (e == 0)
        e = read_token_file(config, error);
    if (e < 0)
        service_config_finish(config);
    return e;
}

void service_config_finish(struct service_config *config)
{
    base_arena_finish(&config->arena);
    *config = (struct service_config){ 0 };
}

const char *service_config_variable(const struct service_config *config, struct base_str name)
{
    for (uint32_t i = 0; config && i < config->variable_count; i++) {
        if (base_str_equal(base_str_of(config->variables[i].key), name))
            return config->variables[i].value;
    }
    char text[128];
    if (name.len >= sizeof text)
        return NULL;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return getenv(text);
}

static const char *default_of(const struct setting *s, char buffer[64])
{
    if (s->type != SERVICE_TYPE_CHOICE)
        return s->value;
    snprintf(buffer, 64, "%.*s", (int)strcspn(s->value, "|"), s->value);
    return buffer;
}

/* roff reads a backslash, a leading dot and a hyphen in its own way. */
static void put_roff(struct base_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '-')
            base_buf_putc(out, '\\');
        base_buf_putc(out, *text);
    }
}

void service_config_print_man(struct base_buf *out)
{
    static const char *const types[] = { "text", "number", "true or false", "duration", "size", "one of" };
    for (size_t i = 0; i < SERVICE_SETTING_COUNT_; i++) {
        const struct setting *s = &SETTINGS[i];
        char buffer[64], name[64];
        const char *value = default_of(s, buffer);
        base_buf_puts(out, ".TP\n.B ");
        put_roff(out, s->key);
        base_buf_printf(out, "\n(%s%s%s; default ", types[s->type], s->type == SERVICE_TYPE_CHOICE ? " " : "", s->type == SERVICE_TYPE_CHOICE ? s->value : "");
        put_roff(out, *value ? value : "empty");
        base_buf_puts(out, s->reload == RELOAD_LIVE ? "; taken over by a reload)\n" : ")\n");
        put_roff(out, s->doc);
        env_name(s->key, name);
        base_buf_printf(out, "\nEnvironment: %s\n", name);
    }
}

void service_config_print_sample(struct base_buf *out)
{
    base_buf_puts(out, "{\n");
    for (size_t i = 0; i < SERVICE_SETTING_COUNT_; i++) {
        const struct setting *s = &SETTINGS[i];
        char buffer[64];
        const char *value = default_of(s, buffer);
        bool bare = s->type == SERVICE_TYPE_COUNT || s->type == SERVICE_TYPE_BOOL;
        base_buf_printf(out, "  \"%s\": %s%s%s,\n", s->key, bare ? "" : "\"", value, bare ? "" : "\"");
    }
    base_buf_puts(out, "  \"variables\": {},\n  \"sinks\": {\n    \"console\": {\"type\": \"stdout\"}\n  }\n}\n");
}
