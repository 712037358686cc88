/* Writes a bound match into a program: states, variables, conditions, guards, registers, output columns. */
#include "patterns/bind_pattern.h"

#include <string.h>
#include "base/error.h"
#include "base/map.h"
#include "patterns/rowpat.h"

struct patterns_pred_pool {
    struct base_map numbers;
    uint32_t next;
};

struct emission {
    struct patterns_match_detail *rp;
    const struct patterns_match_emit_env *env;
    struct patterns_emit_env code_env;
    struct base_str own_label; /* of the variable whose code is written */
    bool *out_used;            /* by index in the out file */
    uint32_t *out_number;
    bool writing_live; /* REG means the live file */
    int32_t nav_min, nav_max;
    bool reads_number; /* an out update reads MATCH_NUMBER */
};

struct patterns_pred_pool *patterns_pred_pool_create(struct base_arena *arena)
{
    return base_arena_zalloc(arena, 1, sizeof(struct patterns_pred_pool));
}

void patterns_pred_pool_destroy(struct patterns_pred_pool *pool)
{
    if (pool)
        base_map_finish(&pool->numbers);
}

/* ---- which columns are read ---- */

struct marking {
    const struct patterns_match_detail *rp;
    bool *used;
    bool *seen_live, *seen_out;
    bool live;
};

static int mark_leaf(void *ctx, const struct patterns_bound *leaf)
{
    struct marking *m = ctx;
    if (leaf->kind == PATTERNS_BOUND_COLUMN)
        m->used[leaf->column] = true;
    if (leaf->kind != PATTERNS_BOUND_EXTERNAL)
        return 0;
    if (leaf->id == PATTERNS_RP_NAV)
        m->used[((const struct patterns_rp_nav *)leaf->detail)->column] = true;
    if (leaf->id == PATTERNS_RP_REG || leaf->id == PATTERNS_RP_FINAL) {
        const struct patterns_rp_reg *reg = leaf->detail;
        bool *seen = m->live ? m->seen_live : m->seen_out;
        if (!seen[reg->index]) {
            seen[reg->index] = true;
            (void)patterns_rp_leaves(reg->update, mark_leaf, ctx);
        }
    }
    return 0;
}

void patterns_match_mark_columns(const struct patterns_bound_match *match, const bool *outputs, bool *used)
{
    const struct patterns_match_detail *rp = match->detail;
    struct marking m = { .rp = rp, .used = used, .live = true };
    m.seen_live = base_arena_zalloc(rp->binder->arena, rp->live.count + 1, sizeof(bool));
    m.seen_out = base_arena_zalloc(rp->binder->arena, rp->out.count + 1, sizeof(bool));
    if (!m.seen_live ||
        !m.seen_out) { /* the compile fails for lack of memory soon enough; until then nothing is missing */
        memset(used, 1, rp->input->count * sizeof *used);
        return;
    }
    for (uint32_t i = 0; i < match->partition_count; i++)
        used[match->partition[i]] = true;
    for (uint32_t i = 0; i < rp->order_count; i++)
        used[rp->order[i].column] = true;
    if (!rp->batch_sort)
        used[rp->input->rowtime] = true;
    for (uint32_t v = 0; v < rp->var_count; v++) {
        if (rp->vars[v].pred)
            (void)patterns_rp_leaves(rp->vars[v].pred, mark_leaf, &m);
    }
    m.live = false;
    for (uint32_t i = 0; i < rp->out_count; i++) {
        if (outputs && !outputs[i])
            continue;
        if (rp->outs[i].measure == CEP_NONE)
            used[rp->outs[i].column] = true;
        else
            (void)patterns_rp_leaves(rp->measures[rp->outs[i].measure].bound, mark_leaf, &m);
    }
}

/* ---- code ---- */

static int emit_acc(struct patterns_emit *emit, const struct patterns_rp_acc *acc, uint16_t d)
{
    uint16_t a = 0, b = 0;
    uint32_t c = 0;
    int r = patterns_emit_value(emit, acc->a, &a);
    if (!r)
        r = patterns_emit_value(emit, acc->b, &b);
    if (r)
        return r;
    if (acc->op == CEP_OP_SUM_N)
        c = acc->type.scale | (uint32_t)acc->type.scale << 8 | (uint32_t)acc->type.precision << 16 |
            (uint32_t)acc->type.scale << 24;
    if (acc->op == CEP_OP_MIN || acc->op == CEP_OP_MAX || acc->op == CEP_OP_ARRAY_APPEND)
        c = patterns_emit_type(emit, acc->type);
    patterns_emit_insn(emit, acc->op, d, a, b, c, 0);
    return 0;
}

static int emit_leaf(void *ctx, struct patterns_emit *emit, const struct patterns_bound *leaf, uint16_t d)
{
    struct emission *e = ctx;
    const struct patterns_rp_reg *reg = leaf->detail;
    const struct patterns_rp_nav *nav = leaf->detail;
    uint32_t constant;
    switch ((enum patterns_rp_leaf)leaf->id) {
    case PATTERNS_RP_REG:
        patterns_emit_insn(emit, CEP_OP_REG, d, 0, 0, e->writing_live ? reg->number : e->out_number[reg->index], 0);
        return 0;
    case PATTERNS_RP_FINAL:
        patterns_emit_insn(emit, e->rp->clause->rows == PATTERNS_ROWS_ONE ? CEP_OP_REG : CEP_OP_FINAL, d, 0, 0,
                           e->out_number[reg->index], 0);
        return 0;
    case PATTERNS_RP_NAV:
        patterns_emit_insn(emit, CEP_OP_NAV, d, 0, 0, patterns_emit_column(emit, nav->column), nav->distance);
        e->nav_min = nav->distance < e->nav_min ? nav->distance : e->nav_min;
        e->nav_max = nav->distance > e->nav_max ? nav->distance : e->nav_max;
        return 0;
    case PATTERNS_RP_OWN_LABEL:
        constant = cep_builder_const(e->env->builder, CEP_TYPE(STRING), cep_string(e->own_label.ptr, e->own_label.len));
        patterns_emit_insn(emit, CEP_OP_CONST, d, 0, 0, constant, 0);
        return constant == CEP_NONE ? BASE_E_NOMEM : 0;
    case PATTERNS_RP_LABEL: patterns_emit_insn(emit, CEP_OP_LABEL, d, 0, 0, 0, nav->distance); return 0;
    case PATTERNS_RP_NUMBER:
        if (!e->writing_live)
            e->reads_number = true;
        patterns_emit_insn(emit, CEP_OP_MATCH_NUMBER, d, 0, 0, 0, 0);
        return 0;
    case PATTERNS_RP_ROW: patterns_emit_insn(emit, CEP_OP_ROW_NUMBER, d, 0, 0, 0, 0); return 0;
    case PATTERNS_RP_ACC: return emit_acc(emit, leaf->detail, d);
    }
    return BASE_E_INVALID;
}

static bool changes(const struct patterns_rp_reg *reg, uint32_t var)
{
    return reg->rows.universal || patterns_varset_has(&reg->rows.set, var);
}

static bool must_update(const struct patterns_match_detail *rp, uint32_t var, const struct patterns_rp_reg *reg)
{
    size_t words = (rp->live.used + 63) / 64;
    return reg->used && changes(reg, var) && ((rp->updated[var * words + reg->number / 64] >> (reg->number % 64)) & 1);
}

/* Updates of one variable for one file: new values of all registers that its rows change. CEP_NONE if there are none.
 */
static int emit_update(struct emission *e, uint32_t var, bool live, uint32_t *ret)
{
    const struct patterns_rp_file *file = live ? &e->rp->live : &e->rp->out;
    struct patterns_emit *emit = NULL;
    *ret = CEP_NONE;
    if (!e->rp->vars[var].taken)
        return 0;
    e->writing_live = live;
    e->own_label = e->rp->vars[var].label;
    for (uint32_t i = 0; i < file->count; i++) {
        const struct patterns_rp_reg *reg = file->regs[i];
        if (live ? !must_update(e->rp, var, reg) : !(e->out_used[i] && changes(reg, var)))
            continue;
        if (!emit)
            emit = patterns_emit_begin(&e->code_env);
        if (!emit)
            return BASE_E_NOMEM;
        uint16_t slot;
        int r = patterns_emit_value(emit, reg->update, &slot);
        if (r)
            return r;
        patterns_emit_insn(emit, CEP_OP_STORE, 0, slot, 0, live ? reg->number : e->out_number[i], 0);
    }
    return emit ? patterns_emit_end(emit, CEP_TYPE(NULL), 0, NULL, ret) : 0;
}

static int add(struct cep_builder *builder, enum cep_section section, const void *elements, uint32_t count,
               struct cep_list *ret)
{
    *ret = (struct cep_list){ 0, count };
    if (count)
        ret->first = cep_builder_add(builder, section, elements, count);
    return ret->first == CEP_NONE ? BASE_E_NOMEM : 0;
}

/* ---- parts ---- */

/* What an instruction does, in bytes: calls of one function with the same arguments are the same, whatever their place in the table of calls. */
static void put_insn(const struct emission *e, struct cep_insn insn, struct base_buf *key)
{
    if (insn.op != CEP_OP_CALL) {
        base_buf_put(key, &insn, sizeof insn);
        return;
    }
    const struct cep_callsite *site = cep_builder_at(e->env->builder, CEP_SEC_CALLSITES, insn.c);
    insn.c = site->arg_types.count;
    base_buf_put(key, &insn, sizeof insn);
    base_buf_put(key, &site->name, sizeof site->name);
    base_buf_put(key, &site->ret, sizeof site->ret);
    for (uint32_t i = 0; i < site->arg_types.count; i++)
        base_buf_put(key, cep_builder_at(e->env->builder, CEP_SEC_TYPES, site->arg_types.first + i), sizeof(struct cep_type));
    for (uint32_t i = 0; i < site->arg_consts.count; i++)
        base_buf_put(key, cep_builder_at(e->env->builder, CEP_SEC_U32S, site->arg_consts.first + i), sizeof(uint32_t));
}

/* Number of a unary condition among all that read the same input: equal code gets one number. */
static int number_pred(struct emission *e, uint32_t code, uint32_t *ret)
{
    struct patterns_pred_pool *pool = e->env->pool;
    const struct cep_code *c = cep_builder_at(e->env->builder, CEP_SEC_CODES, code);
    struct base_buf key = { 0 };
    bool added;
    *ret = CEP_NONE;
    if (!pool)
        return 0;
    base_buf_put_u32(&key, e->env->input_node);
    for (uint32_t i = 0; i < c->count; i++)
        put_insn(e, *(const struct cep_insn *)cep_builder_at(e->env->builder, CEP_SEC_INSNS, c->first + i), &key);
    uint64_t *number = key.failed ? NULL : base_map_put(&pool->numbers, (struct base_str){ key.ptr, key.len }, &added);
    base_buf_finish(&key);
    if (!number)
        return BASE_E_NOMEM;
    if (added)
        *number = pool->next++;
    *ret = (uint32_t)*number;
    return 0;
}

static int emit_pred(struct emission *e, uint32_t var, struct cep_pred *ret)
{
    const struct patterns_bound *pred = e->rp->vars[var].pred;
    *ret = (struct cep_pred){ .code = CEP_NONE, .unary = 1, .shared = CEP_NONE, .var = var };
    if (!pred)
        return 0;
    e->writing_live = true;
    e->own_label = e->rp->vars[var].label;
    ret->unary = patterns_rp_is_unary(pred);
    int r = patterns_emit_expr(&e->code_env, pred, &ret->code);
    return r || !ret->unary ? r : number_pred(e, ret->code, &ret->shared);
}

/* One condition per variable. */
static int emit_vars(struct emission *e, struct cep_match *match)
{
    struct patterns_match_detail *rp = e->rp;
    uint32_t count = rp->var_count;
    struct cep_var *vars = base_arena_zalloc(e->env->arena, count + 1, sizeof *vars);
    struct cep_pred *preds = base_arena_zalloc(e->env->arena, count + 1, sizeof *preds);
    int r = vars && preds ? 0 : BASE_E_NOMEM;
    for (uint32_t v = 0; v < rp->var_count && !r; v++) {
        vars[v] = (struct cep_var){ .name = cep_builder_text(e->env->builder, rp->vars[v].label), .pred = v };
        r = emit_pred(e, v, &preds[v]);
        if (!r)
            r = emit_update(e, v, true, &vars[v].live_update);
        if (!r)
            r = emit_update(e, v, false, &vars[v].out_update);
    }
    if (!r)
        r = add(e->env->builder, CEP_SEC_VARS, vars, count, &match->vars);
    return r ? r : add(e->env->builder, CEP_SEC_PREDS, preds, count, &match->preds);
}

static struct cep_list emit_set(struct emission *e, const struct patterns_varset *set)
{
    uint32_t values[PATTERNS_VARS_MAX], count = 0;
    for (uint32_t v = 0; v < PATTERNS_VARS_MAX; v++) {
        if (patterns_varset_has(set, v))
            values[count++] = v;
    }
    return cep_builder_u32s(e->env->builder, values, count);
}

static int emit_nfas(struct emission *e, struct cep_match *match)
{
    const struct patterns_match_detail *rp = e->rp;
    const struct patterns_automaton *m = rp->automaton;
    struct cep_nfa *nfas = base_arena_zalloc(e->env->arena, m->count, sizeof *nfas);
    uint32_t *live = base_arena_zalloc(e->env->arena, rp->live.used + 1, sizeof *live);
    if (!nfas || !live)
        return BASE_E_NOMEM;
    const struct patterns_state *last = NULL; /* neighbours mostly need the same registers: their lists are shared */
    struct cep_list last_list = { 0, 0 };
    size_t live_bytes = (rp->live.used + 63) / 64 * sizeof(uint64_t);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct patterns_state *s = &m->states[i];
        nfas[i] = (struct cep_nfa){ .op = s->op,
                                    .excluded = s->excluded,
                                    .any = s->any,
                                    .loop = s->loop,
                                    .var = s->var,
                                    .guard = s->guard,
                                    .a = s->a,
                                    .b = s->b,
                                    .absent_ms = s->absent_ms };
        if (s->op == CEP_NFA_WAIT)
            nfas[i].firsts = emit_set(e, &s->firsts);
        if (!patterns_state_rests(s) || rp->live.used == 0)
            continue;
        if (!last || memcmp(last->live, s->live, live_bytes) != 0) {
            uint32_t count = 0;
            for (uint32_t k = 0; k < rp->live.used; k++) {
                if (patterns_rp_is_live(s, k))
                    live[count++] = k;
            }
            last_list = cep_builder_u32s(e->env->builder, live, count);
            last = s;
        }
        nfas[i].live = last_list;
    }
    return add(e->env->builder, CEP_SEC_NFAS, nfas, m->count, &match->nfas);
}

static int emit_guards(struct emission *e, struct cep_match *match)
{
    const struct patterns_automaton *m = e->rp->automaton;
    struct cep_guard guards[PATTERNS_GUARDS_MAX];
    for (uint32_t i = 0; i < m->guard_count; i++)
        guards[i] = (struct cep_guard){ .kind = m->guards[i].kind,
                                        .preds = emit_set(e, &m->guards[i].set),
                                        .lifts = emit_set(e, &m->guards[i].lifts) };
    return add(e->env->builder, CEP_SEC_GUARDS, guards, m->guard_count, &match->guards);
}

static int emit_regs(struct emission *e, const struct patterns_rp_file *file, const bool *used, struct cep_list *ret)
{
    struct cep_reg *regs = base_arena_zalloc(e->env->arena, file->count + 1, sizeof *regs);
    uint32_t count = 0;
    if (!regs)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < file->count; i++) {
        const struct patterns_rp_reg *reg = file->regs[i];
        if (used ? !used[i] : !reg->used)
            continue;
        struct cep_type type = reg->type.kind == CEP_KIND_NULL ? CEP_TYPE(STRING) : reg->type;
        regs[count] = (struct cep_reg){ .type = type, .init = cep_builder_const(e->env->builder, type, reg->init) };
        if (regs[count++].init == CEP_NONE)
            return BASE_E_NOMEM;
    }
    return add(e->env->builder, CEP_SEC_REGS, regs, count, ret);
}

static int emit_outs(struct emission *e, struct cep_match *match)
{
    struct patterns_match_detail *rp = e->rp;
    struct cep_out *outs = base_arena_zalloc(e->env->arena, rp->out_count + 1, sizeof *outs);
    uint32_t count = 0;
    bool told = !e->reads_number;
    int r = outs ? 0 : BASE_E_NOMEM;
    e->writing_live = false;
    for (uint32_t i = 0; i < rp->out_count && !r; i++) {
        if (e->env->outputs && !e->env->outputs[i])
            continue;
        struct cep_out *out = &outs[count++];
        if (rp->outs[i].measure == CEP_NONE) {
            uint32_t column = rp->outs[i].column;
            *out = (struct cep_out){ .kind = CEP_OUT_COLUMN,
                                     .code = CEP_NONE,
                                     .column = e->env->columns ? e->env->columns[column] : column };
            continue;
        }
        *out = (struct cep_out){ .kind = CEP_OUT_MEASURE };
        r = patterns_emit_expr(&e->code_env, rp->measures[rp->outs[i].measure].bound, &out->code);
        if (!r &&
            !told) { /* the engine asks the measures' codes, not the updates, whether match numbers must be kept */
            ((struct cep_code *)cep_builder_at(e->env->builder, CEP_SEC_CODES, out->code))->flags |= CEP_CODE_NUMBER;
            told = true;
        }
    }
    return r ? r : add(e->env->builder, CEP_SEC_OUTS, outs, count, &match->outs);
}

static int emit_order(struct emission *e, struct cep_match *match)
{
    struct patterns_match_detail *rp = e->rp;
    struct cep_order *orders = base_arena_zalloc(e->env->arena, rp->order_count + 1, sizeof *orders);
    int r = orders ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < rp->order_count && !r; i++) {
        const struct patterns_bound *column = patterns_bound_column(rp->binder, NULL, rp->input, rp->order[i].column);
        orders[i] =
            (struct cep_order){ .descending = rp->order[i].descending, .nulls_first = rp->order[i].nulls_first };
        r = column ? patterns_emit_expr(&e->code_env, column, &orders[i].code) : BASE_E_NOMEM;
    }
    return r ? r : add(e->env->builder, CEP_SEC_ORDERS, orders, rp->order_count, &match->order);
}

/* Marks and numbers the out registers of the chosen measures. */
static bool choose_out(struct emission *e)
{
    struct patterns_match_detail *rp = e->rp;
    struct base_arena *arena = e->env->arena;
    bool *columns = base_arena_zalloc(arena, rp->input->count + 1, sizeof *columns);
    struct marking m = { .rp = rp, .used = columns };
    e->out_used = base_arena_zalloc(arena, rp->out.count + 1, sizeof *e->out_used);
    e->out_number = base_arena_zalloc(arena, rp->out.count + 1, sizeof *e->out_number);
    if (!columns || !e->out_used || !e->out_number)
        return false;
    m.seen_out = e->out_used;
    for (uint32_t i = 0; i < rp->out_count; i++) {
        if (rp->outs[i].measure != CEP_NONE && (!e->env->outputs || e->env->outputs[i]))
            (void)patterns_rp_leaves(rp->measures[rp->outs[i].measure].bound, mark_leaf, &m);
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < rp->out.count; i++) {
        if (e->out_used[i])
            e->out_number[i] = next++;
    }
    return true;
}

int patterns_match_emit(const struct patterns_bound_match *bound, const struct patterns_match_emit_env *env,
                        uint32_t *ret_match)
{
    static const enum cep_rows_mode rows[] = { [PATTERNS_ROWS_ONE] = CEP_ROWS_ONE,
                                               [PATTERNS_ROWS_ALL_SHOW] = CEP_ROWS_ALL_SHOW_EMPTY,
                                               [PATTERNS_ROWS_ALL_OMIT] = CEP_ROWS_ALL_OMIT_EMPTY,
                                               [PATTERNS_ROWS_ALL_UNMATCHED] = CEP_ROWS_ALL_UNMATCHED };
    static const enum cep_skip skips[] = { [PATTERNS_SKIP_PAST_LAST_ROW] = CEP_SKIP_PAST_LAST,
                                           [PATTERNS_SKIP_TO_NEXT_ROW] = CEP_SKIP_NEXT_ROW,
                                           [PATTERNS_SKIP_TO_CURRENT_ROW] = CEP_SKIP_CURRENT_ROW,
                                           [PATTERNS_SKIP_TO_FIRST] = CEP_SKIP_FIRST,
                                           [PATTERNS_SKIP_TO_LAST] = CEP_SKIP_LAST };
    struct patterns_match_detail *rp =
        (struct patterns_match_detail *)bound->detail; /* only its binder's arena is written to */
    struct emission e = { .rp = rp, .env = env };
    struct cep_match match = { .within_ms = rp->within_ms,
                               .rows = rows[rp->clause->rows],
                               .skip = skips[rp->clause->skip],
                               .all_matches = rp->clause->all_matches,
                               .timeout_rows = rp->clause->timeout_rows,
                               .eager = env->eager,
                               .batch_sort = rp->batch_sort,
                               .reads_number = rp->reads_number,
                               .last_time_reg = CEP_NONE,
                               .can_match_empty = rp->can_match_empty,
                               .nullable_loops = rp->automaton->loops,
                               .hold_ms = rp->hold_ms };
    e.code_env = (struct patterns_emit_env){
        .builder = env->builder, .arena = env->arena, .columns = env->columns, .leaf = emit_leaf, .ctx = &e
    };
    match.evidence = env->evidence || bound->all_rows;
    if (rp->last_time)
        match.last_time_reg = rp->last_time->number;
    int r = choose_out(&e) ? emit_vars(&e, &match) : BASE_E_NOMEM;
    if (!r)
        r = emit_nfas(&e, &match);
    if (!r)
        r = emit_guards(&e, &match);
    if (!r)
        r = emit_regs(&e, &rp->live, NULL, &match.live_regs);
    if (!r)
        r = emit_regs(&e, &rp->out, e.out_used, &match.out_regs);
    if (!r)
        r = emit_outs(&e, &match);
    if (!r)
        r = emit_order(&e, &match);
    if (r)
        return r;
    match.skip_vars = emit_set(&e, &rp->skip_set);
    match.lookback = (uint32_t)-e.nav_min;
    match.lookahead = (uint32_t)e.nav_max;
    *ret_match = cep_builder_add(env->builder, CEP_SEC_MATCHES, &match, 1);
    return *ret_match == CEP_NONE ? BASE_E_NOMEM : 0;
}
