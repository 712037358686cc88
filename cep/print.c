#include <string.h>

#include "cep/sections.h"

/* Text of programs for explain and golden tests: one line per instruction, node, automaton state. The program has been
 * verified. */

static void put_text(const struct cep_program *p, struct cep_text text, struct base_buf *out)
{
    base_buf_put_json(out, cep_program_text(p, text));
}

static void put_const(const struct cep_program *p, uint32_t index, struct base_buf *out)
{
    cep_value_print_json(cep_program_const(p, index)->type, cep_program_value(p, index), out);
}

static bool names_type(uint16_t op)
{
    return op == CEP_OP_SAME || op == CEP_OP_MIN || op == CEP_OP_MAX || op == CEP_OP_ARRAY_APPEND ||
           op == CEP_OP_ARRAY_GET;
}

static bool is_scaled(uint16_t op)
{
    return (op >= CEP_OP_ADD_N && op <= CEP_OP_MOD_N) || op == CEP_OP_SUM_N;
}

/* Field c by what it means for the opcode. */
static void put_c(const struct cep_program *p, const struct cep_insn *i, struct base_buf *out)
{
    if (i->op == CEP_OP_CONST) {
        put_const(p, i->c, out);
    } else if (cep_opcode_jumps(i->op)) {
        base_buf_printf(out, "-> %u", i->c);
    } else if (i->op == CEP_OP_CAST || i->op == CEP_OP_TRY_CAST || names_type(i->op)) {
        cep_type_print(*cep_program_type(p, i->c), out);
    } else if (is_scaled(i->op)) {
        base_buf_printf(out, "scales %u, %u to DECIMAL(%u, %u)", i->c & 255, i->c >> 8 & 255, i->c >> 16 & 255,
                        i->c >> 24);
    } else if (i->op == CEP_OP_CALL) {
        const struct cep_callsite *site = cep_program_callsite(p, i->c);
        base_buf_put_str(out, cep_program_text(p, site->name));
        base_buf_putc(out, '/');
        base_buf_printf(out, "%u", site->arg_types.count);
    } else if (i->op == CEP_OP_ADD_MONTHS) {
        cep_type_print((struct cep_type){ .kind = (uint8_t)i->c }, out);
    } else {
        base_buf_printf(out, "#%u", i->c);
    }
}

static void put_insn(const struct cep_program *p, const struct cep_insn *i, struct base_buf *out)
{
    base_buf_printf(out, "%-14s", cep_opcode_name(i->op));
    const char *separator = " ";
    for (const char *letter = cep_opcode_operands(i->op); *letter; letter++) {
        if (*letter == ' ')
            continue;
        base_buf_puts(out, separator);
        separator = ", ";
        if (*letter == 'd' || *letter == 'a')
            base_buf_printf(out, "v%u", *letter == 'd' ? i->d : i->a);
        else if (*letter == 'b')
            base_buf_printf(out, i->op == CEP_OP_CALL ? "%u" : "v%u", i->b);
        else if (*letter == 'c')
            put_c(p, i, out);
        else if (i->op == CEP_OP_CAST || i->op == CEP_OP_TRY_CAST)
            cep_type_print(*cep_program_type(p, (uint32_t)i->e), out);
        else
            base_buf_printf(out, "@%d", i->e);
    }
    base_buf_putc(out, '\n');
}

static void put_flags(uint32_t flags, struct base_buf *out)
{
    static const char *const names[] = { "regs", "label", "nav", "number", "volatile", "fallible", "const" };
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags >> i & 1) {
            base_buf_putc(out, ' ');
            base_buf_puts(out, names[i]);
        }
}

void cep_program_print_code(const struct cep_program *p, uint32_t code, struct base_buf *out)
{
    const struct cep_code *c = cep_program_code(p, code);
    base_buf_printf(out, "code %u: ", code);
    if (c->type.kind == CEP_KIND_NULL)
        base_buf_puts(out, "no result");
    else
        cep_type_print(c->type, out);
    base_buf_printf(out, ", %u slots", c->slots);
    put_flags(c->flags, out);
    if (c->nav_min || c->nav_max)
        base_buf_printf(out, ", rows %d..%d", c->nav_min, c->nav_max);
    base_buf_putc(out, '\n');
    for (uint32_t i = 0; i < c->count; i++) {
        base_buf_printf(out, "  %3u  ", i);
        put_insn(p, cep_program_insn(p, c->first + i), out);
    }
}

static void put_list(const struct cep_program *p, const char *name, struct cep_list list, struct base_buf *out)
{
    if (!list.count)
        return;
    base_buf_printf(out, " %s", name);
    for (uint32_t i = 0; i < list.count; i++)
        base_buf_printf(out, "%c%u", i ? ',' : ' ', *cep_program_u32(p, list.first + i));
}

static void put_index(const char *name, uint32_t index, struct base_buf *out)
{
    if (index != CEP_NONE)
        base_buf_printf(out, " %s %u", name, index);
}

static void put_columns(const struct cep_program *p, struct cep_list columns, struct base_buf *out)
{
    base_buf_putc(out, '(');
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct cep_column *column = cep_program_column(p, columns.first + i);
        base_buf_puts(out, i ? ", " : "");
        base_buf_put_str(out, cep_program_text(p, column->name));
        base_buf_putc(out, ' ');
        cep_type_print(column->type, out);
    }
    base_buf_putc(out, ')');
}

static void put_table(const struct cep_program *p, uint32_t index, struct base_buf *out)
{
    const struct cep_table *t = cep_program_table(p, index);
    base_buf_printf(out, "table %u ", index);
    put_text(p, t->name, out);
    base_buf_puts(out, t->is_profile ? " profile" : t->changes ? " changes" : "");
    put_list(p, "key", t->key_fields, out);
    put_index("rowtime", t->rowtime_field, out);
    base_buf_printf(out, " delay %lld ms, %u columns declared\n", (long long)t->watermark_delay_ms,
                    t->declared_columns);
    for (uint32_t i = 0; i < t->fields.count; i++) {
        const struct cep_field *f = cep_program_field(p, t->fields.first + i);
        base_buf_printf(out, "  field %u ", i);
        put_text(p, f->name, out);
        base_buf_putc(out, ' ');
        cep_type_print(f->type, out);
        base_buf_puts(out, f->not_null ? " NOT NULL" : "");
        base_buf_puts(out, " path ");
        put_text(p, f->path, out);
        base_buf_printf(out, " ordinal %u metadata %u\n", f->ordinal, f->metadata);
    }
    for (uint32_t i = 0; i < t->options.count; i++) {
        const struct cep_option *o = cep_program_option(p, t->options.first + i);
        base_buf_puts(out, "  option ");
        put_text(p, o->key, out);
        base_buf_puts(out, " = ");
        put_text(p, o->value, out);
        base_buf_putc(out, '\n');
    }
}

static void put_nfa(const struct cep_program *p, const struct cep_match *m, uint32_t pc, struct base_buf *out)
{
    static const char *const names[] = { "?",   "MATCH", "TAKE",   "SPLIT",   "WAIT",    "START",
                                         "END", "GUARD", "ABSENT", "LOOP_IN", "LOOP_OUT" };
    const struct cep_nfa *s = cep_program_nfa(p, m->nfas.first + pc);
    base_buf_printf(out, "  %3u  %-8s", pc, names[s->op]);
    if (s->op == CEP_NFA_TAKE) {
        base_buf_putc(out, ' ');
        base_buf_put_str(out, cep_program_text(p, cep_program_var(p, m->vars.first + s->var)->name));
        base_buf_puts(out, s->excluded ? " excluded" : "");
    }
    if (s->op == CEP_NFA_GUARD)
        base_buf_printf(out, " guard %u", s->guard);
    if (s->op == CEP_NFA_LOOP_IN || s->op == CEP_NFA_LOOP_OUT)
        base_buf_printf(out, " loop %u", s->loop);
    if (s->op == CEP_NFA_WAIT)
        base_buf_puts(out, s->any ? " any" : "");
    if (s->op == CEP_NFA_ABSENT)
        base_buf_printf(out, " for %lld ms", (long long)s->absent_ms);
    if (s->op != CEP_NFA_MATCH)
        base_buf_printf(out, " -> %u", s->a);
    if (s->op == CEP_NFA_SPLIT || s->op == CEP_NFA_LOOP_OUT)
        base_buf_printf(out, ", %u", s->b);
    put_list(p, "firsts", s->firsts, out);
    put_list(p, "live", s->live, out);
    base_buf_putc(out, '\n');
}

static void put_match(const struct cep_program *p, uint32_t index, struct base_buf *out)
{
    const struct cep_match *m = cep_program_match(p, index);
    base_buf_printf(out,
                    "  within %lld ms, rows %u, skip %u, all %u, timeouts %u, eager %u, batch %u, ahead %u, back %u, "
                    "evidence %u, registers %u + %u",
                    (long long)m->within_ms, m->rows, m->skip, m->all_matches, m->timeout_rows, m->eager, m->batch_sort,
                    m->lookahead, m->lookback, m->evidence, m->live_regs.count, m->out_regs.count);
    put_list(p, "skip to", m->skip_vars, out);
    base_buf_putc(out, '\n');
    for (uint32_t i = 0; i < m->nfas.count; i++)
        put_nfa(p, m, i, out);
    for (uint32_t i = 0; i < m->preds.count; i++) {
        const struct cep_pred *pred = cep_program_pred(p, m->preds.first + i);
        base_buf_printf(out, "  predicate %u%s", i, pred->unary ? " unary" : "");
        put_index("code", pred->code, out);
        put_index("variable", pred->var, out);
        base_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < m->vars.count; i++) {
        const struct cep_var *v = cep_program_var(p, m->vars.first + i);
        base_buf_printf(out, "  variable %u ", i);
        base_buf_put_str(out, cep_program_text(p, v->name));
        base_buf_printf(out, " predicate %u", v->pred);
        put_index("live update", v->live_update, out);
        put_index("out update", v->out_update, out);
        base_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < m->guards.count; i++) {
        const struct cep_guard *g = cep_program_guard(p, m->guards.first + i);
        base_buf_printf(out, "  guard %u kind %u", i, g->kind);
        put_list(p, "predicates", g->preds, out);
        base_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < m->outs.count; i++) {
        const struct cep_out *o = cep_program_out(p, m->outs.first + i);
        base_buf_printf(out, "  output %u %s %u\n", i, o->kind == CEP_OUT_COLUMN ? "column" : "code",
                        o->kind == CEP_OUT_COLUMN ? o->column : o->code);
    }
}

static void put_aggs(const struct cep_program *p, struct cep_list aggs, struct base_buf *out)
{
    for (uint32_t i = 0; i < aggs.count; i++) {
        const struct cep_agg *a = cep_program_agg(p, aggs.first + i);
        base_buf_printf(out, "  aggregate %u kind %u%s%s", i, a->kind, a->distinct ? " distinct" : "", a->retracts ? " retracts" : "");
        put_index("code", a->arg, out);
        put_index("filter", a->filter, out);
        put_index("parameter", a->param, out);
        base_buf_putc(out, ' ');
        cep_type_print(a->type, out);
        base_buf_putc(out, '\n');
    }
}

static void put_over(const struct cep_program *p, const struct cep_over *o, struct base_buf *out)
{
    base_buf_printf(out, "  over%s, time %u", o->eager ? " eager" : " final", o->time);
    put_list(p, "outputs", o->outs, out);
    base_buf_putc(out, '\n');
    for (uint32_t i = 0; i < o->frames.count; i++) {
        const struct cep_over_frame *f = cep_program_frame(p, o->frames.first + i);
        base_buf_printf(out, "  frame %u %s%s %lld\n", i, f->rows ? "rows" : "range", f->unbounded ? " unbounded" : "", (long long)f->back);
        put_aggs(p, f->aggs, out);
    }
}

static void put_detail(const struct cep_program *p, const struct cep_node *n, struct base_buf *out)
{
    if (n->kind == CEP_NODE_CALC) {
        const struct cep_calc *c = cep_program_calc(p, n->detail);
        base_buf_puts(out, "  calc");
        put_index("filter", c->filter, out);
        put_list(p, "outputs", c->outputs, out);
        put_index("rowtime", c->rowtime_code, out);
        base_buf_putc(out, '\n');
    } else if (n->kind == CEP_NODE_LOOKUP) {
        const struct cep_lookup *l = cep_program_lookup(p, n->detail);
        base_buf_printf(out, "  lookup in table %u%s%s", l->table, l->left_outer ? " left outer" : "", l->eager ? " eager" : "");
        put_list(p, "keys", l->keys, out);
        put_index("as of", l->as_of, out);
        put_index("filter", l->filter, out);
        put_list(p, "columns", l->columns, out);
        base_buf_putc(out, '\n');
    } else if (n->kind == CEP_NODE_MATCH) {
        put_match(p, n->detail, out);
    } else if (n->kind == CEP_NODE_GROUP) {
        const struct cep_group *g = cep_program_group(p, n->detail);
        base_buf_printf(out, "  group%s, ttl %lld ms", g->eager ? " eager" : " final", (long long)g->ttl_ms);
        put_list(p, "outputs", g->outs, out);
        base_buf_putc(out, '\n');
        put_aggs(p, g->aggs, out);
    } else if (n->kind == CEP_NODE_WINDOW) {
        const struct cep_window *w = cep_program_window(p, n->detail);
        base_buf_printf(out, "  window kind %u%s%s, size %lld slide %lld offset %lld ms, time %u", w->kind, w->eager ? " eager" : " final",
                        w->assigns ? " assigns" : "", (long long)w->size_ms, (long long)w->slide_ms, (long long)w->offset_ms, w->time);
        if (w->late_ms)
            base_buf_printf(out, ", late %lld ms", (long long)w->late_ms);
        put_list(p, "outputs", w->outs, out);
        base_buf_putc(out, '\n');
        put_aggs(p, w->aggs, out);
    } else if (n->kind == CEP_NODE_OVER) {
        put_over(p, cep_program_over(p, n->detail), out);
    } else if (n->kind == CEP_NODE_SINK) {
        const struct cep_sink *s = cep_program_sink(p, n->detail);
        base_buf_printf(out, "  sink kind %u%s", s->kind, s->accepts_changes ? " with changes" : "");
        put_index("of", s->detail, out);
        base_buf_putc(out, '\n');
    } else if (n->kind == CEP_NODE_ALERT) {
        base_buf_puts(out, "  rule ");
        put_text(p, cep_program_rule(p, n->detail)->name, out);
        base_buf_putc(out, '\n');
    }
}

static void put_node(const struct cep_program *p, uint32_t index, struct base_buf *out)
{
    static const char *const names[] = { "?",    "SOURCE", "CALC", "UNION", "EXCHANGE", "LOOKUP", "MATCH", "ALERT",
                                         "SINK", "WINDOW", "OVER", "GROUP", "JOIN",     "TOPN",   "SORT" };
    const struct cep_node *n = cep_program_node(p, index);
    base_buf_printf(out, "node %u %s stage %u", index, n->kind < sizeof names / sizeof *names ? names[n->kind] : "?",
                    n->stage);
    put_list(p, "from", n->inputs, out);
    put_list(p, "to", n->outputs, out);
    put_list(p, "keys", n->keys, out);
    put_index("detail", n->detail, out);
    if (n->clock)
        base_buf_puts(out, " by the clock");
    if (n->late_ms)
        base_buf_printf(out, " late %lld ms", (long long)n->late_ms);
    base_buf_putc(out, ' ');
    put_columns(p, cep_program_schema(p, n->schema)->columns, out);
    base_buf_putc(out, '\n');
    put_detail(p, n, out);
}

void cep_program_print(const struct cep_program *p, struct base_buf *out)
{
    base_buf_printf(out, "program: version %u, %llu bytes\n", p->version, (unsigned long long)p->size_bytes);
    for (uint32_t i = 0; i < cep_program_table_count(p); i++)
        put_table(p, i, out);
    for (uint32_t i = 0; i < cep_program_node_count(p); i++)
        put_node(p, i, out);
    for (uint32_t i = 0; i < cep_program_code_count(p); i++)
        cep_program_print_code(p, i, out);
}
