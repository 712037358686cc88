/* An HTTP client over libcurl for webhooks, schema registries and HTTP sinks: one request at a time, bounded in time
 * and size, no redirects, no proxy from the environment, and a guard against requests to addresses inside (SSRF). It
 * never retries; a caller that wants it does that. */
#ifndef CLIENTS_HTTP_H
#define CLIENTS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct clients_http_options {
    bool allow_private;          /* permit loopback, private, link-local and other special addresses */
    const char *ca_file;         /* PEM bundle, NULL: the system's; copied */
    uint32_t connect_timeout_ms; /* 0: 5,000 */
    uint32_t timeout_ms;         /* whole request, 0: 20,000 */
    uint32_t response_bytes;     /* longest body that is kept, 0: 65,536; a longer one is cut and marked */
};
struct clients_http_header {
    const char *name;
    const char *value;
};
struct clients_http_request {
    const char *method; /* "GET", "POST", … */
    const char *url;    /* http or https */
    const struct clients_http_header *headers;
    size_t header_count;
    struct base_str body; /* empty: none */
    bool fail_on_cut;     /* an answer beyond response_bytes is BASE_E_LIMIT instead of being cut */
};
/* Zero-initialise; reused by the next request; clients_http_response_finish at the end. */
struct clients_http_response {
    long status;            /* 0: no answer came */
    bool cut;               /* body is only the beginning */
    int64_t retry_after_s;  /* from Retry-After (seconds or HTTP date), -1: none */
    char content_type[128]; /* cut if longer, "" if none */
    struct base_buf body;
    struct base_buf error; /* cause in words if the function failed, without credentials of the URL */
};
void clients_http_response_finish(struct clients_http_response *response);

struct clients_http;
/* The first one loads libcurl. BASE_E_UNSUPPORTED: it is not here, cause and remedy appended to reterr (may be NULL); BASE_E_NOMEM. */
int clients_http_create(const struct clients_http_options *options, struct clients_http **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void clients_http_destroy(struct clients_http *http); /* NULL is allowed */
/* Blocks the calling thread; one thread at a time per handle (connections are kept for the next request). 0 whatever
 * the status is, if an answer came. BASE_E_CONFIG: bad URL or scheme; BASE_E_AUTH: address refused by the guard;
 * BASE_E_TIMEOUT; BASE_E_IO: no connection, TLS failure, broken answer; BASE_E_CLOSED: interrupted; BASE_E_LIMIT;
 * BASE_E_NOMEM. */
int clients_http_send(struct clients_http *http, const struct clients_http_request *request,
                      struct clients_http_response *ret) BASE_MUST_CHECK;
/* Makes a running and every later request end with BASE_E_CLOSED. Any thread. */
void clients_http_interrupt(struct clients_http *http);

/* Is this address ("10.0.0.1", "fe80::1", "::ffff:127.0.0.1") one that the guard refuses? Texts that are no address are
 * refused too. */
bool clients_http_is_private(const char *address);

#endif
