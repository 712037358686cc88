/* A large image as RocksDB's own sorted tables, one for each family: they are made beside the store from sections that are in order, and taken in as they are, without its log and its
 * memtables. Putting ten million keys slice by slice takes minutes, this seconds. Called by imager.c, which says in the store when they count. Knows nothing of epochs. */
#ifndef SERVICE_STORE_TABLES_H
#define SERVICE_STORE_TABLES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/store.h"

#define SERVICE_TABLES_FOLDER "tables" /* beside the store's own files */

struct service_table_part { struct base_str section; const struct service_order *order; uint32_t group; }; /* order of at least one change; of a key group */

/* Tables with all changes of the parts, which are in ascending order of their key groups; durable on return. *ret_families: a bit for each family that has one. number: of these tables. stops: asked now and
 * then; true ends it with BASE_E_CLOSED. BASE_E_UNSUPPORTED: keys do not begin with their key group, so that they are not in order over all parts. BASE_E_FULL, BASE_E_IO: the
 * store tells the reason, and is not broken. What is left of tables that were not made whole service_tables_remove takes away. Any thread. */
int service_tables_make(struct service_store *store, uint64_t number, const struct service_table_part *parts, size_t count, bool (*stops)(void *), void *ctx,
                        uint32_t *ret_families) BASE_MUST_CHECK;
/* The families' tables become part of the store, one after the other, over whatever it holds of their keys; they stay where they are, so that it can be done again if a process ends in between. An error
 * breaks the store. BASE_E_CORRUPT: one is not there or not as it was written. */
int service_tables_take(struct service_store *store, uint64_t number, uint32_t families) BASE_MUST_CHECK;
/* All tables beside the store are not needed any more. What cannot be removed is tried again the next time. */
void service_tables_remove(const struct service_store *store);

#endif
