/* Rows behind HTTP: one GET per key; {column} in the URL stands for a key column. 200 with a JSON object is the row, 404 and 204 mean that there is none. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "clients/http.h"
#include "enrichment/lookup_internal.h"

#define ANSWER_BYTES (1u << 20)

struct store {
    struct enrichment_outside base;
    struct clients_http *http;
    struct clients_http_response response;
    struct base_arena arena;
    const char *url, *token; /* token: "Bearer …" or NULL */
};

static void close_store(struct enrichment_outside *base)
{
    struct store *store = (struct store *)(void *)base;
    clients_http_destroy(store->http);
    clients_http_response_finish(&store->response);
    base_arena_finish(&store->arena);
    base_free(store);
}

static void put_encoded(struct base_buf *out, const struct base_buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        base_buf_printf(out, plain ? "%c" : "%%%02X", c);
    }
}

/* Key column that {name} stands for; CEP_NONE: none. */
static uint32_t key_named(const struct cep_program *program, const struct cep_table *table, const char *name, size_t len)
{
    for (uint32_t i = 0; i < table->key_fields.count; i++) {
        uint32_t field = *cep_program_u32(program, table->key_fields.first + i);
        if (base_str_equal_fold(cep_program_text(program, cep_program_field(program, table->fields.first + field)->name), (struct base_str){ name, len }))
            return i;
    }
    return CEP_NONE;
}

static int make_url(const struct store *store, const struct enrichment_ask *ask, uint32_t index, struct base_buf *out)
{
    const struct enrichment_lookup_config *config = enrichment_lookup_settings(ask->lookup);
    struct base_buf text = { 0 };
    int e = 0;
    for (const char *at = store->url; *at && e == 0; at++) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        uint32_t column = end ? key_named(config->program, enrichment_lookup_table(ask->lookup), at + 1, (size_t)(end - at - 1)) : CEP_NONE;
        if (column == CEP_NONE) {
            base_buf_putc(out, *at);
            continue;
        }
        base_buf_clear(&text);
        e = enrichment_lookup_key_text(ask, index, column, &text);
        put_encoded(out, &text);
        at = end;
    }
    base_buf_putc(out, '\0');
    base_buf_finish(&text);
    return e ? e : out->failed ? BASE_E_NOMEM : 0;
}

static int take(struct store *store, struct enrichment_ask *ask, uint32_t index, struct base_buf *reterr)
{
    const struct clients_http_response *r = &store->response;
    if (r->status == 404 || r->status == 204)
        return 0;
    if (r->status != 200 || r->cut) {
        base_buf_printf(reterr, "%s answered %ld%s", store->url, r->status, r->cut ? " with more than 1 MiB" : "; 200 with a JSON object or 404 is wanted");
        bool later = r->status >= 500 || r->status == 429 || r->status == 408;
        return r->status == 401 || r->status == 403 ? BASE_E_AUTH : later ? BASE_E_IO : BASE_E_MALFORMED;
    }
    return enrichment_lookup_give_text(ask, index, (struct base_str){ r->body.ptr, r->body.len }, reterr);
}

static int fetch(struct enrichment_outside *base, struct enrichment_ask *ask, struct base_buf *reterr)
{
    struct store *store = (struct store *)(void *)base;
    struct base_buf url = { 0 };
    int e = 0;
    for (uint32_t i = 0; i < ask->count && e == 0; i++) {
        if (i > 0 && base_clock_mono_us() >= ask->until_us) {
            base_buf_printf(reterr, "%s answers too slowly: %u of %u keys within 'lookup.timeout'", store->url, i, ask->count);
            e = BASE_E_TIMEOUT;
            break;
        }
        base_buf_clear(&url);
        e = make_url(store, ask, i, &url);
        struct clients_http_header headers[] = { { "Accept", "application/json" }, { "Authorization", store->token } };
        struct clients_http_request request = { .method = "GET", .url = url.ptr, .headers = headers, .header_count = store->token ? 2 : 1 };
        if (e == 0)
            e = clients_http_send(store->http, &request, &store->response);
        if (e == 0)
            e = take(store, ask, i, reterr);
        else if (store->response.error.len)
            base_buf_put(reterr, store->response.error.ptr, store->response.error.len);
    }
    base_buf_finish(&url);
    return e;
}

int enrichment_http_create(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr)
{
    const struct enrichment_lookup_config *config = enrichment_lookup_settings(lookup);
    uint32_t timeout_ms = enrichment_lookup_timeout_ms(lookup);
    struct store *store = base_calloc(1, sizeof *store);
    if (!store)
        return BASE_E_NOMEM;
    store->base = (struct enrichment_outside){ fetch, NULL, close_store };
    store->url = enrichment_lookup_option(config, &store->arena, "url", NULL);
    const char *token = enrichment_lookup_option(config, &store->arena, "token", NULL), *ca = enrichment_lookup_option(config, &store->arena, "ca-file", NULL);
    const char *inside = enrichment_lookup_option(config, &store->arena, "allow-private", "false");
    store->token = token ? base_arena_printf(&store->arena, "Bearer %s", token) : NULL;
    struct clients_http_options options = { .allow_private = config->allow_private || (inside && strcmp(inside, "true") == 0), .ca_file = ca,
                                            .connect_timeout_ms = timeout_ms, .timeout_ms = timeout_ms, .response_bytes = ANSWER_BYTES };
    int e = 0;
    if (!store->url || !strchr(store->url, '{')) {
        base_buf_puts(reterr, "'url' must hold a key column in braces: 'https://example.com/users/{user_id}'");
        e = BASE_E_CONFIG;
    }
    if (e == 0)
        e = clients_http_create(&options, &store->http, reterr);
    if (e < 0) {
        close_store(&store->base);
        return e;
    }
    *ret = &store->base;
    return 0;
}
