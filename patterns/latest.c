#include "patterns/latest.h"

#include "base/error.h"
#include "patterns/bind_from.h"
#include "patterns/topn.h"

bool patterns_latest_table(const struct patterns_table_info *table)
{
    struct base_str format = patterns_table_setting(table, "format");
    if (!format.ptr)
        format = patterns_table_setting(table, "value.format");
    return base_str_starts(format, BASE_STR("debezium-")) || base_str_equal(patterns_table_setting(table, "connector"), BASE_STR("upsert-kafka"));
}

int patterns_latest_check(struct patterns_binder *binder, const struct patterns_table *text, const struct patterns_table_info *table)
{
    if (table->key_count || !patterns_latest_table(table))
        return 0;
    return patterns_refuse_at(binder, text->source, text->begin, text->end, "not-supported", "add PRIMARY KEY (column) NOT ENFORCED to its CREATE TABLE",
                              "the records of \"%.*s\" are changes of rows, which are known by their PRIMARY KEY", (int)table->name.len, table->name.ptr);
}

/* All columns are read and kept, whoever asks for which: a query that comes later finds them in the state. */
static uint64_t hash_rows(const struct patterns_plan *source)
{
    const struct patterns_table_info *table = source->table;
    uint64_t h = patterns_hash_mix(source->rows, 23);
    for (uint32_t i = 0; i < source->out.count; i++)
        h = patterns_hash_type(patterns_hash_mix(h, source->out.columns[i].hash), source->out.columns[i].type);
    for (uint32_t i = 0; i < table->key_count; i++)
        h = patterns_hash_mix(h, table->key[i]);
    return h;
}

struct patterns_plan *patterns_latest_plan(struct patterns_binder *binder, const struct patterns_plan *source)
{
    const struct patterns_table_info *table = source->table;
    struct patterns_plan *plan = patterns_plan_make(binder, PATTERNS_PLAN_TOPN, source);
    struct patterns_topn *topn = base_arena_zalloc(binder->arena, 1, sizeof *topn);
    struct patterns_relation *out = patterns_relation_named(binder, &source->out, (struct base_str){ NULL, 0 });
    if (!plan || !topn || !out)
        return NULL;
    *topn = (struct patterns_topn){ .first = 1, .last = 1, .by_arrival = true, .descending = true, .eager = true, .mode = CEP_TOPN_LATEST };
    plan->topn = topn;
    plan->updating = true;
    plan->rows = hash_rows(source);
    plan->key_count = table->key_count;
    plan->keys = base_arena_zalloc(binder->arena, table->key_count, sizeof *plan->keys);
    plan->key_names = base_arena_zalloc(binder->arena, table->key_count, sizeof *plan->key_names);
    for (uint32_t k = 0; plan->keys && plan->key_names && k < table->key_count; k++) {
        plan->key_names[k] = table->fields.columns[table->key[k]].name;
        if (!(plan->keys[k] = patterns_bound_column(binder, NULL, &source->out, table->key[k])))
            return NULL;
    }
    const struct patterns_column rank = { .name = BASE_STR("$rank"), .path = BASE_STR("\x1f"), .hidden = true, .type = CEP_TYPE(BIGINT), .hash = plan->rows };
    if (!plan->keys || !plan->key_names || patterns_relation_add(out, binder->arena, &rank) == PATTERNS_NO_COLUMN)
        return NULL;
    plan->out = *out;
    plan->out.rowtime = PATTERNS_NO_COLUMN;
    return plan;
}

bool patterns_latest_only(const struct patterns_plan *plan)
{
    while (plan->kind == PATTERNS_PLAN_CALC)
        plan = plan->inputs[0];
    return plan->kind == PATTERNS_PLAN_TOPN && plan->topn->mode == CEP_TOPN_LATEST;
}
