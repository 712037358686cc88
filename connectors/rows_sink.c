/* Rows to somebody else's HTTP service: a POST of JSON lines per batch, with an Idempotency-Key that is the same when the batch is sent again. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "connectors/store_http.h"

struct sink {
    struct connectors_http_sink http;
    const char *url, *owner;
    char token[256];
};

static int sink_apply(struct connectors_store_sink *base, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    if (batch->count == 0)
        return 0;
    base_buf_clear(&sink->http.body);
    for (size_t i = 0; i < batch->count; i++) {
        connectors_change_json(&batch->changes[i], &sink->http.body);
        if (sink->http.base.keyed)
            base_buf_puts(&sink->http.body, batch->changes[i].remove ? ",\"op\":\"-D\"" : ",\"op\":\"+U\"");
        base_buf_puts(&sink->http.body, "}\n");
    }
    snprintf(sink->token, sizeof sink->token, "%s:%llu-%llu", sink->owner, (unsigned long long)batch->from_seq, (unsigned long long)batch->to_seq);
    return connectors_http_sink_post(&sink->http, sink->url, reterr);
}

static const struct connectors_store_sink_ops ops = { sink_apply, connectors_http_sink_interrupt, connectors_http_sink_close };

static int read_options(struct connectors_store_sink *base, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    struct base_arena *arena = &base->arena;
    int e = connectors_store_need(config, "url", "https://example.com/rows", reterr);
    if (e < 0)
        return e;
    sink->url = base->place = connectors_store_option(config, arena, "url", "");
    base->fixed_batches = true;
    sink->owner = connectors_store_owner(config, arena, ':');
    sink->http.store.who = base_arena_printf(arena, "the service at %s", sink->url ? sink->url : "");
    if (!sink->url || !sink->owner || !sink->http.store.who)
        return BASE_E_NOMEM;
    e = connectors_store_http_check_url(sink->url, reterr);
    if (e == 0)
        e = connectors_store_http_header(&sink->http.store, "Content-Type", "application/x-ndjson");
    if (e == 0)
        e = connectors_store_http_header(&sink->http.store, "Idempotency-Key", sink->token);
    return e == 0 ? connectors_store_http_open(config, arena, true, config->allow_private, &sink->http.store, reterr) : e;
}

int connectors_rows_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    return connectors_store_make(config, sizeof(struct sink), &ops, read_options, ret, reterr);
}
