#include "patterns/explain.h"

#include <string.h>
#include "patterns/print.h"

struct view {
    const struct patterns_result *result;
    const struct cep_program *program;
    struct base_buf *out;
};

static const char *kind_name(uint32_t kind)
{
    switch ((enum cep_node_kind)kind) {
    case CEP_NODE_SOURCE: return "source";
    case CEP_NODE_CALC: return "calc";
    case CEP_NODE_UNION: return "union";
    case CEP_NODE_EXCHANGE: return "exchange";
    case CEP_NODE_LOOKUP: return "lookup";
    case CEP_NODE_MATCH: return "match";
    case CEP_NODE_ALERT: return "alert";
    case CEP_NODE_SINK: return "sink";
    case CEP_NODE_WINDOW: return "window";
    case CEP_NODE_OVER: return "over";
    case CEP_NODE_GROUP: return "group";
    case CEP_NODE_JOIN: return "join";
    case CEP_NODE_TOPN: return "topn";
    case CEP_NODE_SORT: return "sort";
    }
    return "?";
}

static struct base_str text_of(const struct view *v, struct cep_text text)
{
    return cep_program_text(v->program, text);
}

/* ---- pieces ---- */

/* The expression as written, blanks drawn together; its disassembly number if there is no text. */
static void put_code(const struct view *v, uint32_t code, struct base_buf *out)
{
    const struct base_source *source;
    uint32_t begin, end;
    if (!patterns_result_place(v->result, v->program, code, &source, &begin, &end)) {
        base_buf_printf(out, "code %u", code);
        return;
    }
    bool blank = false;
    for (uint32_t i = begin; i < end; i++) {
        char c = source->text[i];
        bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!space && blank)
            base_buf_putc(out, ' ');
        if (!space)
            base_buf_putc(out, c);
        blank = space;
    }
}

static void put_columns(const struct view *v, struct cep_list columns, bool types, struct base_buf *out)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct cep_column *c = cep_program_column(v->program, columns.first + i);
        base_buf_puts(out, i ? ", " : "");
        base_buf_put_str(out, text_of(v, c->name));
        if (types) {
            base_buf_putc(out, ' ');
            cep_type_print(c->type, out);
        }
    }
}

static void put_calc(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_calc *calc = cep_program_calc(v->program, n->detail);
    const char *separator = "";
    if (calc->filter != CEP_NONE) {
        base_buf_puts(out, "where ");
        put_code(v, calc->filter, out);
        separator = " ";
    }
    if (calc->outputs.count) {
        base_buf_printf(out, "%sselect ", separator);
        const struct cep_schema *schema = cep_program_schema(v->program, n->schema);
        put_columns(v, schema->columns, false, out);
    }
}

static void put_lookup(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_lookup *l = cep_program_lookup(v->program, n->detail);
    const struct cep_table *t = cep_program_table(v->program, l->table);
    base_buf_printf(out, "%s ", l->left_outer ? "left" : "inner");
    base_buf_put_str(out, text_of(v, t->name));
    for (uint32_t i = 0; i < l->keys.count; i++) {
        const struct cep_field *f =
            cep_program_field(v->program, t->fields.first + *cep_program_u32(v->program, t->key_fields.first + i));
        base_buf_puts(out, i ? " and " : " on ");
        base_buf_put_str(out, text_of(v, f->name));
        base_buf_puts(out, " = ");
        put_code(v, *cep_program_u32(v->program, l->keys.first + i), out);
    }
    if (l->filter != CEP_NONE) {
        base_buf_puts(out, " where ");
        put_code(v, l->filter, out);
    }
    base_buf_puts(out, " as of ");
    if (l->as_of == CEP_NONE)
        base_buf_puts(out, "now");
    else
        put_code(v, l->as_of, out);
    if (l->as_of != CEP_NONE && t->rowtime_field != CEP_NONE)
        base_buf_puts(out, l->eager ? ", corrected until the table's watermark" : ", waits for the table's watermark");
}

static void put_match(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_match *m = cep_program_match(v->program, n->detail);
    base_buf_puts(out, "by (");
    put_columns(v, n->key_columns, false, out);
    base_buf_printf(out, ") %u states, %u live registers, %u measure registers, %s%s", m->nfas.count,
                    m->live_regs.count, m->out_regs.count, m->eager ? "eager" : "final",
                    m->batch_sort ? ", sorted at the end" : "");
    if (m->within_ms)
        base_buf_printf(out, ", within %lld ms, adds a delay of %lld ms to what stands behind it",
                        (long long)m->within_ms, (long long)m->within_ms);
}

static void put_orders(const struct view *v, struct cep_list keys, struct base_buf *out)
{
    for (uint32_t i = 0; i < keys.count; i++) {
        const struct cep_order *o = cep_program_order(v->program, keys.first + i);
        base_buf_puts(out, i ? ", " : "by ");
        put_code(v, o->code, out);
        base_buf_printf(out, "%s%s", o->descending ? " desc" : "", o->nulls_first ? " nulls first" : " nulls last");
    }
}

static void put_ttl(int64_t ttl_ms, struct base_buf *out)
{
    if (ttl_ms)
        base_buf_printf(out, ", forgets after %lld ms", (long long)ttl_ms);
}

static void put_topn(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_topn *t = cep_program_topn(v->program, n->detail);
    base_buf_puts(out, "of (");
    put_columns(v, n->key_columns, false, out);
    base_buf_puts(out, ") ");
    if (t->mode == CEP_TOPN_LATEST) {
        base_buf_puts(out, "the row that the table's changes leave, a changelog");
        return;
    }
    put_orders(v, t->keys, out);
    if (t->keys.count == 0)
        base_buf_puts(out, t->newest_first ? "newest first" : "oldest first");
    base_buf_printf(out, " ranks %llu to %llu", (unsigned long long)t->first, (unsigned long long)t->last);
    base_buf_puts(out, t->mode == CEP_TOPN_FIRST_FINAL ? ", told once the watermark has passed it" : t->mode == CEP_TOPN_FIRST_NOW ? ", told at once" : ", a changelog");
    base_buf_puts(out, t->append_only ? ", keeps no row behind the last rank" : ", keeps all rows of a key: they may change");
    put_ttl(t->ttl_ms, out);
}

static void put_join(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    static const char *const kinds[] = { "inner", "left outer", "right outer", "full outer" };
    const struct cep_join *j = cep_program_join(v->program, n->detail);
    base_buf_puts(out, "on (");
    put_columns(v, n->key_columns, false, out);
    base_buf_printf(out, ") %s", kinds[j->outer]);
    if (j->interval)
        base_buf_printf(out, ", left at %lld to %lld ms from right, rows are kept until then", (long long)j->lo_ms, (long long)j->hi_ms);
    else
        base_buf_puts(out, ", all rows are kept");
    put_ttl(j->ttl_ms, out);
    if (j->filter != CEP_NONE) {
        base_buf_puts(out, " where ");
        put_code(v, j->filter, out);
    }
}

static void put_sort(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_sort *s = cep_program_sort(v->program, n->detail);
    put_orders(v, s->keys, out);
    if (s->changes)
        base_buf_puts(out, s->keys.count ? ", what stands at the end" : "what stands at the end");
    if (s->limit != UINT64_MAX)
        base_buf_printf(out, " limit %llu", (unsigned long long)s->limit);
    if (s->offset)
        base_buf_printf(out, " offset %llu", (unsigned long long)s->offset);
}

static void put_sink(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_sink *s = cep_program_sink(v->program, n->detail);
    if (s->kind == CEP_SINK_TABLE) {
        base_buf_puts(out, "table ");
        base_buf_put_str(out, text_of(v, cep_program_table(v->program, s->detail)->name));
    } else if (s->kind == CEP_SINK_VIEW) {
        base_buf_puts(out, "view ");
        base_buf_put_str(out, text_of(v, cep_program_table(v->program, s->detail)->name));
    } else if (s->kind == CEP_SINK_RULE) {
        base_buf_puts(out, "alerts");
    } else {
        base_buf_printf(out, "result %u", s->detail + 1);
    }
}

static void put_window(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    static const char *const names[] = { "?", "tumble", "hop", "cumulate", "session" };
    const struct cep_window *w = cep_program_window(v->program, n->detail);
    base_buf_printf(out, "%s %lld ms", names[w->kind], (long long)w->size_ms);
    if (w->slide_ms && w->slide_ms != w->size_ms)
        base_buf_printf(out, " by %lld ms", (long long)w->slide_ms);
    if (w->assigns)
        return;
    base_buf_puts(out, " by (");
    put_columns(v, n->key_columns, false, out);
    base_buf_printf(out, ") %u aggregates%s", w->aggs.count, w->late_ms ? ", told at its end and corrected" : w->eager ? ", a changelog" : ", told at its end");
}

static void put_over(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    const struct cep_over *o = cep_program_over(v->program, n->detail);
    base_buf_puts(out, "by (");
    put_columns(v, n->key_columns, false, out);
    base_buf_putc(out, ')');
    for (uint32_t i = 0; i < o->frames.count; i++) {
        const struct cep_over_frame *f = cep_program_frame(v->program, o->frames.first + i);
        if (f->unbounded)
            base_buf_printf(out, " %s unbounded", f->rows ? "rows" : "range");
        else
            base_buf_printf(out, " %s %lld%s", f->rows ? "rows" : "range", (long long)f->back, f->rows ? "" : " ms");
    }
    base_buf_puts(out, o->eager ? ", at once, corrected by late rows" : ", told once the watermark has passed the row");
}

static void put_detail(const struct view *v, const struct cep_node *n, struct base_buf *out)
{
    switch ((enum cep_node_kind)n->kind) {
    case CEP_NODE_SOURCE:
        base_buf_put_str(out, text_of(v, cep_program_table(v->program, n->detail)->name));
        if (n->clock)
            base_buf_puts(out, " by processing time");
        if (n->late_ms)
            base_buf_printf(out, " with rows late by less than %lld ms", (long long)n->late_ms);
        break;
    case CEP_NODE_CALC: put_calc(v, n, out); break;
    case CEP_NODE_EXCHANGE:
        base_buf_puts(out, "by (");
        put_columns(v, n->key_columns, false, out);
        base_buf_putc(out, ')');
        break;
    case CEP_NODE_LOOKUP: put_lookup(v, n, out); break;
    case CEP_NODE_MATCH: put_match(v, n, out); break;
    case CEP_NODE_ALERT:
        base_buf_put_str(out, text_of(v, cep_program_rule(v->program, n->detail)->name));
        base_buf_puts(out, " by (");
        put_columns(v, n->key_columns, false, out);
        base_buf_putc(out, ')');
        break;
    case CEP_NODE_SORT: put_sort(v, n, out); break;
    case CEP_NODE_SINK: put_sink(v, n, out); break;
    case CEP_NODE_UNION: break;
    case CEP_NODE_WINDOW: put_window(v, n, out); break;
    case CEP_NODE_OVER: put_over(v, n, out); break;
    case CEP_NODE_JOIN: put_join(v, n, out); break;
    case CEP_NODE_TOPN: put_topn(v, n, out); break;
    case CEP_NODE_GROUP:
        base_buf_puts(out, "by (");
        put_columns(v, n->key_columns, false, out);
        base_buf_printf(out, ") %u aggregates%s", cep_program_group(v->program, n->detail)->aggs.count, cep_program_group(v->program, n->detail)->eager == 1 ? ", a changelog" : "");
        break;
    }
}

/* ---- text ---- */

void patterns_explain_plan(const struct patterns_result *result, struct base_buf *out)
{
    const struct view v = { result, result->program, out };
    for (uint32_t i = 0; i < cep_program_node_count(v.program); i++) {
        const struct cep_node *n = cep_program_node(v.program, i);
        base_buf_printf(out, "%4u  %-8s ", i, kind_name(n->kind));
        for (uint32_t k = 0; k < n->inputs.count; k++)
            base_buf_printf(out, "%s%u", k ? "," : "<- ", *cep_program_u32(v.program, n->inputs.first + k));
        base_buf_puts(out, n->inputs.count ? "  " : "");
        put_detail(&v, n, out);
        base_buf_puts(out, "  (");
        put_columns(&v, cep_program_schema(v.program, n->schema)->columns, true, out);
        base_buf_puts(out, ")\n");
    }
}

static const struct base_source *match_source(const struct view *v, const struct cep_match *m)
{
    for (uint32_t i = 0; i < m->vars.count; i++) {
        const struct cep_pred *p =
            cep_program_pred(v->program, m->preds.first + cep_program_var(v->program, m->vars.first + i)->pred);
        if (p->code < v->result->code_count && v->result->code_sources[p->code])
            return v->result->code_sources[p->code];
    }
    return NULL;
}

/* What the registers of a node's partial matches hold; "" if no statement tells. */
static const char *registers_of(const struct view *v, uint32_t node)
{
    for (uint32_t i = 0; i < v->result->compiled_count; i++) {
        if (v->result->compiled[i].match_node == node)
            return v->result->compiled[i].registers ? v->result->compiled[i].registers : "";
    }
    return "";
}

static void put_automata(const struct view *v, enum patterns_explain_format format)
{
    for (uint32_t i = 0; i < cep_program_node_count(v->program); i++) {
        const struct cep_node *n = cep_program_node(v->program, i);
        if (n->kind != CEP_NODE_MATCH)
            continue;
        const struct base_source *source = match_source(v, cep_program_match(v->program, n->detail));
        struct base_str text = source ? (struct base_str){ source->text, source->len } : (struct base_str){ "", 0 };
        if (format == PATTERNS_EXPLAIN_TEXT)
            base_buf_printf(v->out, "\nautomaton of node %u\n", i);
        patterns_explain_match(v->program, n->detail, text, format, v->out);
        if (format == PATTERNS_EXPLAIN_TEXT && *registers_of(v, i))
            base_buf_printf(v->out, "a partial match holds: %s\n", registers_of(v, i));
    }
}

static const char *unit_name(enum patterns_unit_kind kind)
{
    return kind == PATTERNS_COMPILED_RULE ? "rule" : kind == PATTERNS_COMPILED_VIEW ? "view" : kind == PATTERNS_COMPILED_INSERT ? "insert" : "query";
}

static void explain_text(const struct view *v)
{
    for (uint32_t i = 0; i < v->result->compiled_count; i++) {
        const struct patterns_compiled *c = &v->result->compiled[i];
        uint32_t line, column;
        base_source_place(c->source, c->begin, &line, &column);
        base_buf_printf(v->out, "%s ", c->kind == PATTERNS_COMPILED_QUERY ? "" : unit_name(c->kind));
        base_buf_put_str(v->out, c->name);
        base_buf_printf(v->out, "  %s:%u:%u\n", c->source->name, line, column);
        base_buf_printf(v->out, "fingerprint %s, node %u, %s%s%s\n", c->fingerprint, c->sink_node, c->stability,
                        c->witness && *c->witness ? ": " : "", c->witness ? c->witness : "");
        patterns_print_statement(c->statement, v->out);
        base_buf_puts(v->out, "\n\n");
    }
    base_buf_puts(v->out, "plan\n");
    patterns_explain_plan(v->result, v->out);
    put_automata(v, PATTERNS_EXPLAIN_TEXT);
    base_buf_puts(v->out, "\nprogram\n");
    cep_program_print(v->program, v->out);
}

/* ---- Graphviz ---- */

static void put_escaped(struct base_buf *out, const struct base_buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if (text->ptr[i] == '"' || text->ptr[i] == '\\')
            base_buf_putc(out, '\\');
        base_buf_putc(out, text->ptr[i]);
    }
}

static void explain_dot(const struct view *v)
{
    struct base_buf detail = { 0 };
    base_buf_puts(v->out, "digraph plan {\n  rankdir=BT;\n  node [shape=box, fontname=\"monospace\"];\n");
    for (uint32_t i = 0; i < cep_program_node_count(v->program); i++) {
        const struct cep_node *n = cep_program_node(v->program, i);
        base_buf_clear(&detail);
        put_detail(v, n, &detail);
        base_buf_printf(v->out, "  n%u [label=\"%u %s\\n", i, i, kind_name(n->kind));
        put_escaped(v->out, &detail);
        base_buf_puts(v->out, "\"];\n");
        for (uint32_t k = 0; k < n->inputs.count; k++)
            base_buf_printf(v->out, "  n%u -> n%u;\n", *cep_program_u32(v->program, n->inputs.first + k), i);
    }
    base_buf_puts(v->out, "}\n");
    if (detail.failed)
        v->out->failed = true;
    base_buf_finish(&detail);
    put_automata(v, PATTERNS_EXPLAIN_DOT);
}

/* ---- JSON ---- */

static void json_statements(const struct view *v)
{
    struct base_buf text = { 0 };
    base_buf_puts(v->out, "\"statements\":[");
    for (uint32_t i = 0; i < v->result->compiled_count; i++) {
        const struct patterns_compiled *c = &v->result->compiled[i];
        uint32_t line, column;
        base_source_place(c->source, c->begin, &line, &column);
        base_buf_printf(v->out, "%s{\"kind\":\"%s\",\"name\":", i ? "," : "", unit_name(c->kind));
        base_buf_put_json(v->out, c->name);
        base_buf_puts(v->out, ",\"file\":");
        base_buf_put_json(v->out, base_str_of(c->source->name));
        base_buf_printf(v->out, ",\"line\":%u,\"column\":%u,\"node\":%u,\"fingerprint\":\"%s\",\"stability\":", line,
                        column, c->sink_node, c->fingerprint);
        base_buf_put_json(v->out, base_str_of(c->stability));
        base_buf_puts(v->out, ",\"witness\":");
        base_buf_put_json(v->out, base_str_of(c->witness));
        base_buf_clear(&text);
        patterns_print_statement(c->statement, &text);
        base_buf_puts(v->out, ",\"text\":");
        base_buf_put_json(v->out, (struct base_str){ text.ptr, text.len });
        base_buf_putc(v->out, '}');
    }
    base_buf_putc(v->out, ']');
    if (text.failed)
        v->out->failed = true;
    base_buf_finish(&text);
}

static void json_columns(const struct view *v, struct cep_list columns)
{
    struct base_buf type = { 0 };
    base_buf_putc(v->out, '[');
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct cep_column *c = cep_program_column(v->program, columns.first + i);
        base_buf_clear(&type);
        cep_type_print(c->type, &type);
        base_buf_puts(v->out, i ? ",{\"name\":" : "{\"name\":");
        base_buf_put_json(v->out, text_of(v, c->name));
        base_buf_puts(v->out, ",\"type\":");
        base_buf_put_json(v->out, (struct base_str){ type.ptr, type.len });
        base_buf_putc(v->out, '}');
    }
    base_buf_putc(v->out, ']');
    if (type.failed)
        v->out->failed = true;
    base_buf_finish(&type);
}

static void json_node(const struct view *v, uint32_t index)
{
    const struct cep_node *n = cep_program_node(v->program, index);
    struct base_buf detail = { 0 };
    base_buf_printf(v->out, "%s{\"node\":%u,\"kind\":\"%s\",\"stage\":%u,\"fingerprint\":\"%016llx\",\"inputs\":[",
                    index ? "," : "", index, kind_name(n->kind), n->stage, (unsigned long long)n->fingerprint);
    for (uint32_t k = 0; k < n->inputs.count; k++)
        base_buf_printf(v->out, "%s%u", k ? "," : "", *cep_program_u32(v->program, n->inputs.first + k));
    put_detail(v, n, &detail);
    base_buf_puts(v->out, "],\"detail\":");
    base_buf_put_json(v->out, (struct base_str){ detail.ptr, detail.len });
    base_buf_puts(v->out, ",\"columns\":");
    json_columns(v, cep_program_schema(v->program, n->schema)->columns);
    if (n->kind == CEP_NODE_MATCH) {
        const struct base_source *source = match_source(v, cep_program_match(v->program, n->detail));
        base_buf_puts(v->out, ",\"holds\":");
        base_buf_put_json(v->out, base_str_of(registers_of(v, index)));
        base_buf_puts(v->out, ",\"automaton\":");
        patterns_explain_match(v->program, n->detail,
                               source ? (struct base_str){ source->text, source->len } : (struct base_str){ "", 0 },
                               PATTERNS_EXPLAIN_JSON, v->out);
    }
    base_buf_putc(v->out, '}');
    if (detail.failed)
        v->out->failed = true;
    base_buf_finish(&detail);
}

static void explain_json(const struct view *v)
{
    base_buf_putc(v->out, '{');
    json_statements(v);
    base_buf_puts(v->out, ",\"plan\":[");
    for (uint32_t i = 0; i < cep_program_node_count(v->program); i++)
        json_node(v, i);
    base_buf_puts(v->out, "]}\n");
}

void patterns_explain(const struct patterns_result *result, enum patterns_explain_format format, struct base_buf *out)
{
    const struct view v = { result, result->program, out };
    switch (format) {
    case PATTERNS_EXPLAIN_TEXT: explain_text(&v); break;
    case PATTERNS_EXPLAIN_DOT: explain_dot(&v); break;
    case PATTERNS_EXPLAIN_JSON: explain_json(&v); break;
    }
}
