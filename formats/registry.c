#include "formats/registry.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "clients/http.h"
#include "formats/text.h"
#include "formats/wire.h"

#define CONNECT_MS 2000
#define REQUEST_MS 5000
#define ANSWER_BYTES (4u << 20)
#define URL_BYTES 1024
#define REFERENCE_DEPTH 16

struct formats_registry {
    struct base_arena arena;
    struct clients_http *http;
    struct base_str urls[8];
    size_t url_count, url;       /* url: the one that answered last */
    const char *authorization;   /* header value, or NULL */
};

/* ---- life ---- */

static int refuse(char *ret_error, size_t error_bytes, const char *what)
{
    snprintf(ret_error, error_bytes, "schema registry: %s", what);
    return BASE_E_CONFIG;
}

static int split_urls(struct formats_registry *registry, struct base_str list, char *ret_error, size_t error_bytes)
{
    while (list.len) {
        const char *comma = memchr(list.ptr, ',', list.len);
        struct base_str one = base_str_trim((struct base_str){ list.ptr, comma ? (size_t)(comma - list.ptr) : list.len });
        size_t used = comma ? (size_t)(comma - list.ptr) + 1 : list.len;
        list = (struct base_str){ list.ptr + used, list.len - used };
        while (one.len && one.ptr[one.len - 1] == '/')
            one.len--;
        if (!one.len)
            continue;
        if (registry->url_count == sizeof registry->urls / sizeof registry->urls[0] || one.len > URL_BYTES / 2)
            return refuse(ret_error, error_bytes, "too many URLs, or one that is too long");
        if (!base_str_starts(one, BASE_STR("http://")) && !base_str_starts(one, BASE_STR("https://")))
            return refuse(ret_error, error_bytes, "its URL must begin with http:// or https://");
        const char *copy = base_arena_strndup(&registry->arena, one.ptr, one.len);
        if (!copy)
            return BASE_E_NOMEM;
        registry->urls[registry->url_count++] = base_str_of(copy);
    }
    return registry->url_count ? 0 : refuse(ret_error, error_bytes, "it has no URL");
}

static int make_authorization(struct formats_registry *registry, const struct formats_registry_options *options, char *ret_error, size_t error_bytes)
{
    if (options->token.len) {
        registry->authorization = base_arena_printf(&registry->arena, "Bearer %.*s", (int)options->token.len, options->token.ptr);
        return registry->authorization ? 0 : BASE_E_NOMEM;
    }
    if (!options->user_info.len)
        return 0;
    if (!memchr(options->user_info.ptr, ':', options->user_info.len))
        return refuse(ret_error, error_bytes, "write 'basic-auth.user-info' as 'user:password'");
    struct base_buf text = { 0 };
    base_buf_puts(&text, "Basic ");
    formats_base64_encode(options->user_info, &text);
    registry->authorization = text.failed ? NULL : base_arena_strndup(&registry->arena, text.ptr, text.len);
    base_buf_finish(&text);
    return registry->authorization ? 0 : BASE_E_NOMEM;
}

int formats_registry_create(const struct formats_registry_options *options, struct formats_registry **ret, char *ret_error, size_t error_bytes)
{
    struct formats_registry *registry = base_calloc(1, sizeof *registry);
    snprintf(ret_error, error_bytes, "out of memory");
    if (!registry)
        return BASE_E_NOMEM;
    int e = split_urls(registry, options->url, ret_error, error_bytes);
    if (e == 0)
        e = make_authorization(registry, options, ret_error, error_bytes);
    const char *ca = options->ca_file.len ? base_arena_strndup(&registry->arena, options->ca_file.ptr, options->ca_file.len) : NULL;
    if (e == 0 && options->ca_file.len && !ca)
        e = BASE_E_NOMEM;
    struct clients_http_options http = { .allow_private = true, .ca_file = ca, .connect_timeout_ms = CONNECT_MS, .timeout_ms = REQUEST_MS,
                                         .response_bytes = ANSWER_BYTES };
    if (e == 0) {
        struct base_buf why = { 0 };
        e = clients_http_create(&http, &registry->http, &why);
        if (why.len)
            snprintf(ret_error, error_bytes, "%s", why.ptr);
        base_buf_finish(&why);
    }
    if (e < 0) {
        formats_registry_destroy(registry);
        return e;
    }
    *ret = registry;
    return 0;
}

void formats_registry_destroy(struct formats_registry *registry)
{
    if (!registry)
        return;
    clients_http_destroy(registry->http);
    base_arena_finish(&registry->arena);
    base_free(registry);
}

/* ---- requests ---- */

static int status_error(const struct base_str url, const struct clients_http_response *response, struct base_buf *reterr)
{
    json_t *body = json_loadb(response->body.ptr ? response->body.ptr : "", response->body.len, 0, NULL);
    const char *message = json_string_value(json_object_get(body, "message"));
    base_buf_printf(reterr, "the schema registry at %.*s answers %ld%s%.300s", (int)url.len, url.ptr, response->status, message ? ": " : "", message ? message : "");
    json_decref(body);
    if (response->status == 404)
        return BASE_E_NOTFOUND;
    if (response->status == 401 || response->status == 403)
        return BASE_E_AUTH;
    if (response->status == 409 || response->status == 422)
        return BASE_E_INVALID;
    return response->status >= 500 || response->status == 429 || response->status == 408 ? BASE_E_IO : BASE_E_MALFORMED;
}

/* One request, at each URL in turn until one answers. *ret is to be released. */
static int ask(struct formats_registry *registry, const char *method, const char *path, struct base_str body, json_t **ret, struct base_buf *reterr)
{
    struct clients_http_header headers[] = {
        { "Accept", "application/vnd.schemaregistry.v1+json, application/json" }, { "Content-Type", "application/vnd.schemaregistry.v1+json" },
        { "Authorization", registry->authorization },
    };
    struct clients_http_response response = { 0 };
    int e = BASE_E_IO;
    for (size_t n = 0; n < registry->url_count; n++) {
        char url[URL_BYTES];
        struct base_str base = registry->urls[registry->url];
        snprintf(url, sizeof url, "%.*s%s", (int)base.len, base.ptr, path);
        struct clients_http_request request = { .method = method, .url = url, .headers = headers, .header_count = registry->authorization ? 3 : 2, .body = body,
                                                .fail_on_cut = true };
        e = clients_http_send(registry->http, &request, &response);
        base_buf_clear(reterr);
        if (e == 0)
            e = response.status == 200 ? 0 : status_error(base, &response, reterr);
        else
            base_buf_printf(reterr, "the schema registry at %.*s cannot be reached: %s", (int)base.len, base.ptr,
                            response.error.len ? response.error.ptr : base_error_text(e));
        if (e != BASE_E_IO && e != BASE_E_TIMEOUT)
            break;
        registry->url = (registry->url + 1) % registry->url_count;
    }
    if (e == 0) {
        *ret = json_loadb(response.body.ptr ? response.body.ptr : "", response.body.len, 0, NULL);
        if (!json_is_object(*ret)) {
            base_buf_puts(reterr, "the schema registry's answer is no JSON object");
            json_decref(*ret);
            e = BASE_E_MALFORMED;
        }
    }
    clients_http_response_finish(&response);
    return e;
}

struct collect {
    struct formats_registry *registry;
    struct base_arena *arena;
    struct formats_schema_text *texts;
    size_t count;
    struct base_buf *reterr;
};

static void put_escaped(struct base_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')
            base_buf_putc(out, (char)c);
        else
            base_buf_printf(out, "%%%02X", c);
    }
}

static bool have(const struct collect *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (base_str_equal(c->texts[i].name, base_str_of(name)))
            return true;
    }
    return false;
}

/* The answer's schema behind those that it refers to. */
static int collect(struct collect *c, json_t *answer, const char *name, int depth)
{
    json_t *references = json_object_get(answer, "references"), *reference;
    const char *text = json_string_value(json_object_get(answer, "schema"));
    size_t i;
    if (!text || depth > REFERENCE_DEPTH) {
        base_buf_puts(c->reterr, text ? "the schema refers to others too deeply" : "the schema registry's answer has no \"schema\"");
        return BASE_E_MALFORMED;
    }
    json_array_foreach(references, i, reference) {
        const char *ref = json_string_value(json_object_get(reference, "name")), *subject = json_string_value(json_object_get(reference, "subject"));
        if (!ref || !subject || have(c, ref))
            continue;
        struct base_buf path = { .limit = URL_BYTES };
        json_t *inner = NULL;
        base_buf_puts(&path, "/subjects/");
        put_escaped(&path, subject);
        base_buf_printf(&path, "/versions/%lld", (long long)json_integer_value(json_object_get(reference, "version")));
        int e = path.failed ? BASE_E_MALFORMED : ask(c->registry, "GET", path.ptr, (struct base_str){ 0 }, &inner, c->reterr);
        base_buf_finish(&path);
        if (e == 0)
            e = collect(c, inner, ref, depth + 1);
        json_decref(inner);
        if (e < 0)
            return e == BASE_E_NOTFOUND ? BASE_E_MALFORMED : e;
    }
    if (c->count == FORMATS_REGISTRY_TEXTS) {
        base_buf_printf(c->reterr, "the schema refers to more than %d others", FORMATS_REGISTRY_TEXTS);
        return BASE_E_MALFORMED;
    }
    const char *copy = base_arena_strndup(c->arena, text, strlen(text)), *name_copy = base_arena_strndup(c->arena, name, strlen(name));
    if (!copy || !name_copy)
        return BASE_E_NOMEM;
    c->texts[c->count++] = (struct formats_schema_text){ base_str_of(name_copy), base_str_of(copy) };
    return 0;
}

int formats_registry_get(struct formats_registry *registry, uint32_t id, struct base_arena *arena, const struct formats_schema_text **ret, size_t *ret_count,
                         struct base_str *ret_type, struct base_buf *reterr)
{
    struct collect c = { .registry = registry, .arena = arena, .reterr = reterr };
    char path[64];
    json_t *answer = NULL;
    c.texts = base_arena_zalloc(arena, FORMATS_REGISTRY_TEXTS, sizeof *c.texts);
    if (!c.texts)
        return BASE_E_NOMEM;
    snprintf(path, sizeof path, "/schemas/ids/%u", id);
    int e = ask(registry, "GET", path, (struct base_str){ 0 }, &answer, reterr);
    if (e == 0)
        e = collect(&c, answer, "", 0);
    const char *type = json_string_value(json_object_get(answer, "schemaType"));
    *ret_type = BASE_STR("AVRO");
    if (e == 0 && type) {
        const char *copy = base_arena_strndup(arena, type, strlen(type));
        e = copy ? 0 : BASE_E_NOMEM;
        *ret_type = base_str_of(copy);
    }
    json_decref(answer);
    *ret = c.texts;
    *ret_count = c.count;
    return e;
}

int formats_registry_register(struct formats_registry *registry, struct base_str subject, const char *type, struct base_str text, uint32_t *ret_id,
                              struct base_buf *reterr)
{
    struct base_buf path = { .limit = URL_BYTES }, body = { 0 };
    char name[256];
    json_t *answer = NULL;
    snprintf(name, sizeof name, "%.*s", (int)subject.len, subject.ptr);
    base_buf_puts(&path, "/subjects/");
    put_escaped(&path, name);
    base_buf_puts(&path, "/versions");
    base_buf_puts(&body, "{\"schemaType\":\"");
    base_buf_puts(&body, type);
    base_buf_puts(&body, "\",\"schema\":");
    base_buf_put_json(&body, text);
    base_buf_puts(&body, "}");
    int e = path.failed || body.failed ? BASE_E_NOMEM : ask(registry, "POST", path.ptr, (struct base_str){ body.ptr, body.len }, &answer, reterr);
    json_t *id = json_object_get(answer, "id");
    if (e == 0 && (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > UINT32_MAX)) {
        base_buf_puts(reterr, "the schema registry's answer has no id");
        e = BASE_E_MALFORMED;
    }
    if (e == 0)
        *ret_id = (uint32_t)json_integer_value(id);
    json_decref(answer);
    base_buf_finish(&path);
    base_buf_finish(&body);
    return e;
}
