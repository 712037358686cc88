/* A byte stream to a server: TCP or a Unix socket, with TLS if wanted; every wait ends by a deadline or by an interrupt. Called by clients of protocols that
 * this folder speaks itself (Redis). Knows no protocol and never reconnects. One thread at a time, but for interrupt. */
#ifndef CLIENTS_STREAM_H
#define CLIENTS_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct clients_stream_options {
    const char *host;         /* name or address; with unix_path unused */
    uint16_t port;
    const char *unix_path;    /* NULL or "": TCP */
    bool tls;                 /* certificate and host name are checked */
    const char *ca_file;      /* PEM bundle; NULL or "": the system's */
    uint32_t connect_timeout_ms;
    const _Atomic bool *stop; /* true ends every wait within 100 ms with BASE_E_CLOSED; may be NULL */
};
struct clients_stream;
/* Connects (each address of the name in turn) and shakes hands. BASE_E_IO: refused, unreachable, unknown name; BASE_E_TIMEOUT; BASE_E_AUTH: TLS refused;
 * BASE_E_CLOSED: stopped; BASE_E_NOMEM. Reason appended to reterr. The resolver of names keeps its own time limits. */
int clients_stream_connect(const struct clients_stream_options *options, struct clients_stream **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void clients_stream_close(struct clients_stream *stream); /* NULL allowed */
/* All bytes are handed over, or an error: BASE_E_TIMEOUT, BASE_E_IO, BASE_E_CLOSED. until_us: base_clock_mono_us. */
int clients_stream_write(struct clients_stream *stream, const void *bytes, size_t len, int64_t until_us, struct base_buf *reterr) BASE_MUST_CHECK;
/* At least one byte; *ret_len is how many. BASE_E_EOF: the server has closed. Otherwise as write. */
int clients_stream_read(struct clients_stream *stream, void *bytes, size_t cap, size_t *ret_len, int64_t until_us, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
