#include "cep/value.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cep/double.h"
#include "cep/text.h"

bool cep_type_equal(struct cep_type a, struct cep_type b)
{
    if (a.kind != b.kind)
        return false;
    if (a.kind == CEP_KIND_DECIMAL)
        return a.precision == b.precision && a.scale == b.scale;
    if (a.kind != CEP_KIND_ARRAY)
        return true;
    return a.element == b.element && (a.element != CEP_KIND_DECIMAL || (a.element_precision == b.element_precision &&
                                                                        a.element_scale == b.element_scale));
}

bool cep_type_valid(struct cep_type type)
{
    uint8_t kind = type.kind, precision = type.precision, scale = type.scale;
    if (kind == CEP_KIND_ARRAY) {
        kind = type.element;
        precision = type.element_precision;
        scale = type.element_scale;
        if (kind == CEP_KIND_ARRAY)
            return false;
    }
    if (kind > CEP_KIND_BYTES)
        return false;
    return kind != CEP_KIND_DECIMAL || (precision >= 1 && precision <= 38 && scale <= precision);
}

struct cep_type cep_type_element(struct cep_type array)
{
    return (
        struct cep_type){ .kind = array.element, .precision = array.element_precision, .scale = array.element_scale };
}

struct cep_type cep_type_array(struct cep_type element)
{
    return (struct cep_type){ .kind = CEP_KIND_ARRAY,
                              .element = element.kind,
                              .element_precision = element.precision,
                              .element_scale = element.scale };
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = { "NULL",
                                         "BOOLEAN",
                                         "INT",
                                         "BIGINT",
                                         "DOUBLE",
                                         "DECIMAL",
                                         "STRING",
                                         "DATE",
                                         "TIMESTAMP(3)",
                                         "TIMESTAMP_LTZ(3)",
                                         "INTERVAL DAY TO SECOND",
                                         "INTERVAL YEAR TO MONTH",
                                         "ARRAY",
                                         "ROW",
                                         "TIME",
                                         "BYTES" };
    return kind < sizeof names / sizeof *names ? names[kind] : "?";
}

void cep_type_print(struct cep_type type, struct base_buf *out)
{
    if (type.kind == CEP_KIND_ARRAY) {
        base_buf_puts(out, "ARRAY<");
        if (type.element == CEP_KIND_ARRAY)
            base_buf_puts(out, "ARRAY");
        else
            cep_type_print(cep_type_element(type), out);
        base_buf_putc(out, '>');
        return;
    }
    base_buf_puts(out, kind_name(type.kind));
    if (type.kind == CEP_KIND_DECIMAL)
        base_buf_printf(out, "(%u, %u)", (unsigned)type.precision, (unsigned)type.scale);
}

bool cep_kind_is_number(uint8_t kind)
{
    return kind == CEP_KIND_INT || kind == CEP_KIND_BIGINT || kind == CEP_KIND_DOUBLE || kind == CEP_KIND_DECIMAL;
}

bool cep_kind_is_time(uint8_t kind)
{
    return kind == CEP_KIND_TIMESTAMP || kind == CEP_KIND_TIMESTAMP_LTZ;
}

static int compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

int cep_value_compare(struct cep_type type, struct cep_value a, struct cep_value b)
{
    if (cep_kind_is_text(type.kind))
        return cep_text_compare(a, b);
    if (type.kind == CEP_KIND_DOUBLE)
        return compare_doubles(a.d, b.d);
    if (type.kind == CEP_KIND_DECIMAL) {
        cep_int128 x = cep_dec_get(a), y = cep_dec_get(b);
        return (x > y) - (x < y);
    }
    return (a.i > b.i) - (a.i < b.i);
}

bool cep_value_same(struct cep_type type, struct cep_value a, struct cep_value b)
{
    if (a.null || b.null)
        return a.null && b.null;
    if (type.kind == CEP_KIND_NULL)
        return false;
    return cep_value_compare(type, a, b) == 0;
}

/* ---- printing ---- */

/* "hh:mm:ss[.mmm]" */
static void print_clock(int64_t ms, struct base_buf *out)
{
    base_buf_printf(out, "%02d:%02d:%02d", (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60));
    if (ms % 1000)
        base_buf_printf(out, ".%03d", (int)(ms % 1000));
}

/* Flink's forms: "+1 02:03:04.005" days to milliseconds, "+1-02" years and months. */
static void print_interval(uint8_t kind, int64_t n, struct base_buf *out)
{
    uint64_t m = n < 0 ? -(uint64_t)n : (uint64_t)n;
    base_buf_putc(out, n < 0 ? '-' : '+');
    if (kind == CEP_KIND_INTERVAL_MONTH) {
        base_buf_printf(out, "%llu-%02u", (unsigned long long)(m / 12), (unsigned)(m % 12));
        return;
    }
    base_buf_printf(out, "%llu %02u:%02u:%02u.%03u", (unsigned long long)(m / 86400000), (unsigned)(m / 3600000 % 24),
                    (unsigned)(m / 60000 % 60), (unsigned)(m / 1000 % 60), (unsigned)(m % 1000));
}

static void print_array(struct cep_type type, struct cep_value array, bool json, struct base_buf *out)
{
    struct cep_type element = cep_type_element(type);
    struct cep_array_reader reader;
    struct cep_value v;
    bool first = true;
    base_buf_putc(out, '[');
    cep_array_read(array, &reader);
    while (cep_array_next(type, &reader, &v)) {
        if (!first)
            base_buf_puts(out, json ? "," : ", ");
        first = false;
        if (json)
            cep_value_print_json(element, v, out);
        else if (v.null)
            base_buf_puts(out, "NULL");
        else
            cep_value_print_text(element, v, out);
    }
    base_buf_putc(out, ']');
}

static void print_base64_json(struct cep_value v, struct base_buf *out)
{
    base_buf_putc(out, '"');
    cep_base64_print(v.s.ptr, v.s.len, out);
    base_buf_putc(out, '"');
}

static struct base_str text_of(struct cep_value v)
{
    return (struct base_str){ v.s.ptr, v.s.len };
}

/* Kinds that both forms spell alike, JSON with quotes around. Dates far out of the calendar's range of 32-bit days come
 * from no parser. */
static void print_plain(struct cep_type type, struct cep_value v, struct base_buf *out)
{
    char text[40];
    if (type.kind == CEP_KIND_DATE)
        base_buf_put(out, text, base_date_print((int32_t)v.i, text));
    else if (type.kind == CEP_KIND_TIME)
        print_clock(v.i, out);
    else
        print_interval(type.kind, v.i, out);
}

/* In quotes, straight to its place. */
static void print_time_json(struct cep_type type, struct cep_value v, struct base_buf *out)
{
    if (!base_buf_reserve(out, 44))
        return;
    char *at = out->ptr + out->len;
    at[0] = '"';
    size_t len = 1 + base_time_print(v.i, type.kind == CEP_KIND_TIMESTAMP_LTZ, at + 1);
    memcpy(at + len, "\"", 2);
    out->len += len + 1;
}

void cep_value_print_json(struct cep_type type, struct cep_value v, struct base_buf *out)
{
    if (v.null) {
        base_buf_puts(out, "null");
        return;
    }
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_NULL: base_buf_puts(out, "null"); break;
    case CEP_KIND_BOOLEAN: base_buf_puts(out, v.i ? "true" : "false"); break;
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT: base_buf_put_i64(out, v.i); break;
    case CEP_KIND_DOUBLE: cep_double_print_json(v.d, out); break;
    case CEP_KIND_DECIMAL: cep_decimal_print(cep_dec_get(v), type.scale, out); break;
    case CEP_KIND_STRING: base_buf_put_json(out, text_of(v)); break;
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ: print_time_json(type, v, out); break;
    case CEP_KIND_DATE:
    case CEP_KIND_TIME:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
        base_buf_putc(out, '"');
        print_plain(type, v, out);
        base_buf_putc(out, '"');
        break;
    case CEP_KIND_ARRAY: print_array(type, v, true, out); break;
    case CEP_KIND_ROW: base_buf_put_str(out, text_of(v)); break;
    case CEP_KIND_BYTES: print_base64_json(v, out); break;
    }
}

void cep_value_print_text(struct cep_type type, struct cep_value v, struct base_buf *out)
{
    char text[44];
    if (v.null)
        return;
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_NULL: break;
    case CEP_KIND_BOOLEAN: base_buf_puts(out, v.i ? "TRUE" : "FALSE"); break;
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT: base_buf_put_i64(out, v.i); break;
    case CEP_KIND_DOUBLE: cep_double_print_sql(v.d, out); break;
    case CEP_KIND_DECIMAL: cep_decimal_print(cep_dec_get(v), type.scale, out); break;
    case CEP_KIND_STRING:
    case CEP_KIND_ROW:
    case CEP_KIND_BYTES: base_buf_put_str(out, text_of(v)); break;
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ: base_buf_put(out, text, base_time_print_sql(v.i, text)); break;
    case CEP_KIND_DATE:
    case CEP_KIND_TIME:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH: print_plain(type, v, out); break;
    case CEP_KIND_ARRAY: print_array(type, v, false, out); break;
    }
}
