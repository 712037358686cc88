#include "formats/writer.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "formats/registry.h"

int formats_writer_check_name(struct base_str name, const char *format, char *ret_error, size_t error_bytes)
{
    bool good = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9'));
    }
    if (!good)
        snprintf(ret_error, error_bytes, "column \"%.*s\" has no name that %s allows (letters, digits, _): give it another one with AS", (int)name.len, name.ptr, format);
    return good ? 0 : BASE_E_CONFIG;
}

int formats_writer_register(const struct formats_writer_config *config, const char *type, struct base_str text, char ret_head[5], char *ret_error, size_t error_bytes)
{
    struct formats_registry_options options = { .url = config->option(config->ctx, "url"), .user_info = config->option(config->ctx, "basic-auth.user-info"),
                                                .token = config->option(config->ctx, "bearer-auth.token"), .ca_file = config->option(config->ctx, "ssl.ca-file") };
    struct base_str own = config->option(config->ctx, "subject");
    struct formats_registry *registry = NULL;
    struct base_buf why = { .limit = 2048 };
    uint32_t id = 0;
    int e = formats_registry_create(&options, &registry, ret_error, error_bytes);
    if (e < 0)
        return e;
    e = formats_registry_register(registry, own.ptr ? own : config->subject, type, text, &id, &why);
    if (e < 0)
        snprintf(ret_error, error_bytes, "%s", why.len ? why.ptr : base_error_text(e));
    const char head[5] = { 0, (char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id };
    memcpy(ret_head, head, sizeof head);
    base_buf_finish(&why);
    formats_registry_destroy(registry);
    return e;
}

int formats_writer_decimal(struct cep_type from, struct cep_value value, int scale, uint8_t ret[16])
{
    cep_int128 n = cep_dec_get(value);
    for (int s = from.scale; s < scale; s++)
        n *= 10; /* fits: the target has at least as many digits before the point, and 38 in all */
    for (int i = 0; i < 16; i++)
        ret[i] = (uint8_t)((unsigned __int128)n >> (8 * (15 - i)));
    int first = 0;
    while (first < 15 && ret[first] == (n < 0 ? 0xff : 0) && (ret[first + 1] & 0x80) == (n < 0 ? 0x80 : 0))
        first++;
    return first;
}
