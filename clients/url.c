#include "clients/url.h"

#include <string.h>

#include "base/error.h"

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A copy with %XX decoded. A NUL byte would cut C texts short: it stays written out. */
static const char *decoded(struct base_arena *arena, struct base_str text)
{
    char *copy = base_arena_strndup(arena, text.ptr ? text.ptr : "", text.len);
    size_t at = 0;
    for (size_t i = 0; copy && i < text.len; i++) {
        bool escape = text.ptr[i] == '%' && i + 2 < text.len && hex_of(text.ptr[i + 1]) >= 0 && hex_of(text.ptr[i + 2]) >= 0;
        int byte = escape ? hex_of(text.ptr[i + 1]) * 16 + hex_of(text.ptr[i + 2]) : 0;
        copy[at++] = byte ? (char)byte : text.ptr[i];
        i += byte ? 2 : 0;
    }
    if (copy)
        copy[at] = 0;
    return copy;
}

static size_t find(struct base_str text, char what)
{
    const char *at = text.len ? memchr(text.ptr, what, text.len) : NULL;
    return at ? (size_t)(at - text.ptr) : text.len;
}

static struct base_str cut(struct base_str text, size_t from)
{
    return from >= text.len ? (struct base_str){ text.ptr + text.len, 0 } : (struct base_str){ text.ptr + from, text.len - from };
}

static int complain(struct base_buf *reterr, const char *what)
{
    if (reterr)
        base_buf_printf(reterr, "%s; a URL looks like scheme://host:port/name", what);
    return BASE_E_CONFIG;
}

static int split_host(struct base_str authority, struct base_arena *arena, struct clients_url *url, struct base_buf *reterr)
{
    struct base_str host = authority, port = { 0 };
    if (authority.len && authority.ptr[0] == '[') {
        size_t end = find(authority, ']');
        if (end == authority.len)
            return complain(reterr, "the bracket of an IPv6 address is not closed");
        host = (struct base_str){ authority.ptr + 1, end - 1 };
        port = cut(authority, end + 1);
        if (port.len && port.ptr[0] != ':')
            return complain(reterr, "behind the IPv6 address stands something that is no port");
    } else {
        host.len = find(authority, ':');
        port = cut(authority, host.len);
    }
    int64_t number = 0;
    if (port.len && (!base_str_to_i64(cut(port, 1), &number) || number < 1 || number > 65535))
        return complain(reterr, "the port must be a number between 1 and 65535");
    url->port = (uint16_t)number;
    url->host = decoded(arena, host);
    return url->host ? 0 : BASE_E_NOMEM;
}

int clients_url_parse(struct base_str text, struct base_arena *arena, struct clients_url *ret, struct base_buf *reterr)
{
    struct clients_url url = { .user = "", .password = "" };
    size_t colon = find(text, ':');
    if (colon == 0 || colon + 3 > text.len || memcmp(text.ptr + colon, "://", 3) != 0)
        return complain(reterr, "the scheme is missing");
    char *scheme = base_arena_strndup(arena, text.ptr, colon);
    for (char *c = scheme; c && *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    struct base_str rest = cut(text, colon + 3);
    size_t question = find(rest, '?');
    struct base_str query = cut(rest, question + 1), path = { rest.ptr, question };
    size_t slash = find(path, '/');
    struct base_str authority = { path.ptr, slash };
    path = cut(path, slash + 1);
    for (size_t i = authority.len; i-- > 0;) { /* the last '@': passwords may hold one */
        if (authority.ptr[i] != '@')
            continue;
        struct base_str user = { authority.ptr, i };
        size_t end = find(user, ':');
        url.password = decoded(arena, cut(user, end + 1));
        url.user = decoded(arena, (struct base_str){ user.ptr, end });
        authority = cut(authority, i + 1);
        break;
    }
    url.scheme = scheme;
    url.path = decoded(arena, path);
    url.query = base_arena_strndup(arena, query.ptr ? query.ptr : "", query.len);
    if (!url.scheme || !url.path || !url.query || !url.user || !url.password)
        return BASE_E_NOMEM;
    int e = split_host(authority, arena, &url, reterr);
    if (e == 0)
        *ret = url;
    return e;
}

const char *clients_url_query(const struct clients_url *url, struct base_arena *arena, const char *name)
{
    struct base_str rest = base_str_of(url->query);
    while (rest.len) {
        size_t end = find(rest, '&');
        struct base_str pair = { rest.ptr, end };
        size_t equals = find(pair, '=');
        if (base_str_equal((struct base_str){ pair.ptr, equals }, base_str_of(name)))
            return decoded(arena, cut(pair, equals + 1));
        rest = cut(rest, end + 1);
    }
    return NULL;
}
