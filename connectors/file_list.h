/* The files that a path means: itself, or those of a directory in name order (hidden ones and those that start with '_' left out). Any thread. */
#ifndef CONNECTORS_FILE_LIST_H
#define CONNECTORS_FILE_LIST_H

#include <stddef.h>
#include "base/attr.h"

struct connectors_file_list {
    char **paths; /* owned, sorted */
    size_t len, cap;
};
/* BASE_E_NOTFOUND, BASE_E_IO, BASE_E_NOMEM with a text in ret_error. Zero-initialise first; finish in any case. */
int connectors_file_list_read(struct connectors_file_list *list, const char *path, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void connectors_file_list_finish(struct connectors_file_list *list);
/* Last part of a path. */
const char *connectors_file_name(const char *path);

#endif
