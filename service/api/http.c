#include "service/api/http.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "clients/library.h"

#define WHY_BYTES 512
#define TIMEOUT_S 60u
#define MEMORY_BYTES (64u << 10) /* of one connection: headers */

struct api_http {
    struct api_http_config config;
    struct MHD_Daemon *daemon;
    char *token;
};
/* One request while it comes in. */
struct incoming {
    struct base_buf body;
    int refused;             /* status, 0: not */
    const char *why;
};

/* What is used of libmicrohttpd. It brings GnuTLS and nine libraries more, which only `serve` needs, and can load while it opens its store. */
#define FUNCTIONS(X) \
    X(start_daemon) X(stop_daemon) X(get_daemon_info) X(lookup_connection_value) X(create_response_from_buffer) X(add_response_header) X(queue_response) \
    X(destroy_response)
struct libmicrohttpd {
#define X(name) __typeof__(&MHD_##name) name;
    FUNCTIONS(X)
#undef X
};

/* Of the process: written once, before any server is there. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct libmicrohttpd mhd;
static int once_error;
static char once_why[WHY_BYTES];

static void load_library(void)
{
    const struct clients_symbol symbols[] = {
#define X(name) { "MHD_" #name, &mhd.name },
        FUNCTIONS(X)
#undef X
    };
    once_error = clients_library_load_once("libmicrohttpd.so.12", "libmicrohttpd12", symbols, sizeof symbols / sizeof symbols[0], once_why, sizeof once_why);
}

void api_http_load(void)
{
    pthread_once(&once, load_library);
}

const char *api_request_query(const struct api_request *request, const char *name)
{
    return mhd.lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *api_request_header(const struct api_request *request, const char *name)
{
    return mhd.lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void api_response_header(struct api_response *response, const char *name, const char *value)
{
    if (response->header_count == sizeof response->headers / sizeof response->headers[0])
        return;
    struct api_header *header = &response->headers[response->header_count++];
    header->name = name;
    snprintf(header->value, sizeof header->value, "%s", value);
}

/* Takes as long for a wrong token as for the right one. */
static bool same_secret(const char *given, const char *token)
{
    size_t n = strlen(token), m = strlen(given);
    unsigned char difference = n != m;
    for (size_t i = 0; i < n; i++)
        difference |= (unsigned char)(token[i] ^ (m ? given[i % m] : 0));
    return difference == 0;
}

static bool authorised(const struct api_http *http, struct MHD_Connection *connection, const char *path)
{
    if (!http->token[0] || http->config.is_open(http->config.ctx, path))
        return true;
    const char *header = mhd.lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    return header && strncasecmp(header, "Bearer ", 7) == 0 && same_secret(header + 7, http->token);
}

static enum MHD_Result send_response(struct MHD_Connection *connection, struct api_response *response)
{
    if (response->body.failed) {
        base_buf_clear(&response->body);
        response->status = 503;
    }
    /* libmicrohttpd copies: the buffer is ours and goes at once. */
    struct MHD_Response *out = mhd.create_response_from_buffer(response->body.len, response->body.ptr ? response->body.ptr : "", MHD_RESPMEM_MUST_COPY);
    base_buf_finish(&response->body);
    if (!out)
        return MHD_NO;
    if (response->content_type)
        (void)mhd.add_response_header(out, "Content-Type", response->content_type); /* an answer without it is still an answer */
    for (size_t i = 0; i < response->header_count; i++)
        (void)mhd.add_response_header(out, response->headers[i].name, response->headers[i].value);
    enum MHD_Result result = mhd.queue_response(connection, (unsigned)response->status, out);
    mhd.destroy_response(out);
    return result;
}

static enum MHD_Result refuse(struct api_http *http, struct MHD_Connection *connection, int status, const char *why)
{
    struct api_response response = { 0 };
    http->config.refuse(http->config.ctx, status, why, &response);
    if (status == 401)
        api_response_header(&response, "WWW-Authenticate", "Bearer");
    return send_response(connection, &response);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version BASE_UNUSED,
                                 const char *upload_data, size_t *upload_size, void **con_cls)
{
    struct api_http *http = ctx;
    struct incoming *in = *con_cls;
    if (!in) { /* the headers are here */
        in = base_calloc(1, sizeof *in);
        if (!in)
            return MHD_NO;
        in->body.limit = http->config.body_bytes;
        *con_cls = in;
        if (!authorised(http, connection, url)) {
            in->refused = 401;
            in->why = "this API wants the header 'Authorization: Bearer TOKEN' with the token of the setting api.token";
        }
        return MHD_YES;
    }
    if (*upload_size) {
        if (!in->refused)
            base_buf_put(&in->body, upload_data, *upload_size);
        if (in->body.failed && !in->refused) {
            in->refused = 413;
            in->why = "the body is larger than the setting api.max-body allows";
            base_buf_finish(&in->body);
        }
        *upload_size = 0;
        return MHD_YES;
    }
    if (in->refused)
        return refuse(http, connection, in->refused, in->why);
    const char *type = mhd.lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    struct api_request request = { method, url, { in->body.ptr ? in->body.ptr : "", in->body.len }, type ? type : "", connection };
    struct api_response response = { .status = 200 };
    http->config.handle(http->config.ctx, &request, &response);
    return send_response(connection, &response);
}

static void on_completed(void *ctx BASE_UNUSED, struct MHD_Connection *connection BASE_UNUSED, void **con_cls,
                         enum MHD_RequestTerminationCode code BASE_UNUSED)
{
    struct incoming *in = *con_cls;
    if (!in)
        return;
    base_buf_finish(&in->body);
    base_free(in);
    *con_cls = NULL;
}

static void on_log(void *ctx BASE_UNUSED, const char *format, va_list args)
{
    char line[512];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = '\0';
    base_log(BASE_LOG_DEBUG, "http", "libmicrohttpd", "detail", line, NULL);
}

static int start_daemon(struct api_http *http, const struct addrinfo *address)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG;
    if (address->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    http->daemon = mhd.start_daemon(flags, 0, NULL, NULL, on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_SOCK_ADDR,
                                    address->ai_addr, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
                                    http->config.connections, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                    (size_t)MEMORY_BYTES, MHD_OPTION_END);
    return http->daemon ? 0 : BASE_E_CONFIG;
}

int api_http_start(const struct api_http_config *config, struct api_http **ret, struct base_buf *reterr)
{
    api_http_load();
    if (once_error) {
        base_buf_puts(reterr, once_why);
        return once_error;
    }
    char host[256];
    const char *colon = strrchr(config->listen, ':');
    size_t len = colon ? (size_t)(colon - config->listen) : 0;
    if (!colon || !colon[1] || len >= sizeof host) {
        base_buf_printf(reterr, "listen: \"%s\" is no \"address:port\"", config->listen);
        return BASE_E_CONFIG;
    }
    bool bracketed = len >= 2 && config->listen[0] == '[' && config->listen[len - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len), config->listen + (bracketed ? 1 : 0));
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
    int g = getaddrinfo(host[0] && strcmp(host, "*") != 0 ? host : NULL, colon + 1, &hints, &found);
    if (g != 0) {
        base_buf_printf(reterr, "listen: \"%s\": %s", config->listen, gai_strerror(g));
        return BASE_E_CONFIG;
    }
    struct api_http *http = base_calloc(1, sizeof *http);
    int e = http ? 0 : BASE_E_NOMEM;
    if (http) {
        http->config = *config;
        http->token = base_strdup(config->token);
        e = http->token ? start_daemon(http, found) : BASE_E_NOMEM;
        if (e == BASE_E_CONFIG)
            base_buf_printf(reterr, "listen: nothing can listen on %s; is the port in use?", config->listen);
    }
    freeaddrinfo(found);
    if (e < 0) {
        api_http_stop(http);
        return e;
    }
    *ret = http;
    return 0;
}

void api_http_stop(struct api_http *http)
{
    if (!http)
        return;
    if (http->daemon)
        mhd.stop_daemon(http->daemon);
    base_free(http->token);
    base_free(http);
}

unsigned api_http_port(const struct api_http *http)
{
    const union MHD_DaemonInfo *info = mhd.get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}
