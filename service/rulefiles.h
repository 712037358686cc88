/* Rule files: found, read and named, from paths that are files or folders. Called by the command line and by the rule set. Compiles nothing. */
#ifndef SERVICE_RULEFILES_H
#define SERVICE_RULEFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/str.h"

#define SERVICE_RULEFILES_MAX 10000
#define SERVICE_RULEFILES_BYTES ((size_t)4 << 20) /* of one file */

struct service_rulefiles {
    struct base_arena *arena;      /* names and texts live here; borrowed */
    struct base_source *at;        /* owned array */
    size_t len, cap;
    size_t file_bytes;             /* limit of one file; 0: the default */
    uint64_t mark;                 /* changes when a file of a folder does (names, sizes, times) */
};
void service_rulefiles_init(struct service_rulefiles *files, struct base_arena *arena);
void service_rulefiles_finish(struct service_rulefiles *files);
/* Adds a file ("-": standard input), or all *.sql files of a folder and its subfolders in the order of their names. BASE_E_NOTFOUND, BASE_E_IO, BASE_E_LIMIT,
 * BASE_E_NOMEM with the reason appended. */
int service_rulefiles_add(struct service_rulefiles *files, const char *path, struct base_buf *reterr) BASE_MUST_CHECK;
/* Adds a text under a name; replaces the file of that name. */
int service_rulefiles_set(struct service_rulefiles *files, const char *name, struct base_str text) BASE_MUST_CHECK;
/* Mark of a folder without reading the files. */
int service_rulefiles_mark(const char *path, uint64_t *ret) BASE_MUST_CHECK;
/* Is `name` a relative path of a rule file, without "..", hidden parts or odd characters? */
bool service_rulefiles_name_good(const char *name);
/* Writes dir/name by way of a temporary file and a rename, folders made as needed, synced. BASE_E_READONLY, BASE_E_FULL, BASE_E_IO. */
int service_rulefiles_write(const char *dir, const char *name, struct base_str text, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
