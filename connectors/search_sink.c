/* Changes into an index of Elasticsearch or OpenSearch by the bulk API: index and delete by _id with an external version, so that a repeated or a late batch
 * changes nothing. Without a key every row is a document of its own, named by its place in the log. */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "connectors/store_http.h"

struct sink {
    struct connectors_http_sink http;
    const char *url, *index, *owner;
};

static void put_change(struct sink *sink, const struct connectors_change *change)
{
    struct base_buf *out = &sink->http.body;
    base_buf_clear(&sink->http.text);
    if (sink->http.base.keyed)
        connectors_change_key(change, &sink->http.text);
    else
        base_buf_printf(&sink->http.text, "%s.%llu", sink->owner, (unsigned long long)change->seq);
    base_buf_puts(out, change->remove ? "{\"delete\":{\"_index\":" : "{\"index\":{\"_index\":");
    base_buf_put_json(out, base_str_of(sink->index));
    base_buf_puts(out, ",\"_id\":");
    base_buf_put_json(out, (struct base_str){ sink->http.text.ptr ? sink->http.text.ptr : "", sink->http.text.len });
    base_buf_printf(out, ",\"version\":%llu,\"version_type\":\"external_gte\"}}\n", (unsigned long long)change->seq);
    if (!change->remove) {
        connectors_change_json(change, out);
        base_buf_puts(out, "}\n");
    }
    out->failed = out->failed || sink->http.text.failed;
}

/* One action's answer. 409: the index has this version or a newer one; 404 of a delete: nothing was there. */
static int judge(const struct sink *sink, const json_t *item, struct base_buf *reterr)
{
    const json_t *index = json_object_get(item, "index"), *remove = json_object_get(item, "delete"), *action = index ? index : remove;
    json_int_t status = json_integer_value(json_object_get(action, "status"));
    if ((status >= 200 && status < 300) || status == 409 || (remove && status == 404))
        return 0;
    const json_t *error = json_object_get(action, "error");
    const char *type = json_string_value(json_object_get(error, "type")), *reason = json_string_value(json_object_get(error, "reason"));
    if (!reterr->len)
        base_buf_printf(reterr, "%s: document %s: %s: %s", sink->http.store.who, json_string_value(json_object_get(action, "_id")), type ? type : "refused",
                        reason ? reason : "no reason given");
    return status == 429 || status >= 500 || status == 0 ? BASE_E_IO : status == 404 ? BASE_E_CONFIG : BASE_E_MALFORMED;
}

static int judge_all(const struct sink *sink, struct base_buf *reterr)
{
    const struct base_buf *body = &sink->http.store.response.body;
    json_error_t error;
    json_t *root = sink->http.store.response.cut ? NULL : json_loadb(body->ptr ? body->ptr : "", body->len, 0, &error);
    const json_t *items = json_object_get(root, "items"), *item;
    int e = json_is_array(items) ? 0 : BASE_E_IO;
    size_t i;
    if (e < 0)
        base_buf_printf(reterr, "%s: what answers there is no bulk API", sink->http.store.who);
    if (e == 0 && !json_is_false(json_object_get(root, "errors"))) {
        json_array_foreach(items, i, item) {
            int one = judge(sink, item, reterr);
            e = one == BASE_E_IO || e == 0 ? one : e; /* what may pass by itself comes first */
        }
    }
    json_decref(root);
    return e;
}

static int sink_apply(struct connectors_store_sink *base, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    if (batch->count == 0)
        return 0;
    base_buf_clear(&sink->http.body);
    for (size_t i = 0; i < batch->count; i++)
        put_change(sink, &batch->changes[i]);
    int e = connectors_http_sink_post(&sink->http, sink->url, reterr);
    return e == 0 ? judge_all(sink, reterr) : e;
}

static const struct connectors_store_sink_ops ops = { sink_apply, connectors_http_sink_interrupt, connectors_http_sink_close };

static int read_options(struct connectors_store_sink *base, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    struct base_arena *arena = &base->arena;
    const char *hosts = connectors_store_option(config, arena, "hosts", NULL);
    int e = hosts ? 0 : connectors_store_need(config, "url", "http://localhost:9200", reterr);
    if (e == 0)
        e = connectors_store_need(config, "index", "alerts", reterr);
    if (e < 0)
        return e;
    char *url = (char *)(hosts ? hosts : connectors_store_option(config, arena, "url", ""));
    if (!url)
        return BASE_E_NOMEM;
    url[strcspn(url, ";")] = 0; /* Flink names several hosts: the first is used */
    e = connectors_store_http_trim_url(url, reterr);
    sink->index = connectors_store_option(config, arena, "index", "");
    sink->owner = connectors_store_owner(config, arena, '.');
    sink->url = base_arena_printf(arena, "%s/_bulk", url);
    base->place = base_arena_printf(arena, "%s, index %s", url, sink->index ? sink->index : "");
    sink->http.store.who = base_arena_printf(arena, "the search index at %s", url);
    if (e == 0 && (!sink->index || !sink->owner || !sink->url || !base->place || !sink->http.store.who))
        e = BASE_E_NOMEM;
    if (e == 0)
        e = connectors_store_http_header(&sink->http.store, "Content-Type", "application/x-ndjson");
    return e == 0 ? connectors_store_http_open(config, arena, true, true, &sink->http.store, reterr) : e;
}

int connectors_search_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    return connectors_store_make(config, sizeof(struct sink), &ops, read_options, ret, reterr);
}
