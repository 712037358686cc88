#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "service/api/api.h"
#include "service/views.h"

/* ---- what views there are ---- */

static void put_key(const struct service_view *view, struct base_buf *out)
{
    base_buf_putc(out, '[');
    for (uint32_t i = 0; i < view->key.count; i++) {
        uint32_t column = *cep_program_u32(view->program, view->key.first + i);
        base_buf_puts(out, i ? "," : "");
        base_buf_put_json(out, cep_program_text(view->program, cep_program_column(view->program, view->columns.first + column)->name));
    }
    base_buf_putc(out, ']');
}

static void put_columns(const struct service_view *view, struct base_buf *out)
{
    base_buf_putc(out, '[');
    for (uint32_t i = 0; i < view->columns.count; i++) {
        const struct cep_column *column = cep_program_column(view->program, view->columns.first + i);
        struct base_buf type = { 0 };
        cep_type_print(column->type, &type);
        base_buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        base_buf_put_json(out, cep_program_text(view->program, column->name));
        base_buf_puts(out, ",\"type\":");
        base_buf_put_json(out, (struct base_str){ type.ptr, type.len });
        base_buf_putc(out, '}');
        out->failed |= type.failed;
        base_buf_finish(&type);
    }
    base_buf_putc(out, ']');
}

void api_views_list(struct api_call *call)
{
    struct service_ruleset *set = service_runtime_ruleset(call->api->runtime);
    struct base_buf *out = &call->response->body;
    struct service_view view;
    base_buf_puts(out, "{\"data\":[");
    for (uint32_t i = 0; set && service_views_at(set->program, i, &view); i++) {
        base_buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        base_buf_put_json(out, view.name);
        base_buf_puts(out, ",\"key\":");
        put_key(&view, out);
        base_buf_puts(out, ",\"columns\":");
        put_columns(&view, out);
        base_buf_putc(out, '}');
    }
    base_buf_puts(out, "]}\n");
    call->response->content_type = "application/json";
    service_ruleset_unref(set);
}

/* ---- rows of one ---- */

struct page {
    struct base_buf *out;
    uint32_t limit, found;
    struct base_buf last; /* store key of the last row told */
    bool more;
};

static int put_row(void *ctx, struct base_str key, struct base_str value)
{
    struct page *page = ctx;
    if (page->found == page->limit) {
        page->more = true;
        return 1;
    }
    if (page->found++)
        base_buf_putc(page->out, ',');
    base_buf_put_str(page->out, value);
    base_buf_clear(&page->last);
    base_buf_put_str(&page->last, key);
    return page->last.failed ? BASE_E_NOMEM : 0;
}

static void put_pagination(struct api_call *call, const struct page *page)
{
    struct base_buf cursor = { 0 };
    if (!page->more) {
        base_buf_puts(page->out, "{\"has_more\":false,\"next_cursor\":null}");
        return;
    }
    base_buf_putc(&cursor, 'v');
    for (size_t i = 0; i < page->last.len; i++)
        base_buf_printf(&cursor, "%02x", (unsigned char)page->last.ptr[i]);
    base_buf_printf(page->out, "{\"has_more\":true,\"next_cursor\":\"%s\"}", cursor.ptr ? cursor.ptr : "");
    char link[256];
    const char *limit = api_request_query(call->request, "limit");
    int len = snprintf(link, sizeof link, "<%s?after=%s%s%s>; rel=\"next\"", call->request->path, cursor.ptr ? cursor.ptr : "", limit ? "&limit=" : "",
                       limit ? limit : "");
    if (len > 0 && (size_t)len < sizeof link) /* a long key has its cursor in the body alone */
        api_response_header(call->response, "Link", link);
    page->out->failed |= cursor.failed;
    base_buf_finish(&cursor);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The cursor of an earlier answer for this very view and key. */
static bool read_after(struct api_call *call, const struct base_buf *prefix, struct base_buf *ret)
{
    const char *text = api_request_query(call->request, "after");
    if (!text)
        return true;
    bool good = text[0] == 'v' && strlen(text) % 2 == 1;
    for (text++; good && *text; text += 2) {
        good = digit(text[0]) >= 0 && digit(text[1]) >= 0;
        base_buf_putc(ret, (char)(digit(text[0]) << 4 | digit(text[1])));
    }
    if (good && !ret->failed && ret->len > prefix->len && memcmp(ret->ptr, prefix->ptr, prefix->len) == 0)
        return true;
    api_problem(call->response, 400, "after must be the next_cursor of an earlier answer of the same view and key; a changed view begins anew");
    return false;
}

static bool read_key(struct api_call *call, const struct service_view *view, struct base_buf *prefix)
{
    const char *key = api_request_query(call->request, "key");
    uint32_t column = 0;
    int e = service_views_prefix(view, key ? base_str_of(key) : (struct base_str){ 0 }, prefix, &column);
    if (e == 0)
        return true;
    struct base_buf why = { 0 }, type = { 0 };
    const struct cep_column *c = cep_program_column(view->program, view->columns.first + column);
    struct base_str name = cep_program_text(view->program, c->name);
    cep_type_print(c->type, &type);
    base_buf_printf(&why, "key must give a %s for %.*s", type.ptr ? type.ptr : "value", (int)name.len, name.ptr);
    if (e == BASE_E_NOMEM || why.failed)
        api_problem_error(call->response, e, NULL);
    else
        api_problem(call->response, 400, why.ptr);
    base_buf_finish(&why);
    base_buf_finish(&type);
    return false;
}

static void list_rows(struct api_call *call, const struct service_view *view)
{
    struct base_buf prefix = { 0 }, after = { 0 };
    struct page page = { .out = &call->response->body };
    if (api_limit(call, &page.limit) && read_key(call, view, &prefix) && read_after(call, &prefix, &after)) {
        base_buf_puts(page.out, "{\"data\":[");
        int e = service_views_each(service_runtime_store(call->api->runtime), (struct base_str){ prefix.ptr, prefix.len },
                                   (struct base_str){ after.ptr, after.len }, put_row, &page);
        if (e < 0) {
            api_problem_error(call->response, e, NULL);
        } else {
            base_buf_puts(page.out, "],\"pagination\":");
            put_pagination(call, &page);
            base_buf_puts(page.out, "}\n");
            call->response->content_type = "application/json";
        }
    }
    base_buf_finish(&prefix);
    base_buf_finish(&after);
    base_buf_finish(&page.last);
}

void api_view_get(struct api_call *call)
{
    struct service_ruleset *set = service_runtime_ruleset(call->api->runtime);
    struct service_view view;
    if (set && service_views_find(set->program, base_str_of(call->parts[0]), &view))
        list_rows(call, &view);
    else
        api_problem(call->response, 404, "there is no materialized view of this name; GET /v1/views names them");
    service_ruleset_unref(set);
}
