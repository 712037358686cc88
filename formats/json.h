/* Inside of the JSON decoder: one record's walk over the places that the index found. json.c walks objects and projects, json_value.c turns tokens into
 * values, json_check.c holds the grammar (strict records, raw objects) and strings. Private to formats/. */
#ifndef FORMATS_JSON_H
#define FORMATS_JSON_H

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
