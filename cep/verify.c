#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/row.h"
#include "cep/sections.h"

/* The verifier: total over any bytes. First the block and its sections, then every element's own indexes, then the
 * nodes in their order, each with the types of the rows that it reads and gives, and the codes in the contexts in which
 * the nodes use them. */

struct checker {
    const struct cep_program *program;
    uint8_t *used;          /* per code: some node uses it, it was checked in that context */
    struct cep_type *types; /* room for the columns of a context: CEP_COLUMNS_MAX */
    int error;              /* first BASE_E_* of a code: NOMEM is told apart from CORRUPT */
};

static bool list_in(struct cep_list list, uint32_t count)
{
    return list.first <= count && list.count <= count - list.first;
}

static bool text_good(const struct cep_program *p, struct cep_text t)
{
    return list_in((struct cep_list){ t.off, t.len }, (uint32_t)p->sections[CEP_SEC_STRINGS].count);
}

static bool optional(uint32_t index, uint32_t count)
{
    return index == CEP_NONE || index < count;
}

/* A run of u32s, each below limit (or CEP_NONE where allowed). */
static bool u32s_good(const struct cep_program *p, struct cep_list list, uint32_t limit, bool none)
{
    if (!list_in(list, cep_program_u32_count(p)))
        return false;
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t value = *cep_program_u32(p, list.first + i);
        if (value >= limit && !(none && value == CEP_NONE))
            return false;
    }
    return true;
}

static uint32_t u32_of(const struct cep_program *p, struct cep_list list, uint32_t i)
{
    return *cep_program_u32(p, list.first + i);
}

/* ---- the block ---- */

static bool block_good(const struct cep_program *p, uint64_t bytes)
{
    if (!p || ((uintptr_t)p & 7) || bytes < sizeof *p || p->magic != CEP_PROGRAM_MAGIC ||
        p->version != CEP_PROGRAM_VERSION || p->size_bytes != bytes)
        return false;
    uint64_t behind = sizeof *p;
    for (int i = 0; i < CEP_SEC_COUNT_; i++) {
        uint64_t off = p->sections[i].off, count = p->sections[i].count;
        if ((off & 7) || off < behind || off > bytes || count > CEP_SECTION_MAX)
            return false;
        uint64_t len = count * cep_section_size((enum cep_section)i);
        if (len > bytes - off)
            return false;
        behind = off + len;
    }
    return true;
}

/* ---- elements whose indexes need no context ---- */

static bool consts_good(const struct cep_program *p)
{
    for (uint32_t i = 0; i < cep_program_const_count(p); i++) {
        const struct cep_const *c = cep_program_const(p, i);
        if (!cep_type_valid(c->type) || c->null > 1 || (c->type.kind == CEP_KIND_NULL && !c->null))
            return false;
        if (!c->null && cep_kind_is_text(c->type.kind) &&
            (c->lo > UINT32_MAX || c->hi > UINT32_MAX ||
             !text_good(p, (struct cep_text){ (uint32_t)c->lo, (uint32_t)c->hi })))
            return false;
    }
    return true;
}

static bool callsites_good(const struct cep_program *p)
{
    for (uint32_t i = 0; i < cep_program_callsite_count(p); i++) {
        const struct cep_callsite *s = cep_program_callsite(p, i);
        if (!text_good(p, s->name) || !list_in(s->arg_types, cep_program_type_count(p)) ||
            s->arg_types.count > CEP_FUNC_ARGS_MAX || !u32s_good(p, s->arg_consts, cep_program_const_count(p), true) ||
            s->arg_consts.count != s->arg_types.count || !cep_type_valid(s->ret))
            return false;
        for (uint32_t n = 0; n < s->arg_consts.count; n++) {
            uint32_t c = u32_of(p, s->arg_consts, n);
            if (c == CEP_NONE)
                continue;
            const struct cep_const *value = cep_program_const(p, c);
            if (!value->null && cep_class_of(value->type) != cep_class_of(*cep_program_type(p, s->arg_types.first + n)))
                return false;
        }
    }
    return true;
}

static bool names_good(const struct cep_program *p)
{
    for (uint32_t i = 0; i < cep_program_type_count(p); i++)
        if (!cep_type_valid(*cep_program_type(p, i)))
            return false;
    for (uint32_t i = 0; i < cep_program_column_count(p); i++)
        if (!text_good(p, cep_program_column(p, i)->name) || !cep_type_valid(cep_program_column(p, i)->type))
            return false;
    for (uint32_t i = 0; i < cep_program_option_count(p); i++)
        if (!text_good(p, cep_program_option(p, i)->key) || !text_good(p, cep_program_option(p, i)->value))
            return false;
    for (uint32_t i = 0; i < cep_program_schema_count(p); i++) {
        const struct cep_schema *s = cep_program_schema(p, i);
        if (!list_in(s->columns, cep_program_column_count(p)) || s->columns.count > CEP_COLUMNS_MAX ||
            !optional(s->rowtime, s->columns.count))
            return false;
    }
    return true;
}

static bool tables_good(const struct cep_program *p)
{
    for (uint32_t i = 0; i < cep_program_field_count(p); i++) {
        const struct cep_field *f = cep_program_field(p, i);
        if (!text_good(p, f->name) || !text_good(p, f->path) || !cep_type_valid(f->type) ||
            f->metadata > CEP_META_FILE || f->not_null > 1)
            return false;
    }
    for (uint32_t i = 0; i < cep_program_table_count(p); i++) {
        const struct cep_table *t = cep_program_table(p, i);
        if (!text_good(p, t->name) || !list_in(t->options, cep_program_option_count(p)) ||
            !list_in(t->fields, cep_program_field_count(p)) || t->fields.count > CEP_COLUMNS_MAX ||
            !u32s_good(p, t->key_fields, t->fields.count, false) || !optional(t->rowtime_field, t->fields.count) ||
            t->is_profile > 1 || t->changes > 1 || (t->changes && t->key_fields.count == 0))
            return false;
    }
    return true;
}

/* Lengths of time are added to times of rows: both must be far from the ends of the scale. */
static bool span_good(int64_t ms)
{
    return ms >= 0 && ms <= BASE_TIME_MAX_MS / 4;
}

static bool rules_good(const struct cep_program *p)
{
    for (uint32_t i = 0; i < cep_program_rule_count(p); i++) {
        const struct cep_rule *r = cep_program_rule(p, i);
        const struct cep_text texts[] = { r->name,        r->severity,  r->title,   r->mode, r->sinks,
                                          r->fingerprint, r->stability, r->witness, r->text, r->file };
        for (size_t n = 0; n < sizeof texts / sizeof *texts; n++)
            if (!text_good(p, texts[n]))
                return false;
        if (!list_in(r->options, cep_program_option_count(p)) || r->eager > 1 || !span_good(r->suppress_ms) ||
            !optional(r->alert_node, cep_program_node_count(p)) || !optional(r->match_node, cep_program_node_count(p)))
            return false;
        if (r->alert_node != CEP_NONE && cep_program_node(p, r->alert_node)->kind != CEP_NODE_ALERT)
            return false;
        if (r->match_node != CEP_NONE && cep_program_node(p, r->match_node)->kind != CEP_NODE_MATCH)
            return false;
    }
    for (uint32_t i = 0; i < cep_program_sink_count(p); i++) {
        const struct cep_sink *s = cep_program_sink(p, i);
        uint32_t limit = s->kind == CEP_SINK_TABLE || s->kind == CEP_SINK_VIEW ? cep_program_table_count(p) : cep_program_rule_count(p);
        if (s->kind < CEP_SINK_QUERY || s->kind > CEP_SINK_VIEW || (s->kind != CEP_SINK_QUERY && s->detail >= limit) ||
            s->accepts_changes > 1)
            return false;
    }
    for (uint32_t i = 0; i < cep_program_order_count(p); i++)
        if (cep_program_order(p, i)->code >= cep_program_code_count(p))
            return false;
    for (uint32_t i = 0; i < cep_program_sort_count(p); i++)
        if (!list_in(cep_program_sort(p, i)->keys, cep_program_order_count(p)))
            return false;
    return true;
}

/* ---- codes in their contexts ---- */

static bool code_in(struct checker *c, uint32_t code, const struct cep_code_context *context)
{
    if (code >= cep_program_code_count(c->program))
        return false;
    c->used[code] = 1;
    int e = cep_verify_code(context, code);
    if (e < 0 && !c->error)
        c->error = e;
    return e == 0;
}

static bool code_typed(struct checker *c, uint32_t code, const struct cep_code_context *context, struct cep_type type)
{
    if (!code_in(c, code, context))
        return false;
    struct cep_type have = cep_program_code(c->program, code)->type;
    if (have.kind != CEP_KIND_NULL || type.kind == CEP_KIND_NULL)
        return cep_type_equal(have, type);
    const struct cep_code *k =
        cep_program_code(c->program, code); /* a code of type NULL gives NULL only if it gives anything */
    return cep_program_insn(c->program, k->first + k->count - 1)->op == CEP_OP_RETURN;
}

static struct cep_code_context context_of(struct checker *c, uint32_t schema)
{
    struct cep_list columns = cep_program_schema(c->program, schema)->columns;
    for (uint32_t i = 0; i < columns.count; i++)
        c->types[i] = cep_program_column(c->program, columns.first + i)->type;
    return (struct cep_code_context){
        .program = c->program, .known = true, .columns = c->types, .column_count = columns.count
    };
}

static struct cep_type column_type(const struct checker *c, uint32_t schema, uint32_t column)
{
    return cep_program_column(c->program, cep_program_schema(c->program, schema)->columns.first + column)->type;
}

static uint32_t columns_of(const struct checker *c, uint32_t schema)
{
    return cep_program_schema(c->program, schema)->columns.count;
}

static bool schemas_equal(const struct checker *c, uint32_t a, uint32_t b)
{
    if (columns_of(c, a) != columns_of(c, b))
        return false;
    for (uint32_t i = 0; i < columns_of(c, a); i++)
        if (!cep_type_equal(column_type(c, a, i), column_type(c, b, i)))
            return false;
    return true;
}

static bool orders_good(struct checker *c, struct cep_list orders, const struct cep_code_context *context)
{
    if (!list_in(orders, cep_program_order_count(c->program)))
        return false;
    for (uint32_t i = 0; i < orders.count; i++) {
        uint32_t code = cep_program_order(c->program, orders.first + i)->code;
        if (!code_in(c, code, context) || cep_program_code(c->program, code)->type.kind == CEP_KIND_NULL)
            return false;
    }
    return true;
}

/* ---- nodes ---- */

static bool source_good(const struct checker *c, const struct cep_node *n)
{
    if (n->detail >= cep_program_table_count(c->program) || n->clock > 1 || !span_good(n->late_ms) || (n->clock && n->late_ms))
        return false;
    struct cep_list fields = cep_program_table(c->program, n->detail)->fields;
    if (fields.count != columns_of(c, n->schema))
        return false;
    for (uint32_t i = 0; i < fields.count; i++)
        if (!cep_type_equal(cep_program_field(c->program, fields.first + i)->type, column_type(c, n->schema, i)))
            return false;
    return true;
}

static bool calc_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    if (n->detail >= cep_program_calc_count(c->program))
        return false;
    const struct cep_calc *calc = cep_program_calc(c->program, n->detail);
    struct cep_code_context context = context_of(c, input);
    if (calc->filter != CEP_NONE && !code_typed(c, calc->filter, &context, CEP_TYPE(BOOLEAN)))
        return false;
    if (calc->rowtime_code != CEP_NONE &&
        (!code_in(c, calc->rowtime_code, &context) ||
         cep_class_of(cep_program_code(c->program, calc->rowtime_code)->type) != CEP_CLASS_I))
        return false;
    if (!u32s_good(c->program, calc->outputs, cep_program_code_count(c->program), false))
        return false;
    if (calc->outputs.count == 0)
        return schemas_equal(c, input, n->schema);
    if (calc->outputs.count != columns_of(c, n->schema))
        return false;
    for (uint32_t i = 0; i < calc->outputs.count; i++)
        if (!code_typed(c, u32_of(c->program, calc->outputs, i), &context, column_type(c, n->schema, i)))
            return false;
    return true;
}

static bool lookup_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    const struct cep_program *p = c->program;
    if (n->detail >= cep_program_lookup_count(p))
        return false;
    const struct cep_lookup *l = cep_program_lookup(p, n->detail);
    if (l->table >= cep_program_table_count(p) || l->left_outer > 1 || l->eager > 1)
        return false;
    const struct cep_table *t = cep_program_table(p, l->table);
    if (!u32s_good(p, l->keys, cep_program_code_count(p), false) || l->keys.count != t->key_fields.count ||
        !u32s_good(p, l->columns, t->fields.count, false))
        return false;
    struct cep_code_context context = context_of(c, input);
    for (uint32_t i = 0; i < l->keys.count; i++) {
        struct cep_type type = cep_program_field(p, t->fields.first + u32_of(p, t->key_fields, i))->type;
        if (!code_typed(c, u32_of(p, l->keys, i), &context, type))
            return false;
    }
    if (l->as_of != CEP_NONE &&
        (!code_in(c, l->as_of, &context) || cep_class_of(cep_program_code(p, l->as_of)->type) != CEP_CLASS_I))
        return false;
    uint32_t left = columns_of(c, input);
    if (columns_of(c, n->schema) != left + l->columns.count)
        return false;
    for (uint32_t i = 0; i < left + l->columns.count; i++) {
        struct cep_type want = i < left ? column_type(c, input, i)
                                        : cep_program_field(p, t->fields.first + u32_of(p, l->columns, i - left))->type;
        if (!cep_type_equal(want, column_type(c, n->schema, i)))
            return false;
    }
    context = context_of(c, n->schema);
    return l->filter == CEP_NONE || code_typed(c, l->filter, &context, CEP_TYPE(BOOLEAN));
}

static bool nfa_good(const struct cep_program *p, const struct cep_match *m, const struct cep_nfa *s)
{
    if (s->op < CEP_NFA_MATCH || s->op > CEP_NFA_LOOP_OUT || s->excluded > 1 || s->any > 1)
        return false;
    bool one = s->op != CEP_NFA_MATCH, two = s->op == CEP_NFA_SPLIT || s->op == CEP_NFA_LOOP_OUT;
    if ((one && s->a >= m->nfas.count) || (two && s->b >= m->nfas.count))
        return false;
    if (s->op == CEP_NFA_TAKE && s->var >= m->vars.count)
        return false;
    if (s->op == CEP_NFA_GUARD && s->guard >= m->guards.count)
        return false;
    if (s->op == CEP_NFA_ABSENT && s->absent_ms != 0 && (m->last_time_reg == CEP_NONE || !span_good(s->absent_ms)))
        return false;
    if ((s->op == CEP_NFA_LOOP_IN || s->op == CEP_NFA_LOOP_OUT) && (s->loop >= 64 || s->loop >= m->nullable_loops))
        return false;
    return u32s_good(p, s->firsts, m->preds.count, false) && u32s_good(p, s->live, m->live_regs.count, false);
}

static bool regs_good(const struct cep_program *p, struct cep_list regs)
{
    for (uint32_t i = 0; i < regs.count; i++) {
        const struct cep_reg *r = cep_program_reg(p, regs.first + i);
        if (!cep_type_valid(r->type) || r->init >= cep_program_const_count(p))
            return false;
        const struct cep_const *init = cep_program_const(p, r->init);
        if (!init->null && !cep_type_equal(init->type, r->type))
            return false;
    }
    return true;
}

static bool match_lists_good(const struct cep_program *p, const struct cep_match *m)
{
    if (!list_in(m->nfas, cep_program_nfa_count(p)) || m->nfas.count == 0 ||
        !list_in(m->vars, cep_program_var_count(p)) || !list_in(m->preds, cep_program_pred_count(p)) ||
        !list_in(m->guards, cep_program_guard_count(p)) || m->guards.count > 32 ||
        !list_in(m->live_regs, cep_program_reg_count(p)) || m->live_regs.count > CEP_COLUMNS_MAX ||
        !list_in(m->out_regs, cep_program_reg_count(p)) || m->out_regs.count > CEP_COLUMNS_MAX ||
        !list_in(m->outs, cep_program_out_count(p)) || !u32s_good(p, m->skip_vars, m->vars.count, false) ||
        m->nullable_loops > 64 || m->vars.count > UINT16_MAX || m->rows > CEP_ROWS_ALL_UNMATCHED ||
        m->skip > CEP_SKIP_LAST || !optional(m->last_time_reg, m->live_regs.count) ||
        !span_good(m->within_ms) || !span_good(m->hold_ms))
        return false;
    for (uint32_t i = 0; i < m->nfas.count; i++)
        if (!nfa_good(p, m, cep_program_nfa(p, m->nfas.first + i)))
            return false;
    for (uint32_t i = 0; i < m->guards.count; i++) {
        const struct cep_guard *g = cep_program_guard(p, m->guards.first + i);
        if (g->kind < CEP_GUARD_NOT || g->kind > CEP_GUARD_NOT_AHEAD ||
            !u32s_good(p, g->preds, m->preds.count, false) ||
            (g->lifts.count && !u32s_good(p, g->lifts, m->preds.count, false)))
            return false;
    }
    if (m->last_time_reg != CEP_NONE &&
        cep_class_of(cep_program_reg(p, m->live_regs.first + m->last_time_reg)->type) != CEP_CLASS_I)
        return false;
    return regs_good(p, m->live_regs) && regs_good(p, m->out_regs);
}

static bool update_good(struct checker *c, uint32_t code, const struct cep_code_context *context)
{
    return code == CEP_NONE ||
           (code_in(c, code, context) && cep_program_code(c->program, code)->type.kind == CEP_KIND_NULL);
}

static bool match_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    const struct cep_program *p = c->program;
    if (n->detail >= cep_program_match_count(p))
        return false;
    const struct cep_match *m = cep_program_match(p, n->detail);
    if (!match_lists_good(p, m) || m->outs.count != columns_of(c, n->schema))
        return false;
    struct cep_code_context plain = context_of(c, input), live = plain, out = plain;
    live.regs = m->live_regs;
    out.regs = m->out_regs;
    for (uint32_t i = 0; i < m->preds.count; i++) {
        const struct cep_pred *pred = cep_program_pred(p, m->preds.first + i);
        const struct cep_code_context *context = pred->unary ? &plain : &live;
        if (pred->unary > 1 || !optional(pred->var, m->vars.count) ||
            (pred->code != CEP_NONE && !code_typed(c, pred->code, context, CEP_TYPE(BOOLEAN))))
            return false;
    }
    for (uint32_t i = 0; i < m->vars.count; i++) {
        const struct cep_var *v = cep_program_var(p, m->vars.first + i);
        if (!text_good(p, v->name) || v->pred >= m->preds.count || !update_good(c, v->live_update, &live) ||
            !update_good(c, v->out_update, &out))
            return false;
    }
    for (uint32_t i = 0; i < m->outs.count; i++) {
        const struct cep_out *o = cep_program_out(p, m->outs.first + i);
        struct cep_type type = column_type(c, n->schema, i);
        if (o->kind == CEP_OUT_COLUMN
                ? o->column >= columns_of(c, input) || !cep_type_equal(column_type(c, input, o->column), type)
                : o->kind != CEP_OUT_MEASURE || !code_typed(c, o->code, &out, type))
            return false;
    }
    return orders_good(c, m->order, &plain);
}

static bool keys_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    const struct cep_program *p = c->program;
    if (!u32s_good(p, n->keys, cep_program_code_count(p), false) || n->keys.count > CEP_COLUMNS_MAX ||
        !list_in(n->key_columns, cep_program_column_count(p)))
        return false;
    /* An ALERT without codes bears the key that its row came with; key_columns still name it. */
    if (n->key_columns.count != n->keys.count && !(n->kind == CEP_NODE_ALERT && n->keys.count == 0))
        return false;
    struct cep_code_context context = context_of(c, input);
    for (uint32_t i = 0; i < n->keys.count; i++)
        if (!code_typed(c, u32_of(p, n->keys, i), &context, cep_program_column(p, n->key_columns.first + i)->type))
            return false;
    return true;
}

static double const_double(const struct cep_program *p, uint32_t index)
{
    double d;
    memcpy(&d, &cep_program_const(p, index)->lo, sizeof d);
    return d;
}

/* ---- aggregates ---- */

static bool agg_good(struct checker *c, const struct cep_agg *agg, const struct cep_code_context *context)
{
    const struct cep_program *p = c->program;
    bool whole = agg->kind == CEP_AGG_COUNT, fraction = agg->kind == CEP_AGG_PERCENTILE || agg->kind == CEP_AGG_APPROX_PERCENTILE || agg->kind == CEP_AGG_EWMA;
    bool number = agg->kind == CEP_AGG_SUM || agg->kind == CEP_AGG_AVG || (agg->kind >= CEP_AGG_VAR_POP && agg->kind <= CEP_AGG_STDDEV_SAMP) || fraction;
    if (agg->kind < CEP_AGG_COUNT || agg->kind >= CEP_AGG_KINDS || agg->distinct > 1 || agg->retracts > 1 || !cep_type_valid(agg->type) ||
        !cep_type_valid(agg->arg_type) || !optional(agg->param, cep_program_const_count(p)))
        return false;
    if (agg->filter != CEP_NONE && !code_typed(c, agg->filter, context, CEP_TYPE(BOOLEAN)))
        return false;
    if (agg->arg == CEP_NONE)
        return whole && !agg->distinct && cep_type_equal(agg->type, CEP_TYPE(BIGINT));
    if (!code_typed(c, agg->arg, context, agg->arg_type) || agg->arg_type.kind == CEP_KIND_NULL)
        return false;
    enum cep_class class = cep_class_of(agg->arg_type);
    if (number && class == CEP_CLASS_S)
        return false;
    if ((agg->kind == CEP_AGG_MIN || agg->kind == CEP_AGG_MAX || agg->kind == CEP_AGG_FIRST || agg->kind == CEP_AGG_LAST) &&
        (!cep_type_equal(agg->type, agg->arg_type) || agg->distinct))
        return false;
    if ((agg->kind == CEP_AGG_LISTAGG && agg->arg_type.kind != CEP_KIND_STRING) || (agg->distinct && (agg->kind >= CEP_AGG_FIRST)))
        return false;
    if (fraction && (agg->param == CEP_NONE || cep_program_const(p, agg->param)->type.kind != CEP_KIND_DOUBLE || cep_program_const(p, agg->param)->null))
        return false;
    if (agg->kind == CEP_AGG_EWMA && (agg->arg_type.kind != CEP_KIND_DOUBLE || !(const_double(p, agg->param) >= 0.01 && const_double(p, agg->param) <= 1)))
        return false;
    return agg->kind != CEP_AGG_LISTAGG || agg->param == CEP_NONE ||
           (cep_program_const(p, agg->param)->type.kind == CEP_KIND_STRING && !cep_program_const(p, agg->param)->null);
}

/* The class that a result has: what cep_agg_result() puts into the row. */
static bool agg_type_good(const struct cep_agg *agg)
{
    enum cep_class type = cep_class_of(agg->type), arg = cep_class_of(agg->arg_type);
    switch ((enum cep_agg_kind)agg->kind) {
    case CEP_AGG_COUNT:
    case CEP_AGG_APPROX_DISTINCT: return type == CEP_CLASS_I;
    case CEP_AGG_SUM: return type == arg && (type != CEP_CLASS_N || (agg->type.precision == 38 && agg->type.scale == agg->arg_type.scale));
    case CEP_AGG_AVG: return arg == CEP_CLASS_N ? type == CEP_CLASS_N : type == CEP_CLASS_D;
    case CEP_AGG_MIN:
    case CEP_AGG_MAX:
    case CEP_AGG_FIRST:
    case CEP_AGG_LAST: return true;
    case CEP_AGG_VAR_POP:
    case CEP_AGG_VAR_SAMP:
    case CEP_AGG_STDDEV_POP:
    case CEP_AGG_STDDEV_SAMP:
    case CEP_AGG_PERCENTILE:
    case CEP_AGG_APPROX_PERCENTILE:
    case CEP_AGG_EWMA: return type == CEP_CLASS_D;
    case CEP_AGG_LISTAGG: return agg->type.kind == CEP_KIND_STRING;
    case CEP_AGG_ARRAY: return agg->type.kind == CEP_KIND_ARRAY && cep_type_equal(agg->type, agg->arg_type);
    case CEP_AGG_LAG: return cep_type_equal(agg->type, agg->arg_type);
    case CEP_AGG_ZSCORE: return type == CEP_CLASS_D && arg != CEP_CLASS_S;
    }
    return false;
}

static bool aggs_good(struct checker *c, struct cep_list aggs, const struct cep_code_context *context)
{
    if (!list_in(aggs, cep_program_agg_count(c->program)) || aggs.count > CEP_COLUMNS_MAX)
        return false;
    for (uint32_t i = 0; i < aggs.count; i++)
        if (!agg_good(c, cep_program_agg(c->program, aggs.first + i), context) || !agg_type_good(cep_program_agg(c->program, aggs.first + i)))
            return false;
    return true;
}

/* Its rows are the input's, with the rank behind. */
static bool topn_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    const struct cep_program *p = c->program;
    if (n->detail >= cep_program_topn_count(p))
        return false;
    const struct cep_topn *t = cep_program_topn(p, n->detail);
    struct cep_code_context context = context_of(c, input);
    uint32_t columns = columns_of(c, input), ranks = t->rank_column != CEP_NONE;
    if (t->first < 1 || t->last < t->first || t->last > UINT32_MAX || t->mode > CEP_TOPN_LATEST || (t->mode == CEP_TOPN_LATEST && (ranks || n->keys.count == 0)) || t->newest_first > 1 || !span_good(t->ttl_ms) ||
        (ranks && t->rank_column != columns) || columns_of(c, n->schema) != columns + ranks ||
        (ranks && column_type(c, n->schema, columns).kind != CEP_KIND_BIGINT))
        return false;
    for (uint32_t i = 0; i < columns; i++)
        if (!cep_type_equal(column_type(c, input, i), column_type(c, n->schema, i)))
            return false;
    return orders_good(c, t->keys, &context);
}

static bool join_good(struct checker *c, const struct cep_node *n)
{
    const struct cep_program *p = c->program;
    if (n->detail >= cep_program_join_count(p))
        return false;
    const struct cep_join *j = cep_program_join(p, n->detail);
    struct cep_code_context context = context_of(c, n->schema);
    uint32_t at = 0;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t input = cep_program_node(p, u32_of(p, n->inputs, side))->schema;
        for (uint32_t i = 0; i < columns_of(c, input); i++, at++)
            if (at >= columns_of(c, n->schema) || !cep_type_equal(column_type(c, input, i), column_type(c, n->schema, at)))
                return false;
    }
    return at == columns_of(c, n->schema) && j->interval <= 1 && j->outer <= 3 && j->time <= CEP_JOIN_TIME_LATEST && j->lo_ms <= j->hi_ms &&
           j->lo_ms > -INT64_MAX / 4 && j->hi_ms < INT64_MAX / 4 && span_good(j->ttl_ms) &&
           (j->filter == CEP_NONE || code_typed(c, j->filter, &context, CEP_TYPE(BOOLEAN)));
}

/* Output columns: each of the type that its source has. */
static bool agg_outs_good(struct checker *c, const struct cep_node *n, uint32_t input, struct cep_list outs, struct cep_list aggs)
{
    const struct cep_program *p = c->program;
    if (!u32s_good(p, outs, UINT32_MAX, false) || outs.count != columns_of(c, n->schema))
        return false;
    for (uint32_t i = 0; i < outs.count; i++) {
        uint32_t out = u32_of(p, outs, i), at = CEP_AGG_OUT_NUMBER(out);
        struct cep_type type = column_type(c, n->schema, i);
        bool good = false;
        if (CEP_AGG_OUT_CLASS(out) == CEP_AGG_OUT_KEY)
            good = at < n->key_columns.count && cep_type_equal(cep_program_column(p, n->key_columns.first + at)->type, type);
        else if (CEP_AGG_OUT_CLASS(out) == CEP_AGG_OUT_AGG)
            good = at < aggs.count && cep_type_equal(cep_program_agg(p, aggs.first + at)->type, type);
        else if (CEP_AGG_OUT_CLASS(out) == CEP_AGG_OUT_WINDOW)
            good = n->kind == CEP_NODE_WINDOW && at < 3 && cep_class_of(type) == CEP_CLASS_I;
        else if (CEP_AGG_OUT_CLASS(out) == CEP_AGG_OUT_COLUMN)
            good = (n->kind == CEP_NODE_OVER || (n->kind == CEP_NODE_WINDOW && cep_program_window(p, n->detail)->assigns)) &&
                   at < columns_of(c, input) && cep_type_equal(column_type(c, input, at), type);
        if (!good)
            return false;
    }
    return true;
}

static bool time_good(struct checker *c, uint32_t code, const struct cep_code_context *context)
{
    return code_in(c, code, context) && cep_class_of(cep_program_code(c->program, code)->type) == CEP_CLASS_I;
}

static bool group_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    if (n->detail >= cep_program_group_count(c->program))
        return false;
    const struct cep_group *g = cep_program_group(c->program, n->detail);
    struct cep_code_context context = context_of(c, input);
    return aggs_good(c, g->aggs, &context) && agg_outs_good(c, n, input, g->outs, g->aggs) && g->eager <= 2 && g->opens <= 1 && span_good(g->ttl_ms) &&
           !(g->opens && (g->eager || n->keys.count));
}

static bool window_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    if (n->detail >= cep_program_window_count(c->program))
        return false;
    const struct cep_window *w = cep_program_window(c->program, n->detail);
    struct cep_code_context context = context_of(c, input);
    bool session = w->kind == CEP_WINDOW_SESSION;
    if (w->kind < CEP_WINDOW_TUMBLE || w->kind > CEP_WINDOW_SESSION || w->eager > 1 || w->assigns > 1 || w->size_ms <= 0 || !span_good(w->size_ms) ||
        (!session && (w->slide_ms <= 0 || !span_good(w->slide_ms))) || w->offset_ms <= -w->size_ms || w->offset_ms >= w->size_ms)
        return false;
    if ((w->kind == CEP_WINDOW_TUMBLE && w->slide_ms != w->size_ms) || (w->kind == CEP_WINDOW_CUMULATE && w->size_ms % w->slide_ms) ||
        !span_good(w->late_ms) || (w->late_ms && !w->eager) || (w->assigns && (session || w->aggs.count || n->keys.count)))
        return false;
    return time_good(c, w->time, &context) && aggs_good(c, w->aggs, &context) && agg_outs_good(c, n, input, w->outs, w->aggs);
}

static bool over_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    const struct cep_program *p = c->program;
    if (n->detail >= cep_program_over_count(p))
        return false;
    const struct cep_over *o = cep_program_over(p, n->detail);
    struct cep_code_context context = context_of(c, input);
    if (!list_in(o->frames, cep_program_frame_count(p)) || o->frames.count == 0 || o->frames.count > 64 || o->eager > 1 || !time_good(c, o->time, &context))
        return false;
    struct cep_list all = { cep_program_frame(p, o->frames.first)->aggs.first, 0 };
    for (uint32_t i = 0; i < o->frames.count; i++) {
        const struct cep_over_frame *f = cep_program_frame(p, o->frames.first + i);
        if (f->rows > 1 || f->unbounded > 1 || !span_good(f->back) || f->aggs.first != all.first + all.count || !aggs_good(c, f->aggs, &context))
            return false;
        all.count += f->aggs.count;
    }
    return all.count <= CEP_COLUMNS_MAX && agg_outs_good(c, n, input, o->outs, all);
}

static bool arity_good(const struct cep_node *n)
{
    switch (n->kind) {
    case CEP_NODE_SOURCE: return n->inputs.count == 0 && n->keys.count == 0;
    case CEP_NODE_UNION: return n->inputs.count >= 1 && n->inputs.count <= UINT16_MAX && n->keys.count == 0;
    case CEP_NODE_JOIN: return n->inputs.count == 2;
    default: return n->inputs.count == 1;
    }
}

static bool detail_good(struct checker *c, const struct cep_node *n, uint32_t input)
{
    const struct cep_program *p = c->program;
    struct cep_code_context context;
    switch (n->kind) {
    case CEP_NODE_SOURCE: return source_good(c, n);
    case CEP_NODE_CALC: return calc_good(c, n, input);
    case CEP_NODE_LOOKUP: return lookup_good(c, n, input);
    case CEP_NODE_MATCH: return match_good(c, n, input);
    case CEP_NODE_GROUP: return group_good(c, n, input);
    case CEP_NODE_TOPN: return topn_good(c, n, input);
    case CEP_NODE_JOIN: return join_good(c, n);
    case CEP_NODE_WINDOW: return window_good(c, n, input);
    case CEP_NODE_OVER: return over_good(c, n, input);
    case CEP_NODE_SORT:
        if (n->detail >= cep_program_sort_count(p))
            return false;
        context = context_of(c, input);
        return schemas_equal(c, input, n->schema) && orders_good(c, cep_program_sort(p, n->detail)->keys, &context);
    case CEP_NODE_SINK: return n->detail < cep_program_sink_count(p) && schemas_equal(c, input, n->schema);
    case CEP_NODE_ALERT: return n->detail < cep_program_rule_count(p) && schemas_equal(c, input, n->schema);
    case CEP_NODE_EXCHANGE: return schemas_equal(c, input, n->schema);
    default: /* UNION is checked by its inputs; the aggregates and joins bring their own details */ return true;
    }
}

static bool node_good(struct checker *c, uint32_t index)
{
    const struct cep_program *p = c->program;
    const struct cep_node *n = cep_program_node(p, index);
    if (n->kind < CEP_NODE_SOURCE || n->kind > CEP_NODE_SORT || n->schema >= cep_program_schema_count(p) ||
        !arity_good(n) || !u32s_good(p, n->inputs, index, false) ||
        !u32s_good(p, n->outputs, cep_program_node_count(p), false) || !optional(n->rule, cep_program_rule_count(p)) ||
        n->stage > index)
        return false;
    for (uint32_t i = 0; i < n->outputs.count; i++)
        if (u32_of(p, n->outputs, i) <= index)
            return false;
    uint32_t input = n->schema;
    for (uint32_t i = 0; i < n->inputs.count; i++) {
        input = cep_program_node(p, u32_of(p, n->inputs, i))->schema;
        if (n->kind == CEP_NODE_UNION && !schemas_equal(c, input, n->schema))
            return false;
    }
    if (n->inputs.count == 1 && !keys_good(c, n, input))
        return false;
    if (n->inputs.count != 1 && (!u32s_good(p, n->keys, cep_program_code_count(p), false) ||
                                 !list_in(n->key_columns, cep_program_column_count(p))))
        return false;
    return detail_good(c, n, input);
}

static bool codes_good(struct checker *c)
{
    const struct cep_program *p = c->program;
    for (uint32_t i = 0; i < cep_program_code_count(p); i++) {
        const struct cep_code *code = cep_program_code(p, i);
        if (!list_in((struct cep_list){ code->first, code->count }, cep_program_insn_count(p)))
            return false;
    }
    for (uint32_t i = 0; i < cep_program_node_count(p); i++)
        if (!node_good(c, i))
            return false;
    struct cep_code_context context = { .program = p };
    for (uint32_t i = 0; i < cep_program_code_count(p); i++)
        if (!c->used[i] && !code_in(c, i, &context))
            return false;
    return true;
}

int cep_program_verify(const struct cep_program *program, uint64_t bytes)
{
    if (!block_good(program, bytes) || !names_good(program) || !consts_good(program) || !callsites_good(program) ||
        !tables_good(program) || !rules_good(program))
        return BASE_E_CORRUPT;
    struct checker c = { .program = program };
    c.used = base_calloc(cep_program_code_count(program) + 1, 1);
    c.types = base_calloc(CEP_COLUMNS_MAX, sizeof *c.types);
    int ret = BASE_E_NOMEM;
    if (c.used && c.types)
        ret = codes_good(&c) ? 0 : c.error == BASE_E_NOMEM ? BASE_E_NOMEM : BASE_E_CORRUPT;
    base_free(c.types);
    base_free(c.used);
    return ret;
}
