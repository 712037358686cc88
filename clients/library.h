/* Shared libraries that not every run needs (libcurl, libpq, hiredis: some tables and sinks; libmicrohttpd: `serve`): opened when they are first used, so that the
 * program starts without them. Called by the clients of this folder and the HTTP server. Never closes what it opened: other threads may run in it. */
#ifndef CLIENTS_LIBRARY_H
#define CLIENTS_LIBRARY_H

#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

/* One function that is wanted: its name and where its address goes (a pointer to a function pointer, copied as bytes). */
struct clients_symbol {
    const char *name;
    void *place;
};
/* Opens `file` and finds all symbols. package: what to install, for the message. BASE_E_UNSUPPORTED with the cause and the remedy appended to reterr (may be
 * NULL); then no place has been written. Any thread. */
int clients_library_load(const char *file, const char *package, const struct clients_symbol *symbols, size_t count, struct base_buf *reterr) BASE_MUST_CHECK;
/* The same for a library that is tried once in a process: the reason, as text of at most `bytes`, goes on to whoever asks later, and says to start again. */
int clients_library_load_once(const char *file, const char *package, const struct clients_symbol *symbols, size_t count, char *ret_why, size_t bytes) BASE_MUST_CHECK;

#endif
