/* Rows as columns: what goes in comes out, in whatever order, with its place and time, and again after the columns were cleared. */
#include "cep/columns.h"

#include "base/time.h"
#include "tests/unit/tap.h"

#define ROWS 100000u
#define COLUMNS 6u

static const struct cep_type types[COLUMNS] = { CEP_TYPE(INT), CEP_TYPE(BIGINT), CEP_TYPE(STRING), CEP_DECIMAL_TYPE(12, 2), CEP_DECIMAL_TYPE(30, 2), CEP_TYPE(DOUBLE) };

/* The values of row i; its text lies in `room`. */
static void values_of(uint32_t i, char room[32], struct cep_value values[COLUMNS])
{
    int len = snprintf(room, 32, "row %u", i);
    values[0] = cep_int((int32_t)(i * 7919u));
    values[1] = i % 5 ? cep_int((int64_t)i << 33) : cep_null();
    values[2] = i % 7 ? cep_string(room, (size_t)len) : cep_null();
    values[3] = cep_dec(-(int64_t)i);
    values[4] = cep_dec((int64_t)i * 1000000007);
    values[5] = cep_double(i / 4.0);
}
static int64_t time_of(uint32_t i) { return (int64_t)(i * 2654435761u) - 1000000; }
static int64_t offset_of(uint32_t i) { return i < ROWS / 2 ? i : i + 10; } /* two runs */

static int fill(struct cep_columns *columns, uint32_t rows)
{
    int rc = 0;
    for (uint32_t i = 0; i < rows && rc == 0; i++) {
        struct cep_value values[COLUMNS];
        char room[32];
        values_of(i, room, values);
        rc = cep_columns_place(columns, 3, offset_of(i));
        if (rc == 0)
            rc = cep_columns_add(columns, time_of(i), values);
    }
    return rc;
}

/* Is row `row` of the columns what was put in as row `was`? */
static bool is_row(struct cep_columns *columns, struct base_arena *arena, uint32_t row, uint32_t was, int64_t time_ms)
{
    struct cep_value values[COLUMNS];
    struct cep_row *made, *want;
    char room[32];
    const struct cep_position at = { .offset = offset_of(was), .partition = 3, .table = 1 };
    values_of(was, room, values);
    return cep_columns_row(columns, row, arena, &made) == 0 && cep_row_make(types, values, COLUMNS, time_ms, at, arena, &want) == 0 &&
           cep_tuple_equal(&made->tuple, &want->tuple) && made->time_ms == want->time_ms && cep_row_compare(made, want) == 0 && made->at.table == 1 &&
           cep_columns_time_ms(columns, row) == time_ms;
}

static uint32_t wrong_rows(struct cep_columns *columns, const uint32_t *order, uint32_t rows, bool timed)
{
    struct base_arena arena = { 0 };
    uint32_t wrong = columns->rows != rows;
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t was = order ? order[i] : i;
        wrong += !is_row(columns, &arena, i, was, timed ? time_of(was) : BASE_TIME_MIN_MS);
        base_arena_reset(&arena);
    }
    base_arena_finish(&arena);
    return wrong;
}

static void test_round(bool timed)
{
    static uint32_t order[ROWS];
    struct cep_columns columns;
    for (uint32_t i = 0; i < ROWS; i++)
        order[i] = (uint32_t)((uint64_t)i * 7919 % ROWS);
    int rc = cep_columns_init(&columns, types, COLUMNS, 1);
    if (timed)
        cep_columns_set_timed(&columns);
    OK(rc == 0 && fill(&columns, ROWS) == 0, timed ? "rows with event time" : "rows without event time");
    IS_INT(wrong_rows(&columns, NULL, ROWS, timed), 0, "each row is what was put in");
    OK((columns.times != NULL) == timed, "times are there if they were asked for");
    OK(cep_columns_permute(&columns, order) == 0, "another order");
    IS_INT(wrong_rows(&columns, order, ROWS, timed), 0, "each row is where it was put, with place and time");
    const uint32_t cap = columns.cap;
    cep_columns_clear(&columns);
    IS_INT(columns.rows, 0, "no rows");
    OK(fill(&columns, 70000) == 0 && columns.cap == cap, "the next rows in the same room");
    IS_INT(wrong_rows(&columns, NULL, 70000, timed), 0, "nothing of the former rows, NULLs neither");
    cep_columns_finish(&columns);
}

static void test_flat(void)
{
    static const struct cep_type flat[] = { CEP_TYPE(INT), CEP_TYPE(TIMESTAMP_LTZ) };
    static const uint32_t order[] = { 1, 0 };
    struct cep_columns columns;
    struct base_arena arena = { 0 };
    struct cep_row *row;
    bool good = cep_columns_init(&columns, flat, 2, 0) == 0;
    cep_columns_set_timed(&columns);
    OK(good && cep_columns_permute(&columns, order) == 0, "no rows have any order");
    for (int64_t i = 0; i < 2 && good; i++) {
        const struct cep_value values[] = { cep_int(i), cep_int(i * 1000) };
        good = cep_columns_place(&columns, 0, i) == 0 && cep_columns_add(&columns, i * 1000, values) == 0;
    }
    OK(good && cep_columns_permute(&columns, order) == 0 && cep_columns_row(&columns, 0, &arena, &row) == 0 && row->time_ms == 1000 && row->at.offset == 1,
       "rows without texts have their times, too");
    base_arena_finish(&arena);
    cep_columns_finish(&columns);
}

/* Times that are those of a column, until a row's are not. */
static void test_shared_times(void)
{
    static const struct cep_type flat[] = { CEP_TYPE(INT), CEP_TYPE(TIMESTAMP_LTZ) };
    static const uint32_t order[] = { 2, 0, 1 };
    static const int64_t others[] = { 2000, 0, 1000 };
    struct cep_columns columns;
    bool good = cep_columns_init(&columns, flat, 2, 0) == 0;
    cep_columns_set_timed(&columns);
    cep_columns_take_times(&columns, 0);
    OK(columns.time_column == 0, "a number is no time");
    cep_columns_take_times(&columns, 1);
    for (int64_t i = 0; i < 3 && good; i++) {
        const struct cep_value values[] = { cep_int(i), cep_int(i * 1000) };
        good = cep_columns_place(&columns, 0, i) == 0 && cep_columns_add(&columns, i * 1000, values) == 0;
    }
    OK(good && columns.times == columns.at[1].wide, "times that stand in a column are kept once");
    good = good && cep_columns_permute(&columns, order) == 0;
    for (uint32_t i = 0; i < 3 && good; i++)
        good = cep_columns_time_ms(&columns, i) == others[i] && cep_columns_slot(&columns, 1, i) == others[i] && cep_columns_position(&columns, i).offset == others[i] / 1000;
    OK(good, "in another order, too");
    const struct cep_value none[] = { cep_int(3), cep_null() };
    good = good && cep_columns_place(&columns, 0, 3) == 0 && cep_columns_add(&columns, 3000, none) == 0 && cep_columns_reserve(&columns, columns.cap) == 0;
    OK(good && columns.times != columns.at[1].wide && cep_columns_is_null(&columns, 1, 3) && cep_columns_slot(&columns, 1, 3) == 0 && columns.times[3] == 3000,
       "a row whose time the column does not have parts them");
    for (uint32_t i = 0; i < 3 && good; i++)
        good = columns.times[i] == others[i] && columns.at[1].wide[i] == others[i];
    OK(good, "and all others stay as they are");
    cep_columns_finish(&columns);
}

int main(void)
{
    test_shared_times();
    test_round(false);
    test_round(true);
    test_flat();
    return tap_done();
}
