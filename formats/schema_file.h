/* The text of a schema that a table names by its path: the one file that formats/ opens, once, when a decoder or encoder is made. */
#ifndef FORMATS_SCHEMA_FILE_H
#define FORMATS_SCHEMA_FILE_H

#include <stddef.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

#define FORMATS_SCHEMA_BYTES ((size_t)4 << 20)

/* The whole file in the arena. BASE_E_CONFIG with a text: not there, not readable, too large; BASE_E_NOMEM. */
int formats_schema_file(struct base_str path, struct base_arena *arena, struct base_str *ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;

#endif
