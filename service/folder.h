/* The names in a folder, sorted, without hidden ones. */
#ifndef SERVICE_FOLDER_H
#define SERVICE_FOLDER_H

#include <stddef.h>
#include "base/attr.h"

struct service_folder { char **at; size_t len, cap; }; /* owned names */
/* BASE_E_NOTFOUND, BASE_E_IO (errno says why), BASE_E_NOMEM. */
int service_folder_read(const char *path, struct service_folder *ret) BASE_MUST_CHECK;
void service_folder_finish(struct service_folder *folder);

#endif
