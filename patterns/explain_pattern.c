/* The automaton of a finished program as text, Graphviz or JSON. Reads the program alone; conditions are shown as they
 * were written where the rule text is given. */
#include <string.h>
#include "cep/demand.h"
#include "patterns/bind_pattern.h"

struct view {
    const struct cep_program *program;
    const struct cep_match *match;
    struct base_str text;
    struct base_buf *out;
};

static const struct cep_nfa *nfa_at(const struct view *v, uint32_t pc)
{
    return cep_program_nfa(v->program, v->match->nfas.first + pc);
}
static const struct cep_var *var_at(const struct view *v, uint32_t var)
{
    return cep_program_var(v->program, v->match->vars.first + var);
}
static const struct cep_pred *pred_at(const struct view *v, uint32_t pred)
{
    return cep_program_pred(v->program, v->match->preds.first + pred);
}

static struct base_str var_name(const struct view *v, uint32_t var)
{
    struct base_str name = cep_program_text(v->program, var_at(v, var)->name);
    return name.len ? name : BASE_STR("(never)");
}

/* How many other patterns over the same input have the condition, so that it is evaluated once per row for all. */
static uint32_t sharing(const struct view *v, const struct cep_pred *pred)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < v->program->sections[CEP_SEC_MATCHES].count && pred->shared != CEP_NONE; i++) {
        const struct cep_match *match = cep_program_match(v->program, i);
        bool has = false;
        for (uint32_t k = 0; k < match->preds.count && match != v->match; k++)
            has |= cep_program_pred(v->program, match->preds.first + k)->shared == pred->shared;
        others += has;
    }
    return others;
}

/* Appends the condition on one line: runs of blanks become one. */
static void put_condition(const struct view *v, uint32_t pred, struct base_buf *out)
{
    uint32_t code = pred_at(v, pred)->code;
    if (code == CEP_NONE) {
        base_buf_puts(out, "TRUE");
        return;
    }
    const struct cep_code *c = cep_program_code(v->program, code);
    if (c->origin_end <= c->origin_begin || c->origin_end > v->text.len) {
        base_buf_printf(out, "code %u", code);
        return;
    }
    bool blank = false;
    for (uint32_t i = c->origin_begin; i < c->origin_end; i++) {
        char ch = v->text.ptr[i];
        if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r') {
            blank = true;
            continue;
        }
        if (blank)
            base_buf_putc(out, ' ');
        blank = false;
        base_buf_putc(out, ch);
    }
}

static void put_names(const struct view *v, struct cep_list preds, struct base_buf *out)
{
    for (uint32_t i = 0; i < preds.count; i++) {
        struct base_str name = var_name(v, *cep_program_u32(v->program, preds.first + i));
        base_buf_printf(out, "%s%.*s", i ? ", " : "", (int)name.len, name.ptr);
    }
}

static const char *guard_name(uint32_t kind)
{
    return kind == CEP_GUARD_NOT ? "not" : kind == CEP_GUARD_NOT_NEXT ? "not next" : kind == CEP_GUARD_NOT_AHEAD ? "not ahead" : "possessive";
}

/* What a state does, without where it goes. */
static void put_state(const struct view *v, const struct cep_nfa *s, struct base_buf *out)
{
    struct base_str name;
    const struct cep_guard *guard;
    switch ((enum cep_nfa_op)s->op) {
    case CEP_NFA_MATCH: base_buf_puts(out, "match"); break;
    case CEP_NFA_TAKE:
        name = var_name(v, s->var);
        base_buf_printf(out, "take %.*s%s", (int)name.len, name.ptr, s->excluded ? " excluded" : "");
        break;
    case CEP_NFA_SPLIT: base_buf_puts(out, "split"); break;
    case CEP_NFA_WAIT:
        base_buf_puts(out, s->any ? "wait for any " : "wait for ");
        put_names(v, s->firsts, out);
        break;
    case CEP_NFA_START: base_buf_puts(out, "start of partition"); break;
    case CEP_NFA_END: base_buf_puts(out, "end of partition"); break;
    case CEP_NFA_GUARD:
        guard = cep_program_guard(v->program, v->match->guards.first + s->guard);
        base_buf_printf(out, "%s ", guard_name(guard->kind));
        put_names(v, guard->preds, out);
        if (guard->lifts.count) {
            base_buf_puts(out, " until ");
            put_names(v, guard->lifts, out);
        }
        break;
    case CEP_NFA_ABSENT:
        if (s->absent_ms)
            base_buf_printf(out, "absent for %lld ms", (long long)s->absent_ms);
        else
            base_buf_puts(out, "absent until WITHIN ends");
        break;
    case CEP_NFA_LOOP_IN: base_buf_printf(out, "enter loop %u", s->loop); break;
    case CEP_NFA_LOOP_OUT: base_buf_printf(out, "end of loop %u", s->loop); break;
    }
}

static bool has_b(const struct cep_nfa *s)
{
    return s->op == CEP_NFA_SPLIT || s->op == CEP_NFA_LOOP_OUT;
}

static bool rests(const struct cep_nfa *s)
{
    return s->op == CEP_NFA_TAKE || s->op == CEP_NFA_WAIT || s->op == CEP_NFA_END || s->op == CEP_NFA_ABSENT;
}

static void put_live(const struct view *v, const struct cep_nfa *s, struct base_buf *out)
{
    for (uint32_t i = 0; i < s->live.count; i++)
        base_buf_printf(out, "%sr%u", i ? " " : "", *cep_program_u32(v->program, s->live.first + i));
}

/* The columns of the rows that the pattern reads. */
static struct cep_list input_columns(const struct view *v)
{
    for (uint32_t i = 0; i < cep_program_node_count(v->program); i++) {
        const struct cep_node *n = cep_program_node(v->program, i);
        if (n->kind == CEP_NODE_MATCH && cep_program_match(v->program, n->detail) == v->match && n->inputs.count)
            return cep_program_schema(v->program, cep_program_node(v->program, *cep_program_u32(v->program, n->inputs.first))->schema)->columns;
    }
    return (struct cep_list){ 0, 0 };
}

/* By which values the threads of a wait are found (docs/engine.md, Claim 16). */
static void put_values(const struct view *v, uint32_t pc, struct base_buf *out)
{
    const struct cep_nfa *s = nfa_at(v, pc);
    const struct cep_list columns = input_columns(v);
    const char *separator = "   found by ";
    for (uint32_t i = 0; i < s->firsts.count; i++) {
        struct cep_demand demand;
        if (!cep_demand_of(v->program, pred_at(v, *cep_program_u32(v->program, s->firsts.first + i))->code, true, &demand) || demand.column >= columns.count)
            continue;
        struct base_str name = cep_program_text(v->program, cep_program_column(v->program, columns.first + demand.column)->name);
        base_buf_printf(out, "%s%.*s = r%u", separator, (int)name.len, name.ptr, demand.operand);
        separator = ", ";
    }
}

/* Could a later start give way where an earlier one stands in the same state? (docs/engine.md, Claim 13) */
static bool may_absorb(const struct view *v)
{
    const struct cep_match *m = v->match;
    if (m->skip != CEP_SKIP_PAST_LAST || m->all_matches || m->within_ms || m->hold_ms || m->reads_number ||
        m->timeout_rows)
        return false;
    for (uint32_t pc = 0; pc < m->nfas.count; pc++) {
        if (nfa_at(v, pc)->op == CEP_NFA_END || nfa_at(v, pc)->op == CEP_NFA_ABSENT)
            return false;
    }
    for (uint32_t i = 0; i < m->guards.count; i++) {
        uint32_t kind = cep_program_guard(v->program, m->guards.first + i)->kind;
        if (kind == CEP_GUARD_NOT_NEXT || kind == CEP_GUARD_NOT_AHEAD)
            return false;
    }
    return true;
}

static bool absorbs_starts(const struct view *v)
{
    return may_absorb(v) && !cep_demand_finds_waits(v->program, v->match, true);
}

/* ---- text ---- */

static void text_states(const struct view *v)
{
    const bool by_value = cep_demand_finds_waits(v->program, v->match, may_absorb(v));
    for (uint32_t pc = 0; pc < v->match->nfas.count; pc++) {
        const struct cep_nfa *s = nfa_at(v, pc);
        base_buf_printf(v->out, "  %4u  ", pc);
        put_state(v, s, v->out);
        if (s->op == CEP_NFA_SPLIT)
            base_buf_printf(v->out, " -> %u, then %u", s->a, s->b);
        else if (s->op == CEP_NFA_LOOP_OUT)
            base_buf_printf(v->out, " -> %u, if no row was taken %u", s->a, s->b);
        else if (s->op != CEP_NFA_MATCH)
            base_buf_printf(v->out, " -> %u", s->a);
        if (s->live.count) {
            base_buf_puts(v->out, "   [");
            put_live(v, s, v->out);
            base_buf_putc(v->out, ']');
        }
        if (by_value && cep_demand_waits(v->program, v->match, pc))
            put_values(v, pc, v->out);
        base_buf_putc(v->out, '\n');
    }
}

static void text_vars(const struct view *v)
{
    for (uint32_t i = 0; i < v->match->vars.count; i++) {
        const struct cep_pred *p = pred_at(v, var_at(v, i)->pred);
        struct base_str name = var_name(v, i);
        base_buf_printf(v->out, "  %.*s: ", (int)name.len, name.ptr);
        put_condition(v, var_at(v, i)->pred, v->out);
        if (p->code == CEP_NONE)
            base_buf_puts(v->out, "   (every row)");
        else if (!p->unary)
            base_buf_puts(v->out, "   (per partial match)");
        else if (sharing(v, p))
            base_buf_printf(v->out, "   (once per row for this and %u other pattern%s)", sharing(v, p), sharing(v, p) == 1 ? "" : "s");
        else
            base_buf_puts(v->out, "   (once per row)");
        base_buf_putc(v->out, '\n');
    }
}

static void text_regs(const struct view *v, struct cep_list regs, const char *title, char letter)
{
    if (regs.count == 0)
        return;
    base_buf_printf(v->out, "%s: ", title);
    for (uint32_t i = 0; i < regs.count; i++) {
        base_buf_printf(v->out, "%s%c%u ", i ? ", " : "", letter, i);
        cep_type_print(cep_program_reg(v->program, regs.first + i)->type, v->out);
    }
    base_buf_putc(v->out, '\n');
    for (uint32_t i = 0; i < v->match->vars.count; i++) {
        uint32_t code = letter == 'r' ? var_at(v, i)->live_update : var_at(v, i)->out_update;
        struct base_str name = var_name(v, i);
        if (code == CEP_NONE)
            continue;
        base_buf_printf(v->out, "  taken as %.*s:\n", (int)name.len, name.ptr);
        cep_program_print_code(v->program, code, v->out);
    }
}

static const char *skip_name(uint32_t skip)
{
    static const char *const names[] = { "past last row", "to next row", "to current row", "to first of",
                                         "to last of" };
    return skip <= CEP_SKIP_LAST ? names[skip] : "?";
}

static void text_bound(const struct view *v)
{
    uint32_t resting = 0, with_regs = 0;
    for (uint32_t pc = 0; pc < v->match->nfas.count; pc++) {
        resting += rests(nfa_at(v, pc));
        with_regs += rests(nfa_at(v, pc)) && nfa_at(v, pc)->live.count;
    }
    base_buf_printf(v->out,
                    "state per key: starts that stand in the same states with the same registers are one; at most %u "
                    "thread%s for each",
                    resting, resting == 1 ? "" : "s");
    base_buf_puts(v->out, with_regs ? " combination of register values in use" : " set of starts");
    if (absorbs_starts(v))
        base_buf_puts(v->out, "; a later start gives way where an earlier one stands in the same state, so these are the "
                              "threads of all starts together");
    if (cep_demand_finds_waits(v->program, v->match, may_absorb(v)))
        base_buf_puts(v->out, "; where many wait for a value, a row steps those alone whose value it carries");
    if (v->match->all_matches)
        base_buf_puts(v->out, "; ALL MATCHES: no thread is dropped for being less preferred");
    if (v->match->within_ms)
        base_buf_printf(v->out, "; freed %lld ms after their first row", (long long)v->match->within_ms);
    base_buf_puts(v->out, v->match->within_ms || v->match->hold_ms ? "\n" : "; not bounded in time (no WITHIN)\n");
    if (v->match->lookahead || v->match->lookback)
        base_buf_printf(v->out, "neighbours: %u rows back, %u ahead\n", v->match->lookback, v->match->lookahead);
}

static void explain_text(const struct view *v)
{
    base_buf_printf(v->out, "automaton: %u states, skip %s", v->match->nfas.count, skip_name(v->match->skip));
    for (uint32_t i = 0; i < v->match->skip_vars.count; i++) {
        struct base_str name = var_name(v, *cep_program_u32(v->program, v->match->skip_vars.first + i));
        base_buf_printf(v->out, " %.*s", (int)name.len, name.ptr);
    }
    if (v->match->within_ms)
        base_buf_printf(v->out, ", within %lld ms", (long long)v->match->within_ms);
    base_buf_puts(v->out, v->match->all_matches ? ", all matches" : "");
    base_buf_puts(v->out, v->match->batch_sort ? ", sorted at the end of input\n"
                          : v->match->eager    ? ", eager\n"
                                               : ", final\n");
    text_states(v);
    base_buf_puts(v->out, "conditions:\n");
    text_vars(v);
    text_regs(v, v->match->live_regs, "registers of a partial match", 'r');
    text_regs(v, v->match->out_regs, "registers of the measures", 'm');
    text_bound(v);
}

/* ---- DOT ---- */

static void put_dot_string(const struct view *v, struct base_buf *label)
{
    base_buf_putc(v->out, '"');
    for (size_t i = 0; i < label->len; i++) {
        if (label->ptr[i] == '"' || label->ptr[i] == '\\')
            base_buf_putc(v->out, '\\');
        if (label->ptr[i] == '\n')
            base_buf_puts(v->out, "\\n");
        else
            base_buf_putc(v->out, label->ptr[i]);
    }
    base_buf_putc(v->out, '"');
    base_buf_clear(label);
}

static void explain_dot(const struct view *v)
{
    struct base_buf label = { 0 };
    base_buf_puts(v->out, "digraph automaton {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    for (uint32_t pc = 0; pc < v->match->nfas.count; pc++) {
        const struct cep_nfa *s = nfa_at(v, pc);
        base_buf_printf(&label, "%u: ", pc);
        put_state(v, s, &label);
        if (s->op == CEP_NFA_TAKE) {
            base_buf_putc(&label, '\n');
            put_condition(v, var_at(v, s->var)->pred, &label);
        }
        if (s->live.count) {
            base_buf_putc(&label, '\n');
            put_live(v, s, &label);
        }
        base_buf_printf(v->out, "  n%u [shape=%s, label=", pc,
                        s->op == CEP_NFA_MATCH ? "doublecircle"
                        : rests(s)             ? "box"
                                               : "ellipse");
        put_dot_string(v, &label);
        base_buf_puts(v->out, "];\n");
        if (s->op != CEP_NFA_MATCH)
            base_buf_printf(v->out, "  n%u -> n%u;\n", pc, s->a);
        if (has_b(s))
            base_buf_printf(v->out, "  n%u -> n%u [style=dashed];\n", pc, s->b);
    }
    base_buf_puts(v->out, "}\n");
    base_buf_finish(&label);
}

/* ---- JSON ---- */

static void put_json(const struct view *v, struct base_buf *value)
{
    base_buf_put_json(v->out, (struct base_str){ value->ptr, value->len });
    base_buf_clear(value);
}

static void json_states(const struct view *v)
{
    struct base_buf text = { 0 };
    base_buf_puts(v->out, "\"states\":[");
    for (uint32_t pc = 0; pc < v->match->nfas.count; pc++) {
        const struct cep_nfa *s = nfa_at(v, pc);
        put_state(v, s, &text);
        base_buf_printf(v->out, "%s{\"pc\":%u,\"does\":", pc ? "," : "", pc);
        put_json(v, &text);
        if (s->op != CEP_NFA_MATCH)
            base_buf_printf(v->out, ",\"next\":%u", s->a);
        if (has_b(s))
            base_buf_printf(v->out, ",\"%s\":%u", s->op == CEP_NFA_SPLIT ? "then" : "empty", s->b);
        base_buf_printf(v->out, ",\"rests\":%s,\"live\":[", rests(s) ? "true" : "false");
        for (uint32_t i = 0; i < s->live.count; i++)
            base_buf_printf(v->out, "%s%u", i ? "," : "", *cep_program_u32(v->program, s->live.first + i));
        base_buf_puts(v->out, "]}");
    }
    base_buf_puts(v->out, "],");
    base_buf_finish(&text);
}

static void json_vars(const struct view *v)
{
    struct base_buf text = { 0 };
    base_buf_puts(v->out, "\"variables\":[");
    for (uint32_t i = 0; i < v->match->vars.count; i++) {
        const struct cep_pred *p = pred_at(v, var_at(v, i)->pred);
        base_buf_printf(v->out, "%s{\"name\":", i ? "," : "");
        base_buf_put_json(v->out, var_name(v, i));
        base_buf_puts(v->out, ",\"condition\":");
        put_condition(v, var_at(v, i)->pred, &text);
        put_json(v, &text);
        base_buf_printf(v->out, ",\"unary\":%s", p->unary ? "true" : "false");
        if (p->shared != CEP_NONE)
            base_buf_printf(v->out, ",\"shared\":%u,\"shared_with\":%u", p->shared, sharing(v, p));
        base_buf_putc(v->out, '}');
    }
    base_buf_puts(v->out, "],");
    base_buf_finish(&text);
}

static void json_regs(const struct view *v, struct cep_list regs, const char *name)
{
    struct base_buf text = { 0 };
    base_buf_printf(v->out, "\"%s\":[", name);
    for (uint32_t i = 0; i < regs.count; i++) {
        cep_type_print(cep_program_reg(v->program, regs.first + i)->type, &text);
        base_buf_puts(v->out, i ? "," : "");
        put_json(v, &text);
    }
    base_buf_puts(v->out, "],");
    base_buf_finish(&text);
}

static void explain_json(const struct view *v)
{
    const struct cep_match *m = v->match;
    base_buf_putc(v->out, '{');
    json_states(v);
    json_vars(v);
    json_regs(v, m->live_regs, "live_registers");
    json_regs(v, m->out_regs, "measure_registers");
    base_buf_printf(v->out,
                    "\"skip\":\"%s\",\"within_ms\":%lld,\"all_matches\":%s,\"eager\":%s,\"batch_sort\":%s,\"lookback\":"
                    "%u,\"lookahead\":%u,"
                    "\"can_match_empty\":%s}",
                    skip_name(m->skip), (long long)m->within_ms, m->all_matches ? "true" : "false",
                    m->eager ? "true" : "false", m->batch_sort ? "true" : "false", m->lookback, m->lookahead,
                    m->can_match_empty ? "true" : "false");
}

void patterns_explain_match(const struct cep_program *program, uint32_t match, struct base_str text,
                            enum patterns_explain_format format, struct base_buf *out)
{
    struct view v = { program, cep_program_match(program, match), text, out };
    switch (format) {
    case PATTERNS_EXPLAIN_TEXT: explain_text(&v); break;
    case PATTERNS_EXPLAIN_DOT: explain_dot(&v); break;
    case PATTERNS_EXPLAIN_JSON: explain_json(&v); break;
    }
}
