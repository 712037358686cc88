/* Steps of row patterns in words, for `cepheid test --explain`. */
#include "service/case_run.h"

#include "base/error.h"

static struct base_str var_name(const struct service_case_trace *trace, uint32_t var)
{
    return cep_program_text(trace->program, cep_program_var(trace->program, var)->name);
}

/* The line of the case that the row of a table stands on; 0: it comes from elsewhere. */
static uint32_t line_of(const struct service_case_trace *trace, const struct cep_row *row)
{
    if (row->at.table >= cep_program_table_count(trace->program))
        return 0;
    struct base_str table = cep_program_text(trace->program, cep_program_table(trace->program, row->at.table)->name);
    for (size_t i = 0, n = 0; i < trace->c->rows.len; i++) {
        const struct service_case_lines *lines = &trace->c->rows.at[i].lines;
        if (!base_str_equal_fold(trace->c->rows.at[i].table, table))
            continue;
        if ((size_t)row->at.offset < n + lines->len)
            return lines->numbers[(size_t)row->at.offset - n];
        n += lines->len;
    }
    return 0;
}

static void put_line(const struct service_case_trace *trace, const struct cep_row *row)
{
    uint32_t line = line_of(trace, row);
    if (line)
        base_buf_printf(trace->out, "%u", line);
    else
        base_buf_printf(trace->out, "%d:%lld", (int)row->at.partition, (long long)row->at.offset);
}

static void put_preds(const struct service_case_trace *trace, const struct cep_match *match, struct cep_list preds)
{
    for (uint32_t i = 0; i < preds.count; i++) {
        const struct cep_pred *pred = cep_program_pred(trace->program, match->preds.first + *cep_program_u32(trace->program, preds.first + i));
        struct base_str name = var_name(trace, match->vars.first + pred->var);
        base_buf_printf(trace->out, "%s%.*s", i ? " or " : "", (int)name.len, name.ptr);
    }
}

/* What the state at pc waits for. */
static void put_state(const struct service_case_trace *trace, const struct cep_match *match, uint32_t pc)
{
    const struct cep_nfa *s = cep_program_nfa(trace->program, match->nfas.first + pc);
    struct base_str name;
    switch ((enum cep_nfa_op)s->op) {
    case CEP_NFA_TAKE:
        name = var_name(trace, match->vars.first + s->var);
        base_buf_printf(trace->out, "the next row must be %.*s", (int)name.len, name.ptr);
        return;
    case CEP_NFA_WAIT:
        base_buf_puts(trace->out, s->any ? "waits for any " : "waits for ");
        put_preds(trace, match, s->firsts);
        return;
    case CEP_NFA_ABSENT:
        base_buf_puts(trace->out, s->absent_ms ? "waits for FOR INTERVAL to end" : "waits for WITHIN to end");
        return;
    case CEP_NFA_END: base_buf_puts(trace->out, "waits for the end of the input"); return;
    case CEP_NFA_MATCH: base_buf_puts(trace->out, "complete, unless the next row forbids it"); return;
    case CEP_NFA_SPLIT:
    case CEP_NFA_START:
    case CEP_NFA_GUARD:
    case CEP_NFA_LOOP_IN:
    case CEP_NFA_LOOP_OUT: return; /* nothing rests there */
    }
}

static void put_items(const struct service_case_trace *trace, const struct cep_trace *step)
{
    for (uint32_t i = 0; i < step->count; i++) {
        struct base_str name = var_name(trace, step->items[i].var);
        base_buf_printf(trace->out, " %.*s=", (int)name.len, name.ptr);
        put_line(trace, step->items[i].row);
    }
}

/* The rule, query or table that the pattern's rows go to. */
static struct base_str reader_of(const struct service_case_trace *trace, uint32_t node)
{
    for (uint32_t hops = 0; hops < 64; hops++) {
        const struct cep_node *n = cep_program_node(trace->program, node);
        if (n->kind == CEP_NODE_ALERT)
            return cep_program_text(trace->program, cep_program_rule(trace->program, n->detail)->name);
        if (n->outputs.count == 0)
            break;
        node = *cep_program_u32(trace->program, n->outputs.first);
    }
    return BASE_STR("row pattern");
}

void service_case_trace_finish(struct service_case_trace *trace)
{
    BASE_VEC_FINISH(&trace->live);
}

/* The start lives on, or is new, or has its match. */
static void note_start(struct service_case_trace *trace, const struct cep_trace *step)
{
    bool matched = step->what == CEP_TRACE_MATCH;
    for (size_t i = 0; i < trace->live.len; i++) {
        struct service_case_live *live = &trace->live.at[i];
        if (live->node == step->node && live->key == step->key && cep_position_compare(&live->at, &step->start->at) == 0) {
            live->still = live->still || !matched;
            live->matched = matched;
            return;
        }
    }
    if (matched)
        return;
    struct service_case_live fresh = { .node = step->node, .key = step->key, .at = step->start->at, .time_ms = step->start->time_ms, .still = true,
                                       .line = line_of(trace, step->start) };
    trace->failed |= !BASE_VEC_PUSH(&trace->live, fresh);
}

/* Tells those of the key that live no more. */
static void end_row(struct service_case_trace *trace, const struct cep_trace *step)
{
    size_t kept = 0;
    for (size_t i = 0; i < trace->live.len; i++) {
        struct service_case_live live = trace->live.at[i];
        if (live.node == step->node && live.key == step->key && !live.still) {
            bool late = step->within_ms && step->row->time_ms - live.time_ms >= step->within_ms;
            if (!live.matched)
                base_buf_printf(trace->out, "      from %u: over, %s\n", live.line,
                                late              ? "its time is up"
                                : trace->matched ? "skipped over by the match"
                                                 : "no way goes on");
            continue;
        }
        live.still = live.still && !(live.node == step->node && live.key == step->key);
        trace->live.at[kept++] = live;
    }
    trace->live.len = kept;
}

void service_case_trace_step(struct service_case_trace *trace, const struct cep_trace *step)
{
    const struct cep_node *node = cep_program_node(trace->program, step->node);
    const struct cep_match *match = cep_program_match(trace->program, node->detail);
    if (step->what == CEP_TRACE_ROW) {
        struct base_str reader = reader_of(trace, step->node);
        trace->matched = false;
        base_buf_puts(trace->out, "    line ");
        put_line(trace, step->row);
        base_buf_printf(trace->out, ", %.*s:\n", (int)reader.len, reader.ptr);
        return;
    }
    if (step->what == CEP_TRACE_DONE) {
        end_row(trace, step);
        return;
    }
    trace->matched |= step->what == CEP_TRACE_MATCH;
    note_start(trace, step);
    base_buf_printf(trace->out, step->what == CEP_TRACE_MATCH ? "      match from " : "      from ");
    put_line(trace, step->start);
    base_buf_putc(trace->out, ':');
    put_items(trace, step);
    if (step->what == CEP_TRACE_LIVE) {
        bool here = step->count && step->items[step->count - 1].row == step->row;
        base_buf_puts(trace->out, here ? "; took this row, " : "; passed over this row, ");
        put_state(trace, match, step->pc);
        if (step->ways > 1)
            base_buf_printf(trace->out, " (%u ways)", step->ways);
    }
    base_buf_putc(trace->out, '\n');
}
