/* The one place that names simdjson: finds where tokens of JSON text start, by SIMD, and checks its UTF-8. Called by json.c; the shim never builds or touches a simdjson
 * document (touching one after its first error can crash a release build): all grammar is ours. One thread per index. */
#ifndef FORMATS_SIMDJSON_SHIM_H
#define FORMATS_SIMDJSON_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct formats_index;
/* NULL: no memory. */
struct formats_index *formats_index_create(void);
void formats_index_destroy(struct formats_index *index); /* NULL allowed */
/* Finds the structural places of text[0..len), behind which 64 bytes must be readable: each of { } [ ] : , outside strings, the opening quote of each
 * string and the first byte of each other token. *ret_at[0..count) are their offsets, three more entries hold len; valid until the next call. Between two
 * places stands the rest of a token and blanks only. The text may hold several values. BASE_E_UTF8; BASE_E_MALFORMED (a string is not closed, or holds a raw control
 * character such as a line end); BASE_E_LIMIT (4 GiB or more); BASE_E_NOMEM. */
int formats_index_run(struct formats_index *index, const char *text, size_t len, const uint32_t **ret_at, uint32_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
