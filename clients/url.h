/* The parts of a URL as stores write it: scheme://[user[:password]@]host[:port][/path][?query]. Called by the clients and by what reads table options. Opens
 * nothing. Any thread. */
#ifndef CLIENTS_URL_H
#define CLIENTS_URL_H

#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

/* Texts are NUL-terminated copies in the arena, percent-decoded; "" where a part is missing. */
struct clients_url {
    const char *scheme;   /* lower case */
    const char *user, *password;
    const char *host;     /* without the brackets of an IPv6 address */
    uint16_t port;        /* 0: not given */
    const char *path;     /* without the first '/' */
    const char *query;    /* as written, without '?' */
};
/* BASE_E_CONFIG with the reason appended to reterr (which never holds the password), BASE_E_NOMEM. */
int clients_url_parse(struct base_str text, struct base_arena *arena, struct clients_url *ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Value of name=value in the query, percent-decoded copy in the arena; NULL: not there (or no memory). */
const char *clients_url_query(const struct clients_url *url, struct base_arena *arena, const char *name);

#endif
