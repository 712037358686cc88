/* Managed lists: IN_LIST(value, 'name') over text files, one entry a line, in one folder. A file may be changed by hand (it is read anew) or entry by entry through the
 * functions below, which the REST API calls; what they answer for is on disk. The host sets the folder once, before any rule is linked. Functions get no context of their own,
 * so the lists are process-wide. Any thread. */
#ifndef ENRICHMENT_LISTS_H
#define ENRICHMENT_LISTS_H

#include "base/attr.h"
#include "base/str.h"
#include "cep/func.h"

#define ENRICHMENT_LISTS_MOST 256
#define ENRICHMENT_LIST_ENTRY_BYTES 1024
#define ENRICHMENT_LIST_ENTRIES 4000000u

/* Adds the function. folder is copied. BASE_E_EXISTS, BASE_E_NOMEM. */
int enrichment_lists_register(struct cep_funcs *funcs, const char *folder) BASE_MUST_CHECK;
void enrichment_lists_close(void);
/* Reads files that have changed; one that cannot be read is told in the log, and the list stays as it was. */
void enrichment_lists_refresh(void);

/* Puts an entry in (the list is made if it is not there), or takes it out. *ret_changed false: it was so already. BASE_E_INVALID: no good name or entry; BASE_E_NOTFOUND: no
 * such list; BASE_E_LIMIT; BASE_E_IO; BASE_E_NOMEM; with a text appended to reterr. */
int enrichment_lists_put(const char *name, struct base_str entry, bool *ret_changed, struct base_buf *reterr) BASE_MUST_CHECK;
int enrichment_lists_remove(const char *name, struct base_str entry, bool *ret_changed, struct base_buf *reterr) BASE_MUST_CHECK;
/* Is it in? BASE_E_NOTFOUND: no such list. */
int enrichment_lists_has(const char *name, struct base_str entry, bool *ret) BASE_MUST_CHECK;
/* Calls each with entries of the list from *inout_at (0 at first) on, at most limit; *inout_at: where to go on, 0 at the end. */
int enrichment_lists_each(const char *name, uint64_t *inout_at, uint32_t limit, void (*each)(void *ctx, struct base_str entry), void *ctx) BASE_MUST_CHECK;
/* Calls each with every list of the folder. BASE_E_IO, BASE_E_NOMEM; a folder that is not there has none. */
int enrichment_lists_names(void (*each)(void *ctx, const char *name, uint64_t entries), void *ctx) BASE_MUST_CHECK;

#endif
