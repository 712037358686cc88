/* Cuts a stream of bytes into records at line ends, for CSV not inside quotes. Holds one bounded buffer; records point into it. Used by file_source.c. Lines
 * of blanks alone are left out. One thread. */
#ifndef CONNECTORS_LINES_H
#define CONNECTORS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct connectors_lines {
    size_t limit;          /* longest record; set before use */
    char quote, delimiter; /* quote 0: lines end at each line end */
    bool eof;              /* no bytes will follow: what is left is a record */
    /* private */
    char *data;
    size_t cap, begin, end, scanned;
    uint64_t place;        /* of data[begin] in the stream */
    bool skipping;         /* in the middle of a record beyond the limit */
    uint64_t skipped;      /* bytes of it so far */
    struct base_buf beginning; /* of that record */
};
struct connectors_line {
    struct base_str bytes; /* without line end; at least CEP_RECORD_SLACK bytes behind it may be read */
    bool too_long;         /* longer than the limit: bytes is its beginning */
    uint64_t whole_bytes;  /* its length, if it is too long */
};
void connectors_lines_finish(struct connectors_lines *lines);
/* Forgets all bytes; the next ones stand at this place of the stream. */
void connectors_lines_restart(struct connectors_lines *lines, uint64_t place);
/* Room for more bytes (at least one); ends the life of records given so far. BASE_E_NOMEM. */
int connectors_lines_room(struct connectors_lines *lines, char **ret_at, size_t *ret_size) BASE_MUST_CHECK;
void connectors_lines_filled(struct connectors_lines *lines, size_t bytes);
/* Passes over bytes at the beginning of what is there. */
void connectors_lines_drop(struct connectors_lines *lines, size_t bytes);
/* Next record, if there is a whole one. */
bool connectors_lines_next(struct connectors_lines *lines, struct connectors_line *ret);
/* Place in the stream behind the last record. */
static inline uint64_t connectors_lines_place(const struct connectors_lines *lines) { return lines->place; }

#endif
