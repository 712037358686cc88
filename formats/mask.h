/* Card numbers in texts that leave the process for people to read: masked to the first six and last four digits. Used for alerts, dead letters and the
 * reasons of bad records. Any thread. */
#ifndef FORMATS_MASK_H
#define FORMATS_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

#define FORMATS_PAN_DIGITS_MIN 13 /* a shorter text holds no card number */

/* Appends text; runs of 13 to 19 digits (single blanks or hyphens between them allowed) that pass the Luhn check have their middle digits replaced by '*'.
 * Longer runs of digits are no card numbers. Length in bytes stays the same. */
void formats_mask_pan(struct base_str text, struct base_buf *out);
/* Does a number with so many digits look like a card number? For integers the first digit must be 2 to 6 as well, since epoch microseconds start with 1. */
bool formats_looks_like_pan(struct base_str digits);
/* First offset at or behind `from` of something to be masked, or len: to skip the copy where there is nothing. */
size_t formats_find_pan(struct base_str text, size_t from, size_t *ret_len);

#endif
