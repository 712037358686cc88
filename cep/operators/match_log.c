#include "cep/operators/match_log.h"

#include "base/alloc.h"
#include "base/error.h"

#define SEGMENT_LEAST 4096u

void cep_match_log_finish(struct match_log *log)
{
    for (uint32_t i = 0; i < log->count; i++)
        base_free(log->at[i].bytes);
    while (log->spare_count)
        base_free(log->spare[--log->spare_count]);
    base_free(log->at);
    *log = (struct match_log){ 0 };
}

/* A free place in the list of segments. */
static int find_place(struct match_log *log, uint32_t *ret)
{
    if (log->free_first) {
        *ret = log->free_first - 1;
        log->free_first = log->at[*ret].used;
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
    *segment = (struct match_log_segment){ .used = log->free_first };
    log->free_first = place + 1;
}

/* Segments grow with what is kept: an operator with few rows takes little memory. */
static int open_segment(struct match_log *log, uint32_t bytes)
{
    uint32_t cap = SEGMENT_LEAST, place;
    while (cap < MATCH_LOG_SEGMENT_MOST && (cap < bytes || cap < log->bytes / 16))
        cap *= 2;
    if (log->count && log->at[log->current].bytes && log->at[log->current].live == 0)
        give_back(log, log->current);
    int rc = find_place(log, &place);
    if (rc)
        return rc;
    bool spare = log->spare_count && cap == MATCH_LOG_SEGMENT_MOST;
    char *at = spare ? log->spare[--log->spare_count] : base_alloc(cap);
    log->at[place] = (struct match_log_segment){ .bytes = at, .cap = at ? cap : 0, .used = log->free_first };
    if (!at) {
        log->free_first = place + 1;
        return BASE_E_NOMEM;
    }
    log->at[place].used = 0;
    log->current = place;
    log->bytes += spare ? 0 : cap;
    return 0;
}

int cep_match_log_put(struct match_log *log, const struct cep_row *row, uint32_t *ret_ref)
{
    size_t size = cep_row_size(row), bytes = (size + 7) & ~(size_t)7;
    if (bytes > MATCH_LOG_SEGMENT_MOST)
        return BASE_E_LIMIT;
    struct match_log_segment *segment = log->count ? &log->at[log->current] : NULL;
    if (!segment || !segment->bytes || segment->cap - segment->used < bytes) {
        int rc = open_segment(log, (uint32_t)bytes);
        if (rc)
            return rc;
        segment = &log->at[log->current];
    }
    memcpy(segment->bytes + segment->used, row, size);
    *ret_ref = log->current << MATCH_LOG_OFFSET_BITS | segment->used >> 3;
    segment->used += (uint32_t)bytes;
    segment->rows++;
    segment->live++;
    log->rows++;
    log->live++;
    return 0;
}

void cep_match_log_drop(struct match_log *log, uint32_t ref)
{
    uint32_t place = ref >> MATCH_LOG_OFFSET_BITS;
    struct match_log_segment *segment = &log->at[place];
    log->live--;
    if (--segment->live == 0 && place != log->current)
        give_back(log, place);
}
