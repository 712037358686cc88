#include "cep/changelog.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"
#include "cep/operator.h"

/* One per sender at most: the halves of a pair leave a thread one behind the other. */
#define HALVES_MAX 65536u

struct cep_ident cep_ident_join(struct cep_ident a, struct cep_ident b)
{
    uint64_t both[4] = { a.hi, a.lo, b.hi, b.lo };
    return (struct cep_ident){ base_hash64(both, sizeof both, 5), base_hash64(both, sizeof both, 6) };
}

struct cep_ident cep_ident_rank(uint64_t key_hash, uint64_t rank)
{
    uint64_t all[2] = { key_hash, rank };
    return (struct cep_ident){ base_hash64(all, sizeof all, 7), base_hash64(all, sizeof all, 8) };
}

static void *copy_of(const void *bytes, size_t len)
{
    void *copy = base_alloc(len);
    if (copy)
        memcpy(copy, bytes, len);
    return copy;
}

int cep_halves_hold(struct cep_halves *halves, struct cep_ident ident, const struct cep_row *row, const struct cep_tuple *key)
{
    struct cep_half half = { .ident = ident };
    if (halves->len >= HALVES_MAX)
        return BASE_E_LIMIT;
    if (row)
        half.row = copy_of(row, cep_row_size(row));
    if (key)
        half.key = copy_of(key, key->size_bytes);
    if ((row && !half.row) || (key && !half.key) || !BASE_VEC_PUSH(halves, half)) {
        base_free(half.row);
        base_free(half.key);
        return BASE_E_NOMEM;
    }
    return 0;
}

bool cep_halves_take(struct cep_halves *halves, struct cep_ident ident, struct cep_half *ret)
{
    for (size_t i = halves->len; i-- > 0;) {
        if (!cep_ident_equal(halves->at[i].ident, ident))
            continue;
        *ret = halves->at[i];
        halves->at[i] = halves->at[--halves->len];
        return true;
    }
    return false;
}

void cep_halves_finish(struct cep_halves *halves)
{
    for (size_t i = 0; i < halves->len; i++) {
        base_free(halves->at[i].row);
        base_free(halves->at[i].key);
    }
    BASE_VEC_FINISH(halves);
}

/* ---- nodes that keep nothing else ---- */

/* What is taken back where an update does not pass and nobody says what stood before (a row pattern's): known by identity; outputs that cannot be
 * computed are NULL. */
static int gone_row(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_row **ret)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(p, node);
    if (n->kind == CEP_NODE_LOOKUP)
        return cep_lookup_gone(flow, node, event, ret);
    const struct cep_calc *calc = cep_program_calc(p, n->detail);
    uint32_t columns;
    struct cep_frame frame = { .row = &event->row->tuple, .row_types = cep_flow_types(flow, *cep_program_u32(p, n->inputs.first), &columns),
                               .row_time_ms = event->row->time_ms, .arena = cep_flow_arena(flow), .proc_time_ms = cep_flow_proc_time(flow),
                               .now_ms = cep_flow_proc_time(flow) };
    struct cep_value *values = cep_flow_values(flow);
    if (calc->outputs.count == 0) {
        *ret = base_arena_alloc(cep_flow_arena(flow), cep_row_size(event->row));
        if (*ret)
            memcpy(*ret, event->row, cep_row_size(event->row));
        return *ret ? 0 : BASE_E_NOMEM;
    }
    for (uint32_t i = 0; i < calc->outputs.count; i++) {
        int rc = cep_expr_run(cep_flow_expr(flow), *cep_program_u32(p, calc->outputs.first + i), &frame, &values[i]);
        if (rc == BASE_E_NOMEM)
            return rc;
        if (rc)
            values[i] = cep_null();
    }
    const struct cep_type *types = cep_flow_types(flow, node, &columns);
    return cep_row_make(types, values, columns, event->row->time_ms, event->row->at, cep_flow_arena(flow), ret);
}

/* What a stateless node made of a change (row NULL: nothing) goes on, an update's two halves together. */
int cep_flow_give(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_row *row)
{
    struct cep_half before;
    struct cep_event out = *event;
    if (event->row->change == CEP_UPDATE_BEFORE)
        return cep_halves_hold(cep_flow_halves(flow, node), event->ident, row, NULL);
    bool pair = event->row->change == CEP_UPDATE_AFTER && cep_halves_take(cep_flow_halves(flow, node), event->ident, &before);
    int rc = 0;
    if (pair && before.row) {
        before.row->change = row ? CEP_UPDATE_BEFORE : CEP_DELETE;
        out.row = before.row;
        rc = cep_flow_emit(flow, node, &out);
        base_free(before.row);
    } else if (pair && row) {
        row->change = CEP_INSERT;
    } else if (!pair && !row && event->row->change == CEP_UPDATE_AFTER) {
        rc = gone_row(flow, node, event, &row);
        if (!rc)
            row->change = CEP_DELETE;
    }
    if (rc || !row)
        return rc;
    out.row = row;
    return cep_flow_emit(flow, node, &out);
}
