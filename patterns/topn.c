#include "patterns/topn.h"

#include <string.h>
#include "base/error.h"
#include "patterns/changes.h"

#define CONJUNCTS_MAX 256

/* ---- finding the call ---- */

static bool is_ranking(const struct patterns_expr *expr)
{
    static const char *const names[] = { "ROW_NUMBER", "RANK", "DENSE_RANK" };
    for (size_t i = 0; expr->kind == PATTERNS_EXPR_CALL && expr->call->over && i < sizeof names / sizeof *names; i++)
        if (!expr->call->name.quoted && base_str_equal_fold(expr->call->name.text, base_str_of(names[i])))
            return true;
    return false;
}

uint32_t patterns_topn_item(const struct patterns_select *select)
{
    for (uint32_t i = 0; i < select->item_count; i++)
        if (is_ranking(select->items[i].expr))
            return i;
    return CEP_NONE;
}

/* ---- binding ---- */

/* Window on its way: hidden columns of the CALC below. */
struct ranking {
    const struct patterns_topn_text *text;
    struct patterns_binder *binder;
    struct patterns_plan *below, *plan;
    struct patterns_topn *topn;
    struct patterns_scope names;
};

/* A hidden column of the CALC below; *ret its index. */
static int add_hidden(struct ranking *r, const struct patterns_bound *value, uint32_t *ret)
{
    struct patterns_plan *below = r->below;
    for (uint32_t i = 0; i < below->out.count; i++)
        if (patterns_bound_same(below->outputs[i], value)) {
            *ret = i;
            return 0;
        }
    const struct patterns_bound **outputs = base_arena_zalloc(r->binder->arena, (size_t)below->out.count + 2, sizeof *outputs);
    const struct patterns_column hidden = { .name = BASE_STR("$rank"), .path = BASE_STR("\x1f"), .hidden = true, .type = value->type, .hash = value->hash };
    if (!outputs)
        return BASE_E_NOMEM;
    memcpy(outputs, below->outputs, below->out.count * sizeof *outputs);
    *ret = patterns_relation_add(&below->out, r->binder->arena, &hidden);
    if (*ret == PATTERNS_NO_COLUMN)
        return BASE_E_NOMEM;
    outputs[*ret] = value;
    below->outputs = outputs;
    return 0;
}

static int check_call(struct ranking *r)
{
    const struct patterns_expr *call = r->text->call;
    const struct patterns_window *over = call->call->over;
    const char *hint = "write ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS rn";
    if (!base_str_equal_fold(call->call->name.text, BASE_STR("ROW_NUMBER")))
        return patterns_refuse(r->binder, call, "not-supported", "rows of equal rank have no end: write ROW_NUMBER()", "%.*s() is not supported",
                               (int)call->call->name.text.len, call->call->name.text.ptr);
    if (call->call->arg_count || call->call->distinct || call->call->filter || call->call->within_count)
        return patterns_refuse(r->binder, call, "type-mismatch", hint, "ROW_NUMBER() takes no argument");
    if (over->base || over->unit != PATTERNS_FRAME_NONE)
        return patterns_refuse(r->binder, call, "not-supported", hint, "the window of ROW_NUMBER() is written out and has no frame");
    if (!over->order_count)
        return patterns_refuse(r->binder, call, "not-supported", hint, "ROW_NUMBER() needs ORDER BY");
    return 0;
}

static int bind_keys(struct ranking *r)
{
    const struct patterns_window *over = r->text->call->call->over;
    struct patterns_plan *plan = r->plan;
    plan->key_count = over->partition_count;
    plan->keys = base_arena_zalloc(r->binder->arena, over->partition_count + 1, sizeof *plan->keys);
    plan->key_names = base_arena_zalloc(r->binder->arena, over->partition_count + 1, sizeof *plan->key_names);
    uint32_t *columns = base_arena_zalloc(r->binder->arena, over->partition_count + 1, sizeof *columns);
    if (!plan->keys || !plan->key_names || !columns)
        return BASE_E_NOMEM;
    r->names.where = "PARTITION BY";
    for (uint32_t i = 0; i < over->partition_count; i++) {
        const struct patterns_expr *expr = over->partition_by[i];
        const struct patterns_bound *value;
        int error = patterns_bind_expr(r->binder, &r->names, expr, &value);
        if (!error)
            error = add_hidden(r, value, &columns[i]);
        if (error)
            return error;
        plan->key_names[i] = expr->kind == PATTERNS_EXPR_NAME ? expr->name.parts[expr->name.count - 1].text : BASE_STR("key");
    }
    for (uint32_t i = 0; i < over->partition_count; i++)
        if (!(plan->keys[i] = patterns_bound_column(r->binder, over->partition_by[i], &r->below->out, columns[i])))
            return BASE_E_NOMEM;
    return 0;
}

static int bind_orders(struct ranking *r)
{
    const struct patterns_window *over = r->text->call->call->over;
    struct patterns_plan *plan = r->plan;
    uint32_t *columns = base_arena_zalloc(r->binder->arena, over->order_count + 1, sizeof *columns);
    plan->orders = base_arena_zalloc(r->binder->arena, over->order_count + 1, sizeof *plan->orders);
    if (!columns || !plan->orders)
        return BASE_E_NOMEM;
    r->names.where = "ORDER BY";
    for (uint32_t i = 0; i < over->order_count; i++) {
        const struct patterns_order_item *item = &over->order_by[i];
        const struct patterns_bound *value;
        int error = patterns_bind_expr(r->binder, &r->names, item->expr, &value);
        if (error)
            return error;
        bool only = over->order_count == 1;
        r->topn->by_arrival = only && patterns_plan_proc_time(r->text->from->plan, value);
        r->topn->by_time = only && value->kind == PATTERNS_BOUND_COLUMN && value->column == r->text->from->relation->rowtime;
        r->topn->descending = only && item->descending;
        if (!r->topn->by_arrival && patterns_plan_proc_time(r->text->from->plan, value))
            return patterns_refuse(r->binder, item->expr, "not-supported", "ORDER BY PROCTIME() alone, or by columns of the rows",
                                   "PROCTIME() cannot stand beside other columns in ORDER BY");
        if (r->topn->by_arrival)
            return 0; /* the order of the log: no column */
        error = add_hidden(r, value, &columns[i]);
        if (error)
            return error;
    }
    for (uint32_t i = 0; i < over->order_count; i++) {
        const struct patterns_order_item *item = &over->order_by[i];
        struct patterns_plan_order *o = &plan->orders[i];
        o->value = patterns_bound_column(r->binder, item->expr, &r->below->out, columns[i]);
        if (!o->value)
            return BASE_E_NOMEM;
        o->descending = item->descending;
        /* Flink: NULLs are least, so first ascending and last descending. */
        o->nulls_first = item->nulls == PATTERNS_NULLS_FIRST || (item->nulls == PATTERNS_NULLS_DEFAULT && !item->descending);
    }
    plan->order_count = over->order_count;
    return 0;
}

static uint64_t hash_window(const struct patterns_plan *plan)
{
    uint64_t h = patterns_hash_mix(plan->inputs[0]->rows, 13);
    for (uint32_t i = 0; i < plan->key_count; i++)
        h = patterns_hash_mix(h, plan->keys[i]->hash);
    for (uint32_t i = 0; i < plan->order_count; i++)
        h = patterns_hash_mix(patterns_hash_mix(h, plan->orders[i].value->hash), (uint64_t)plan->orders[i].descending * 2 + plan->orders[i].nulls_first);
    return patterns_hash_mix(h, (uint64_t)plan->topn->by_arrival * 2 + plan->topn->descending);
}

/* Columns of the result: those of the SELECT list in order. */
static int put_result(struct ranking *r, struct patterns_plan **ret)
{
    const struct patterns_plan *plan = r->plan;
    struct patterns_plan *calc = patterns_plan_calc(r->binder, plan, NULL);
    uint32_t shown = 0, n = r->below->out.count;
    const struct patterns_bound **outputs = base_arena_zalloc(r->binder->arena, (size_t)n + 2, sizeof *outputs);
    if (!calc || !outputs)
        return BASE_E_NOMEM;
    while (shown < n && !base_str_equal(r->below->out.columns[shown].name, BASE_STR("$rank")))
        shown++;
    calc->out = (struct patterns_relation){ .rowtime = PATTERNS_NO_COLUMN, .bounded = plan->out.bounded };
    for (uint32_t i = 0; i <= shown; i++) {
        uint32_t from = i == r->text->at ? n : i < r->text->at ? i : i - 1;
        struct patterns_column c = plan->out.columns[from];
        if (from == n) {
            c.name = r->text->name;
            c.quoted = r->text->quoted;
        }
        uint32_t at = patterns_relation_add(&calc->out, r->binder->arena, &c);
        outputs[i] = patterns_bound_column(r->binder, from == n ? r->text->call : NULL, &plan->out, from);
        if (at == PATTERNS_NO_COLUMN || !outputs[i])
            return BASE_E_NOMEM;
    }
    calc->outputs = outputs;
    *ret = calc;
    return 0;
}

int patterns_topn_bind(const struct patterns_topn_text *text, struct patterns_plan **ret)
{
    struct ranking r = { .text = text, .binder = text->scope->binder, .below = text->below, .names = { .relation = text->from->relation } };
    r.plan = patterns_plan_make(r.binder, PATTERNS_PLAN_TOPN, text->below);
    r.topn = base_arena_zalloc(r.binder->arena, 1, sizeof *r.topn);
    if (!r.plan || !r.topn)
        return BASE_E_NOMEM;
    *r.topn = (struct patterns_topn){ .first = 1, .last = UINT64_MAX, .eager = r.binder->eager, .ttl_ms = r.binder->state_ttl_ms };
    r.plan->topn = r.topn;
    r.plan->source = text->call->source;
    r.plan->begin = text->call->begin;
    r.plan->end = text->call->end;
    int error = check_call(&r);
    if (!error)
        error = bind_keys(&r);
    if (!error)
        error = bind_orders(&r);
    if (error)
        return error;
    struct patterns_relation *out = patterns_relation_named(r.binder, &r.below->out, (struct base_str){ NULL, 0 });
    if (!out)
        return BASE_E_NOMEM;
    r.plan->rows = hash_window(r.plan);
    const struct patterns_column rank = { .name = BASE_STR("$rank"), .type = CEP_TYPE(BIGINT), .hash = patterns_hash_mix(r.plan->rows, 14) };
    if (patterns_relation_add(out, r.binder->arena, &rank) == PATTERNS_NO_COLUMN)
        return BASE_E_NOMEM;
    r.plan->out = *out;
    r.plan->out.rowtime = PATTERNS_NO_COLUMN;
    r.plan->updating = true;
    return put_result(&r, ret);
}

/* ---- bounds ---- */

/* The column of plan that is the rank of an unbounded TOPN below; PATTERNS_NO_COLUMN: none. */
static uint32_t rank_column(const struct patterns_plan *plan)
{
    if (plan->kind == PATTERNS_PLAN_TOPN)
        return plan->topn->last == UINT64_MAX ? plan->out.count - 1 : PATTERNS_NO_COLUMN;
    if (plan->kind != PATTERNS_PLAN_CALC)
        return PATTERNS_NO_COLUMN;
    uint32_t below = rank_column(plan->inputs[0]);
    if (below == PATTERNS_NO_COLUMN || !plan->outputs)
        return below;
    for (uint32_t i = 0; i < plan->out.count; i++)
        if (plan->outputs[i]->kind == PATTERNS_BOUND_COLUMN && plan->outputs[i]->column == below)
            return i;
    return PATTERNS_NO_COLUMN;
}

static const struct patterns_bound *uncast(const struct patterns_bound *bound)
{
    return bound->kind == PATTERNS_BOUND_CAST && bound->type.kind != CEP_KIND_STRING ? bound->args[0] : bound;
}

static bool is_rank(const struct patterns_bound *bound, uint32_t rank)
{
    bound = uncast(bound);
    return bound->kind == PATTERNS_BOUND_COLUMN && bound->column == rank;
}

static bool whole(const struct patterns_bound *bound, int64_t *ret)
{
    bound = uncast(bound);
    if (bound->kind != PATTERNS_BOUND_CONST || bound->value.null || (bound->type.kind != CEP_KIND_INT && bound->type.kind != CEP_KIND_BIGINT))
        return false;
    *ret = bound->value.i;
    return true;
}

struct bounds { int64_t first, last; };

static void narrow(struct bounds *b, int64_t first, int64_t last)
{
    b->first = first > b->first ? first : b->first;
    b->last = last < b->last ? last : b->last;
}

static bool take_comparison(const struct patterns_bound *c, uint32_t rank, struct bounds *b)
{
    int64_t n;
    bool swapped = !is_rank(c->args[0], rank);
    enum patterns_bound_kind kind = c->kind;
    if (!is_rank(c->args[swapped], rank) || !whole(c->args[!swapped], &n) || n == INT64_MAX || n == INT64_MIN)
        return false;
    if (swapped)
        kind = kind == PATTERNS_BOUND_LT   ? PATTERNS_BOUND_GT
               : kind == PATTERNS_BOUND_LE ? PATTERNS_BOUND_GE
               : kind == PATTERNS_BOUND_GT ? PATTERNS_BOUND_LT
               : kind == PATTERNS_BOUND_GE ? PATTERNS_BOUND_LE
                                           : kind;
    if (kind == PATTERNS_BOUND_LE || kind == PATTERNS_BOUND_LT)
        narrow(b, 1, kind == PATTERNS_BOUND_LE ? n : n - 1);
    else if (kind == PATTERNS_BOUND_GE || kind == PATTERNS_BOUND_GT)
        narrow(b, kind == PATTERNS_BOUND_GE ? n : n + 1, INT64_MAX);
    else if (kind == PATTERNS_BOUND_EQ)
        narrow(b, n, n);
    else
        return false;
    return true;
}

/* A condition on the rank alone. */
static bool take(const struct patterns_bound *c, uint32_t rank, struct bounds *b)
{
    int64_t low, high;
    if (c->kind == PATTERNS_BOUND_BETWEEN && is_rank(c->args[0], rank) && whole(c->args[1], &low) && whole(c->args[2], &high)) {
        narrow(b, low, high);
        return true;
    }
    bool comparison = c->kind == PATTERNS_BOUND_LT || c->kind == PATTERNS_BOUND_LE || c->kind == PATTERNS_BOUND_GT || c->kind == PATTERNS_BOUND_GE ||
                      c->kind == PATTERNS_BOUND_EQ;
    return comparison && take_comparison(c, rank, b);
}

static const struct patterns_plan *with_bounds(struct patterns_binder *binder, const struct patterns_plan *plan, const struct bounds *b)
{
    struct patterns_plan *copy = base_arena_alloc(binder->arena, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *plan;
    if (plan->kind == PATTERNS_PLAN_CALC) {
        copy->inputs = base_arena_zalloc(binder->arena, 1, sizeof *copy->inputs);
        if (!copy->inputs || !(copy->inputs[0] = with_bounds(binder, plan->inputs[0], b)))
            return NULL;
        return copy;
    }
    struct patterns_topn *topn = base_arena_alloc(binder->arena, sizeof *topn);
    if (!topn)
        return NULL;
    *topn = *plan->topn;
    topn->first = (uint64_t)b->first;
    topn->last = (uint64_t)b->last;
    bool first_only = b->last == 1 && !topn->descending && !patterns_plan_updating(plan->inputs[0]);
    if (first_only && topn->by_arrival)
        topn->mode = CEP_TOPN_FIRST_NOW;
    else if (first_only && topn->by_time && !topn->eager)
        topn->mode = CEP_TOPN_FIRST_FINAL;
    copy->topn = topn;
    copy->updating = topn->mode == CEP_TOPN_RANKS;
    copy->rows = patterns_hash_mix(patterns_hash_mix(plan->rows, topn->first), topn->last);
    return copy;
}

/* Rows that are never taken back keep their event time, where the SELECT list still has its column. */
static uint32_t settle_rowtime(struct patterns_plan *plan)
{
    if (plan->kind == PATTERNS_PLAN_TOPN) {
        plan->out.rowtime = plan->topn->mode != CEP_TOPN_RANKS ? plan->inputs[0]->out.rowtime : PATTERNS_NO_COLUMN;
        return plan->out.rowtime;
    }
    uint32_t below = settle_rowtime((struct patterns_plan *)(uintptr_t)plan->inputs[0]);
    plan->out.rowtime = PATTERNS_NO_COLUMN;
    for (uint32_t i = 0; below != PATTERNS_NO_COLUMN && i < plan->out.count && plan->out.rowtime == PATTERNS_NO_COLUMN; i++)
        if (plan->outputs ? plan->outputs[i]->kind == PATTERNS_BOUND_COLUMN && plan->outputs[i]->column == below : i == below)
            plan->out.rowtime = i;
    return plan->out.rowtime;
}

int patterns_topn_bound(struct patterns_binder *binder, const struct patterns_plan **plan, const struct patterns_bound **filter)
{
    const struct patterns_bound *parts[CONJUNCTS_MAX], *rest[CONJUNCTS_MAX];
    uint32_t rank = rank_column(*plan), rests = 0, n = patterns_conjuncts(*filter, parts, CONJUNCTS_MAX);
    struct bounds b = { 1, INT64_MAX };
    if (rank == PATTERNS_NO_COLUMN || n > CONJUNCTS_MAX)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        if (!take(parts[i], rank, &b))
            rest[rests++] = parts[i];
    if (b.last == INT64_MAX)
        return 0; /* not bounded here */
    if (b.last < b.first || b.last > PATTERNS_RANK_MAX)
        return patterns_refuse_at(binder, (*filter)->source, (*filter)->begin, (*filter)->end, b.last < b.first ? "never-true" : "limit", NULL,
                                  b.last < b.first ? "no rank is both at least %lld and at most %lld" : "ranks %lld to %lld: at most 100000 can be kept",
                                  (long long)b.first, (long long)b.last);
    *plan = with_bounds(binder, *plan, &b);
    if (!*plan)
        return BASE_E_NOMEM;
    (void)settle_rowtime((struct patterns_plan *)(uintptr_t)*plan);
    const struct patterns_bound *kept = rests == 1 ? rest[0] : NULL;
    if (rests > 1 && !(kept = patterns_bound_op(binder, NULL, PATTERNS_BOUND_AND, CEP_TYPE(BOOLEAN), rest, rests)))
        return BASE_E_NOMEM;
    *filter = kept;
    return 0;
}

int patterns_topn_check(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    for (uint32_t i = 0; i < plan->input_count; i++) {
        int error = patterns_topn_check(binder, plan->inputs[i]);
        if (error)
            return error;
    }
    if (plan->kind != PATTERNS_PLAN_TOPN || plan->topn->last != UINT64_MAX)
        return 0;
    return patterns_refuse_at(binder, plan->source, plan->begin, plan->end, "not-supported",
                              "bound it in a query around: SELECT ... FROM (SELECT ..., ROW_NUMBER() OVER (...) AS rn FROM t) WHERE rn <= 10",
                              "ROW_NUMBER() without bound would number rows for ever");
}

/* ---- emission ---- */

bool patterns_topn_compares(const struct patterns_plan *plan)
{
    const struct patterns_topn *t = plan->topn;
    return !t->by_arrival && !(t->by_time && (!t->descending || t->last == 1));
}

uint32_t patterns_topn_emit(const struct patterns_plan *plan, struct cep_builder *builder, struct cep_list orders, uint32_t rank_at)
{
    const struct patterns_topn *t = plan->topn;
    struct cep_topn detail = { .keys = orders, .first = t->first, .last = t->last, .mode = t->mode, .rank_column = rank_at, .ttl_ms = t->ttl_ms };
    detail.append_only = !patterns_plan_updating(plan->inputs[0]);
    detail.newest_first = t->descending && !patterns_topn_compares(plan);
    if (t->mode == CEP_TOPN_LATEST)
        detail.append_only = false;
    return cep_builder_add(builder, CEP_SEC_TOPNS, &detail, 1);
}
