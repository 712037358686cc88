/* Inside of the JSON decoder: one record's walk over the places that the index found. json.c walks objects and projects, json_value.c turns tokens into
 * values, json_check.c holds the grammar (strict records, raw objects) and strings. Private to formats/. */
#ifndef FORMATS_JSON_H
#define FORMATS_JSON_H

#ifdef __SSE2__
#include <immintrin.h>
#endif
#include <string.h>
#include "formats/decoder.h"
#include "formats/simdjson_shim.h"

#define FORMATS_JSON_DEPTH_MAX 1024 /* nesting of a value that is checked; unread values may nest deeper, they are skipped by counting */

/* One record. Offsets count from buf; at[] are the places of the whole run of records, in which i is always an index with at[i] readable: behind the last
 * place stand three that are not inside any record. */
struct formats_json_walk {
    struct formats_decoder *decoder;
    struct base_arena *arena;
    const struct cep_record *record;
    const char *buf;
    const uint32_t *at;
    uint32_t begin, end; /* of the record */
    uint32_t count;      /* places of the run, without those three; 0: not told, shapes are not used */
    struct base_buf *packed; /* scratch for arrays */
};

static inline bool formats_json_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* End of the token at place i: where its last byte that is no blank ends. */
static inline uint32_t formats_json_token_end(const struct formats_json_walk *w, uint32_t i)
{
    uint32_t end = w->at[i + 1] < w->end ? w->at[i + 1] : w->end;
    while (formats_json_blank(w->buf[end - 1]))
        end--;
    return end;
}
static inline struct base_str formats_json_token(const struct formats_json_walk *w, uint32_t i)
{
    return (struct base_str){ w->buf + w->at[i], formats_json_token_end(w, i) - w->at[i] };
}
/* Is there a backslash? Several bytes at a time: most strings are short, and the bytes behind the record may be read. */
static inline bool formats_json_has_escape(struct base_str raw)
{
#ifdef __SSE2__
    if (raw.len <= 48) {
        for (size_t at = 0; at < raw.len; at += 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(raw.ptr + at));
            uint32_t hits = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
            uint32_t valid = raw.len - at < 16 ? (1u << (raw.len - at)) - 1 : 0xffff;
            if (hits & valid)
                return true;
        }
        return false;
    }
#endif
    return raw.len && memchr(raw.ptr, '\\', raw.len) != NULL;
}
/* The string at place i if it is the usual one: closed right before the next place, no escapes. False: take formats_json_string. */
static inline bool formats_json_plain_string(const struct formats_json_walk *w, uint32_t i, struct base_str *ret)
{
    uint32_t begin = w->at[i] + 1, end = w->at[i + 1];
    if (end > w->end || w->buf[end - 1] != '"' || end - 1 < begin)
        return false;
    *ret = (struct base_str){ w->buf + begin, end - 1 - begin };
    return !formats_json_has_escape(*ret);
}
/* The record is no JSON object at place i. Returns BASE_E_MALFORMED. */
int formats_json_bad(struct formats_json_walk *w, uint32_t i, const char *wanted);

/* Skips the value at place i without looking into it; *ret_next is the place behind it. */
int formats_json_skip(struct formats_json_walk *w, uint32_t i, uint32_t *ret_next) BASE_MUST_CHECK;
/* As skip, but by the whole grammar. */
int formats_json_check(struct formats_json_walk *w, uint32_t i, uint32_t *ret_next) BASE_MUST_CHECK;
/* Text of the string at place i, escapes resolved (then in the arena). */
int formats_json_string(struct formats_json_walk *w, uint32_t i, struct base_str *ret) BASE_MUST_CHECK;
/* Resolves escapes into out (raw.len bytes are enough; NULL: only checks). False: a bad escape. */
bool formats_json_unescape(struct base_str raw, char *out, size_t *ret_len);
/* Value of table field f, or of an element of it, of the given type. A problem that names the field is one of the value alone; others are the record's. */
int formats_json_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, uint32_t *ret_next, struct cep_value *ret) BASE_MUST_CHECK;

#endif
