/* Matches of lean keys that are told by naming their rows, while those stand in columns (history.c) and results are columns of them (picks.h): nothing is copied until the result goes out, and what
 * is kept of it until it is settled is its name. Whoever needs more of what was told - a late row changes it, the key takes its full form, the columns go - has it made first. Called by
 * lean_match.c, lean_form.c and history.c. */
#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/history.h"
#include "cep/match/lean.h"

/* The number of row i of the view; false: it stands elsewhere. */
static bool number_of(const struct match_lean_view *view, uint32_t i, uint32_t *ret)
{
    uint32_t ref = view->entries.at[i].ref & ~LEAN_NO_START;
    *ret = ref & ~MATCH_LOG_IN_COLUMNS;
    return ref & MATCH_LOG_IN_COLUMNS;
}

static bool same_items(const struct match_named *a, const struct match_named *b)
{
    return a->start == b->start && a->count == b->count && memcmp(a->items, b->items, a->count * sizeof *a->items) == 0;
}

int cep_match_lean_name(struct match_op *op, struct match_tolds *list, const struct match_lean_name *name, bool *ret_done)
{
    union { struct match_named named; char room[sizeof(struct match_named) + MATCH_NAMED_MOST * sizeof(struct match_named_item)]; } made;
    struct match_lean_view *view = &op->lean->view;
    struct match_told *told = name->told;
    *ret_done = false;
    if (!op->aside || !op->aside->picks.columns || name->count == 0 || name->count > MATCH_NAMED_MOST || (told && !told->named) ||
        (!op->aside->plain && name->count > cep_flow_limits(op->op.flow)->evidence_rows))
        return 0;
    bool good = number_of(view, name->start, &made.named.start);
    made.named.key = name->key;
    made.named.count = name->count;
    for (uint32_t i = 0; i < name->count && good; i++) {
        struct match_named_item *item = &made.named.items[i];
        *item = (struct match_named_item){ .var = name->items[i].var, .excluded = name->items[i].excluded };
        good = number_of(view, (uint32_t)(name->items[i].seq - name->first_seq), &item->row);
    }
    if (!good || (told && !same_items(told->named, &made.named)))
        return 0;
    *ret_done = true;
    uint64_t accept = name->first_seq + name->accept;
    if (told) { /* the new row is none of the match's */
        told->accept_seq = accept;
        return 0;
    }
    struct match_told one = { .start = name->first_seq + name->start, .accept_seq = accept, .cand_kind = MATCH_FOUND, .standing = 1 };
    one.last_time_ms = view->base_ms + view->entries.at[name->items[name->count - 1].seq - name->first_seq].at;
    int rc = cep_match_aside_name(op->aside, &made.named, &one.named);
    if (!rc && !BASE_VEC_PUSH(list, one))
        rc = BASE_E_NOMEM;
    op->matches += rc == 0;
    return rc;
}

static int take_made(void *ctx, const struct match_output *output)
{
    struct match_told *told = ctx;
    size_t bytes = cep_row_size(output->row);
    told->row = base_alloc(bytes);
    if (!told->row)
        return BASE_E_NOMEM;
    memcpy(told->row, output->row, bytes);
    told->named = NULL;
    told->ident = output->ident;
    told->content = output->content;
    told->first_time_ms = output->first_time_ms;
    told->last_time_ms = output->last_time_ms;
    told->first_at = output->first_at;
    return 0;
}

/* A view of nothing but the start and the match's rows. */
static int make(struct match_op *op, struct match_told *told)
{
    const struct match_named *named = told->named;
    const struct cep_row *rows[1 + MATCH_NAMED_MOST];
    struct match_item items[MATCH_NAMED_MOST];
    struct match_items kept = op->items;
    const struct match_cand cand = { .start = 1, .end = 1 + named->count, .accept_seq = 1 + named->count, .not_before_ms = INT64_MIN, .number = 1, .kind = MATCH_FOUND,
                                     .step = MATCH_STEP_ROW, .resolved = 1 };
    int rc = 0;
    base_arena_reset(&op->lean->row_arena);
    for (uint32_t i = 0; i <= named->count && !rc; i++) {
        struct cep_row *row;
        rc = cep_columns_row(op->lean->log.columns, i ? named->items[i - 1].row : named->start, &op->lean->row_arena, &row);
        rows[i] = row;
        if (i)
            items[i - 1] = (struct match_item){ 1 + i, named->items[i - 1].var, named->items[i - 1].excluded };
    }
    if (rc)
        return rc;
    op->items.at = items;
    op->items.len = op->items.cap = named->count;
    op->view = rows;
    op->view_first = 1;
    rc = cep_match_outputs_items(op, &op->steps->dummy, &cand, cand.number, take_made, told);
    op->view = NULL;
    op->items = kept;
    return rc ? rc : told->named ? BASE_E_CORRUPT : 0;
}

int cep_match_lean_make_told(struct match_op *op, struct match_tolds *list)
{
    int rc = 0;
    for (size_t i = 0; i < list->len && !rc; i++)
        if (list->at[i].named)
            rc = make(op, &list->at[i]);
    return rc;
}

/* ---- going out ---- */

int cep_match_history_event(struct cep_operator *base, const struct match_history *history, const struct match_aside *aside, const struct match_aside_place *place, struct match_history_told *ret)
{
    struct match_op *op = (struct match_op *)(void *)base;
    const struct match_named *named = place->named;
    const struct cep_node *node = cep_program_node(op->program, op->op.node);
    struct cep_row *row;
    base_arena_reset(&ret->arena);
    int rc = cep_match_picks_row(&aside->picks, history->columns, named, &ret->arena, &row);
    if (rc)
        return rc;
    bool settled = place->what == MATCH_ASIDE_SETTLED;
    row->change = settled ? CEP_SETTLED : CEP_INSERT;
    ret->event = (struct cep_event){ .row = row, .key_node = CEP_NONE, .kind = CEP_IS_MATCH, .final = settled, .last_time_ms = row->time_ms };
    ret->event.first_time_ms = cep_columns_time_ms(history->columns, named->items[0].row);
    struct cep_position start = cep_columns_position(history->columns, named->start);
    ret->event.ident = cep_match_ident_of_start(&start);
    if (aside->plain)
        return 0;
    ret->event.first_at = cep_columns_position(history->columns, named->items[0].row);
    ret->event.key = named->key;
    ret->event.key_node = op->op.node;
    ret->event.key_hash = cep_key_hash(named->key);
    if (settled)
        return 0;
    for (uint32_t i = 0; i < named->count && !rc; i++) {
        const struct match_named_item *item = &named->items[i];
        rc = cep_columns_row(history->columns, item->row, &ret->arena, &row);
        ret->items[i] = (struct cep_evidence_item){ .row = row, .var = op->m->vars.first + item->var, .excluded = item->excluded != 0 };
    }
    ret->evidence = (struct cep_evidence){ .schema = cep_program_node(op->program, *cep_program_u32(op->program, node->inputs.first))->schema,
                                           .items = ret->items, .count = named->count, .total = named->count };
    ret->event.evidence = &ret->evidence;
    return rc;
}

static void bring_row(const struct cep_columns *columns, uint32_t row, bool texts)
{
    if (!texts) {
        cep_columns_near(columns, row);
        return;
    }
    for (uint32_t i = 0; i < columns->count; i++)
        if (cep_columns_in_text(columns->at[i].type)) {
            __builtin_prefetch(cep_columns_text(columns, columns->at[i].wide[row]).ptr); /* those of a row lie side by side */
            return;
        }
}

void cep_match_history_near(const struct match_history *history, const struct match_aside *aside, const struct match_named *named, bool texts)
{
    __asm__ volatile("" ::: "memory"); /* as in flow_ahead.c: a function that only brings memory near is left out */
    if (aside->plain)
        cep_match_picks_near(&aside->picks, history->columns, named, texts);
    else
        for (uint32_t i = 0; i < named->count; i++)
            bring_row(history->columns, named->items[i].row, texts);
}
