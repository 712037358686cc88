/* Packed rows: what is unpacked is the row, bit for bit, whatever it is; the log that holds them finds, moves and drops them. */
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/log.h"

static uint64_t bits(void) { return ((uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX)) >> rnd(64); }

#define COLUMNS_MOST 150
static char texts[1024];

static struct cep_type random_type(void)
{
    static const struct cep_type pool[] = {
        CEP_TYPE(BOOLEAN),       CEP_TYPE(INT),    CEP_TYPE(BIGINT), CEP_TYPE(DOUBLE), CEP_DECIMAL_TYPE(18, 2), CEP_DECIMAL_TYPE(19, 2), CEP_TYPE(TIMESTAMP),
        CEP_TYPE(TIMESTAMP_LTZ), CEP_TYPE(STRING), CEP_TYPE(BYTES),  CEP_TYPE(DATE),   { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_INT }
    };
    return pool[rnd(sizeof pool / sizeof *pool)];
}

static struct cep_value random_value(struct cep_type type, int64_t time_ms)
{
    static const uint32_t lens[] = { 0, 1, 7, 8, 9, 12, 13, 20, 255, 256, 700 };
    if (rnd(6) == 0)
        return (struct cep_value){ .null = true };
    if (cep_kind_is_text(type.kind))
        return cep_string(texts + rnd(100), lens[rnd(sizeof lens / sizeof *lens)]);
    if (type.kind == CEP_KIND_DECIMAL && type.precision > 18)
        return cep_dec((cep_int128)((unsigned __int128)bits() << 64 | bits()));
    if (type.kind == CEP_KIND_DOUBLE)
        return rnd(2) ? cep_double(rnd(1000) / 8.0 - 20) : cep_double(rnd(1000) / 7.0);
    if ((type.kind == CEP_KIND_TIMESTAMP || type.kind == CEP_KIND_TIMESTAMP_LTZ) && rnd(2))
        return cep_int(time_ms);
    return cep_int((int64_t)(rnd(2) ? bits() : 0 - bits()));
}

/* Row i of a schema; now and then one that no writer of rows lays out like that. */
static struct cep_row *random_row(struct base_arena *arena, const struct cep_type *types, uint32_t columns, bool spoil)
{
    struct cep_value values[COLUMNS_MOST];
    struct cep_row *row = NULL;
    int64_t time_ms = (int64_t)(rnd(2) ? bits() >> 8 : 0 - (bits() >> 8));
    for (uint32_t i = 0; i < columns; i++)
        values[i] = random_value(types[i], time_ms);
    struct cep_position at = { .offset = (int64_t)(rnd(8) ? bits() >> 1 : 0 - bits()), .partition = (int32_t)(rnd(8) ? rnd(3) : (uint32_t)bits()), .place = (uint16_t)(rnd(8) == 0), .table = 3 };
    if (cep_row_make(types, values, columns, time_ms, at, arena, &row))
        abort();
    row->change = rnd(8) ? CEP_INSERT : CEP_DELETE;
    uint32_t words = (row->tuple.size_bytes - (uint32_t)sizeof row->tuple) / 8;
    if (spoil && words)
        row->tuple.data[rnd(words)] ^= UINT64_C(1) << rnd(64);
    if (spoil && rnd(4) == 0)
        row->tuple.reserved = 1;
    if (spoil && rnd(4) == 0 && columns)
        row->tuple.columns--;
    return row;
}

static void test_round_trip(void)
{
    int wrong = 0, sizes = 0, places = 0;
    uint64_t rows = 0, bytes = 0, packed_bytes = 0;
    for (int round = 0; round < 1500; round++) {
        struct base_arena arena = { 0 };
        struct cep_type types[COLUMNS_MOST];
        struct match_pack pack;
        uint32_t n = round % 30 ? rnd(20) : rnd(COLUMNS_MOST);
        for (uint32_t i = 0; i < n; i++)
            types[i] = random_type();
        if (cep_match_pack_init(&pack, types, n))
            abort();
        for (int i = 0; i < 8; i++) {
            struct cep_row *row = random_row(&arena, types, n, i == 7);
            size_t room = cep_match_pack_room(&pack, cep_row_size(row)), said;
            char *packed = malloc(room); /* exactly what is asked for: nothing beyond may be touched */
            memset(packed, 0xa5, room);
            size_t took = cep_match_pack_put(&pack, row, packed), size = cep_match_pack_size(&pack, packed, &said);
            sizes += took != said || size != cep_row_size(row) || took + 8 > room;
            struct cep_row *back = malloc(size);
            memset(back, 0x5a, size);
            cep_match_pack_get(&pack, packed, row->time_ms, back, size);
            wrong += memcmp(back, row, size) != 0;
            struct cep_position at = cep_match_pack_at(&pack, packed);
            places += memcmp(&at, &row->at, sizeof at) != 0;
            rows++;
            bytes += size;
            packed_bytes += took;
            free(back);
            free(packed);
        }
        cep_match_pack_finish(&pack);
        base_arena_finish(&arena);
    }
    IS_INT(wrong, 0, "what is unpacked is the row");
    IS_INT(sizes, 0, "its size is found without unpacking it");
    IS_INT(places, 0, "so is its place");
    printf("# %" PRIu64 " rows, %" PRIu64 " bytes take %" PRIu64 "\n", rows, bytes, packed_bytes);
    OK(packed_bytes < bytes * 5 / 6, "rows of any columns, with long texts, take fewer bytes");
}

/* What a rule over orders keeps: a user, a country, the time. */
static void test_usual(void)
{
    static const struct cep_type types[] = { CEP_TYPE(STRING), CEP_TYPE(STRING), { .kind = CEP_KIND_TIMESTAMP_LTZ, .precision = 3 } };
    struct base_arena arena = { 0 };
    struct match_pack pack;
    struct cep_row *row = NULL;
    char packed[512];
    const struct cep_value values[] = { cep_string("u0012345", 8), cep_string("GB", 2), cep_int(1767225600123) };
    if (cep_match_pack_init(&pack, types, 3) || cep_row_make(types, values, 3, 1767225600123, (struct cep_position){ .offset = 1000000 }, &arena, &row))
        abort();
    OK(cep_row_size(row) == 88 && cep_match_pack_put(&pack, row, packed) == 16, "an order of 88 bytes takes 16");
    cep_match_pack_finish(&pack);
    base_arena_finish(&arena);
}

#define KEPT 4000
static void test_log(void)
{
    static const struct cep_type types[] = { CEP_TYPE(STRING), CEP_TYPE(BIGINT) };
    struct base_arena arena = { 0 }, back = { 0 };
    struct match_log log;
    static struct cep_row *rows[KEPT];
    static uint32_t refs[KEPT];
    uint32_t wrong = 0;
    if (cep_match_log_init(&log, types, 2))
        abort();
    for (uint32_t i = 0; i < 5 * KEPT; i++) { /* later ones take the place of earlier ones */
        if (rows[i % KEPT])
            cep_match_log_drop(&log, refs[i % KEPT]);
        rows[i % KEPT] = random_row(&arena, types, 2, rnd(50) == 0);
        if (cep_match_log_put(&log, rows[i % KEPT], &refs[i % KEPT]))
            abort();
        if (rnd(4) == 0) {
            uint32_t k = rnd(i + 1 < KEPT ? i + 1 : KEPT), moved;
            if (cep_match_log_move(&log, refs[k], &moved))
                abort();
            cep_match_log_drop(&log, refs[k]);
            refs[k] = moved;
        }
        if (i % 64 == 0)
            cep_match_log_settle(&log);
    }
    cep_match_log_settle(&log);
    for (uint32_t i = 0; i < KEPT; i++) {
        const struct cep_row *row = cep_match_log_row(&log, refs[i], rows[i]->time_ms, &back);
        struct cep_position at = cep_match_log_at(&log, refs[i]);
        wrong += !row || cep_row_size(row) != cep_row_size(rows[i]) || memcmp(row, rows[i], cep_row_size(row)) != 0 || memcmp(&at, &rows[i]->at, sizeof at) != 0;
    }
    IS_INT(wrong, 0, "rows of a log that come, move and go are found");
    IS_INT(log.live, KEPT, "and counted");
    for (uint32_t i = 0; i < KEPT; i++)
        cep_match_log_drop(&log, refs[i]);
    OK(log.live == 0 && log.rows - log.at[log.current].rows == 0, "and segments go with their last row");
    cep_match_log_finish(&log);
    base_arena_finish(&arena);
    base_arena_finish(&back);
}

int main(void)
{
    for (size_t i = 0; i < sizeof texts; i++)
        texts[i] = (char)(i * 7 + 1);
    test_round_trip();
    test_usual();
    test_log();
    return tap_done();
}
