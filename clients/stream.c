#include "clients/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

#define SLICE_MS 100 /* longest sleep before the stop flag is looked at again */

struct clients_stream {
    int fd;
    SSL_CTX *context;  /* TLS only */
    SSL *tls;
    const _Atomic bool *stop;
};

void clients_stream_close(struct clients_stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->tls);
    SSL_CTX_free(stream->context);
    if (stream->fd >= 0)
        close(stream->fd);
    base_free(stream);
}

static void say(struct base_buf *reterr, const char *what, const char *why)
{
    if (reterr)
        base_buf_printf(reterr, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

/* Waits until the socket is ready for events. */
static int wait_ready(const struct clients_stream *stream, short events, int64_t until_us, struct base_buf *reterr)
{
    for (;;) {
        if (stream->stop && atomic_load(stream->stop))
            return BASE_E_CLOSED;
        int64_t left_ms = (until_us - base_clock_mono_us() + 999) / 1000;
        if (left_ms <= 0) {
            say(reterr, "no answer in time", NULL);
            return BASE_E_TIMEOUT;
        }
        struct pollfd at = { .fd = stream->fd, .events = events };
        int ready = poll(&at, 1, (int)(left_ms < SLICE_MS ? left_ms : SLICE_MS));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR) {
            say(reterr, "waiting for the connection failed", strerror(errno));
            return BASE_E_IO;
        }
    }
}

/* ---- TLS ---- */

static int tls_failed(struct clients_stream *stream, const char *what, struct base_buf *reterr)
{
    long verified = SSL_get_verify_result(stream->tls);
    char text[256];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, text, sizeof text);
    if (verified != X509_V_OK)
        say(reterr, "the server's certificate is refused", X509_verify_cert_error_string(verified));
    else
        say(reterr, what, code ? text : "the connection was closed (does the server speak TLS on this port?)");
    ERR_clear_error();
    return BASE_E_AUTH;
}

/* Result of an SSL call: 0 try again after waiting, 1 done, negative failed. */
static int tls_result(struct clients_stream *stream, int result, int64_t until_us, const char *what, struct base_buf *reterr)
{
    if (result > 0)
        return 1;
    switch (SSL_get_error(stream->tls, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_ready(stream, POLLIN, until_us, reterr);
    case SSL_ERROR_WANT_WRITE:
        return wait_ready(stream, POLLOUT, until_us, reterr);
    case SSL_ERROR_ZERO_RETURN:
        say(reterr, "the server has closed the connection", NULL);
        return BASE_E_EOF;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        say(reterr, what, errno ? strerror(errno) : "the server has closed the connection");
        return errno ? BASE_E_IO : BASE_E_EOF;
    default:
        return tls_failed(stream, what, reterr);
    }
}

static bool set_host(SSL *tls, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host))
        return true;
    ERR_clear_error();
    return SSL_set_tlsext_host_name(tls, host) && X509_VERIFY_PARAM_set1_host(param, host, 0);
}

static int start_tls(struct clients_stream *stream, const struct clients_stream_options *options, int64_t until_us, struct base_buf *reterr)
{
    stream->context = SSL_CTX_new(TLS_client_method());
    bool own = options->ca_file && *options->ca_file;
    if (!stream->context)
        return BASE_E_NOMEM;
    SSL_CTX_set_min_proto_version(stream->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL);
    int good = own ? SSL_CTX_load_verify_locations(stream->context, options->ca_file, NULL) : SSL_CTX_set_default_verify_paths(stream->context);
    if (!good) {
        ERR_clear_error();
        say(reterr, "the CA file cannot be read", own ? options->ca_file : "the system's");
        return BASE_E_CONFIG;
    }
    stream->tls = SSL_new(stream->context);
    if (!stream->tls || !SSL_set_fd(stream->tls, stream->fd) || !set_host(stream->tls, options->host ? options->host : "localhost"))
        return BASE_E_NOMEM;
    int e = 0;
    while (e == 0) {
        errno = 0;
        e = tls_result(stream, SSL_connect(stream->tls), until_us, "the TLS handshake failed", reterr);
    }
    return e == BASE_E_EOF ? BASE_E_IO : e < 0 ? e : 0;
}

/* ---- connecting ---- */

static int connect_to(struct clients_stream *stream, const struct sockaddr *address, socklen_t len, int64_t until_us, struct base_buf *reterr)
{
    stream->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failed = stream->fd < 0 ? errno : 0;
    if (!failed && connect(stream->fd, address, len) < 0) {
        failed = errno;
        if (failed == EINPROGRESS || failed == EAGAIN) {
            int e = wait_ready(stream, POLLOUT, until_us, reterr);
            socklen_t size = sizeof failed;
            if (e < 0 || getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0) {
                close(stream->fd);
                stream->fd = -1;
                return e < 0 ? e : BASE_E_IO;
            }
        }
    }
    if (failed) {
        say(reterr, strerror(failed), NULL);
        if (stream->fd >= 0)
            close(stream->fd);
        stream->fd = -1;
        return BASE_E_IO;
    }
    int on = 1;
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* without it only slower */
    return 0;
}

static int connect_unix(struct clients_stream *stream, const char *path, int64_t until_us, struct base_buf *reterr)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        say(reterr, "the path of the socket is too long", path);
        return BASE_E_CONFIG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect_to(stream, (const struct sockaddr *)&address, sizeof address, until_us, reterr);
}

static int connect_tcp(struct clients_stream *stream, const struct clients_stream_options *options, int64_t until_us, struct base_buf *reterr)
{
    char port[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    snprintf(port, sizeof port, "%u", options->port);
    int failed = getaddrinfo(options->host, port, &hints, &list);
    if (failed) {
        say(reterr, "the host name is not known", gai_strerror(failed));
        return BASE_E_IO;
    }
    int e = BASE_E_IO;
    size_t start = reterr ? reterr->len : 0;
    for (const struct addrinfo *at = list; at && (at == list || e == BASE_E_IO); at = at->ai_next) {
        if (reterr && reterr->ptr) { /* the reason of the last address counts */
            reterr->len = start;
            reterr->ptr[start] = 0;
        }
        e = connect_to(stream, at->ai_addr, at->ai_addrlen, until_us, reterr);
    }
    freeaddrinfo(list);
    return e;
}

int clients_stream_connect(const struct clients_stream_options *options, struct clients_stream **ret, struct base_buf *reterr)
{
    struct clients_stream *stream = base_calloc(1, sizeof *stream);
    if (!stream)
        return BASE_E_NOMEM;
    int64_t until_us = base_clock_mono_us() + (int64_t)(options->connect_timeout_ms ? options->connect_timeout_ms : 5000) * 1000;
    stream->fd = -1;
    stream->stop = options->stop;
    int e = options->unix_path && *options->unix_path ? connect_unix(stream, options->unix_path, until_us, reterr)
                                                       : connect_tcp(stream, options, until_us, reterr);
    if (e == 0 && options->tls)
        e = start_tls(stream, options, until_us, reterr);
    if (e < 0) {
        clients_stream_close(stream);
        return e;
    }
    *ret = stream;
    return 0;
}

/* ---- bytes ---- */

int clients_stream_write(struct clients_stream *stream, const void *bytes, size_t len, int64_t until_us, struct base_buf *reterr)
{
    const char *at = bytes;
    while (len > 0) {
        int e;
        ssize_t wrote = 0;
        if (stream->tls) {
            int part = len > 65536 ? 65536 : (int)len;
            errno = 0;
            wrote = SSL_write(stream->tls, at, part);
            e = tls_result(stream, (int)wrote, until_us, "writing failed", reterr);
        } else {
            wrote = send(stream->fd, at, len, MSG_NOSIGNAL);
            if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
                say(reterr, "the connection is broken", strerror(errno));
                return BASE_E_IO;
            }
            e = wrote > 0 ? 1 : wait_ready(stream, POLLOUT, until_us, reterr);
        }
        if (e < 0)
            return e == BASE_E_EOF ? BASE_E_IO : e;
        if (e > 0) {
            at += wrote;
            len -= (size_t)wrote;
        }
    }
    return 0;
}

int clients_stream_read(struct clients_stream *stream, void *bytes, size_t cap, size_t *ret_len, int64_t until_us, struct base_buf *reterr)
{
    for (;;) {
        int e;
        ssize_t got;
        if (stream->tls) {
            errno = 0;
            got = SSL_read(stream->tls, bytes, cap > 65536 ? 65536 : (int)cap);
            e = tls_result(stream, (int)got, until_us, "reading failed", reterr);
        } else {
            got = recv(stream->fd, bytes, cap, 0);
            if (got == 0) {
                say(reterr, "the server has closed the connection", NULL);
                return BASE_E_EOF;
            }
            if (got < 0 && errno != EAGAIN && errno != EINTR) {
                say(reterr, "the connection is broken", strerror(errno));
                return BASE_E_IO;
            }
            e = got > 0 ? 1 : wait_ready(stream, POLLIN, until_us, reterr);
        }
        if (e < 0)
            return e;
        if (e > 0) {
            *ret_len = (size_t)got;
            return 0;
        }
    }
}
