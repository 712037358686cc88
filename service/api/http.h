/* The HTTP server on libmicrohttpd: listens, collects bodies within their limit, checks the token, hands whole requests to the API and sends what it answers.
 * One thread per connection, bounded in number, so that an answer that waits for an epoch boundary holds up nobody else. Knows no route. */
#ifndef SERVICE_API_HTTP_H
#define SERVICE_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct api_request {
    const char *method;
    const char *path;        /* decoded, without the query */
    struct base_str body;
    const char *content_type; /* "" if none */
    void *connection;        /* of libmicrohttpd */
};
struct api_header { const char *name; char value[256]; };
/* Zero-initialise; the server frees it. */
struct api_response {
    int status;
    const char *content_type; /* static */
    struct base_buf body;
    struct api_header headers[4];
    size_t header_count;
};
/* Value of a query parameter, or NULL. */
const char *api_request_query(const struct api_request *request, const char *name);
const char *api_request_header(const struct api_request *request, const char *name);
void api_response_header(struct api_response *response, const char *name, const char *value);

struct api_http;
struct api_http_config {
    const char *listen;       /* "address:port"; port 0: a free one */
    const char *token;        /* "" : none */
    size_t body_bytes;
    unsigned connections;
    void (*handle)(void *ctx, const struct api_request *request, struct api_response *response);
    bool (*is_open)(void *ctx, const char *path); /* true: needs no token */
    /* An answer to what never reaches handle: 401, 413, 503. */
    void (*refuse)(void *ctx, int status, const char *detail, struct api_response *response);
    void *ctx;
};
/* Loads libmicrohttpd, if that has not been done. Any thread: some milliseconds that need not be waited for. */
void api_http_load(void);
/* BASE_E_CONFIG with the reason appended: bad address, port in use. BASE_E_UNSUPPORTED: libmicrohttpd is not here. */
int api_http_start(const struct api_http_config *config, struct api_http **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void api_http_stop(struct api_http *http); /* NULL allowed; waits for running requests */
unsigned api_http_port(const struct api_http *http);

#endif
