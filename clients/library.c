#include "clients/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

int clients_library_load(const char *file, const char *package, const struct clients_symbol *symbols, size_t count, struct base_buf *reterr)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        if (reterr)
            base_buf_printf(reterr, "the library %s is not here (%s); install it: apt-get install %s", file, why ? why : "no reason given", package);
        return BASE_E_UNSUPPORTED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!dlsym(library, symbols[i].name)) {
            if (reterr)
                base_buf_printf(reterr, "the library %s has no %s: it is too old; install Debian's %s", file, symbols[i].name, package);
            return BASE_E_UNSUPPORTED;
        }
    }
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(library, symbols[i].name);
        memcpy(symbols[i].place, &address, sizeof address); /* ISO C has no cast from object to function pointer */
    }
    return 0;
}

int clients_library_load_once(const char *file, const char *package, const struct clients_symbol *symbols, size_t count, char *ret_why, size_t bytes)
{
    struct base_buf why = { 0 };
    int e = clients_library_load(file, package, symbols, count, &why);
    if (e < 0 && why.len)
        snprintf(ret_why, bytes, "%s; then start again", why.ptr);
    else if (e < 0)
        snprintf(ret_why, bytes, "%s cannot be loaded; then start again", file);
    base_buf_finish(&why);
    return e;
}
