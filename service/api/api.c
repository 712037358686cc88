#include "service/api/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "service/json.h"

static const struct route { const char *method, *path; api_handler *handler; bool open; const char *doc; } ROUTES[] = {
#define X(method, path, handler, open, doc) { #method, path, api_##handler, open, doc },
#include "service/api/routes.def"
#undef X
};
#define ROUTE_COUNT (sizeof ROUTES / sizeof ROUTES[0])

/* ---- answers ---- */

static const char *title_of(int status)
{
    static const struct { int status; const char *title; } titles[] = {
        { 400, "Bad Request" }, { 401, "Unauthorized" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" },
        { 413, "Content Too Large" }, { 422, "Unprocessable Content" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
        { 503, "Service Unavailable" }, { 504, "Gateway Timeout" }, { 507, "Insufficient Storage" },
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Error";
}

static void problem_head(struct api_response *response, int status, const char *detail)
{
    base_buf_clear(&response->body);
    response->status = status;
    response->content_type = "application/problem+json";
    base_buf_printf(&response->body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", title_of(status), status);
    base_buf_put_json(&response->body, base_str_of(detail));
}

void api_problem(struct api_response *response, int status, const char *detail)
{
    problem_head(response, status, detail);
    base_buf_puts(&response->body, "}\n");
    if (status == 503)
        api_response_header(response, "Retry-After", "1");
}

void api_problem_error(struct api_response *response, int error, const char *detail)
{
    api_problem(response, base_error_http_status(error), detail && *detail ? detail : base_error_text(error));
}

void api_problem_diags(struct api_response *response, const char *diagnostics)
{
    json_t *all = json_loads(diagnostics, 0, NULL), *entry, *errors = json_array(), *others = json_array();
    size_t i;
    json_array_foreach(all, i, entry) {
        const char *severity = json_string_value(json_object_get(entry, "severity"));
        json_array_append(severity && strcmp(severity, "error") == 0 ? errors : others, entry);
    }
    problem_head(response, 422, "the rules do not compile; the running ones stay");
    base_buf_puts(&response->body, ",\"errors\":");
    bool good = service_json_put(errors, &response->body);
    base_buf_puts(&response->body, ",\"warnings\":");
    good = service_json_put(others, &response->body) && good;
    base_buf_puts(&response->body, "}\n");
    response->body.failed = response->body.failed || !good;
    json_decref(all);
    json_decref(errors);
    json_decref(others);
}

void api_json(struct api_response *response, int status, json_t *value)
{
    bool good = service_json_put(value, &response->body);
    json_decref(value);
    if (!good) {
        api_problem(response, 503, "out of memory");
        return;
    }
    response->status = status;
    response->content_type = "application/json";
    base_buf_putc(&response->body, '\n');
}

void api_refuse(void *ctx BASE_UNUSED, int status, const char *detail, struct api_response *response)
{
    api_problem(response, status, detail);
}

/* ---- helpers of handlers ---- */

bool api_limit(struct api_call *call, uint32_t *ret)
{
    const char *text = api_request_query(call->request, "limit");
    int64_t value = 50;
    if (text && (!base_str_to_i64(base_str_of(text), &value) || value < 1 || value > 100)) {
        api_problem(call->response, 400, "limit must be a number within 1 and 100");
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

bool api_after(struct api_call *call, uint64_t *ret)
{
    const char *text = api_request_query(call->request, "after");
    int64_t value = 0;
    if (text && (text[0] != 'c' || !base_str_to_i64(base_str_of(text + 1), &value) || value < 1)) {
        api_problem(call->response, 400, "after must be the next_cursor of an earlier answer");
        return false;
    }
    *ret = (uint64_t)value;
    return true;
}

void api_pagination(struct api_call *call, uint64_t cursor, struct base_buf *out)
{
    if (!cursor) {
        base_buf_puts(out, "{\"has_more\":false,\"next_cursor\":null}");
        return;
    }
    base_buf_printf(out, "{\"has_more\":true,\"next_cursor\":\"c%" PRIu64 "\"}", cursor);
    char link[256];
    snprintf(link, sizeof link, "<%s?after=c%" PRIu64 ">; rel=\"next\"", call->request->path, cursor);
    api_response_header(call->response, "Link", link);
}

/* Offset behind the JSON value at `at`; the text is our own and well formed. */
static size_t skip_value(struct base_str text, size_t at)
{
    int depth = 0;
    bool in_string = false;
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (in_string) {
            if (c == '\\')
                at++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at;
            depth--;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return text.len;
}

struct base_str api_member(struct base_str object, const char *name)
{
    size_t len = strlen(name);
    for (size_t at = 1; at < object.len && object.ptr[at] == '"';) {
        const char *end = memchr(object.ptr + at + 1, '"', object.len - at - 1);
        if (!end)
            break;
        size_t key_len = (size_t)(end - (object.ptr + at + 1));
        size_t value = at + key_len + 3; /* two quotes and a colon */
        size_t behind = skip_value(object, value);
        if (value <= behind && key_len == len && memcmp(object.ptr + at + 1, name, len) == 0)
            return (struct base_str){ object.ptr + value, behind - value };
        at = behind + 1;
    }
    return (struct base_str){ 0 };
}

/* ---- routing ---- */

/* Does the path match the pattern? Parts of it go to parts. */
static bool match(const char *pattern, const char *path, char parts[API_PARTS][256])
{
    size_t count = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        const char *close = strchr(pattern, '}');
        bool rest = close - pattern > 3 && memcmp(close - 3, "...", 3) == 0;
        size_t len = rest ? strlen(path) : strcspn(path, "/");
        if (len == 0 || len >= 256 || count == API_PARTS)
            return false;
        memcpy(parts[count], path, len);
        parts[count++][len] = '\0';
        path += len;
        pattern = close + 1;
    }
    return *path == '\0';
}

void api_handle(void *ctx, const struct api_request *request, struct api_response *response)
{
    struct api *api = ctx;
    struct api_call call = { .api = api, .request = request, .response = response };
    char allow[64] = "";
    service_count(service_runtime_metrics(api->runtime), SERVICE_METRIC_HTTP_REQUESTS, 1);
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!match(ROUTES[i].path, request->path, call.parts))
            continue;
        if (strcmp(ROUTES[i].method, method) == 0) {
            ROUTES[i].handler(&call);
            return;
        }
        size_t len = strlen(allow);
        snprintf(allow + len, sizeof allow - len, "%s%s", len ? ", " : "", ROUTES[i].method);
    }
    if (allow[0]) {
        api_problem(response, 405, "this path does not take that method");
        api_response_header(response, "Allow", allow);
        return;
    }
    api_problem(response, 404, "there is nothing at this path");
}

bool api_is_open(void *ctx BASE_UNUSED, const char *path)
{
    char parts[API_PARTS][256];
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (ROUTES[i].open && match(ROUTES[i].path, path, parts))
            return true;
    }
    return false;
}

void api_print_routes(struct base_buf *out)
{
    base_buf_puts(out, "| method | path | token | what |\n|---|---|---|---|\n");
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        base_buf_printf(out, "| %s | `%s` | %s | %s |\n", ROUTES[i].method, ROUTES[i].path, ROUTES[i].open ? "no" : "yes", ROUTES[i].doc);
}
