/* A record that gave no row, as one JSON object for the dead-letter sink: why, where it stood, and what it was (card numbers masked, length bounded). Any thread. */
#ifndef FORMATS_DEAD_LETTER_H
#define FORMATS_DEAD_LETTER_H

#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/record.h"

#define FORMATS_DEAD_LETTER_BYTES_DEFAULT ((size_t)16 << 10) /* of the record that are shown */

struct formats_dead_letter {
    int code;                        /* BASE_E_* */
    struct base_str reason;          /* in words */
    struct base_str table;           /* the table's name */
    struct base_str rule;            /* rule at whose run-time error this is, or empty */
    const struct cep_record *record; /* bytes, key, origin, partition, offset, time */
    int64_t detected_ms;             /* wall clock; BASE_TIME_MIN_MS leaves it out */
    size_t record_bytes;             /* limit of what is shown, 0: the default */
};
/* Appends {"reason", "code" ("MALFORMED"), "table", "rule"?, "origin"?, "partition", "offset", "record_time"?, "detected_at"?, "record" (text) or
 * "record_base64" (if it is no UTF-8), "record_bytes", "truncated"?}. BASE_E_NOMEM. */
int formats_dead_letter_json(const struct formats_dead_letter *letter, struct base_buf *out) BASE_MUST_CHECK;

#endif
