#include "clients/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "clients/library.h"

#define ADDRESSES_MAX 16
#define WHY_BYTES 512

/* What is used of libcurl. It brings two dozen libraries of its own, a fifth of the time until a process without it has started. */
#define FUNCTIONS(X)                                                                                               \
    X(global_init) X(easy_init) X(easy_cleanup) X(easy_reset) X(easy_setopt) X(easy_perform) X(easy_getinfo)       \
    X(easy_strerror) X(slist_append) X(slist_free_all) X(url) X(url_set) X(url_get) X(url_cleanup) X(url_strerror) \
    X(free) X(getdate)
struct libcurl {
#define X(name) __typeof__(&curl_##name) name;
    FUNCTIONS(X)
#undef X
};

struct clients_http {
    struct clients_http_options options;
    char *ca_file; /* owned */
    CURL *easy;
    atomic_bool interrupted;
};

struct transfer { /* of one request */
    struct clients_http *http;
    struct clients_http_response *response;
    const struct clients_http_request *request;
    bool no_memory;
    bool too_long;
};

/* libcurl wants one initialisation for the process: written once, before any client is there. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct libcurl curl;
static int once_error;
static char once_why[WHY_BYTES];

static void load_curl(void)
{
    const struct clients_symbol symbols[] = {
#define X(name) { "curl_" #name, &curl.name },
        FUNCTIONS(X)
#undef X
    };
    once_error = clients_library_load_once("libcurl.so.4", "libcurl4", symbols, sizeof symbols / sizeof symbols[0], once_why, sizeof once_why);
    if (once_error == 0 && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        once_error = BASE_E_NOMEM;
}

int clients_http_create(const struct clients_http_options *options, struct clients_http **ret, struct base_buf *reterr)
{
    pthread_once(&once, load_curl);
    if (once_error) {
        if (reterr)
            base_buf_puts(reterr, once_why);
        return once_error;
    }
    struct clients_http *http = base_calloc(1, sizeof *http);
    if (!http)
        return BASE_E_NOMEM;
    http->options = *options;
    http->options.ca_file = NULL;
    if (!http->options.connect_timeout_ms)
        http->options.connect_timeout_ms = 5000;
    if (!http->options.timeout_ms)
        http->options.timeout_ms = 20000;
    if (!http->options.response_bytes)
        http->options.response_bytes = 65536;
    if (options->ca_file)
        http->ca_file = base_strdup(options->ca_file);
    http->easy = curl.easy_init();
    if (!http->easy || (options->ca_file && !http->ca_file)) {
        clients_http_destroy(http);
        return BASE_E_NOMEM;
    }
    *ret = http;
    return 0;
}

void clients_http_destroy(struct clients_http *http)
{
    if (!http)
        return;
    if (http->easy)
        curl.easy_cleanup(http->easy);
    base_free(http->ca_file);
    base_free(http);
}

void clients_http_interrupt(struct clients_http *http)
{
    http->interrupted = true;
}

void clients_http_response_finish(struct clients_http_response *response)
{
    base_buf_finish(&response->body);
    base_buf_finish(&response->error);
}

/* ---- the guard ---- */

static bool in_net4(uint32_t address, uint32_t net, int bits)
{
    return (address ^ net) >> (32 - bits) == 0;
}

/* Special-purpose registry of IANA: all that is not globally reachable, and multicast. */
static bool private4(uint32_t address)
{
    static const struct {
        uint32_t net;
        int bits;
    } nets[] = {
        { 0x00000000, 8 },  { 0x0a000000, 8 },  { 0x64400000, 10 }, { 0x7f000000, 8 },  { 0xa9fe0000, 16 },
        { 0xac100000, 12 }, { 0xc0000000, 24 }, { 0xc0000200, 24 }, { 0xc0586300, 24 }, { 0xc0a80000, 16 },
        { 0xc6120000, 15 }, { 0xc6336400, 24 }, { 0xcb007100, 24 }, { 0xe0000000, 4 },  { 0xf0000000, 4 },
    };
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        if (in_net4(address, nets[i].net, nets[i].bits))
            return true;
    }
    return false;
}

static uint32_t load_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool private6(const uint8_t a[16])
{
    static const uint8_t zeros[16];
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0 || memcmp(a, zeros, 12) == 0)
        return memcmp(a, zeros, 12) == 0 ||
               private4(load_be32(a + 12)); /* ::, ::1 and the old compatible form are refused */
    if (a[0] == 0x20 && a[1] == 0x02)
        return private4(load_be32(a + 2)); /* 6to4 carries an IPv4 address */
    if (a[0] == 0x20 && a[1] == 0x01 && (a[2] < 2 || (a[2] == 0x0d && a[3] == 0xb8)))
        return true;              /* Teredo and other protocol assignments, documentation */
    return (a[0] & 0xe0) != 0x20; /* only 2000::/3 is global unicast: refuses fc00::/7, fe80::/10, ff00::/8,
                                     64:ff9b:1::/48, 100::/64 … */
}

bool clients_http_is_private(const char *address)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, address, bytes) == 1)
        return private4(load_be32(bytes));
    if (inet_pton(AF_INET6, address, bytes) == 1)
        return private6(bytes);
    return true;
}

struct target {                 /* of a URL */
    char *host, *port, *scheme; /* libcurl's, curl_free */
};

static void target_finish(struct target *target)
{
    curl.free(target->host);
    curl.free(target->port);
    curl.free(target->scheme);
}

static int parse_url(const char *text, struct target *ret, struct base_buf *error)
{
    CURLU *url = curl.url();
    if (!url)
        return BASE_E_NOMEM;
    CURLUcode code = curl.url_set(url, CURLUPART_URL, text, 0);
    if (!code)
        code = curl.url_get(url, CURLUPART_SCHEME, &ret->scheme, 0);
    if (!code)
        code = curl.url_get(url, CURLUPART_HOST, &ret->host, 0);
    if (!code)
        code = curl.url_get(url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT);
    curl.url_cleanup(url);
    if (code) {
        base_buf_printf(error, "the URL is malformed: %s", curl.url_strerror(code));
        return BASE_E_CONFIG;
    }
    if (strcmp(ret->scheme, "http") != 0 && strcmp(ret->scheme, "https") != 0) {
        base_buf_printf(error, "the URL has scheme %s; use http or https", ret->scheme);
        return BASE_E_CONFIG;
    }
    return 0;
}

/* Resolves once, refuses the host if any of its addresses is private, and pins the addresses: what was checked is what
 * is called. */
static int guard(const struct target *target, bool allow_private, struct curl_slist **ret_pins, struct base_buf *error)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    char name[256];
    size_t len = strlen(target->host);
    bool literal6 = target->host[0] == '[' && len > 2;
    snprintf(name, sizeof name, "%.*s", (int)(literal6 ? len - 2 : len), target->host + (literal6 ? 1 : 0));
    int code = getaddrinfo(name, target->port, &hints, &list);
    if (code) {
        base_buf_printf(error, "host %s cannot be resolved: %s", name, gai_strerror(code));
        return BASE_E_IO;
    }
    struct base_buf pin = { 0 };
    int result = 0, count = 0;
    base_buf_printf(&pin, "%s:%s:", literal6 ? target->host : name, target->port);
    for (const struct addrinfo *at = list; at && !result && count < ADDRESSES_MAX; at = at->ai_next) {
        char address[INET6_ADDRSTRLEN] = "";
        const void *bytes = at->ai_family == AF_INET
                                ? (const void *)&((const struct sockaddr_in *)(const void *)at->ai_addr)->sin_addr
                                : (const void *)&((const struct sockaddr_in6 *)(const void *)at->ai_addr)->sin6_addr;
        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) ||
            !inet_ntop(at->ai_family, bytes, address, sizeof address))
            continue;
        if (!allow_private && clients_http_is_private(address)) {
            base_buf_printf(error,
                            "host %s has the private or special address %s; set webhook.allow-private if it is meant",
                            name, address);
            result = BASE_E_AUTH;
        }
        base_buf_printf(&pin, at->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", count ? "," : "", address);
        count++;
    }
    freeaddrinfo(list);
    if (!result && count == 0) {
        base_buf_printf(error, "host %s has no address", name);
        result = BASE_E_IO;
    }
    if (!result) {
        *ret_pins = pin.failed ? NULL : curl.slist_append(NULL, pin.ptr);
        result = *ret_pins ? 0 : BASE_E_NOMEM;
    }
    base_buf_finish(&pin);
    return result;
}

/* ---- one request ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    struct clients_http_response *response = transfer->response;
    size_t len = size * count;
    size_t room = transfer->http->options.response_bytes - response->body.len;
    size_t taken = len < room ? len : room;
    base_buf_put(&response->body, bytes, taken);
    if (response->body.failed) {
        transfer->no_memory = true;
        return 0;
    }
    if (taken < len) {
        response->cut = true;
        transfer->too_long = transfer->request->fail_on_cut;
        return 0; /* the rest is not waited for: an endless answer must not hold the thread */
    }
    return len;
}

static int on_progress(void *ctx, curl_off_t total_down, curl_off_t down, curl_off_t total_up, curl_off_t up)
{
    const struct transfer *transfer = ctx;
    (void)total_down;
    (void)down;
    (void)total_up;
    (void)up;
    return transfer->http->interrupted;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    static const char name[] = "retry-after:";
    struct transfer *transfer = ctx;
    size_t len = size * count;
    if (len < sizeof name - 1 || strncasecmp(bytes, name, sizeof name - 1) != 0)
        return len;
    struct base_str value = base_str_trim((struct base_str){ bytes + sizeof name - 1, len - (sizeof name - 1) });
    int64_t seconds;
    if (base_str_to_i64(value, &seconds)) {
        transfer->response->retry_after_s = seconds < 0 ? -1 : seconds;
    } else {
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)(value.len < 63 ? value.len : 63), value.ptr);
        time_t at = curl.getdate(text, NULL);
        if (at >= 0) {
            seconds = (int64_t)at - base_clock_wall_ms() / 1000;
            transfer->response->retry_after_s = seconds < 0 ? 0 : seconds;
        }
    }
    return len;
}

static int make_headers(const struct clients_http_request *request, struct curl_slist **ret)
{
    struct curl_slist *list = curl.slist_append(NULL, "Expect:"); /* no waiting for 100 Continue */
    struct base_buf line = { 0 };
    for (size_t i = 0; list && i < request->header_count; i++) {
        base_buf_clear(&line);
        base_buf_printf(&line, "%s: %s", request->headers[i].name, request->headers[i].value);
        struct curl_slist *more = line.failed ? NULL : curl.slist_append(list, line.ptr);
        if (!more)
            curl.slist_free_all(list);
        list = more;
    }
    base_buf_finish(&line);
    *ret = list;
    return list ? 0 : BASE_E_NOMEM;
}

static void set_options(struct transfer *transfer, struct curl_slist *headers, struct curl_slist *pins, char *text)
{
    struct clients_http *http = transfer->http;
    const struct clients_http_request *request = transfer->request;
    CURL *easy = http->easy;
    curl.easy_reset(easy);
    curl.easy_setopt(easy, CURLOPT_URL, request->url);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(easy, CURLOPT_PROXY,
                     ""); /* a proxy of the environment would resolve the name anew, past the guard */
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_RESOLVE, pins);
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->options.connect_timeout_ms);
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)http->options.timeout_ms);
    curl.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl.easy_setopt(easy, CURLOPT_USERAGENT, "cepheid/" CEPHEID_VERSION);
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl.easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl.easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    if (http->ca_file)
        curl.easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    if (request->body.len || strcmp(request->method, "POST") == 0) {
        curl.easy_setopt(easy, CURLOPT_POST, 1L);
        curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl.easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr ? request->body.ptr : "");
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static int result_of(const struct transfer *transfer, CURLcode code, const char *text)
{
    struct clients_http_response *response = transfer->response;
    if (transfer->no_memory || code == CURLE_OUT_OF_MEMORY)
        return BASE_E_NOMEM;
    if (transfer->too_long) {
        base_buf_printf(&response->error, "the answer is longer than %u bytes", transfer->http->options.response_bytes);
        return BASE_E_LIMIT;
    }
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && response->cut))
        return 0;
    response->status = 0;
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        base_buf_puts(&response->error, "interrupted");
        return BASE_E_CLOSED;
    }
    base_buf_puts(&response->error, *text ? text : curl.easy_strerror(code));
    if (code == CURLE_OPERATION_TIMEDOUT)
        return BASE_E_TIMEOUT;
    return code == CURLE_URL_MALFORMAT ? BASE_E_CONFIG : BASE_E_IO;
}

int clients_http_send(struct clients_http *http, const struct clients_http_request *request,
                      struct clients_http_response *ret)
{
    struct transfer transfer = { .http = http, .response = ret, .request = request };
    struct target target = { 0 };
    struct curl_slist *headers = NULL, *pins = NULL;
    char text[CURL_ERROR_SIZE] = "";
    ret->status = 0;
    ret->cut = false;
    ret->retry_after_s = -1;
    ret->content_type[0] = 0;
    base_buf_clear(&ret->body);
    base_buf_clear(&ret->error);
    if (http->interrupted) {
        base_buf_puts(&ret->error, "interrupted");
        return BASE_E_CLOSED;
    }
    int error = parse_url(request->url, &target, &ret->error);
    if (!error)
        error = guard(&target, http->options.allow_private, &pins, &ret->error);
    if (!error)
        error = make_headers(request, &headers);
    if (!error) {
        set_options(&transfer, headers, pins, text);
        CURLcode code = curl.easy_perform(http->easy);
        const char *type = NULL;
        curl.easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &ret->status);
        if (curl.easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
            snprintf(ret->content_type, sizeof ret->content_type, "%s", type);
        error = result_of(&transfer, code, text);
    }
    curl.slist_free_all(headers);
    curl.slist_free_all(pins);
    target_finish(&target);
    return error;
}
