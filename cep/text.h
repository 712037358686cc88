/* Text helpers that values and functions share: comparison, base64, copies into an arena. Internal to cep/. Any thread.
 */
#ifndef CEP_TEXT_H
#define CEP_TEXT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cep/value.h"

/* Byte order, shorter first on a tie. */
int cep_text_compare(struct cep_value a, struct cep_value b);
bool cep_text_equal(struct cep_value a, struct cep_value b);
/* Standard alphabet, padded. */
void cep_base64_print(const char *bytes, size_t len, struct base_buf *out);
/* The buffer's content as a value in the arena; the buffer is freed. BASE_E_NOMEM; BASE_E_LIMIT beyond the row limit.
 */
int cep_text_take(struct base_buf *buf, struct base_arena *arena, struct cep_value *ret) BASE_MUST_CHECK;
/* The elements of an array one behind the other, with the separator between; NULLs as null_text, left out where that is NULL. BASE_E_NOMEM, BASE_E_LIMIT. */
int cep_text_join(struct cep_type array_type, struct cep_value array, struct cep_value separator, struct cep_value null_text, struct base_arena *arena,
                  struct cep_value *ret) BASE_MUST_CHECK;
/* Simple case mapping of one code point: Latin, Greek, Cyrillic, Armenian, full-width letters; others stay. */
uint32_t cep_lower(uint32_t code_point);
uint32_t cep_upper(uint32_t code_point);
bool cep_is_letter_or_digit(uint32_t code_point); /* what separates no words: ASCII letters and digits, and all above
                                                     ASCII but blanks and marks */
/* len bytes in the arena for a result. BASE_E_NOMEM, BASE_E_LIMIT. */
int cep_text_room(struct base_arena *arena, size_t len, char **ret) BASE_MUST_CHECK;

#endif
