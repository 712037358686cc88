/* Makes a new, empty store. RocksDB's C interface can add families to a store one by one only, and each time writes down, syncs and reads back the options of
 * all of them; its C++ interface adds them together. Called by store.c where there is no store yet; opens nothing for use. With store_ingest.cc the only C++ of service/. */
#ifndef SERVICE_STORE_CREATE_H
#define SERVICE_STORE_CREATE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A RocksDB store with these families (besides "default") in the folder, which is made if it is not there. Interrupted, it leaves none, or a whole one. Where there is one by now
 * nothing is done. Returns 0, or -1 with RocksDB's words in ret_error. */
int store_create(const char *path, const char *const *families, size_t family_count, char *ret_error, size_t error_bytes);

#ifdef __cplusplus
}
#endif
#endif
