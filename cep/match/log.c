#include "cep/match/log.h"

#include "base/alloc.h"
#include "base/error.h"

#define SEGMENT_LEAST 512u
#define SEGMENT_SMALL 4096u /* up to that, each is as large as all before */

int cep_match_log_init(struct match_log *log, const struct cep_type *types, uint32_t columns)
{
    *log = (struct match_log){ 0 };
    return cep_match_pack_init(&log->pack, types, columns);
}

void cep_match_log_finish(struct match_log *log)
{
    for (uint32_t i = 0; i < log->count; i++)
        base_free(log->at[i].bytes);
    while (log->spare_count)
        base_free(log->spare[--log->spare_count]);
    base_free(log->at);
    cep_match_pack_finish(&log->pack);
    *log = (struct match_log){ 0 };
}

/* A free place in the list of segments. */
static int find_place(struct match_log *log, uint32_t *ret)
{
    if (log->free_first) {
        *ret = log->free_first - 1;
        log->free_first = log->at[*ret].free_next;
        return 0;
    }
    if (log->count == MATCH_LOG_SEGMENTS_MOST)
        return BASE_E_LIMIT;
    if (log->count == log->cap) {
        uint32_t cap = log->cap ? log->cap * 2 : 8;
        struct match_log_segment *at = base_realloc(log->at, cap * sizeof *at);
        if (!at)
            return BASE_E_NOMEM;
        log->at = at;
        log->cap = cap;
    }
    *ret = log->count++;
    return 0;
}

static void give_back(struct match_log *log, uint32_t place)
{
    struct match_log_segment *segment = &log->at[place];
    bool spare = segment->cap == MATCH_LOG_SEGMENT_MOST && log->spare_count < MATCH_LOG_SPARE && log->spare_count < log->count / 8;
    log->bytes -= spare ? 0 : segment->cap;
    log->rows -= segment->rows;
    if (spare)
        log->spare[log->spare_count++] = segment->bytes;
    else
        base_free(segment->bytes);
    *segment = (struct match_log_segment){ .free_next = log->free_first };
    log->free_first = place + 1;
}

void cep_match_log_settle(struct match_log *log)
{
    if (!log->fresh)
        return;
    struct match_log_segment *segment = &log->at[log->current];
    segment->rows += log->fresh;
    segment->live += log->fresh;
    log->rows += log->fresh;
    log->live += log->fresh;
    log->fresh = 0;
}

/* Segments grow with what is kept: an operator with few rows takes little memory. */
static int open_segment(struct match_log *log, uint32_t bytes)
{
    uint32_t cap = SEGMENT_LEAST, place;
    while (cap < MATCH_LOG_SEGMENT_MOST && (cap < bytes || cap < log->bytes / 16 || (cap < SEGMENT_SMALL && cap < log->bytes)))
        cap *= 2;
    cep_match_log_settle(log);
    if (log->count && log->at[log->current].bytes && log->at[log->current].live == 0) {
        give_back(log, log->current);
        log->room = 0;
    }
    int rc = find_place(log, &place);
    if (rc)
        return rc;
    bool spare = log->spare_count && cap == MATCH_LOG_SEGMENT_MOST;
    char *at = spare ? log->spare[--log->spare_count] : base_alloc(cap);
    log->at[place] = (struct match_log_segment){ .bytes = at, .cap = at ? cap : 0, .free_next = log->free_first };
    if (!at) {
        log->free_first = place + 1;
        return BASE_E_NOMEM;
    }
    log->current = place;
    log->next = at;
    log->next_ref = place << MATCH_LOG_OFFSET_BITS;
    log->room = cap;
    log->bytes += spare ? 0 : cap;
    return 0;
}

int cep_match_log_make_room(struct match_log *log, size_t bytes)
{
    return bytes > MATCH_LOG_SEGMENT_MOST ? BASE_E_LIMIT : open_segment(log, (uint32_t)bytes);
}

int cep_match_log_move(struct match_log *log, uint32_t ref, uint32_t *ret_ref)
{
    size_t packed, room = cep_match_pack_room(&log->pack, cep_match_pack_size(&log->pack, cep_match_log_packed(log, ref), &packed));
    int rc = room > log->room ? cep_match_log_make_room(log, room) : 0;
    if (rc)
        return rc;
    memcpy(log->next, cep_match_log_packed(log, ref), packed); /* which stays where it is until it is dropped */
    *ret_ref = cep_match_log_take(log, packed);
    return 0;
}

struct cep_row *cep_match_log_row(const struct match_log *log, uint32_t ref, int64_t time_ms, struct base_arena *arena)
{
    if (ref & MATCH_LOG_IN_COLUMNS) {
        struct cep_row *row;
        return cep_columns_row(log->columns, ref & ~MATCH_LOG_IN_COLUMNS, arena, &row) ? NULL : row;
    }
    const char *from = cep_match_log_packed(log, ref);
    size_t packed, size = cep_match_pack_size(&log->pack, from, &packed);
    struct cep_row *row = base_arena_alloc(arena, size);
    if (row)
        cep_match_pack_get(&log->pack, from, time_ms, row, size);
    return row;
}

void cep_match_log_drop(struct match_log *log, uint32_t ref)
{
    uint32_t place = ref >> MATCH_LOG_OFFSET_BITS;
    if (BASE_UNLIKELY(ref & MATCH_LOG_IN_COLUMNS))
        return;
    struct match_log_segment *segment = &log->at[place];
    log->live--;
    if (--segment->live == 0 && place != log->current)
        give_back(log, place);
}
