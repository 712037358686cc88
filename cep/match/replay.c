/* What a match looks like: the automaton is run once more over the kept rows from one start alone, with paths; then labels, measures, evidence. */
#include "cep/match/park.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"

int cep_match_unwind(struct match_op *op, uint32_t path)
{
    op->items.len = 0;
    for (uint32_t at = path; at != MATCH_NO_PATH; at = op->paths[at].parent) {
        struct match_item item = { .seq = op->paths[at].seq, .var = op->paths[at].var, .excluded = op->paths[at].excluded };
        if (!BASE_VEC_PUSH(&op->items, item))
            return BASE_E_NOMEM;
    }
    for (size_t i = 0, j = op->items.len; i + 1 < j; i++) {
        struct match_item swap = op->items.at[i];
        op->items.at[i] = op->items.at[--j];
        op->items.at[j] = swap;
    }
    return 0;
}

struct replay { uint32_t best; bool found; };

/* A thread that stayed where it was still has its registers in the arena that the next row resets. */
static int keep_regs(struct match_op *op)
{
    for (size_t i = 0; i < op->out.len; i++) {
        struct match_thread *thread = &op->out.at[i];
        struct cep_tuple *copy = thread->regs ? base_arena_alloc(&op->arena, thread->regs->size_bytes) : NULL;
        if (thread->regs && !copy)
            return BASE_E_NOMEM;
        if (copy)
            memcpy(copy, thread->regs, thread->regs->size_bytes);
        thread->regs = copy;
    }
    return 0;
}

#define PATHS_KEPT_LEAST 65536

/* Paths that no thread has any more are swept out once they are many: what is kept is the tree of the live ones. Nodes stand behind their parents. */
static int sweep_paths(struct match_op *op, struct replay *replay)
{
    uint32_t *place = base_calloc(op->path_count, sizeof *place), count = 0; /* 1: reachable; then 1 + its new place */
    if (!place)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < op->replay.len + 1; i++) {
        uint32_t at = i < op->replay.len ? op->replay.at[i].path : replay->best;
        for (; at != MATCH_NO_PATH && !place[at]; at = op->paths[at].parent)
            place[at] = 1;
    }
    for (uint32_t i = 0; i < op->path_count; i++) {
        if (!place[i])
            continue;
        struct match_path path = op->paths[i];
        if (path.parent != MATCH_NO_PATH)
            path.parent = place[path.parent] - 1;
        op->paths[count++] = path;
        place[i] = count;
    }
    for (size_t i = 0; i < op->replay.len; i++)
        if (op->replay.at[i].path != MATCH_NO_PATH)
            op->replay.at[i].path = place[op->replay.at[i].path] - 1;
    if (replay->best != MATCH_NO_PATH)
        replay->best = place[replay->best] - 1;
    base_free(place);
    op->path_count = count;
    op->path_most = count < PATHS_KEPT_LEAST / 2 ? PATHS_KEPT_LEAST : 2 * count;
    return 0;
}

/* Steps the replayed threads; they live in op->replay, their registers in op->arena_prev. */
static int replay_step(struct match_op *op, struct replay *replay)
{
    int rc = cep_match_step(op, op->replay.at, (uint32_t)op->replay.len);
    if (!rc)
        rc = keep_regs(op);
    struct match_threads swap = op->replay;
    op->replay = op->out;
    op->out = swap;
    if (op->accepted) {
        replay->best = op->accept_path;
        replay->found = true;
    }
    return rc || op->path_count <= op->path_most ? rc : sweep_paths(op, replay);
}

static void turn_arenas(struct match_op *op)
{
    struct base_arena swap = op->arena;
    op->arena = op->arena_prev;
    op->arena_prev = swap;
    base_arena_reset(&op->arena);
    op->unpacked = NULL;
}

static int replay_time(struct match_op *op, struct replay *replay, int64_t time_ms)
{
    turn_arenas(op);
    op->mode = MATCH_STEP_TIME;
    op->row = NULL;
    op->step_time_ms = time_ms;
    return replay_step(op, replay);
}

/* Absences counted from the last taken row that hold before time_ms. */
static int replay_deadlines(struct match_op *op, struct replay *replay, int64_t time_ms)
{
    for (uint32_t turn = 0; op->has_for_absence && turn < 64; turn++) {
        int64_t first = BASE_TIME_MAX_MS;
        op->unpacked = NULL;
        for (size_t i = 0; i < op->replay.len; i++) {
            int64_t at = cep_match_thread_deadline(op, &op->replay.at[i]);
            if (at < first)
                first = at;
        }
        if (first > time_ms)
            return 0;
        int rc = replay_time(op, replay, first);
        if (rc)
            return rc;
    }
    return 0;
}

/* Time is up: only threads that wait to learn what follows their last row remain. */
static void drop_waiting(struct match_op *op)
{
    size_t kept = 0;
    for (size_t i = 0; i < op->replay.len; i++)
        if (cep_match_thread_looks_ahead(op, &op->replay.at[i]))
            op->replay.at[kept++] = op->replay.at[i];
    op->replay.len = kept;
}

static int replay_rows(struct match_op *op, struct match_key *key, const struct match_cand *cand, struct replay *replay)
{
    bool anchor = op->has_start_anchor && cand->start == 1;
    const struct match_threads *first = anchor ? &op->first_anchor : &op->first_plain;
    op->replay.len = 0;
    for (size_t i = 0; i < first->len; i++) {
        struct match_thread thread = first->at[i];
        thread.path = MATCH_NO_PATH;
        if (!BASE_VEC_PUSH(&op->replay, thread))
            return BASE_E_NOMEM;
    }
    struct match_demands demands;
    bool waits = false; /* for values alone: rows without them are passed over (Claim 16), but the last one */
    int rc = 0;
    for (uint64_t seq = cand->start; seq <= cand->accept_seq && !rc; seq++) {
        if (waits && seq < cand->accept_seq && cep_match_park_passes(op, &demands, cep_match_rows_at(&key->rows, seq)))
            continue;
        rc = replay_deadlines(op, replay, cep_match_rows_at(&key->rows, seq)->time_ms);
        if (rc)
            break;
        turn_arenas(op);
        cep_match_begin_row(op, key, seq);
        if (op->within_ms && op->row->time_ms - cep_match_rows_at(&key->rows, cand->start)->time_ms >= op->within_ms)
            drop_waiting(op);
        rc = replay_step(op, replay);
        waits = !rc && op->park && cep_match_park_demands(op, &op->replay, &demands);
    }
    return rc;
}

/* What happened to the threads after the last row: time ran out, or the input ended. */
static int replay_finish(struct match_op *op, struct match_key *key, const struct match_cand *cand, struct replay *replay)
{
    if (cand->step == MATCH_STEP_ROW)
        return 0;
    if (cand->step == MATCH_STEP_END) {
        turn_arenas(op);
        op->mode = MATCH_STEP_END;
        op->row = NULL;
        op->seq = cand->accept_seq;
        if (op->within_ms)
            drop_waiting(op);
        return replay_step(op, replay);
    }
    int rc = replay_deadlines(op, replay, cand->time_ms - 1);
    int64_t within = cep_match_rows_at(&key->rows, cand->start)->time_ms + op->within_ms;
    op->unpacked = NULL;
    for (size_t i = 0; i < op->replay.len && !rc; i++) {
        const struct match_thread *thread = &op->replay.at[i];
        bool absent = op->nfas[thread->pc].op == CEP_NFA_ABSENT;
        int64_t deadline = absent && op->nfas[thread->pc].absent_ms == 0 ? within : cep_match_thread_deadline(op, thread);
        if (cand->kind == MATCH_TIMEOUT ? !absent && !cep_match_thread_looks_ahead(op, thread) : absent && deadline == cand->time_ms) {
            replay->best = thread->path;
            break;
        }
    }
    return rc;
}

int cep_match_replay(struct match_op *op, struct match_key *key, const struct match_cand *cand)
{
    struct replay replay = { .best = MATCH_NO_PATH };
    op->items.len = 0;
    if (cand->kind == MATCH_UNMATCHED || (cand->step == MATCH_STEP_ROW && cand->end < cand->start))
        return 0; /* no rows */
    bool quiet = op->quiet;
    op->track = true;
    op->quiet = true;
    op->path_count = 0;
    op->path_most = PATHS_KEPT_LEAST;
    op->key = key;
    op->frame.match_number = (int64_t)cand->number;
    base_arena_reset(&op->arena);
    base_arena_reset(&op->arena_prev);
    int rc = replay_rows(op, key, cand, &replay);
    if (!rc)
        rc = replay_finish(op, key, cand, &replay);
    op->track = false;
    cep_match_forget_seen(op);
    op->quiet = quiet;
    return rc ? rc : cep_match_unwind(op, replay.best);
}

int cep_match_replay_live(struct match_op *op, struct match_key *key, uint64_t start, uint64_t seq, uint64_t number, uint32_t *ret_pc, uint32_t *ret_ways)
{
    struct match_cand cand = { .start = start, .accept_seq = seq, .number = number };
    struct replay replay = { .best = MATCH_NO_PATH };
    bool quiet = op->quiet;
    op->track = op->quiet = true;
    op->path_count = 0;
    op->path_most = PATHS_KEPT_LEAST;
    op->key = key;
    op->frame.match_number = (int64_t)number;
    base_arena_reset(&op->arena);
    base_arena_reset(&op->arena_prev);
    int rc = replay_rows(op, key, &cand, &replay);
    op->track = false;
    cep_match_forget_seen(op);
    op->quiet = quiet;
    *ret_ways = (uint32_t)op->replay.len;
    *ret_pc = op->replay.len ? op->replay.at[0].pc : 0;
    return rc ? rc : cep_match_unwind(op, op->replay.len ? op->replay.at[0].path : MATCH_NO_PATH);
}

/* ---- outputs ---- */

static const struct cep_row *row_at(const struct match_op *op, const struct match_key *key, uint64_t seq)
{
    return op->view ? op->view[seq - op->view_first] : cep_match_rows_at(&key->rows, seq);
}

static bool label_at(void *ctx, int32_t distance, struct base_str *ret)
{
    const struct match_op *op = ctx;
    uint64_t seq = op->seq + (uint64_t)(int64_t)distance;
    size_t lo = 0, hi = op->items.len;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (op->items.at[mid].seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == op->items.len || op->items.at[lo].seq != seq)
        return false;
    *ret = cep_program_text(op->program, op->vars[op->items.at[lo].var].name);
    return true;
}

static void report(struct match_op *op, int rc, uint32_t code)
{
    struct cep_event event = { .row = op->row, .key_node = CEP_NONE };
    if (!op->quiet)
        cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, rc, code, &event);
}

static void at_row(struct match_op *op, struct match_key *key, uint64_t seq)
{
    op->seq = seq;
    op->row = row_at(op, key, seq);
    op->frame.row = &op->row->tuple;
    op->frame.row_time_ms = op->row->time_ms;
}

/* Takes item i into the running output registers. */
static int take_item(struct match_op *op, struct match_key *key, size_t i)
{
    const struct cep_var *var = &op->vars[op->items.at[i].var];
    if (var->out_update == CEP_NONE)
        return 0;
    at_row(op, key, op->items.at[i].seq);
    memcpy(op->next_regs, op->run_regs, op->out_count * sizeof *op->run_regs);
    op->frame.regs = op->run_regs;
    op->frame.new_regs = op->next_regs;
    int rc = cep_expr_run(op->expr, var->out_update, &op->frame, &(struct cep_value){ 0 });
    if (rc && rc != BASE_E_NOMEM)
        report(op, rc, var->out_update);
    if (rc)
        return rc;
    struct cep_value *swap = op->run_regs;
    op->run_regs = op->next_regs;
    op->next_regs = swap;
    return 0;
}

static void hash_position(struct base_buf *buf, const struct cep_position *at)
{
    base_buf_put_u16(buf, at->table);
    base_buf_put_u32(buf, (uint32_t)at->partition);
    base_buf_put_u64(buf, (uint64_t)at->offset);
}

/* The usual identity, of the start alone: the same bytes as below without a buffer for them. */
struct cep_ident cep_match_ident_of_start(const struct cep_position *at)
{
    unsigned char bytes[15] = { MATCH_FOUND };
    uint64_t parts[3] = { at->table, (uint32_t)at->partition, (uint64_t)at->offset };
    for (uint32_t i = 0; i < 14; i++) { /* 2, 4 and 8 bytes, the lowest first */
        uint32_t part = i < 2 ? 0 : i < 6 ? 1 : 2;
        bytes[1 + i] = (unsigned char)parts[part];
        parts[part] >>= 8;
    }
    return (struct cep_ident){ base_hash64(bytes, sizeof bytes, 1), base_hash64(bytes, sizeof bytes, 2) };
}

static int ident_of(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t row_seq, struct cep_ident *ret)
{
    struct base_buf buf = { 0 };
    if (cand->kind <= MATCH_ABSENT && op->m->rows == CEP_ROWS_ONE && !op->m->all_matches) {
        *ret = cep_match_ident_of_start(&row_at(op, key, cand->start)->at);
        return 0;
    }
    base_buf_put_u8(&buf, cand->kind == MATCH_ABSENT ? MATCH_FOUND : cand->kind);
    hash_position(&buf, &row_at(op, key, cand->start)->at);
    if (op->m->rows != CEP_ROWS_ONE)
        hash_position(&buf, &row_at(op, key, row_seq)->at);
    for (size_t i = 0; op->m->all_matches && i < op->items.len; i++) {
        hash_position(&buf, &row_at(op, key, op->items.at[i].seq)->at);
        base_buf_put_str(&buf, cep_program_text(op->program, op->vars[op->items.at[i].var].name));
        base_buf_put_u8(&buf, 0);
    }
    int rc = buf.failed ? BASE_E_NOMEM : 0;
    if (!rc)
        *ret = (struct cep_ident){ base_hash64(buf.ptr, buf.len, 1), base_hash64(buf.ptr, buf.len, 2) };
    base_buf_finish(&buf);
    return rc;
}

/* Evidence: all items, or the first and last ones where the limit cuts. */
static int fill_evidence(struct match_op *op, struct match_key *key, struct cep_evidence *ret)
{
    uint32_t total = (uint32_t)op->items.len, limit = cep_flow_limits(op->op.flow)->evidence_rows;
    uint32_t count = total < limit ? total : limit, head = (count + 1) / 2;
    if (count > op->evidence_cap) {
        struct cep_evidence_item *grown = base_realloc(op->evidence, count * sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        op->evidence = grown;
        op->evidence_cap = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct match_item *item = &op->items.at[i < head ? i : total - count + i];
        op->evidence[i] = (struct cep_evidence_item){ .row = row_at(op, key, item->seq), .var = op->m->vars.first + item->var,
                                                      .excluded = item->excluded != 0 };
    }
    const struct cep_node *node = cep_program_node(op->program, op->op.node);
    *ret = (struct cep_evidence){ .schema = cep_program_node(op->program, *cep_program_u32(op->program, node->inputs.first))->schema,
                                  .items = op->evidence, .count = count, .total = total };
    return 0;
}

struct output_args { struct match_op *op; struct match_key *key; const struct match_cand *cand; uint64_t number; match_output_fn *fn; void *ctx; uint32_t left; };

/* One output row as of the current row (op->row) and registers. */
static int output_row(const struct output_args *args, bool unmatched, int64_t time_ms, struct cep_position at)
{
    struct match_op *op = args->op;
    op->frame.regs = op->run_regs;
    op->frame.final_regs = op->final_regs;
    op->frame.has_match_time = true;
    op->frame.match_time_ms = time_ms;
    int rc = 0;
    for (uint32_t i = 0; i < op->m->outs.count && !rc; i++) {
        const struct cep_out *out = cep_program_out(op->program, op->m->outs.first + i);
        if (out->kind == CEP_OUT_COLUMN)
            op->out_values[i] = cep_tuple_get(&op->row->tuple, out->column, op->types[out->column]);
        else if (unmatched)
            op->out_values[i] = cep_null();
        else
            rc = cep_expr_run(op->expr, out->code, &op->frame, &op->out_values[i]);
        if (rc && rc != BASE_E_NOMEM) {
            report(op, rc, out->code);
            op->frame.has_match_time = false;
            return 0; /* this row is an error of the rule: reported, not sent */
        }
    }
    op->frame.has_match_time = false;
    if (rc)
        return rc;
    struct cep_row *row;
    rc = cep_row_make(op->out_types, op->out_values, op->out_columns, time_ms, at, &op->out_arena, &row);
    if (rc)
        return rc;
    struct cep_evidence evidence;
    rc = op->plain ? 0 : fill_evidence(op, args->key, &evidence);
    struct cep_ident ident = { 0 };
    if (!rc && !op->plain)
        rc = ident_of(op, args->key, args->cand, op->seq, &ident);
    if (rc)
        return rc;
    const struct cep_row *first = row_at(op, args->key, op->items.len ? op->items.at[0].seq : args->cand->start);
    struct match_output output = { .row = row, .ident = ident, .cand = args->cand,
                                   .first_time_ms = first->time_ms, .last_time_ms = op->items.len ? row_at(op, args->key, op->items.at[op->items.len - 1].seq)->time_ms : first->time_ms,
                                   .first_at = first->at, .evidence = op->items.len && !op->plain ? &evidence : NULL };
    if (op->plain)
        return args->fn(args->ctx, &output);
    output.content = base_hash64(&row->tuple, row->tuple.size_bytes, (uint64_t)row->time_ms);
    for (uint32_t i = 0; i < op->items.len; i++) {
        uint64_t item[2] = { (uint64_t)row_at(op, args->key, op->items.at[i].seq)->at.offset, op->items.at[i].var };
        output.content = base_hash64(item, sizeof item, output.content);
    }
    return args->fn(args->ctx, &output);
}

static void init_regs(struct match_op *op)
{
    memcpy(op->run_regs, op->outreg_init, op->out_count * sizeof *op->run_regs);
}

static bool row_error(int rc)
{
    return rc == BASE_E_DIVISION || rc == BASE_E_OVERFLOW || rc == BASE_E_CAST || rc == BASE_E_RANGE || rc == BASE_E_REGEX;
}

static int output_items(const struct output_args *args)
{
    struct match_op *op = args->op;
    const struct match_cand *cand = args->cand;
    struct match_key *key = args->key;
    op->frame.label = label_at;
    op->frame.match_number = (int64_t)args->number;
    op->frame.arena = &op->out_arena;
    init_regs(op);
    int rc = 0;
    bool one = op->m->rows == CEP_ROWS_ONE;
    for (size_t i = 0; i < op->items.len && !rc; i++)
        rc = take_item(op, key, i);
    memcpy(op->final_regs, op->run_regs, op->out_count * sizeof *op->run_regs);
    if (!rc && (one || op->items.len == 0)) {
        bool skip_empty = op->m->rows == CEP_ROWS_ALL_OMIT_EMPTY && op->items.len == 0 && cand->kind != MATCH_UNMATCHED;
        at_row(op, key, op->items.len ? op->items.at[op->items.len - 1].seq : cand->start);
        int64_t time_ms = cand->kind == MATCH_ABSENT || cand->kind == MATCH_TIMEOUT ? cand->time_ms : op->row->time_ms;
        if (!skip_empty)
            rc = output_row(args, cand->kind == MATCH_UNMATCHED, time_ms, op->row->at);
    } else if (!rc) {
        init_regs(op);
        for (size_t i = 0; i < op->items.len && !rc; i++) {
            rc = take_item(op, key, i);
            at_row(op, key, op->items.at[i].seq);
            if (!rc && !op->items.at[i].excluded)
                rc = output_row(args, false, op->row->time_ms, op->row->at);
        }
    }
    op->frame.label = NULL;
    op->frame.arena = &op->arena;
    op->frame.regs = op->regs;
    return row_error(rc) ? 0 : rc; /* already reported */
}

static int output_derivation(void *ctx)
{
    struct output_args *args = ctx;
    if (args->left == 0)
        return 0;
    args->left--;
    struct match_op *op = args->op;
    if (args->cand->kind != MATCH_TIMEOUT && (op->m->skip == CEP_SKIP_FIRST || op->m->skip == CEP_SKIP_LAST) && cep_match_items_target(op) > args->cand->start)
        args->left = 0; /* it discards those behind it */
    int rc = output_items(args);
    if (args->number)
        args->number++;
    return rc;
}

int cep_match_outputs_items(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t number, match_output_fn *fn, void *ctx)
{
    const struct output_args args = { op, key, cand, number, fn, ctx, 1 };
    op->key = key;
    base_arena_reset(&op->out_arena);
    if (op->plain)
        base_arena_reset(cep_flow_arena(op->op.flow));
    return output_items(&args);
}

int cep_match_outputs(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t number, match_output_fn *fn, void *ctx)
{
    struct output_args args = { op, key, cand, number, fn, ctx, UINT32_MAX };
    base_arena_reset(&op->out_arena);
    if (op->m->all_matches && cand->kind != MATCH_UNMATCHED) {
        /* PAST LAST ROW and NEXT ROW leave one derivation of a start */
        if (cand->kind != MATCH_TIMEOUT && (op->m->skip == CEP_SKIP_PAST_LAST || op->m->skip == CEP_SKIP_NEXT_ROW))
            args.left = 1;
        return cep_match_derivations(op, key, cand, output_derivation, &args);
    }
    if (op->counts && op->m->rows == CEP_ROWS_ONE) {
        op->owed++;
        return 0;
    }
    int rc = cep_match_replay(op, key, cand);
    return rc ? rc : cep_match_outputs_items(op, key, cand, number, fn, ctx);
}
