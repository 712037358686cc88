#include "formats/wanted.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"

#define PATH_SEPARATOR 0x1f
#define DAY_MS INT64_C(86400000)

struct formats_wanted *formats_wanted_child(struct formats_wanted *parent, struct base_str name, struct base_arena *arena)
{
    struct formats_wanted **link = &parent->child;
    for (; *link; link = &(*link)->sibling) {
        if (base_str_equal((*link)->name, name))
            return *link;
    }
    struct formats_wanted *node = base_arena_zalloc(arena, 1, sizeof *node);
    if (!node)
        return NULL;
    node->name = name;
    node->slot = CEP_NONE;
    parent->children++;
    *link = node;
    return node;
}

void formats_wanted_at(struct formats_wanted *node, struct formats_slots *slots, uint32_t slot)
{
    slots->same[slot] = node->slot;
    node->slot = slot;
}

int formats_wanted_columns(const struct formats_decoder *decoder, struct formats_wanted *root, struct formats_slots *slots, uint32_t base,
                           struct base_arena *arena, char *ret_error, size_t error_bytes)
{
    for (uint32_t f = 0; f < decoder->field_count; f++) {
        const struct formats_field *field = &decoder->fields[f];
        struct formats_wanted *node = root;
        struct base_str rest = field->path;
        slots->same[base + f] = CEP_NONE;
        slots->types[base + f] = field->type;
        for (uint32_t depth = 0; !field->metadata && rest.ptr; depth++) {
            const char *cut = rest.len ? memchr(rest.ptr, PATH_SEPARATOR, rest.len) : NULL;
            struct base_str name = { rest.ptr, cut ? (size_t)(cut - rest.ptr) : rest.len };
            if (depth == FORMATS_WANTED_DEPTH) {
                snprintf(ret_error, error_bytes, "column \"%.*s\" is nested deeper than %d", (int)field->name.len, field->name.ptr, FORMATS_WANTED_DEPTH);
                return BASE_E_CONFIG;
            }
            node = formats_wanted_child(node, name, arena);
            if (!node)
                return BASE_E_NOMEM;
            rest = cut ? (struct base_str){ cut + 1, rest.len - name.len - 1 } : (struct base_str){ 0 };
        }
        if (!field->metadata)
            formats_wanted_at(node, slots, base + f);
    }
    return 0;
}

/* ---- conversion ---- */

static int to_integer(struct cep_type from, struct cep_value value, struct cep_type want, struct cep_value *ret)
{
    int64_t i = value.i;
    if (from.kind == CEP_KIND_DOUBLE) {
        if (!(value.d >= -9223372036854775808.0 && value.d < 9223372036854775808.0))
            return BASE_E_OVERFLOW;
        if (value.d != floor(value.d))
            return BASE_E_CAST;
        i = (int64_t)value.d;
    } else if (from.kind == CEP_KIND_DECIMAL) {
        struct base_buf text = { 0 };
        cep_decimal_print(cep_dec_get(value), from.scale, &text);
        int e = text.failed ? BASE_E_NOMEM : formats_number_i64((struct base_str){ text.ptr, text.len }, &i);
        base_buf_finish(&text);
        if (e < 0)
            return e;
    }
    if (want.kind == CEP_KIND_INT && (i < INT32_MIN || i > INT32_MAX))
        return BASE_E_OVERFLOW;
    *ret = cep_int(i);
    return 0;
}

static int to_time(const struct formats_times *times, struct cep_type from, struct cep_value value, struct cep_value *ret)
{
    char digits[24];
    int64_t ms = value.i;
    if (from.kind == CEP_KIND_DATE) {
        if (__builtin_mul_overflow(value.i, DAY_MS, &ms))
            return BASE_E_OVERFLOW;
    } else if (from.kind == CEP_KIND_INT || from.kind == CEP_KIND_BIGINT) {
        int len = snprintf(digits, sizeof digits, "%lld", (long long)value.i);
        if (!formats_time_number(times, (struct base_str){ digits, (size_t)len }, &ms))
            return BASE_E_CAST;
    } else if (!cep_kind_is_time(from.kind)) {
        return BASE_E_CAST;
    }
    *ret = cep_int(ms);
    return 0;
}

static bool is_integer(uint8_t kind)
{
    return kind == CEP_KIND_INT || kind == CEP_KIND_BIGINT;
}

int formats_convert(struct formats_times *times, struct cep_type from, struct cep_value value, struct cep_type want, struct base_arena *arena,
                    struct cep_value *ret)
{
    if (value.null || (from.kind == want.kind && from.kind != CEP_KIND_DECIMAL)) {
        *ret = value;
        return 0;
    }
    if (from.kind == CEP_KIND_BYTES && want.kind == CEP_KIND_STRING) {
        *ret = value;
        return base_utf8_check(value.s.ptr, value.s.len) == value.s.len ? 0 : BASE_E_CAST;
    }
    if (from.kind == CEP_KIND_STRING && want.kind == CEP_KIND_BYTES) {
        *ret = value;
        return 0;
    }
    if (from.kind == CEP_KIND_STRING)
        return formats_text_value(times, want, (struct base_str){ value.s.ptr, value.s.len }, arena, ret);
    if (is_integer(want.kind) && (cep_kind_is_number(from.kind) || from.kind == CEP_KIND_DATE || from.kind == CEP_KIND_TIME || cep_kind_is_time(from.kind)))
        return to_integer(from, value, want, ret);
    if (cep_kind_is_time(want.kind))
        return to_time(times, from, value, ret);
    if (is_integer(from.kind) && (want.kind == CEP_KIND_DATE || want.kind == CEP_KIND_TIME)) {
        *ret = value;
        return 0;
    }
    if (want.kind == CEP_KIND_ROW || want.kind == CEP_KIND_ARRAY || !cep_cast_exists(from, want, false))
        return BASE_E_CAST;
    return cep_value_cast(from, want, value, arena, ret);
}

int formats_convert_float(struct formats_times *times, float value, struct cep_type want, struct base_arena *arena, struct cep_value *ret)
{
    char text[32];
    if ((want.kind != CEP_KIND_STRING && want.kind != CEP_KIND_DECIMAL) || !isfinite(value))
        return formats_convert(times, CEP_TYPE(DOUBLE), cep_double((double)value), want, arena, ret);
    double back = 0;
    int len = 0;
    for (int digits = 1; digits <= 9; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (base_str_to_double((struct base_str){ text, (size_t)len }, &back) && (float)back == value)
            break;
    }
    if (want.kind == CEP_KIND_STRING)
        return cep_value_cast(CEP_TYPE(DOUBLE), want, cep_double(back), arena, ret);
    return formats_number_decimal((struct base_str){ text, (size_t)len }, want, ret);
}
