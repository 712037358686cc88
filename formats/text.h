/* Texts to values: what a CSV cell, a JSON string or a JSON number token means for a column's type. Called by json.c, csv.c and the key decoder. Numbers
 * go to DECIMAL and integers by their digits, never through a double. Any thread; a formats_times belongs to one. */
#ifndef FORMATS_TEXT_H
#define FORMATS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cep/value.h"

enum formats_time_form { FORMATS_TIME_AUTO, FORMATS_TIME_SQL, FORMATS_TIME_ISO, FORMATS_TIME_EPOCH_S, FORMATS_TIME_EPOCH_MS, FORMATS_TIME_EPOCH_US };
/* How timestamps are written, and the last date seen (most rows of a stream share it). Zero-initialise: all forms are recognised. */
struct formats_times {
    enum formats_time_form form;
    bool known;       /* date and date_ms are set */
    char date[10];
    int64_t date_ms;
};
/* 'SQL', 'ISO-8601', 'epoch-s', 'epoch-ms', 'epoch-us', 'auto'; false: none of these. */
bool formats_time_form_parse(struct base_str text, enum formats_time_form *ret);
/* Text of a timestamp. An all-digit text is an epoch number. False: malformed, or not of the pinned form. */
bool formats_time_text(struct formats_times *times, const char *text, size_t len, int64_t *ret_ms);
/* The usual text of one, "2026-01-31T12:34:56.789Z", of the date that was seen last: so many bytes, of which more than these are not looked at. False: it may still
 * be a timestamp. */
#define FORMATS_TIME_USUAL 24
bool formats_time_usual(const struct formats_times *times, const char *text, int64_t *ret_ms);
/* Number token of an epoch; seconds may have a fraction. */
bool formats_time_number(const struct formats_times *times, struct base_str token, int64_t *ret_ms);

/* Is it a number by JSON's grammar? */
bool formats_number_valid(const char *text, size_t len);
/* The functions below take more than JSON's grammar: a leading '+', leading zeros, ".5", "5.". 0, BASE_E_CAST (no number; not whole), BASE_E_OVERFLOW. */
int formats_number_i64(struct base_str text, int64_t *ret) BASE_MUST_CHECK;
/* Also NaN, Infinity, -Infinity. Finite texts that no double can hold: BASE_E_OVERFLOW. */
int formats_number_double(struct base_str text, double *ret) BASE_MUST_CHECK;
int formats_number_decimal(struct base_str text, struct cep_type type, struct cep_value *ret) BASE_MUST_CHECK;

/* Value of a text for a type (blanks around all but STRING are cut). STRING, ROW and BYTES of CSV borrow the text; BYTES is base64 and goes to the arena. ARRAY is
 * refused here (its elements are the caller's affair). 0, BASE_E_CAST, BASE_E_OVERFLOW, BASE_E_NOMEM. */
int formats_text_value(struct formats_times *times, struct cep_type type, struct base_str text, struct base_arena *arena, struct cep_value *ret)
    BASE_MUST_CHECK;

/* Appends an element of a packed array as cep_array_get reads it; the array's count (u32) stands before the first. */
void formats_pack_element(struct base_buf *out, struct cep_type type, struct cep_value value);

/* RFC 4648 base64, padding optional. */
int formats_base64_decode(struct base_str text, struct base_arena *arena, struct base_str *ret) BASE_MUST_CHECK;
void formats_base64_encode(struct base_str bytes, struct base_buf *out);

#endif
