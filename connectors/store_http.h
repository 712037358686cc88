/* What sinks over HTTP share: the client with its headers, one request, and what an answer means. Used by connectors/…_sink.c only. One thread. */
#ifndef CONNECTORS_STORE_HTTP_H
#define CONNECTORS_STORE_HTTP_H

#include "clients/http.h"
#include "connectors/store_sink_internal.h"

#define CONNECTORS_STORE_HEADERS 24

struct connectors_store_http {
    struct clients_http *http;
    struct clients_http_response response;
    struct clients_http_header headers[CONNECTORS_STORE_HEADERS];
    size_t header_count;
    const char *who;     /* "ClickHouse at http://…", for messages */
};
/* First member of each sink over HTTP: its own, the client, and the texts of the request that is being made. */
struct connectors_http_sink {
    struct connectors_store_sink base;
    struct connectors_store_http store;
    struct base_buf body, text;
};
/* The end of `connectors_store_sink_ops` for all of them. */
void connectors_http_sink_interrupt(struct connectors_store_sink *sink);
void connectors_http_sink_close(struct connectors_store_sink *sink);
/* POSTs sink->body, as connectors_store_http_post. BASE_E_NOMEM if it could not be built. */
int connectors_http_sink_post(struct connectors_http_sink *sink, const char *url, struct base_buf *reterr) BASE_MUST_CHECK;
/* Takes the slashes off its end, in place; then as connectors_store_http_check_url. */
int connectors_store_http_trim_url(char *url, struct base_buf *reterr) BASE_MUST_CHECK;

/* Reads 'username', 'password', 'ca-file', 'timeout-ms', 'headers.*'. basic: user and password go into Authorization. */
int connectors_store_http_open(const struct connectors_store_config *config, struct base_arena *arena, bool basic, bool allow_private,
                               struct connectors_store_http *ret, struct base_buf *reterr) BASE_MUST_CHECK;
void connectors_store_http_close(struct connectors_store_http *store);
/* BASE_E_CONFIG if there are too many. Texts are borrowed. */
int connectors_store_http_header(struct connectors_store_http *store, const char *name, const char *value) BASE_MUST_CHECK;
/* POSTs the body. 0: 2xx came, its body stands in store->response. BASE_E_AUTH: 401, 403; BASE_E_CONFIG: 404; BASE_E_MALFORMED: another 4xx; BASE_E_IO: 5xx, 408, 429, or none. The text of the
 * answer is part of the message. */
int connectors_store_http_post(struct connectors_store_http *store, const char *url, struct base_str body, struct base_buf *reterr) BASE_MUST_CHECK;
/* url must begin with http:// or https:// and hold no user. */
int connectors_store_http_check_url(const char *url, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
