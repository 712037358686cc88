#include "cep/operators/fold.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

static bool is_volatile(const struct cep_program *p, uint32_t code) { return code != CEP_NONE && cep_program_code(p, code)->flags & CEP_CODE_VOLATILE; }

int cep_fold_init(struct cep_fold *fold, struct cep_flow *flow, uint32_t node, struct cep_list aggs, struct cep_list outs)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(p, node);
    struct cep_type *types = base_calloc(n->keys.count + 1, sizeof *types);
    *fold = (struct cep_fold){ .flow = flow, .program = p, .node = node, .input = *cep_program_u32(p, n->inputs.first), .aggs = aggs, .outs = outs };
    fold->key_types = types;
    fold->args = base_calloc(aggs.count + 1, sizeof *fold->args);
    fold->results = base_calloc(aggs.count + 1, sizeof *fold->results);
    fold->columns = base_calloc(outs.count + 1, sizeof *fold->columns);
    if (!types || !fold->args || !fold->results || !fold->columns)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < aggs.count; i++) {
        const struct cep_agg *agg = cep_fold_agg(fold, i);
        fold->asks_clock |= is_volatile(p, agg->arg) || is_volatile(p, agg->filter);
    }
    for (uint32_t i = 0; i < n->keys.count; i++)
        types[i] = cep_program_code(p, *cep_program_u32(p, n->keys.first + i))->type;
    return 0;
}

void cep_fold_finish(struct cep_fold *fold)
{
    base_free((void *)(uintptr_t)fold->key_types);
    base_free(fold->args);
    base_free(fold->results);
    base_free(fold->columns);
}

struct cep_frame cep_fold_frame(const struct cep_fold *fold, const struct cep_row *row)
{
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(fold->flow, fold->input, &columns);
    int64_t now = fold->asks_clock ? cep_flow_proc_time(fold->flow) : 0;
    return (struct cep_frame){ .row = &row->tuple, .row_types = types, .row_time_ms = row->time_ms, .arena = cep_flow_arena(fold->flow),
                               .proc_time_ms = now, .now_ms = now };
}

int cep_fold_arguments(struct cep_fold *fold, const struct cep_event *event, bool *ret_good)
{
    struct cep_frame frame = cep_fold_frame(fold, event->row);
    *ret_good = true;
    for (uint32_t i = 0; i < fold->aggs.count; i++) {
        const struct cep_agg *agg = cep_fold_agg(fold, i);
        int rc = cep_agg_argument(agg, cep_flow_expr(fold->flow), &frame, &fold->args[i]);
        if (rc == BASE_E_NOMEM)
            return rc;
        if (rc) {
            cep_flow_report(fold->flow, CEP_REPORT_ERROR, fold->node, rc, agg->arg != CEP_NONE ? agg->arg : agg->filter, event);
            *ret_good = false;
            return 0;
        }
    }
    return 0;
}

int cep_fold_time(struct cep_fold *fold, uint32_t code, const struct cep_event *event, int64_t *ret_ms, bool *ret_good)
{
    struct cep_frame frame = cep_fold_frame(fold, event->row);
    struct cep_value time = { .null = true };
    if (is_volatile(fold->program, code))
        frame.proc_time_ms = frame.now_ms = cep_flow_proc_time(fold->flow);
    int rc = cep_expr_run(cep_flow_expr(fold->flow), code, &frame, &time);
    if (rc == BASE_E_NOMEM)
        return rc;
    /* Windows reach some way around a row's time: far from the ends of the scale. */
    *ret_good = !rc && !time.null && time.i > INT64_MIN / 4 && time.i < INT64_MAX / 4;
    *ret_ms = *ret_good ? time.i : 0;
    if (!*ret_good)
        cep_flow_report(fold->flow, CEP_REPORT_ERROR, fold->node, rc ? rc : BASE_E_RANGE, code, event);
    return 0;
}

struct cep_agg_order cep_fold_order(const struct cep_row *row, int64_t time_ms)
{
    return (struct cep_agg_order){ time_ms, row->at };
}

int cep_fold_add(struct cep_fold *fold, uint32_t first, uint32_t count, struct cep_agg_cell *cells, const struct cep_value *values,
                 const struct cep_agg_order *order)
{
    for (uint32_t i = 0; i < count; i++) {
        int rc = cep_agg_add(cep_fold_agg(fold, first + i), &cells[i], values[i], order);
        if (rc == BASE_E_LIMIT)
            cep_flow_report(fold->flow, CEP_REPORT_LIMIT, fold->node, rc, CEP_NONE, NULL);
        else if (rc)
            return rc;
    }
    return 0;
}

int cep_fold_add_times(struct cep_fold *fold, struct cep_agg_cell *cells, uint64_t times, const struct cep_agg_order *order)
{
    int rc = 0;
    for (uint32_t i = 0; i < fold->aggs.count && !rc; i++) {
        const struct cep_agg *agg = cep_fold_agg(fold, i);
        if (agg->kind == CEP_AGG_COUNT && !agg->distinct && !fold->args[i].null) {
            cells[i].count += (int64_t)times;
            continue;
        }
        for (uint64_t n = 0; n < times && !rc; n++)
            rc = cep_fold_add(fold, i, 1, &cells[i], &fold->args[i], order);
    }
    return rc;
}

int cep_fold_take(struct cep_fold *fold, uint32_t first, uint32_t count, struct cep_agg_cell *cells, const struct cep_value *values,
                  const struct cep_agg_order *order)
{
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = cep_agg_take(cep_fold_agg(fold, first + i), &cells[i], values[i], order);
    return rc;
}

void cep_fold_clear(const struct cep_fold *fold, uint32_t first, uint32_t count, struct cep_agg_cell *cells)
{
    for (uint32_t i = 0; i < count; i++)
        cep_agg_clear(cep_fold_agg(fold, first + i), &cells[i]);
}

int cep_fold_merge(struct cep_fold *fold, struct cep_agg_cell *to, const struct cep_agg_cell *from)
{
    for (uint32_t i = 0; i < fold->aggs.count; i++) {
        int rc = cep_agg_merge(cep_fold_agg(fold, i), &to[i], &from[i]);
        if (rc == BASE_E_LIMIT)
            cep_flow_report(fold->flow, CEP_REPORT_LIMIT, fold->node, rc, CEP_NONE, NULL);
        else if (rc)
            return rc;
    }
    return 0;
}

void cep_fold_save(const struct cep_fold *fold, uint32_t first, uint32_t count, const struct cep_agg_cell *cells, struct base_buf *out)
{
    for (uint32_t i = 0; i < count; i++)
        cep_agg_save(cep_fold_agg(fold, first + i), &cells[i], out);
}

int cep_fold_load(const struct cep_fold *fold, uint32_t first, uint32_t count, struct base_reader *in, struct cep_agg_cell *ret)
{
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = cep_agg_load(cep_fold_agg(fold, first + i), in, &ret[i]);
    return rc;
}

size_t cep_fold_bytes(const struct cep_fold *fold, uint32_t count, const struct cep_agg_cell *cells)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += cep_agg_bytes(cep_fold_agg(fold, i), &cells[i]);
    return bytes;
}

int cep_fold_results(struct cep_fold *fold, const struct cep_agg_cell *cells, bool *ret_good)
{
    *ret_good = true;
    for (uint32_t i = 0; i < fold->aggs.count; i++) {
        const struct cep_agg *agg = cep_fold_agg(fold, i);
        int rc = cep_agg_result(fold->program, agg, &cells[i], cep_flow_arena(fold->flow), &fold->results[i]);
        if (rc == BASE_E_NOMEM)
            return rc;
        if (rc) {
            cep_flow_report(fold->flow, CEP_REPORT_ERROR, fold->node, rc, agg->arg, NULL);
            *ret_good = false;
            return 0;
        }
    }
    return 0;
}

int cep_fold_row(struct cep_fold *fold, const struct cep_fold_parts *parts, int64_t time_ms, struct cep_position at, struct cep_row **ret)
{
    uint32_t columns, inputs;
    const struct cep_type *types = cep_flow_types(fold->flow, fold->node, &columns), *in = cep_flow_types(fold->flow, fold->input, &inputs);
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t out = *cep_program_u32(fold->program, fold->outs.first + i), n = CEP_AGG_OUT_NUMBER(out);
        switch ((enum cep_agg_out)CEP_AGG_OUT_CLASS(out)) {
        case CEP_AGG_OUT_KEY: fold->columns[i] = cep_tuple_get(parts->key, n, fold->key_types[n]); break;
        case CEP_AGG_OUT_AGG: fold->columns[i] = fold->results[n]; break;
        case CEP_AGG_OUT_WINDOW: fold->columns[i] = cep_int(parts->window[n]); break;
        case CEP_AGG_OUT_COLUMN: fold->columns[i] = cep_tuple_get(parts->row, n, in[n]); break;
        }
    }
    return cep_row_make(types, fold->columns, columns, time_ms, at, cep_flow_arena(fold->flow), ret);
}

/* ---- telling ---- */

struct cep_ident cep_fold_ident(const struct cep_tuple *key, int64_t a, int64_t b)
{
    struct { uint64_t key; int64_t a, b; } facts = { base_hash64(key, key->size_bytes, 11), a, b };
    uint64_t second = base_hash64(key, key->size_bytes, 12);
    return (struct cep_ident){ base_hash64(&facts, sizeof facts, 13), base_hash64(&facts, sizeof facts, second) };
}

int cep_fold_tell(struct cep_fold *fold, const struct cep_fold_tell *tell, struct cep_row *row, uint8_t change)
{
    uint8_t kept = row->change;
    struct cep_event event = { .row = row, .key = &tell->key->tuple, .key_node = fold->node, .key_hash = cep_key_hash(&tell->key->tuple), .ident = tell->ident,
                               .limited = tell->limited, .final = tell->final, .first_time_ms = tell->first_ms, .last_time_ms = tell->last_ms,
                               .first_at = row->at };
    row->change = change;
    int rc = cep_flow_emit(fold->flow, fold->node, &event);
    row->change = kept;
    return rc;
}

int cep_fold_differ(struct cep_fold *fold, const struct cep_fold_tell *tell, struct cep_row **told, const struct cep_row *now)
{
    struct cep_row *before = *told, *copy = NULL;
    int rc = 0;
    if (!before && !now)
        return 0;
    if (before && now && cep_tuple_equal(&before->tuple, &now->tuple))
        return 0;
    if (now && !(copy = cep_kept_row(now)))
        return BASE_E_NOMEM;
    *told = copy;
    if (before)
        rc = cep_fold_tell(fold, tell, before, copy ? CEP_UPDATE_BEFORE : CEP_DELETE);
    if (!rc && copy)
        rc = cep_fold_tell(fold, tell, copy, before ? CEP_UPDATE_AFTER : CEP_INSERT);
    base_free(before);
    return rc;
}

int cep_fold_settle(struct cep_fold *fold, const struct cep_fold_tell *tell, struct cep_row *told)
{
    struct cep_fold_tell last = *tell;
    last.final = true;
    return told ? cep_fold_tell(fold, &last, told, CEP_SETTLED) : 0;
}
