#include "service/delivery_store.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "connectors/store_sink.h"
#include "service/part.h"

#define COLUMNS 11
#define OPTIONS_MAX 64

struct changes BASE_VEC(struct connectors_change);
struct service_delivery_store {
    struct connectors_store_sink *out;
    struct base_arena arena;    /* texts of the batch */
    struct changes changes;
};

bool service_delivery_is_store(const char *type)
{
    static const char *const types[] = { "redis", "postgresql", "clickhouse", "elasticsearch", "opensearch" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i], type) == 0)
            return true;
    }
    return false;
}

int service_delivery_store_open(const struct service_config *config, const struct service_sink_config *sink, struct service_delivery_store **ret,
                                struct base_buf *reterr)
{
    struct clients_option options[OPTIONS_MAX];
    struct connectors_store_config store = { .connector = sink->type, .name = sink->name, .owner = config->text[SERVICE_APPLICATION_ID], .keyed = true,
                                             .options = options };
    struct service_delivery_store *made = base_calloc(1, sizeof *made);
    if (!made)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < sink->option_count && store.option_count < OPTIONS_MAX; i++)
        options[store.option_count++] = (struct clients_option){ sink->options[i].key, sink->options[i].value };
    base_buf_printf(reterr, "sink \"%s\": ", sink->name);
    int e = connectors_store_sink_open(&store, &made->out, reterr);
    if (e == 0 && made->out->keep_all) {
        base_buf_puts(reterr, "alerts are written by their id: this mode is not for them");
        e = BASE_E_CONFIG;
    }
    if (e < 0) {
        service_delivery_store_close(made);
        return e;
    }
    base_buf_clear(reterr);
    *ret = made;
    return 0;
}

void service_delivery_store_close(struct service_delivery_store *store)
{
    if (!store)
        return;
    connectors_store_sink_close(store->out);
    base_arena_finish(&store->arena);
    BASE_VEC_FINISH(&store->changes);
    base_free(store);
}

static struct connectors_cell text_cell(const char *name, struct base_str text)
{
    return (struct connectors_cell){ .name = base_str_of(name), .text = text, .kind = CONNECTORS_CELL_TEXT };
}

static struct connectors_cell number_cell(struct service_delivery_store *store, const char *name, uint64_t number)
{
    const char *text = base_arena_printf(&store->arena, "%llu", (unsigned long long)number);
    return (struct connectors_cell){ .name = base_str_of(name), .text = base_str_of(text), .kind = CONNECTORS_CELL_NUMBER };
}

static struct connectors_cell time_cell(struct service_delivery_store *store, const char *name, int64_t time_ms)
{
    char text[40];
    size_t len = base_time_print(time_ms, true, text);
    const char *copy = base_arena_strndup(&store->arena, text, len);
    return (struct connectors_cell){ .name = base_str_of(name), .text = { copy, copy ? len : 0 }, .kind = CONNECTORS_CELL_TIME };
}

static struct base_str copied(struct service_delivery_store *store, struct base_str text)
{
    return (struct base_str){ base_arena_strndup(&store->arena, text.ptr ? text.ptr : "", text.len), text.len };
}

int service_delivery_store_write(struct service_delivery_store *store, const struct service_alert *alert)
{
    struct connectors_cell *cells = base_arena_zalloc(&store->arena, COLUMNS, sizeof *cells);
    uint32_t n = 0;
    if (!cells)
        return BASE_E_NOMEM;
    cells[n] = text_cell("alert_id", copied(store, alert->alert_id));
    cells[n++].key = true;
    cells[n++] = number_cell(store, "revision", alert->revision);
    cells[n++] = text_cell("change", base_str_of(service_change_name(alert->change)));
    cells[n++] = text_cell("rule", copied(store, alert->rule));
    cells[n++] = text_cell("severity", copied(store, alert->severity));
    cells[n++] = text_cell("subject", copied(store, alert->key));
    cells[n++] = time_cell(store, "first_at", alert->first_ms);
    cells[n++] = time_cell(store, "last_at", alert->last_ms);
    cells[n++] = time_cell(store, "detected_at", alert->detected_ms);
    cells[n] = text_cell("event", copied(store, alert->body));
    cells[n++].kind = CONNECTORS_CELL_JSON;
    /* Rises with the revisions of an alert, also over a lost state folder, whose places begin anew. */
    struct connectors_change change = { .seq = (uint64_t)alert->detected_ms * 1000 + (alert->revision < 1000 ? alert->revision : 999), .cells = cells, .count = n };
    return !store->arena.failed && BASE_VEC_PUSH(&store->changes, change) ? 0 : BASE_E_NOMEM;
}

/* Of several revisions of one alert only the last: stores want each key once in a batch. */
static void fold(struct service_delivery_store *store)
{
    size_t kept = 0;
    for (size_t i = 0; i < store->changes.len; i++) {
        bool last = true;
        for (size_t k = i + 1; last && k < store->changes.len; k++)
            last = !base_str_equal(store->changes.at[i].cells[0].text, store->changes.at[k].cells[0].text);
        if (last)
            store->changes.at[kept++] = store->changes.at[i];
    }
    store->changes.len = kept;
}

int service_delivery_store_flush(struct service_delivery_store *store, struct base_buf *reterr)
{
    int e = 0;
    fold(store);
    if (store->changes.len) {
        struct connectors_store_batch batch = { store->changes.at, store->changes.len, store->changes.at[0].seq, store->changes.at[store->changes.len - 1].seq };
        e = connectors_store_sink_apply(store->out, &batch, reterr);
    }
    store->changes.len = 0;
    base_arena_reset(&store->arena);
    return e;
}

void service_delivery_store_interrupt(struct service_delivery_store *store)
{
    connectors_store_sink_interrupt(store->out);
}
