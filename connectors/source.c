#include "connectors/source.h"

#include <stdio.h>
#include "base/alloc.h"
#include "base/error.h"
#include "connectors/datagen.h"
#include "connectors/file_source.h"
#include "connectors/postgres_source.h"

struct base_str connectors_option(const struct connectors_source_config *config, const char *key, const char *fallback)
{
    struct base_str value = cep_program_setting(config->program, config->table->options, key);
    return value.ptr ? value : base_str_of(fallback);
}

int connectors_option_number(const struct connectors_source_config *config, struct connectors_number number, int64_t *ret, char *ret_error,
                             size_t error_bytes)
{
    struct base_str text = cep_program_setting(config->program, config->table->options, number.key);
    int64_t value = number.fallback;
    if (text.ptr && (!base_str_to_i64(base_str_trim(text), &value) || value < number.least || value > number.most)) {
        snprintf(ret_error, error_bytes, "option '%s' must be a number from %lld to %lld, not '%.*s'", number.key, (long long)number.least,
                 (long long)number.most, (int)text.len, text.ptr);
        return BASE_E_CONFIG;
    }
    *ret = value;
    return 0;
}

int connectors_option_bool(const struct connectors_source_config *config, const char *key, bool *inout, char *ret_error, size_t error_bytes)
{
    struct base_str text = cep_program_setting(config->program, config->table->options, key);
    if (!text.ptr)
        return 0;
    bool yes = base_str_equal_fold(text, BASE_STR("true"));
    if (!yes && !base_str_equal_fold(text, BASE_STR("false"))) {
        snprintf(ret_error, error_bytes, "option '%s' must be 'true' or 'false', not '%.*s'", key, (int)text.len, text.ptr);
        return BASE_E_CONFIG;
    }
    *inout = yes;
    return 0;
}

char *connectors_path(const struct connectors_source_config *config, struct base_str path)
{
    static const struct base_str prefixes[] = { { "file://", 7 }, { "file:", 5 } };
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (base_str_starts(path, prefixes[i])) {
            path = (struct base_str){ path.ptr + prefixes[i].len, path.len - prefixes[i].len };
            break;
        }
    }
    if (!config->base_dir || (path.len && path.ptr[0] == '/'))
        return base_strndup(path.ptr, path.len);
    struct base_buf text = { 0 };
    base_buf_printf(&text, "%s/%.*s", config->base_dir, (int)path.len, path.ptr);
    char *copy = text.failed ? NULL : base_strdup(text.ptr);
    base_buf_finish(&text);
    return copy;
}

int connectors_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
{
    struct base_str connector = connectors_option(config, "connector", "");
    if (base_str_equal_fold(connector, BASE_STR("filesystem")))
        return connectors_file_source_open(config, ret, ret_error, error_bytes);
    if (base_str_equal_fold(connector, BASE_STR("stdin")))
        return connectors_stdin_source_open(config, ret, ret_error, error_bytes);
    if (base_str_equal_fold(connector, BASE_STR("datagen")))
        return connectors_datagen_open(config, ret, ret_error, error_bytes);
    if (base_str_equal_fold(connector, BASE_STR("postgresql")) || base_str_equal_fold(connector, BASE_STR("jdbc")))
        return connectors_postgres_source_open(config, ret, ret_error, error_bytes);
    if (connector.len)
        snprintf(ret_error, error_bytes, "no source goes by 'connector' = '%.*s'", (int)connector.len, connector.ptr);
    else
        snprintf(ret_error, error_bytes, "option 'connector' is missing");
    return BASE_E_CONFIG;
}
