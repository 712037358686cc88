#include "service/lookups.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "cep/record.h"
#include "enrichment/lookup.h"
#include "formats/format.h"

/* Decodes the JSON answers of one connection. */
struct decoding {
    struct formats_decoder *decoder;
    struct base_buf padded;
    char reason[FORMATS_REASON_BYTES];
};
struct outside {
    struct enrichment_lookup *lookup; /* NULL: another kind of table */
    struct decoding *decodings;       /* by connection */
    uint32_t decoding_count;
    const struct cep_program *program;
    uint32_t table;
    bool null_on_error, troubled;
    struct enrichment_lookup_stats counted;
};
struct service_lookups {
    struct service_metrics *metrics;
    struct outside *at; /* by table */
    uint32_t count;
    bool later;         /* others ask, answers are collected */
    struct base_buf why;
};

static void on_problem(void *ctx, const struct cep_record *record BASE_UNUSED, const struct formats_problem *problem)
{
    struct decoding *decoding = ctx;
    memcpy(decoding->reason, problem->reason, sizeof decoding->reason);
}

static int decode(void *ctx, uint32_t connection, struct base_str text, struct base_arena *arena, struct cep_row **ret, struct base_buf *reterr)
{
    struct decoding *o = &((struct outside *)ctx)->decodings[connection];
    struct cep_origin origin = { .name = BASE_STR("lookup") };
    base_buf_clear(&o->padded);
    base_buf_put(&o->padded, text.ptr, text.len);
    for (int i = 0; i < CEP_RECORD_SLACK; i++)
        base_buf_putc(&o->padded, '\0');
    if (o->padded.failed)
        return BASE_E_NOMEM;
    struct cep_record record = { .bytes = { o->padded.ptr, text.len }, .origin = &origin, .time_ms = BASE_TIME_MIN_MS, .flags = CEP_RECORD_PADDED };
    *ret = NULL;
    memset(o->reason, 0, sizeof o->reason);
    int e = formats_decode(o->decoder, &record, 1, arena, ret);
    if (e == 0 && !*ret) {
        base_buf_puts(reterr, o->reason[0] ? o->reason : "the answer is no JSON object");
        e = BASE_E_MALFORMED;
    }
    return e;
}

/* One decoder for each connection, if answers are JSON. */
static int open_decodings(struct outside *o, struct base_buf *why)
{
    char text[512] = "";
    int e = 0;
    o->decodings = base_calloc(ENRICHMENT_CONNECTIONS_MOST, sizeof *o->decodings);
    if (!o->decodings)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < enrichment_lookup_connections(o->lookup) && e == 0; i++, o->decoding_count++) {
        struct formats_decoder_config config = { .program = o->program, .table = o->table, .on_problem = on_problem, .ctx = &o->decodings[i] };
        e = formats_decoder_create(&config, &o->decodings[i].decoder, text, sizeof text);
    }
    base_buf_puts(why, e < 0 ? text : "");
    return e;
}

static int open_table(struct service_lookups *lookups, const struct service_lookups_config *config, uint32_t table, struct base_buf *reterr)
{
    struct outside *o = &lookups->at[table];
    const struct cep_table *t = cep_program_table(config->program, table);
    struct base_str name = cep_program_text(config->program, t->name), on_error = cep_program_setting(config->program, t->options, "lookup.on-error");
    struct base_buf why = { 0 };
    int e = 0;
    *o = (struct outside){ .program = config->program, .table = table, .null_on_error = base_str_equal_fold(on_error, BASE_STR("null")) };
    if (on_error.ptr && !o->null_on_error && !base_str_equal_fold(on_error, BASE_STR("dead-letter"))) {
        base_buf_printf(&why, "'lookup.on-error' cannot be '%.*s': write dead-letter or null", (int)on_error.len, on_error.ptr);
        e = BASE_E_CONFIG;
    }
    bool json = cep_program_setting(config->program, t->options, "format").ptr;
    struct base_str connector = cep_program_setting(config->program, t->options, "connector"), mode = cep_program_setting(config->program, t->options, "mode");
    if (e == 0 && !json && (base_str_equal(connector, BASE_STR("http")) || base_str_equal(mode, BASE_STR("string")))) {
        base_buf_puts(&why, "'format' is missing: add 'format' = 'json'");
        e = BASE_E_CONFIG;
    }
    const struct enrichment_lookup_config lookup = { .program = config->program, .table = table, .application = config->application,
                                                     .allow_private = config->allow_private, .decode = decode, .decode_ctx = o };
    if (e == 0)
        e = enrichment_lookup_create(&lookup, &o->lookup, &why);
    if (e == 0 && json)
        e = open_decodings(o, &why);
    if (e == 0 && config->wake)
        e = enrichment_lookup_start(o->lookup, config->wake, config->wake_ctx, &why);
    if (e < 0)
        base_buf_printf(reterr, "table \"%.*s\": %s", (int)name.len, name.ptr, why.len ? why.ptr : base_error_text(e));
    base_buf_finish(&why);
    return e;
}

int service_lookups_create(const struct service_lookups_config *config, struct service_lookups **ret, struct base_buf *reterr)
{
    uint32_t tables = cep_program_table_count(config->program);
    bool any = false;
    *ret = NULL;
    for (uint32_t i = 0; i < tables; i++)
        any = any || enrichment_lookup_is(config->program, i);
    if (!any)
        return 0;
    struct service_lookups *lookups = base_calloc(1, sizeof *lookups);
    if (!lookups)
        return BASE_E_NOMEM;
    lookups->metrics = config->metrics;
    lookups->later = config->wake != NULL;
    lookups->count = tables;
    lookups->why.limit = 4096;
    lookups->at = base_calloc(tables + 1, sizeof *lookups->at);
    int e = lookups->at ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < tables && e == 0; i++)
        if (enrichment_lookup_is(config->program, i))
            e = open_table(lookups, config, i, reterr);
    if (e < 0) {
        service_lookups_destroy(lookups);
        return e;
    }
    *ret = lookups;
    return 0;
}

void service_lookups_destroy(struct service_lookups *lookups)
{
    if (!lookups)
        return;
    for (uint32_t i = 0; lookups->at && i < lookups->count; i++) {
        struct outside *o = &lookups->at[i];
        enrichment_lookup_destroy(o->lookup); /* its threads use the decoders */
        for (uint32_t k = 0; k < o->decoding_count; k++) {
            formats_decoder_destroy(o->decodings[k].decoder);
            base_buf_finish(&o->decodings[k].padded);
        }
        base_free(o->decodings);
    }
    base_free(lookups->at);
    base_buf_finish(&lookups->why);
    base_free(lookups);
}

bool service_lookups_has(const struct service_lookups *lookups, uint32_t table)
{
    return lookups && table < lookups->count && lookups->at[table].lookup;
}

/* Logged when a table begins to fail and when it answers again. */
static void tell(struct service_lookups *lookups, struct outside *o, int e)
{
    struct base_str name = cep_program_text(o->program, cep_program_table(o->program, o->table)->name);
    if (e < 0 && lookups->metrics)
        service_count(lookups->metrics, SERVICE_METRIC_LOOKUP_FAILURES, 1);
    if ((e < 0) == o->troubled)
        return;
    o->troubled = e < 0;
    if (e < 0)
        base_logf(BASE_LOG_WARN, "lookup", "an outside table does not answer; its rows are dead letters or NULL meanwhile", "table \"%.*s\": %.*s", (int)name.len,
                  name.ptr, (int)lookups->why.len, lookups->why.ptr ? lookups->why.ptr : "");
    else
        base_logf(BASE_LOG_INFO, "lookup", "an outside table answers again", "table \"%.*s\"", (int)name.len, name.ptr);
}

static void count(struct service_lookups *lookups, struct outside *o)
{
    struct enrichment_lookup_stats now;
    enrichment_lookup_get_stats(o->lookup, &now);
    if (lookups->metrics && now.asked != o->counted.asked) {
        service_count(lookups->metrics, SERVICE_METRIC_LOOKUPS, now.asked - o->counted.asked);
        service_count(lookups->metrics, SERVICE_METRIC_LOOKUP_HITS, now.hits - o->counted.hits);
    }
    o->counted = now;
}

int service_lookups_find(struct service_lookups *lookups, uint32_t table, const struct cep_tuple *key, bool wanted, const struct cep_row **ret)
{
    struct outside *o = &lookups->at[table];
    *ret = NULL;
    base_buf_clear(&lookups->why);
    int e = lookups->later ? enrichment_lookup_take(o->lookup, key, wanted, ret, &lookups->why) : enrichment_lookup_find(o->lookup, key, ret, &lookups->why);
    if (e == BASE_E_NOMEM || e == BASE_E_AGAIN)
        return e;
    if (e < 0 || wanted || !lookups->later) /* what is known says nothing of the store */
        tell(lookups, o, e);
    return e < 0 && o->null_on_error ? 0 : e;
}

int service_lookups_want(struct service_lookups *lookups, uint32_t table, const struct cep_tuple *key)
{
    return enrichment_lookup_want(lookups->at[table].lookup, key);
}

int service_lookups_flush(struct service_lookups *lookups)
{
    int e = 0;
    for (uint32_t i = 0; i < lookups->count && e == 0; i++) {
        if (!lookups->at[i].lookup)
            continue;
        e = enrichment_lookup_flush(lookups->at[i].lookup);
        count(lookups, &lookups->at[i]);
    }
    return e;
}

int service_lookups_collect(struct service_lookups *lookups, bool *ret_any)
{
    int e = 0;
    for (uint32_t i = 0; i < lookups->count && e == 0; i++)
        if (lookups->at[i].lookup)
            e = enrichment_lookup_collect(lookups->at[i].lookup, ret_any);
    return e;
}

int service_lookups_wait(struct service_lookups *lookups, uint32_t table, int64_t timeout_us)
{
    bool any = false;
    int e = service_lookups_flush(lookups);
    if (e == 0)
        enrichment_lookup_wait(lookups->at[table].lookup, timeout_us);
    return e ? e : service_lookups_collect(lookups, &any);
}
