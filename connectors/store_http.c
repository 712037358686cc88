#include "connectors/store_http.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"

#define ANSWER_BYTES (8u << 20)

int connectors_store_http_check_url(const char *url, struct base_buf *reterr)
{
    const char *host = strncasecmp(url, "http://", 7) == 0 ? url + 7 : strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
    if (!host || !*host) {
        base_buf_puts(reterr, "the URL must begin with http:// or https:// and name a host");
        return BASE_E_CONFIG;
    }
    size_t end = strcspn(host, "/?");
    if (memchr(host, '@', end)) {
        base_buf_puts(reterr, "the URL must not hold a user or password: use the options 'username' and 'password'");
        return BASE_E_CONFIG;
    }
    return 0;
}

int connectors_store_http_trim_url(char *url, struct base_buf *reterr)
{
    for (size_t len = strlen(url); len && url[len - 1] == '/'; len--)
        url[len - 1] = 0;
    return connectors_store_http_check_url(url, reterr);
}

int connectors_store_http_header(struct connectors_store_http *store, const char *name, const char *value)
{
    if (store->header_count == CONNECTORS_STORE_HEADERS || strpbrk(name, "\r\n: \t") || strpbrk(value, "\r\n"))
        return BASE_E_CONFIG;
    store->headers[store->header_count++] = (struct clients_http_header){ name, value };
    return 0;
}

static const char *base64(struct base_arena *arena, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), at = 0;
    char *out = base_arena_alloc(arena, (len + 2) / 3 * 4 + 1);
    for (size_t i = 0; out && i < len; i += 3) {
        uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;
        bits |= i + 1 < len ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < len ? (uint32_t)(unsigned char)text[i + 2] : 0;
        out[at++] = digits[bits >> 18];
        out[at++] = digits[bits >> 12 & 63];
        out[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[at++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    if (out)
        out[at] = 0;
    return out;
}

static int add_basic(const struct connectors_store_config *config, struct base_arena *arena, struct connectors_store_http *store)
{
    const char *user = connectors_store_option(config, arena, "username", ""), *password = connectors_store_option(config, arena, "password", "");
    if (!user || !password)
        return BASE_E_NOMEM;
    if (!*user)
        return 0;
    const char *pair = base_arena_printf(arena, "%s:%s", user, password), *code = pair ? base64(arena, pair) : NULL;
    const char *value = code ? base_arena_printf(arena, "Basic %s", code) : NULL;
    return value ? connectors_store_http_header(store, "Authorization", value) : BASE_E_NOMEM;
}

int connectors_store_http_open(const struct connectors_store_config *config, struct base_arena *arena, bool basic, bool allow_private,
                               struct connectors_store_http *ret, struct base_buf *reterr)
{
    struct clients_http_options options = { .allow_private = allow_private, .response_bytes = ANSWER_BYTES };
    const char *timeout = connectors_store_option(config, arena, "timeout-ms", "20000");
    int64_t timeout_ms;
    if (!timeout || !base_str_to_i64(base_str_of(timeout), &timeout_ms) || timeout_ms < 100 || timeout_ms > 300000) {
        base_buf_puts(reterr, "option 'timeout-ms' must be a number between 100 and 300000");
        return BASE_E_CONFIG;
    }
    options.timeout_ms = (uint32_t)timeout_ms;
    options.ca_file = connectors_store_option(config, arena, "ca-file", NULL);
    int e = basic ? add_basic(config, arena, ret) : 0;
    for (size_t i = 0; e == 0 && i < config->option_count; i++) {
        if (strncmp(config->options[i].name, "headers.", 8) != 0)
            continue;
        const char *name = base_arena_strndup(arena, config->options[i].name + 8, strlen(config->options[i].name + 8));
        const char *value = base_arena_strndup(arena, config->options[i].value, strlen(config->options[i].value));
        e = name && value ? connectors_store_http_header(ret, name, value) : BASE_E_NOMEM;
        if (e == BASE_E_CONFIG)
            base_buf_printf(reterr, "option '%s' is no good header, or there are more than %d", config->options[i].name, CONNECTORS_STORE_HEADERS);
    }
    return e == 0 ? clients_http_create(&options, &ret->http, reterr) : e;
}

void connectors_store_http_close(struct connectors_store_http *store)
{
    clients_http_destroy(store->http);
    clients_http_response_finish(&store->response);
    store->http = NULL;
}

void connectors_http_sink_interrupt(struct connectors_store_sink *sink)
{
    clients_http_interrupt(((struct connectors_http_sink *)sink)->store.http);
}

void connectors_http_sink_close(struct connectors_store_sink *base)
{
    struct connectors_http_sink *sink = (struct connectors_http_sink *)base;
    connectors_store_http_close(&sink->store);
    base_buf_finish(&sink->body);
    base_buf_finish(&sink->text);
    connectors_store_free(base);
}

/* The beginning of what the server said, on one line. */
static void put_answer(const struct clients_http_response *response, struct base_buf *out)
{
    size_t len = response->body.len < 600 ? response->body.len : base_utf8_check(response->body.ptr, 600);
    base_buf_puts(out, len ? ": " : "");
    for (size_t i = 0; i < len; i++)
        base_buf_putc(out, (unsigned char)response->body.ptr[i] < ' ' ? ' ' : response->body.ptr[i]);
}

int connectors_store_http_post(struct connectors_store_http *store, const char *url, struct base_str body, struct base_buf *reterr)
{
    struct clients_http_request request = { .method = "POST", .url = url, .headers = store->headers, .header_count = store->header_count, .body = body };
    int e = clients_http_send(store->http, &request, &store->response);
    long status = store->response.status;
    if (e == 0 && status >= 200 && status < 300)
        return 0;
    base_buf_printf(reterr, "%s: ", store->who);
    if (e < 0) {
        base_buf_puts(reterr, store->response.error.len ? store->response.error.ptr : base_error_text(e));
        return e;
    }
    base_buf_printf(reterr, "answered %ld", status);
    put_answer(&store->response, reterr);
    if (status == 401 || status == 403) {
        base_buf_puts(reterr, "; check 'username' and 'password'");
        return BASE_E_AUTH;
    }
    if (status == 404)
        return BASE_E_CONFIG;
    return status == 408 || status == 429 || status >= 500 || status < 400 ? BASE_E_IO : BASE_E_MALFORMED;
}

int connectors_http_sink_post(struct connectors_http_sink *sink, const char *url, struct base_buf *reterr)
{
    if (sink->body.failed)
        return BASE_E_NOMEM;
    return connectors_store_http_post(&sink->store, url, (struct base_str){ sink->body.ptr, sink->body.len }, reterr);
}
