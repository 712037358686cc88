#include "cep/match/edges.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/class.h"
#include "cep/match/lean.h"

#define TABLE_LEAST 16u
#define TABLE_MOST 16384u

void cep_match_edges_finish(struct match_edge_table *table)
{
    base_free(table->at);
    BASE_VEC_FINISH(&table->walk);
    *table = (struct match_edge_table){ 0 };
}

/* ---- one step ---- */

/* The first nodes of op->paths stand for the threads of the list that is stepped. */
static int root_paths(struct match_op *op, uint32_t count)
{
    if (op->path_cap < MATCH_EDGES_MOST) {
        struct match_path *paths = base_realloc(op->paths, 64 * sizeof *paths);
        if (!paths)
            return BASE_E_NOMEM;
        op->paths = paths;
        op->path_cap = 64;
    }
    for (uint32_t i = 0; i < count; i++)
        op->paths[i] = (struct match_path){ .parent = MATCH_NO_PATH };
    op->path_count = count;
    return 0;
}

static bool edge_of(const struct match_op *op, uint32_t path, uint32_t roots, struct match_edge *ret)
{
    if (path < roots) {
        *ret = (struct match_edge){ .from = (uint8_t)path, .var = MATCH_EDGE_WAITED };
        return true;
    }
    if (path >= op->path_count || op->paths[path].parent >= roots)
        return false;
    *ret = (struct match_edge){ .from = (uint8_t)op->paths[path].parent, .excluded = op->paths[path].excluded != 0, .var = op->paths[path].var };
    return true;
}

/* Where each thread of what the step left came from; count 0: that cannot be told here. */
static void read_edges(const struct match_op *op, uint32_t roots, struct match_edges *ret)
{
    uint32_t count = op->accepted ? 1 : (uint32_t)op->out.len;
    bool good = count <= MATCH_EDGES_MOST;
    for (uint32_t i = 0; i < count && good; i++)
        good = edge_of(op, op->accepted ? op->accept_path : op->out.at[i].path, roots, &ret->at[i]);
    ret->count = good ? (uint8_t)count : 0;
    ret->idle = good && ret->to == ret->config;
    for (uint32_t i = 0; i < ret->count && ret->idle; i++)
        ret->idle = ret->at[i].from == i && ret->at[i].var == MATCH_EDGE_WAITED;
}

/* Steps the list over the row under way, with paths. */
static int trace_step(struct match_op *op, uint32_t from, struct match_edges *ret)
{
    struct match_thread threads[MATCH_EDGES_MOST];
    const struct match_threads *list = &op->first_plain;
    *ret = (struct match_edges){ .config = from, .to = MATCH_CONFIG_FULL };
    int rc = cep_match_config_prepare(op->steps, op);
    if (rc)
        return rc;
    if (from != MATCH_CONFIG_START) {
        rc = cep_match_load_threads(op, op->steps->at[from]);
        list = &op->in;
    }
    uint32_t count = (uint32_t)list->len;
    bool tracked = count <= MATCH_EDGES_MOST;
    if (!rc && tracked)
        rc = root_paths(op, count);
    for (uint32_t i = 0; i < count && tracked && !rc; i++) {
        threads[i] = list->at[i];
        threads[i].path = i;
    }
    op->track = tracked;
    if (!rc)
        rc = cep_match_config_step(op->steps, op, tracked ? threads : list->at, count, &ret->to);
    op->track = false;
    if (tracked)
        cep_match_forget_seen(op);
    if (!rc && tracked && ret->to != MATCH_CONFIG_FULL)
        read_edges(op, count, ret);
    return rc;
}

/* ---- steps that say it themselves ---- */

/* The one TAKE by which a thread that rests there can take a row; NULL: there are several, or none. */
static const struct cep_nfa *only_take(const struct match_op *op, uint32_t pc)
{
    const struct cep_nfa *nfa = &op->nfas[pc];
    if (nfa->op == CEP_NFA_WAIT && !nfa->any)
        nfa = &op->nfas[nfa->a];
    return nfa->op == CEP_NFA_TAKE ? nfa : NULL;
}

bool cep_match_edges_forward(const struct match_op *op)
{
    bool forward = true;
    for (uint32_t pc = 0; pc < op->m->nfas.count; pc++) {
        const struct cep_nfa *nfa = &op->nfas[pc];
        forward &= nfa->op == CEP_NFA_MATCH || (nfa->op == CEP_NFA_SPLIT && nfa->a > pc && nfa->b > pc) || ((nfa->op == CEP_NFA_TAKE || nfa->op == CEP_NFA_WAIT) && nfa->a > pc);
    }
    return forward;
}

/* A remembered step of a list of one thread that can take the row by one TAKE alone, where nothing leads back: if the list is the same behind it the thread waited, else all that there is came
 * from it, with that TAKE's label. False: not all of that holds. */
static bool tell_edges(const struct match_op *op, const struct match_edge_table *table, uint32_t from, struct match_edges *ret)
{
    const struct match_configs *configs = op->steps;
    struct match_stored_thread thread = { 0 };
    uint32_t to;
    if (!table->forward)
        return false;
    if (from == MATCH_CONFIG_START) {
        if (op->first_plain.len != 1 || !cep_match_config_start_known(configs, configs->row_sight, &to))
            return false;
        thread.pc = op->first_plain.at[0].pc;
        thread.guards = op->first_plain.at[0].guards;
    } else {
        if (configs->at[from]->threads != 1 || !cep_match_config_known(configs, from, configs->row_sight, &to))
            return false;
        memcpy(&thread, configs->at[from] + 1, sizeof thread);
    }
    const struct cep_nfa *take = only_take(op, thread.pc);
    uint32_t count = to == MATCH_CONFIG_ACCEPTED ? 1 : to == MATCH_CONFIG_DEAD || to == MATCH_CONFIG_FULL ? 0 : configs->at[to]->threads;
    if (!take || thread.guards || count == 0 || count > MATCH_EDGES_MOST)
        return false;
    *ret = (struct match_edges){ .config = from, .sight = configs->row_sight, .to = to, .count = (uint8_t)count, .idle = to == from };
    for (uint32_t i = 0; i < count; i++)
        ret->at[i] = to == from ? (struct match_edge){ .var = MATCH_EDGE_WAITED } : (struct match_edge){ .excluded = take->excluded != 0, .var = take->var };
    return true;
}

/* ---- the table ---- */

static int make_ready(struct match_edge_table *table, const struct match_configs *configs)
{
    if (table->life != configs->life && table->at)
        memset(table->at, 0, table->cap * sizeof *table->at);
    table->life = configs->life;
    if (table->missed < 2 * table->cap || table->cap == TABLE_MOST)
        return 0;
    uint32_t cap = table->cap ? table->cap * 4 : TABLE_LEAST;
    struct match_edges *at = base_calloc(cap, sizeof *at);
    if (!at)
        return BASE_E_NOMEM;
    base_free(table->at);
    table->at = at;
    table->cap = cap;
    table->missed = 0;
    return 0;
}

static int ready(struct match_edge_table *table, const struct match_configs *configs)
{
    return BASE_LIKELY(table->life == configs->life && (table->missed < 2 * table->cap || table->cap == TABLE_MOST)) ? 0 : make_ready(table, configs);
}

static bool is_step(const struct match_edges *edges, uint32_t from, uint32_t sight) { return edges->config == from && edges->sight == sight; }

/* Its place, or that of the one of two that goes for it. */
static struct match_edges *place_of(struct match_edge_table *table, uint32_t from, uint32_t sight)
{
    struct match_edges *pair = &table->at[(from * UINT32_C(0x9e3779b1) + sight * UINT32_C(0x85ebca6b)) >> 7 & (table->cap - 2)];
    if (BASE_LIKELY(is_step(&pair[0], from, sight)))
        return &pair[0];
    return is_step(&pair[1], from, sight) || !pair[1].sight || (pair[0].sight && (table->missed & 1)) ? &pair[1] : &pair[0];
}

int cep_match_edges_step(struct match_op *op, struct match_edge_table *table, uint32_t from, uint32_t *ret)
{
    uint32_t sight = op->steps->row_sight;
    struct match_edges scratch, *at = &scratch;
    int rc = sight ? ready(table, op->steps) : 0;
    if (rc)
        return rc;
    if (sight) {
        at = place_of(table, from, sight);
        table->missed++;
    }
    rc = trace_step(op, from, at);
    at->sight = rc ? 0 : sight;
    *ret = at->to;
    return rc;
}

int cep_match_edges_of(struct match_op *op, struct match_edge_table *table, uint32_t from, struct match_edges *scratch, const struct match_edges **ret)
{
    uint32_t sight = op->steps->row_sight, to;
    int rc = sight ? ready(table, op->steps) : 0;
    *ret = scratch;
    if (rc || !sight)
        return rc ? rc : trace_step(op, from, scratch);
    struct match_edges *at = place_of(table, from, sight);
    *ret = at;
    if (BASE_LIKELY(is_step(at, from, sight)))
        return 0;
    if (!tell_edges(op, table, from, at))
        return cep_match_edges_step(op, table, from, &to);
    table->missed++;
    return 0;
}

/* ---- a match ---- */

static int unwind(struct match_op *op, const struct match_edge_table *table)
{
    uint32_t thread = 0;
    op->items.len = 0;
    for (size_t i = table->walk.len; i-- > 0;) {
        const struct match_edge_record *record = &table->walk.at[i];
        struct match_edge edge = record->edges.at[thread];
        struct match_item item = { .seq = record->seq, .var = edge.var, .excluded = edge.excluded };
        if (edge.var != MATCH_EDGE_WAITED && !BASE_VEC_PUSH(&op->items, item))
            return BASE_E_NOMEM;
        thread = edge.from;
    }
    for (size_t i = 0, j = op->items.len; i + 1 < j; i++) {
        struct match_item swap = op->items.at[i];
        op->items.at[i] = op->items.at[--j];
        op->items.at[j] = swap;
    }
    return 0;
}

int cep_match_edges_explain(struct match_op *op, struct match_edge_table *table, const struct match_edge_rows *of, bool *ret_found)
{
    uint32_t config = MATCH_CONFIG_START;
    struct match_edges scratch;
    const struct match_edges *edges;
    int rc = 0;
    *ret_found = false;
    table->walk.len = 0;
    for (uint32_t i = 0; i < of->count; i++) {
        rc = cep_match_lean_see(op, of->first + i);
        if (!rc)
            rc = cep_match_edges_of(op, table, config, &scratch, &edges);
        if (rc)
            return rc;
        if ((edges->to == MATCH_CONFIG_ACCEPTED) != (i + 1 == of->count) || edges->count == 0)
            return 0;
        config = edges->to;
        if (edges->idle)
            continue;
        struct match_edge_record record = { of->seq + i, *edges };
        if (!BASE_VEC_PUSH(&table->walk, record))
            return BASE_E_NOMEM;
    }
    *ret_found = true;
    return unwind(op, table);
}
