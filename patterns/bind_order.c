#include "patterns/bind_order.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_from.h"

static int refuse_query(struct patterns_binder *binder, const struct patterns_query *query, const char *code,
                        const char *hint, const char *message)
{
    return patterns_refuse_at(binder, query->source, query->begin, query->end, code, hint, "%s", message);
}

int patterns_order_check(const struct patterns_query_scope *scope, const struct patterns_query *query, bool bounded)
{
    struct patterns_binder *binder = scope->binder;
    const char *what = query->order_count ? "ORDER BY" : "LIMIT";
    if (!scope->top)
        return refuse_query(binder, query, "not-supported",
                            "sort the outermost query; a row pattern sorts its own input",
                            "a subquery or view cannot have ORDER BY or LIMIT");
    if (binder->is_rule)
        return patterns_refuse_at(binder, query->source, query->begin, query->end, "not-supported",
                                  "alerts come in the order of their rows", "%s has no meaning in a rule", what);
    if (!bounded)
        return patterns_refuse_at(binder, query->source, query->begin, query->end, "not-supported",
                                  "read a file, or set 'scan.bounded.mode' = 'latest-offset'",
                                  "%s needs input that ends", what);
    return 0;
}

/* Number of the output that an ORDER BY item `1`, `2` means. */
bool patterns_order_ordinal(const struct patterns_order_item *item, const struct patterns_relation *out, uint32_t *ret)
{
    int64_t n;
    if (item->expr->kind != PATTERNS_EXPR_NUMBER || !base_str_to_i64(item->expr->number.text, &n) || n < 1)
        return false;
    for (uint32_t i = 0; i < out->count; i++)
        if (!out->columns[i].hidden && --n == 0) {
            *ret = i;
            return true;
        }
    return false;
}

int patterns_order_sort(const struct patterns_query_scope *scope, const struct patterns_query *query,
                        const struct patterns_plan *input, const uint32_t *columns, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    struct patterns_plan *sort = patterns_plan_make(binder, PATTERNS_PLAN_SORT, input);
    struct patterns_relation *out =
        sort ? patterns_relation_named(binder, &input->out, (struct base_str){ NULL, 0 }) : NULL;
    if (!out)
        return BASE_E_NOMEM;
    sort->out = *out;
    sort->rows = patterns_hash_mix(input->rows, query->order_count);
    sort->order_count = query->order_count;
    sort->orders = base_arena_zalloc(binder->arena, query->order_count + 1, sizeof *sort->orders);
    if (!sort->orders)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < query->order_count; i++) {
        const struct patterns_order_item *item = &query->order_by[i];
        struct patterns_plan_order *o = &sort->orders[i];
        o->value = patterns_bound_column(binder, item->expr, &input->out, columns[i]);
        if (!o->value)
            return BASE_E_NOMEM;
        o->descending = item->descending;
        /* Flink: NULLs are least, so first ascending and last descending. */
        o->nulls_first =
            item->nulls == PATTERNS_NULLS_FIRST || (item->nulls == PATTERNS_NULLS_DEFAULT && !item->descending);
        sort->rows = patterns_hash_mix(patterns_hash_mix(sort->rows, o->value->hash),
                                       (uint64_t)o->descending * 2 + o->nulls_first);
    }
    const struct patterns_scope constants = { .where = "LIMIT" };
    sort->limit = UINT64_MAX;
    int error =
        query->limit ? patterns_bind_count(binder, &constants, query->limit, "LIMIT", UINT64_MAX - 1, &sort->limit) : 0;
    if (!error && query->offset)
        error = patterns_bind_count(binder, &constants, query->offset, "OFFSET", UINT64_MAX - 1, &sort->offset);
    sort->rows = patterns_hash_mix(patterns_hash_mix(sort->rows, sort->limit), sort->offset);
    *ret = sort;
    return error;
}
