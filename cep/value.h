/* Types and values of the engine. A value carries no type: the type is known from the program (schema, opcode), only NULL is dynamic.
 * Any thread; values that point (text) borrow from a row, an arena or the program. */
#ifndef CEP_VALUE_H
#define CEP_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/arena.h"
#include "base/str.h"

/* Stored in programs and state: never renumber. */
enum cep_kind {
    CEP_KIND_NULL = 0,          /* type of a bare NULL literal */
    CEP_KIND_BOOLEAN = 1,       /* i: 0 or 1 */
    CEP_KIND_INT = 2,           /* i within int32 */
    CEP_KIND_BIGINT = 3,        /* i */
    CEP_KIND_DOUBLE = 4,        /* d */
    CEP_KIND_DECIMAL = 5,       /* dec: unscaled 128-bit integer; precision <= 38 and scale in the type */
    CEP_KIND_STRING = 6,        /* s: UTF-8 */
    CEP_KIND_DATE = 7,          /* i: days since 1970-01-01 */
    CEP_KIND_TIMESTAMP = 8,     /* i: ms, civil time without zone */
    CEP_KIND_TIMESTAMP_LTZ = 9, /* i: ms since the epoch, UTC */
    CEP_KIND_INTERVAL_DAY = 10,   /* i: ms */
    CEP_KIND_INTERVAL_MONTH = 11, /* i: months */
    CEP_KIND_ARRAY = 12,        /* s: packed bytes, see cep_packed below; type.element says of what */
    CEP_KIND_ROW = 13,          /* s: JSON text of the object as it stood in the source (nested fields are read by path at decode) */
    CEP_KIND_TIME = 14,         /* i: ms since midnight */
    CEP_KIND_BYTES = 15         /* s: any bytes */
};

/* 8 bytes, plain value. element is the kind of an ARRAY's elements, element_precision/scale theirs (arrays of arrays are not supported). */
struct cep_type {
    uint8_t kind; /* enum cep_kind */
    uint8_t precision;
    uint8_t scale;
    uint8_t element;
    uint8_t element_precision;
    uint8_t element_scale;
    uint16_t reserved; /* 0 */
};
#define CEP_TYPE(k) ((struct cep_type){ .kind = CEP_KIND_##k })
#define CEP_DECIMAL_TYPE(p, s) ((struct cep_type){ .kind = CEP_KIND_DECIMAL, .precision = (p), .scale = (s) })

__extension__ typedef __int128 cep_int128; /* the only typedef: a scalar, not a struct */

struct cep_value {
    union {
        int64_t i;          /* BOOLEAN, INT, BIGINT, DATE, TIMESTAMP*, INTERVAL*, TIME */
        double d;           /* DOUBLE */
        struct { uint64_t lo, hi; } dec; /* DECIMAL: two's complement halves; cep_decimal_get/set */
        struct { const char *ptr; uint64_t len; } s; /* STRING, BYTES, ARRAY, ROW */
    };
    bool null;
};

static inline cep_int128 cep_dec_get(struct cep_value v)
{
    return (cep_int128)(((unsigned __int128)v.dec.hi << 64) | v.dec.lo);
}
static inline struct cep_value cep_dec(cep_int128 n)
{
    struct cep_value v = { .null = false };
    v.dec.lo = (uint64_t)n;
    v.dec.hi = (uint64_t)((unsigned __int128)n >> 64);
    return v;
}
static inline struct cep_value cep_null(void) { return (struct cep_value){ .i = 0, .null = true }; }
static inline struct cep_value cep_int(int64_t i) { return (struct cep_value){ .i = i, .null = false }; }
static inline struct cep_value cep_double(double d) { struct cep_value v = { .null = false }; v.dec.hi = 0; v.d = d; return v; }
static inline struct cep_value cep_string(const char *ptr, uint64_t len)
{
    struct cep_value v = { .null = false };
    v.s.ptr = ptr;
    v.s.len = len;
    return v;
}

/* Precision and scale count for DECIMAL alone. */
bool cep_type_equal(struct cep_type a, struct cep_type b);
/* Kind known, 1 <= precision <= 38 and scale <= precision for DECIMAL, no array of arrays. */
bool cep_type_valid(struct cep_type type);
struct cep_type cep_type_element(struct cep_type array);
struct cep_type cep_type_array(struct cep_type element);
/* "DECIMAL(12, 2)", "ARRAY<STRING>" appended. */
void cep_type_print(struct cep_type type, struct base_buf *out);
/* Is the value kept in s (STRING, BYTES, ARRAY, ROW)? One bit a kind: asked for every value of every row. */
static inline bool cep_kind_is_text(uint8_t kind)
{
    return (1u << CEP_KIND_STRING | 1u << CEP_KIND_ARRAY | 1u << CEP_KIND_ROW | 1u << CEP_KIND_BYTES) >> (kind & 31) & 1;
}
bool cep_kind_is_number(uint8_t kind);
bool cep_kind_is_time(uint8_t kind); /* TIMESTAMP, TIMESTAMP_LTZ */

/* Order of two non-NULL values of one type (decimals of one scale): <0, 0, >0. DOUBLE: NaN is above all and equal to itself. */
int cep_value_compare(struct cep_type type, struct cep_value a, struct cep_value b);
/* Identity, for grouping and state: NULLs equal each other. */
bool cep_value_same(struct cep_type type, struct cep_value a, struct cep_value b);

/* Value as JSON: DECIMAL as a number with its scale, timestamps as ISO-8601 strings (LTZ with Z, without zone without), NULL as null,
 * DOUBLE shortest round-trip (NaN, infinities as strings). */
void cep_value_print_json(struct cep_type type, struct cep_value value, struct base_buf *out);
/* Value as SQL's CAST(x AS STRING) gives it. NULL appends nothing. */
void cep_value_print_text(struct cep_type type, struct cep_value value, struct base_buf *out);

/* CAST. Types differ freely; texts are put into the arena. Returns BASE_E_CAST, BASE_E_OVERFLOW, BASE_E_NOMEM. NULL stays NULL. */
int cep_value_cast(struct cep_type from, struct cep_type to, struct cep_value value, struct base_arena *arena,
                   struct cep_value *ret) BASE_MUST_CHECK;
/* Is there any cast at all from -> to (checked by the compiler)? implicit: only those that need no CAST in the text (INT to BIGINT to
 * DECIMAL to DOUBLE, DATE to TIMESTAMP, NULL to all). */
bool cep_cast_exists(struct cep_type from, struct cep_type to, bool implicit);
/* Smallest type that both convert to implicitly (CASE, COALESCE, UNION, comparison); false if none. DECIMALs by Flink's rule. */
bool cep_type_common(struct cep_type a, struct cep_type b, struct cep_type *ret);
/* Result types of DECIMAL arithmetic by Flink's (= Hive's/SQL Server's) rules, capped at 38 with scale loss; op is one of + - * / %. Integer
 * operands count as DECIMAL(10,0) (INT) and DECIMAL(19,0) (BIGINT). */
struct cep_type cep_decimal_result(char op, struct cep_type a, struct cep_type b);

/* Decimal arithmetic on unscaled integers; all round half up and check 38 digits; BASE_E_OVERFLOW, BASE_E_DIVISION. */
int cep_decimal_rescale(cep_int128 n, int from_scale, int to_scale, int precision, cep_int128 *ret) BASE_MUST_CHECK;
int cep_decimal_add(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret) BASE_MUST_CHECK;
int cep_decimal_sub(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret) BASE_MUST_CHECK;
int cep_decimal_mul(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret) BASE_MUST_CHECK;
int cep_decimal_div(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret) BASE_MUST_CHECK;
int cep_decimal_mod(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret) BASE_MUST_CHECK;
/* Text "-12.30" (optional exponent) to an unscaled integer of the type, rounding half up. BASE_E_CAST, BASE_E_OVERFLOW. */
int cep_decimal_parse(struct base_str text, struct cep_type type, cep_int128 *ret) BASE_MUST_CHECK;
void cep_decimal_print(cep_int128 n, int scale, struct base_buf *out);
/* The nearest double of n / 10^scale; scale 0..38. */
double cep_decimal_to_double(cep_int128 n, int scale);

/* Packed arrays: u32 count, then per element u32 length (UINT32_MAX: NULL) and its bytes: 8 (i or d), 16 (DECIMAL) or text. Appending copies. */
int cep_array_append(struct cep_type array, struct cep_value old, struct cep_value element, struct base_arena *arena,
                     struct cep_value *ret) BASE_MUST_CHECK; /* old NULL: a new array */
uint32_t cep_array_count(struct cep_value array);
/* 0-based; NULL value if out of range. */
struct cep_value cep_array_get(struct cep_type array, struct cep_value value, uint32_t index);
/* A new array of all elements at once. BASE_E_LIMIT beyond the row limit, BASE_E_NOMEM. */
int cep_array_make(struct cep_type array, const struct cep_value *elements, uint32_t count, struct base_arena *arena,
                   struct cep_value *ret) BASE_MUST_CHECK;
/* One element after the other, without walking from the start each time. Fields are private. */
struct cep_array_reader {
    const char *at, *end;
    uint32_t left;
};
void cep_array_read(struct cep_value array, struct cep_array_reader *ret);
bool cep_array_next(struct cep_type array, struct cep_array_reader *reader, struct cep_value *ret); /* false: no more */

#endif
