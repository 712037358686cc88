/* Rows to somebody else's HTTP service: a POST of JSON lines per batch, with an Idempotency-Key that is the same when the batch is sent again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "connectors/store_http.h"

struct sink {
    struct connectors_store_sink base;
    struct base_arena arena;
    struct connectors_store_http store;
    const char *url, *owner;
    bool keyed;
    char token[256];
    struct base_buf body;
};

static void sink_interrupt(struct connectors_store_sink *base)
{
    clients_http_interrupt(((struct sink *)base)->store.http);
}

static void sink_close(struct connectors_store_sink *base)
{
    struct sink *sink = (struct sink *)base;
    connectors_store_http_close(&sink->store);
    base_buf_finish(&sink->body);
    base_arena_finish(&sink->arena);
    base_free(sink);
}

static int sink_apply(struct connectors_store_sink *base, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    if (batch->count == 0)
        return 0;
    base_buf_clear(&sink->body);
    for (size_t i = 0; i < batch->count; i++) {
        connectors_change_json(&batch->changes[i], &sink->body);
        if (sink->keyed)
            base_buf_puts(&sink->body, batch->changes[i].remove ? ",\"op\":\"-D\"" : ",\"op\":\"+U\"");
        base_buf_puts(&sink->body, "}\n");
    }
    snprintf(sink->token, sizeof sink->token, "%s:%llu-%llu", sink->owner, (unsigned long long)batch->from_seq, (unsigned long long)batch->to_seq);
    return sink->body.failed ? BASE_E_NOMEM
                             : connectors_store_http_post(&sink->store, sink->url, (struct base_str){ sink->body.ptr, sink->body.len }, reterr);
}

static const struct connectors_store_sink_ops ops = { sink_apply, sink_interrupt, sink_close };

static int read_options(struct sink *sink, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct base_arena *arena = &sink->arena;
    int e = connectors_store_need(config, "url", "https://example.com/rows", reterr);
    if (e < 0)
        return e;
    sink->keyed = config->keyed;
    sink->url = connectors_store_option(config, arena, "url", "");
    sink->owner = base_arena_printf(arena, "%s:%s", config->owner, config->name);
    sink->store.who = base_arena_printf(arena, "the service at %s", sink->url ? sink->url : "");
    if (!sink->url || !sink->owner || !sink->store.who)
        return BASE_E_NOMEM;
    e = connectors_store_http_check_url(sink->url, reterr);
    if (e == 0)
        e = connectors_store_http_header(&sink->store, "Content-Type", "application/x-ndjson");
    if (e == 0)
        e = connectors_store_http_header(&sink->store, "Idempotency-Key", sink->token);
    return e == 0 ? connectors_store_http_open(config, arena, true, config->allow_private, &sink->store, reterr) : e;
}

int connectors_rows_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    struct sink *sink = base_calloc(1, sizeof *sink);
    if (!sink)
        return BASE_E_NOMEM;
    sink->base.ops = &ops;
    int e = read_options(sink, config, reterr);
    if (e < 0) {
        sink_close(&sink->base);
        return e;
    }
    sink->base.fixed_batches = true;
    sink->base.keep_all = !sink->keyed;
    sink->base.place = sink->url;
    *ret = &sink->base;
    return 0;
}
