/* Bytes of one file in order, decompressed if its name says so (.zst, .gz): read() into the caller's buffer. Files are not mapped: one that is truncated or
 * rewritten while it is read would kill the process. Used by file_source.c. One thread per reader. */
#ifndef CONNECTORS_READER_H
#define CONNECTORS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

struct connectors_reader;
/* Opens path, or takes over fd if path is NULL (0: stdin, not closed at the end). BASE_E_NOTFOUND, BASE_E_IO, BASE_E_NOMEM with a text in ret_error. */
int connectors_reader_open(const char *path, int fd, struct connectors_reader **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void connectors_reader_close(struct connectors_reader *reader); /* NULL allowed */
/* Reads up to size bytes; *ret_len 0: at the end (a file may grow: ask again). For pipes and terminals waits at most timeout_ms, then BASE_E_AGAIN. BASE_E_IO,
 * BASE_E_CORRUPT (broken or cut-off compression; bytes before it were given) with a text in ret_error. */
struct connectors_read { char *to; size_t size; int timeout_ms; };
int connectors_reader_read(struct connectors_reader *reader, struct connectors_read read, size_t *ret_len, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
/* Goes to a place in the decompressed bytes (behind the place reached so far for compressed ones; reopens otherwise). BASE_E_NOTFOUND: the file is shorter. */
int connectors_reader_seek(struct connectors_reader *reader, uint64_t at, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
/* Is it compressed, so that it cannot be followed while it grows? */
bool connectors_reader_compressed(const struct connectors_reader *reader);

#endif
