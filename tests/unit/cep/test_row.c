/* Rows and tuples: what is written comes back, equal values give equal bytes, damaged bytes are refused. */
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/keyed.h"
#include "cep/plain_key.h"
#include "cep/row.h"

#define COLUMNS_MOST 150
static char texts[256];

static struct cep_type random_type(void)
{
    static const struct cep_type pool[] = {
        CEP_TYPE(BOOLEAN),       CEP_TYPE(INT),           CEP_TYPE(BIGINT),
        CEP_TYPE(DOUBLE),        CEP_DECIMAL_TYPE(18, 2), CEP_DECIMAL_TYPE(19, 2),
        CEP_DECIMAL_TYPE(38, 2), CEP_TYPE(STRING),        CEP_TYPE(BYTES),
        CEP_TYPE(TIMESTAMP),     CEP_TYPE(ROW),           { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_INT }
    };
    return pool[rnd(sizeof pool / sizeof *pool)];
}

static struct cep_value random_value(struct cep_type type)
{
    if (rnd(4) == 0)
        return (struct cep_value){ .i = rnd(100), .null = true }; /* what stands behind a NULL must not matter */
    if (cep_kind_is_text(type.kind))
        return cep_string(texts + rnd(100), rnd(40));
    if (type.kind == CEP_KIND_DECIMAL && type.precision > 18)
        return cep_dec(-((cep_int128)rnd(1000000) << 60));
    if (type.kind == CEP_KIND_DECIMAL)
        return cep_dec(-(cep_int128)rnd(1000000));
    if (type.kind == CEP_KIND_DOUBLE)
        return cep_double(rnd(1000) / 7.0);
    return cep_int(type.kind == CEP_KIND_BOOLEAN ? rnd(2) : rnd(100000));
}

static void test_round_trip(void)
{
    struct base_arena arena = { 0 };
    int wrong = 0, unequal = 0, invalid = 0;
    for (int round = 0; round < 2000; round++) {
        struct cep_type types[COLUMNS_MOST];
        struct cep_value values[COLUMNS_MOST];
        uint32_t n = round % 50 ? rnd(12) : rnd(COLUMNS_MOST);
        for (uint32_t i = 0; i < n; i++) {
            types[i] = random_type();
            values[i] = random_value(types[i]);
        }
        struct cep_row *row = NULL, *other = NULL;
        if (cep_row_make(types, values, n, 5, (struct cep_position){ .offset = 7 }, &arena, &row) < 0) {
            wrong++;
            continue;
        }
        char copies[COLUMNS_MOST][40];
        for (uint32_t i = 0; i < n; i++) {
            if (values[i].null)
                values[i].i = -1;
            else if (cep_kind_is_text(types[i].kind) && values[i].s.len) {
                memcpy(copies[i], values[i].s.ptr, values[i].s.len);
                values[i].s.ptr = copies[i];
            }
        }
        if (cep_row_make(types, values, n, 5, (struct cep_position){ .offset = 7 }, &arena, &other) < 0 ||
            !cep_tuple_equal(&row->tuple, &other->tuple))
            unequal++;
        for (uint32_t i = 0; i < n; i++)
            wrong += !cep_value_same(types[i], cep_tuple_get(&row->tuple, i, types[i]), values[i]);
        invalid += !cep_tuple_valid(&row->tuple, row->tuple.size_bytes, types, n);
        base_arena_reset(&arena);
    }
    base_arena_finish(&arena);
    IS_INT(wrong, 0, "every value of 2,000 random rows comes back");
    IS_INT(unequal, 0, "equal values give equal bytes");
    IS_INT(invalid, 0, "every row is valid");
}

/* Is the column as a key, by both ways in which keys are made, what it is by cep_tuple_write? */
static bool key_right(const struct cep_row *row, uint32_t column, struct cep_type type, struct cep_value value, int *briefs)
{
    uint64_t wanted[64], made[64], room[CEP_PLAIN_BRIEF_WORDS];
    bool tail = cep_kind_is_text(type.kind) || (type.kind == CEP_KIND_DECIMAL && type.precision > 18);
    struct cep_plain_key key = { .count = 1, .brief = tail ? CEP_PLAIN_TEXT : CEP_PLAIN_SLOT, .null_words = cep_tuple_null_words(row->tuple.columns), .columns = { column }, .types = { type } };
    struct cep_tuple *right = (struct cep_tuple *)(void *)wanted, *brief = (struct cep_tuple *)(void *)room;
    cep_tuple_write(&type, &value, 1, right);
    size_t bytes = cep_plain_key_size(&key, &row->tuple);
    if (bytes != right->size_bytes)
        return false;
    cep_plain_key_write(&key, &row->tuple, (struct cep_tuple *)(void *)made, bytes);
    bool is_brief = cep_plain_key_brief(&key, &row->tuple, room);
    *briefs += is_brief;
    bool same = memcmp(made, wanted, bytes) == 0 && is_brief == (bytes <= sizeof room);
    return same && (!is_brief || (cep_tuple_equal(brief, right) && cep_key_equal(brief, right) && cep_key_place(brief) == cep_key_place(right)));
}

static void test_keys(void)
{
    struct base_arena arena = { 0 };
    int wrong = 0, briefs = 0;
    for (int round = 0; round < 3000; round++) {
        struct cep_type types[12];
        struct cep_value values[12];
        struct cep_row *row = NULL;
        uint32_t n = 1 + rnd(11);
        for (uint32_t i = 0; i < n; i++) {
            types[i] = random_type();
            values[i] = random_value(types[i]);
        }
        if (cep_row_make(types, values, n, 5, (struct cep_position){ .offset = 7 }, &arena, &row) < 0)
            wrong++;
        for (uint32_t i = 0; row && i < n; i++)
            wrong += !key_right(row, i, types[i], values[i], &briefs);
        base_arena_reset(&arena);
    }
    base_arena_finish(&arena);
    IS_INT(wrong, 0, "columns as keys have the bytes that tuples of them have");
    OK(briefs > 3000, "short ones are written in words");
}

static void test_damage(void)
{
    struct cep_type types[] = { CEP_TYPE(STRING), CEP_TYPE(INT), CEP_DECIMAL_TYPE(38, 0), CEP_TYPE(BOOLEAN),
                                CEP_TYPE(STRING) };
    struct cep_value values[] = { cep_string("hello", 5), cep_int(3), cep_dec(9), cep_int(1), cep_null() };
    struct base_arena arena = { 0 };
    struct cep_row *row = NULL;
    IS_INT(cep_row_make(types, values, 5, 0, (struct cep_position){ 0 }, &arena, &row), 0, "a row");
    size_t size = row->tuple.size_bytes;
    for (size_t len = 0; len < size; len++)
        if (cep_tuple_valid(&row->tuple, len, types, 5))
            OK(false, "a tuple that was cut is valid");
    int accepted = 0;
    struct cep_tuple *copy = base_alloc(size); /* its own block, so that a read behind it is seen */
    for (int round = 0; copy && round < 200000; round++) {
        memcpy(copy, &row->tuple, size);
        for (uint32_t flips = 1 + rnd(2); flips > 0; flips--)
            ((char *)copy)[rnd((uint32_t)size)] ^= (char)(1 << rnd(8));
        if (!cep_tuple_valid(copy, size, types, 5))
            continue;
        accepted++;
        for (uint32_t i = 0; i < 5; i++) {
            struct base_buf buf = { 0 };
            cep_value_print_text(types[i], cep_tuple_get(copy, i, types[i]), &buf);
            base_buf_finish(&buf);
        }
    }
    base_free(copy);
    OK(accepted > 0, "flipped bits are refused or read without harm");
    OK(!cep_tuple_valid(&row->tuple, size, types, 4), "another number of columns is refused");
    struct cep_value bad = cep_string("x", CEP_ROW_BYTES_MAX + 1u);
    OK(cep_row_make(types, &bad, 1, 0, (struct cep_position){ 0 }, &arena, &row) == BASE_E_LIMIT,
       "a row beyond the limit is refused");
    OK(cep_tuple_size(types, values, CEP_COLUMNS_MAX + 1) == 0, "too many columns are refused");
    base_arena_finish(&arena);
}

static void test_order(void)
{
    struct cep_row rows[] = {
        { .time_ms = 1, .at = { .offset = 9, .partition = 9, .place = 9 } },
        { .time_ms = 2, .at = { .offset = 3, .partition = 3, .place = 0 } },
        { .time_ms = 2, .at = { .offset = 1, .partition = 0, .place = 1 } },
        { .time_ms = 2, .at = { .offset = 0, .partition = 1, .place = 1 } },
        { .time_ms = 2, .at = { .offset = 5, .partition = 1, .place = 1 } },
    };
    bool good = true;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            int order = cep_row_compare(&rows[i], &rows[j]);
            good &= i < j ? order < 0 : i > j ? order > 0 : order == 0;
        }
    OK(good, "rows are ordered by time, place, partition, offset");
    OK(sizeof(struct cep_row) == 40 && sizeof(struct cep_tuple) == 8,
       "a row without columns takes 40 bytes, 8 of them its tuple");
}

int main(void)
{
    for (size_t i = 0; i < sizeof texts; i++)
        texts[i] = (char)('a' + i % 26);
    test_round_trip();
    test_keys();
    test_damage();
    test_order();
    return tap_done();
}
