#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "enrichment/lists.h"
#include "service/api/api.h"

static void add_list(void *ctx, const char *name, uint64_t entries)
{
    json_array_append_new(ctx, json_pack("{s:s, s:I}", "name", name, "entries", (json_int_t)entries));
}

void api_lists_list(struct api_call *call)
{
    json_t *all = json_array();
    int e = enrichment_lists_names(add_list, all);
    if (e < 0) {
        json_decref(all);
        api_problem_error(call->response, e, "the folder of the lists cannot be read");
        return;
    }
    api_json(call->response, 200, json_pack("{s:o}", "data", all));
}

struct entries { struct base_buf *out; bool some; };

static void add_entry(void *ctx, struct base_str entry)
{
    struct entries *entries = ctx;
    base_buf_puts(entries->out, entries->some ? "," : "");
    base_buf_put_json(entries->out, entry);
    entries->some = true;
}

void api_list_get(struct api_call *call)
{
    struct entries entries = { .out = &call->response->body };
    uint32_t limit;
    uint64_t at = 0;
    if (!api_limit(call, &limit) || !api_after(call, &at))
        return;
    base_buf_puts(entries.out, "{\"data\":[");
    int e = enrichment_lists_each(call->parts[0], &at, limit, add_entry, &entries);
    if (e < 0) {
        api_problem_error(call->response, e, e == BASE_E_NOTFOUND ? "there is no list of this name" : NULL);
        return;
    }
    base_buf_puts(entries.out, "],\"pagination\":");
    api_pagination(call, at, entries.out);
    base_buf_puts(entries.out, "}\n");
    call->response->content_type = "application/json";
}

void api_list_has(struct api_call *call)
{
    bool yes = false;
    int e = enrichment_lists_has(call->parts[0], base_str_of(call->parts[1]), &yes);
    if (e < 0 || !yes) {
        api_problem_error(call->response, e < 0 ? e : BASE_E_NOTFOUND, e == BASE_E_NOTFOUND ? "there is no list of this name" : e < 0 ? NULL : "the list has no such entry");
        return;
    }
    api_json(call->response, 200, json_pack("{s:s, s:s}", "list", call->parts[0], "entry", call->parts[1]));
}

static void answer_change(struct api_call *call, int e, bool changed, struct base_buf *why)
{
    if (e < 0)
        api_problem_error(call->response, e, why->len ? why->ptr : NULL);
    else
        api_json(call->response, 200, json_pack("{s:s, s:s, s:b}", "list", call->parts[0], "entry", call->parts[1], "changed", changed));
    base_buf_finish(why);
}

void api_list_put(struct api_call *call)
{
    struct base_buf why = { .limit = 4096 };
    bool changed = false;
    int e = enrichment_lists_put(call->parts[0], base_str_of(call->parts[1]), &changed, &why);
    answer_change(call, e, changed, &why);
}

void api_list_delete(struct api_call *call)
{
    struct base_buf why = { .limit = 4096 };
    bool changed = false;
    int e = enrichment_lists_remove(call->parts[0], base_str_of(call->parts[1]), &changed, &why);
    answer_change(call, e, changed, &why);
}
