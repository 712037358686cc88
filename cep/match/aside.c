#include "cep/match/aside.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"

#define DIGIT_BITS 11u
#define DIGITS (1u << DIGIT_BITS)
#define CHUNK_FIRST ((size_t)64 << 10)
#define CHUNK ((size_t)4 << 20) /* on large pages */

#define SPARE_LEAST ((size_t)64 << 10)

void cep_match_aside_give(struct match_aside *aside, void *block, size_t bytes)
{
    if (!block || bytes < SPARE_LEAST || aside->spare_count == MATCH_ASIDE_SPARES || !BASE_VEC_PUSH(&aside->chunks, block)) {
        base_free(block);
        return;
    }
    aside->spares[aside->spare_count].at = block;
    aside->spares[aside->spare_count++].bytes = bytes & ~(size_t)15;
}

/* One of the spares is the chunk under way from now on; false: none is so large. */
static bool take_spare(struct match_aside *aside, size_t need)
{
    while (aside->spare_count > 0) {
        aside->spare_count--;
        if (aside->spares[aside->spare_count].bytes < need)
            continue;
        aside->next = aside->spares[aside->spare_count].at;
        aside->room = aside->spares[aside->spare_count].bytes;
        return true;
    }
    return false;
}

static void *make_room(struct match_aside *aside, size_t bytes)
{
    size_t need = (bytes + 15) & ~(size_t)15;
    if (need > aside->room && !take_spare(aside, need)) {
        size_t size = aside->chunks.len ? CHUNK : CHUNK_FIRST;
        void *chunk = base_alloc_walked(size > need ? size : need);
        if (!chunk || !BASE_VEC_PUSH(&aside->chunks, chunk)) {
            base_free(chunk);
            return NULL;
        }
        aside->next = chunk;
        aside->room = size > need ? size : need;
    }
    void *at = aside->next;
    aside->next += need;
    aside->room -= need;
    return at;
}

static const struct cep_row *copy_row(struct match_aside *aside, const struct cep_row *row)
{
    size_t bytes = cep_row_size(row);
    struct cep_row *copy = make_room(aside, bytes);
    if (copy)
        memcpy(copy, row, bytes);
    return copy;
}

static const struct cep_evidence *copy_evidence(struct match_aside *aside, const struct cep_evidence *evidence)
{
    struct cep_evidence *copy = make_room(aside, sizeof *copy);
    struct cep_evidence_item *items = make_room(aside, (evidence->count + 1) * sizeof *items);
    if (!copy || !items)
        return NULL;
    *copy = *evidence;
    copy->items = items;
    for (uint32_t i = 0; i < evidence->count; i++) {
        items[i] = evidence->items[i];
        items[i].row = copy_row(aside, items[i].row);
        if (!items[i].row)
            return NULL;
    }
    return copy;
}

static const struct cep_tuple *copy_key(struct match_aside *aside, const struct cep_tuple *key)
{
    if (aside->key == key)
        return aside->key_copy;
    aside->key_copy = make_room(aside, key->size_bytes);
    aside->key = aside->key_copy ? key : NULL;
    if (aside->key_copy)
        memcpy(aside->key_copy, key, key->size_bytes);
    return aside->key_copy;
}

int cep_match_aside_keep(struct match_aside *aside, const struct cep_event *event)
{
    if (aside->plain && event->row->change == CEP_SETTLED)
        return 0;
    struct cep_event *kept = make_room(aside, sizeof *kept);
    if (!kept)
        return BASE_E_NOMEM;
    const struct match_aside_place place = { .place = aside->place, .event = kept };
    *kept = *event;
    kept->row = copy_row(aside, event->row);
    if (event->key)
        kept->key = copy_key(aside, event->key);
    if (aside->plain)
        kept->evidence = NULL;
    else if (event->evidence)
        kept->evidence = copy_evidence(aside, event->evidence);
    bool whole = kept->row && (!event->key || kept->key) && (aside->plain || !event->evidence || kept->evidence);
    return whole && BASE_VEC_PUSH(&aside->places, place) ? 0 : BASE_E_NOMEM;
}

int cep_match_aside_name(struct match_aside *aside, const struct match_named *named, const struct match_named **ret)
{
    size_t bytes = sizeof *named + named->count * sizeof *named->items;
    struct match_named *kept = make_room(aside, bytes);
    if (!kept)
        return BASE_E_NOMEM;
    memcpy(kept, named, bytes);
    kept->key = aside->plain ? NULL : copy_key(aside, named->key);
    *ret = kept;
    const struct match_aside_place place = { .place = aside->place, .what = MATCH_ASIDE_NAMED, .named = kept };
    return (aside->plain || kept->key) && BASE_VEC_PUSH(&aside->places, place) ? 0 : BASE_E_NOMEM;
}

int cep_match_aside_settle(struct match_aside *aside, const struct match_named *named)
{
    const struct match_aside_place place = { .place = aside->place, .what = MATCH_ASIDE_SETTLED, .named = named };
    return aside->plain || BASE_VEC_PUSH(&aside->places, place) ? 0 : BASE_E_NOMEM;
}

/* One pass of a radix sort, which leaves equal digits in their order. */
static void by_digit(const struct match_aside_place *from, struct match_aside_place *to, size_t count, uint32_t shift)
{
    uint32_t places[DIGITS + 1] = { 0 };
    for (size_t i = 0; i < count; i++)
        places[(from[i].place >> shift) % DIGITS + 1]++;
    for (uint32_t d = 0; d < DIGITS; d++)
        places[d + 1] += places[d];
    for (size_t i = 0; i < count; i++)
        to[places[(from[i].place >> shift) % DIGITS]++] = from[i];
}

int cep_match_aside_sort(struct match_aside *aside, uint32_t place_end)
{
    size_t count = aside->places.len;
    struct match_aside_place *at = aside->places.at, *other = base_alloc((count + 1) * sizeof *other);
    if (!other)
        return BASE_E_NOMEM;
    for (uint32_t shift = 0; shift < 32 && place_end >> shift; shift += DIGIT_BITS) {
        by_digit(at, other, count, shift);
        struct match_aside_place *was = at;
        at = other;
        other = was;
    }
    if (at != aside->places.at)
        aside->places.cap = count + 1;
    aside->places.at = at;
    base_free(other);
    return 0;
}

void cep_match_aside_finish(struct match_aside *aside)
{
    BASE_VEC_FINISH(&aside->places);
    cep_match_picks_finish(&aside->picks);
    for (size_t i = 0; i < aside->chunks.len; i++)
        base_free(aside->chunks.at[i]);
    BASE_VEC_FINISH(&aside->chunks);
    *aside = (struct match_aside){ 0 };
}
