/* MATCH_RECOGNIZE from tree to bound match: clause by clause, all errors of the clause in one run. What names mean
 * inside DEFINE and MEASURES is rowpat_scope.c's; the automaton is automaton.c's. */
#include "patterns/bind_pattern.h"

#include <string.h>
#include "base/error.h"
#include "base/hash.h"
#include "patterns/rowpat.h"

#define MATCH_HASH_VERSION UINT64_C(0x6d617463682d7631)

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t pair[2] = { hash, value };
    return base_hash64(pair, sizeof pair, MATCH_HASH_VERSION);
}

static int refuse(struct patterns_match_detail *rp, uint32_t begin, uint32_t end, const char *code, const char *hint,
                  const char *message)
{
    return patterns_refuse_at(rp->binder, rp->clause->source, begin, end, code, hint, "%s", message);
}

/* An error is noted and binding goes on, so that one run tells all; only lack of memory ends it. */
static int keep_going(int r, bool *failed)
{
    if (r == 0 || r == BASE_E_NOMEM)
        return r;
    *failed = true;
    return 0;
}

/* ---- PATTERN ---- */

static int variable(struct patterns_match_detail *rp, const struct patterns_ident *name, uint32_t *ret)
{
    struct patterns_rp_rows rows;
    if (patterns_rp_find_label(rp, name->text, name->quoted, &rows)) {
        *ret = rows.label - 1;
        return 0;
    }
    if (rp->var_count == PATTERNS_VARS_MAX - 1)
        return refuse(rp, name->begin, name->end, "limit", NULL, "the pattern has more than 255 variables");
    struct patterns_rp_var *var = &rp->vars[rp->var_count];
    var->label = patterns_rp_label(rp, name->text, name->quoted);
    var->begin = name->begin;
    var->end = name->end;
    *ret = rp->var_count++;
    return var->label.ptr ? 0 : BASE_E_NOMEM;
}

static int convert(struct patterns_match_detail *rp, const struct patterns_pattern *from, struct patterns_pat **ret);

/* (A B) C and A B C are one sequence, (A | B) | C and A | B | C one choice: parentheses must not change a fingerprint.
 */
static int flatten(struct patterns_match_detail *rp, struct patterns_pat *pat)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pat->count; i++)
        count += pat->children[i]->kind == pat->kind ? pat->children[i]->count : 1;
    if (count == pat->count || (pat->kind != PATTERNS_PAT_SEQ && pat->kind != PATTERNS_PAT_ALT))
        return 0;
    struct patterns_pat **flat = base_arena_zalloc(rp->binder->arena, count, sizeof *flat);
    if (!flat)
        return BASE_E_NOMEM;
    uint32_t at = 0;
    for (uint32_t i = 0; i < pat->count; i++) {
        struct patterns_pat *child = pat->children[i];
        for (uint32_t k = 0; child->kind == pat->kind && k < child->count; k++)
            flat[at++] = child->children[k];
        if (child->kind != pat->kind)
            flat[at++] = child;
    }
    pat->children = flat;
    pat->count = count;
    return 0;
}

static int convert_items(struct patterns_match_detail *rp, const struct patterns_pattern *from,
                         struct patterns_pat *pat)
{
    pat->children = base_arena_zalloc(rp->binder->arena, from->item_count, sizeof *pat->children);
    if (!pat->children)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < from->item_count; i++) {
        int r = convert(rp, from->items[i], &pat->children[i]);
        if (r)
            return r;
    }
    pat->count = from->item_count;
    return flatten(rp, pat);
}

/* Adds the variables of NOT a or NOT (a | b). */
static int convert_not(struct patterns_match_detail *rp, const struct patterns_pattern *what, struct patterns_pat *pat)
{
    uint32_t var;
    if (what->kind == PATTERNS_PATTERN_VARIABLE) {
        int r = variable(rp, &what->name, &var);
        if (r)
            return r;
        rp->vars[var].refused = true;
        patterns_varset_add(&pat->set, var);
        return 0;
    }
    if (what->kind != PATTERNS_PATTERN_CHOICE)
        return refuse(rp, what->begin, what->end, "pattern-not", "NOT N, or NOT (N | M)",
                      "NOT takes a variable or a choice of variables");
    for (uint32_t i = 0; i < what->item_count; i++) {
        int r = convert_not(rp, what->items[i], pat);
        if (r)
            return r;
    }
    return 0;
}

/* A quantifier right on a reluctant one, without a word of its own, is reluctant as in Esper: A+?{2,} is A+? A+? A*?.
 * (Parentheses would make the outer one begin before the inner one.) */
static bool on_reluctant(const struct patterns_pattern *repeat)
{
    const struct patterns_pattern *inner = repeat->items[0];
    return inner->kind == PATTERNS_PATTERN_REPEAT && inner->begin == repeat->begin &&
           (inner->greed == PATTERNS_RELUCTANT || (inner->greed == PATTERNS_GREEDY && on_reluctant(inner)));
}

static int convert(struct patterns_match_detail *rp, const struct patterns_pattern *from, struct patterns_pat **ret)
{
    static const enum patterns_pat_kind kinds[] = {
        [PATTERNS_PATTERN_VARIABLE] = PATTERNS_PAT_VAR,    [PATTERNS_PATTERN_EMPTY] = PATTERNS_PAT_EMPTY,
        [PATTERNS_PATTERN_START] = PATTERNS_PAT_START,     [PATTERNS_PATTERN_END] = PATTERNS_PAT_END,
        [PATTERNS_PATTERN_SEQUENCE] = PATTERNS_PAT_SEQ,    [PATTERNS_PATTERN_CHOICE] = PATTERNS_PAT_ALT,
        [PATTERNS_PATTERN_PERMUTE] = PATTERNS_PAT_PERMUTE, [PATTERNS_PATTERN_EXCLUDE] = PATTERNS_PAT_EXCLUDE,
        [PATTERNS_PATTERN_REPEAT] = PATTERNS_PAT_LOOP,     [PATTERNS_PATTERN_FOLLOW] = PATTERNS_PAT_RELAX,
        [PATTERNS_PATTERN_NOT] = PATTERNS_PAT_NOT
    };
    struct patterns_pat *pat = base_arena_zalloc(rp->binder->arena, 1, sizeof *pat);
    if (!pat)
        return BASE_E_NOMEM;
    pat->kind = kinds[from->kind];
    pat->begin = from->begin;
    pat->end = from->end;
    pat->min = from->min;
    pat->max = from->max;
    pat->greed = from->greed;
    pat->any = from->arrow == PATTERNS_ARROW_ANY;
    pat->arrow = from->arrow != PATTERNS_ARROW_NONE;
    *ret = pat;
    if (from->kind == PATTERNS_PATTERN_REPEAT && from->greed == PATTERNS_GREEDY && on_reluctant(from))
        pat->greed = PATTERNS_RELUCTANT;
    if (from->kind == PATTERNS_PATTERN_VARIABLE) {
        int r = variable(rp, &from->name, &pat->var);
        if (!r)
            rp->vars[pat->var].taken = true;
        return r;
    }
    if (from->kind == PATTERNS_PATTERN_NOT) {
        struct patterns_scope constants = { .where = "FOR INTERVAL" };
        int r = convert_not(rp, from->items[0], pat);
        if (!r && from->hold)
            r = patterns_bind_interval_ms(rp->binder, &constants, from->hold, "FOR INTERVAL", false, &pat->for_ms);
        return r;
    }
    return from->item_count ? convert_items(rp, from, pat) : 0;
}

static int bind_automaton(struct patterns_match_detail *rp)
{
    struct patterns_fault fault = { 0 };
    int r = patterns_automaton_build(rp->binder->arena, rp->pat, rp->within_ms, &fault, &rp->automaton);
    if (r && r != BASE_E_NOMEM)
        r = refuse(rp, fault.at->begin, fault.at->end, fault.code, fault.hint, fault.message);
    rp->can_match_empty = patterns_pat_nullable(rp->pat);
    return r;
}

/* ---- SUBSET, AFTER MATCH, DEFINE, MEASURES ---- */

static int bind_subset(struct patterns_match_detail *rp, const struct patterns_subset *from)
{
    struct patterns_rp_rows rows;
    struct base_str name = from->name.text;
    if (patterns_rp_find_label(rp, name, from->name.quoted, &rows))
        return patterns_refuse_at(rp->binder, rp->clause->source, from->name.begin, from->name.end, "duplicate-name",
                                  "give the subset another name", "SUBSET %.*s: there is a %s of that name",
                                  (int)name.len, name.ptr, rows.label <= PATTERNS_VARS_MAX ? "variable" : "subset");
    struct patterns_rp_subset *subset = &rp->subsets[rp->subset_count];
    for (uint32_t i = 0; i < from->member_count; i++) {
        const struct patterns_ident *member = &from->members[i];
        if (!patterns_rp_find_label(rp, member->text, member->quoted, &rows) || rows.label > PATTERNS_VARS_MAX)
            return patterns_refuse_at(rp->binder, rp->clause->source, member->begin, member->end, "unknown-variable",
                                      rows.label ? "write out the members of that subset" : NULL,
                                      "%.*s in SUBSET %.*s is no variable of the pattern", (int)member->text.len,
                                      member->text.ptr, (int)name.len, name.ptr);
        patterns_varset_join(&subset->set, &rows.set);
    }
    subset->label = patterns_rp_label(rp, name, from->name.quoted);
    rp->subset_count++;
    return subset->label.ptr ? 0 : BASE_E_NOMEM;
}

static int bind_subsets(struct patterns_match_detail *rp, bool *failed)
{
    int r = 0;
    rp->subsets = base_arena_zalloc(rp->binder->arena, rp->clause->subset_count + 1, sizeof *rp->subsets);
    if (!rp->subsets)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < rp->clause->subset_count && !r; i++)
        r = keep_going(bind_subset(rp, &rp->clause->subsets[i]), failed);
    return r;
}

static int bind_skip(struct patterns_match_detail *rp)
{
    const struct patterns_match *clause = rp->clause;
    const struct patterns_ident *target = &clause->skip_target;
    struct patterns_rp_rows rows;
    if (clause->skip != PATTERNS_SKIP_TO_FIRST && clause->skip != PATTERNS_SKIP_TO_LAST)
        return 0;
    if (!patterns_rp_find_label(rp, target->text, target->quoted, &rows))
        return patterns_refuse_at(rp->binder, clause->source, target->begin, target->end, "unknown-variable",
                                  base_str_equal_fold(target->text, BASE_STR("NEXT"))    ? "write SKIP TO NEXT ROW"
                                  : base_str_equal_fold(target->text, BASE_STR("CURRENT")) ? "write SKIP TO CURRENT ROW"
                                                                                          : patterns_rp_list_labels(rp),
                                  "AFTER MATCH SKIP TO %.*s: no variable of the pattern and no SUBSET",
                                  (int)target->text.len, target->text.ptr);
    rp->skip_set = rows.set;
    return 0;
}

static int find_define(struct patterns_match_detail *rp, const struct patterns_define *define, uint32_t *ret_var)
{
    struct patterns_rp_rows rows;
    const struct patterns_ident *name = &define->name;
    if (!patterns_rp_find_label(rp, name->text, name->quoted, &rows) || rows.label > PATTERNS_VARS_MAX)
        return patterns_refuse_at(rp->binder, rp->clause->source, name->begin, name->end, "unknown-variable",
                                  rows.label ? "define its members" : "use it in PATTERN or take its definition out",
                                  "DEFINE %.*s: %s", (int)name->text.len, name->text.ptr,
                                  rows.label ? "a SUBSET has no condition" : "no such variable in PATTERN");
    struct patterns_rp_var *var = &rp->vars[rows.label - 1];
    if (var->define)
        return patterns_refuse_at(rp->binder, rp->clause->source, name->begin, name->end, "duplicate-name",
                                  "join the conditions with AND", "%.*s is defined twice", (int)name->text.len,
                                  name->text.ptr);
    var->define = define;
    *ret_var = rows.label - 1;
    return 0;
}

static int bind_defines(struct patterns_match_detail *rp, bool *failed)
{
    int r = 0;
    for (uint32_t i = 0; i < rp->clause->define_count && !r; i++) {
        const struct patterns_define *define = &rp->clause->defines[i];
        const struct patterns_bound *pred = NULL;
        uint32_t var = 0;
        r = find_define(rp, define, &var);
        if (!r)
            r = patterns_rp_bind_condition(rp, var, define->condition, &pred);
        if (!r)
            rp->vars[var].pred = patterns_bound_is_true(pred) ? NULL : pred;
        r = keep_going(r, failed);
    }
    return r;
}

static int bind_measures(struct patterns_match_detail *rp, bool *failed)
{
    int r = 0;
    rp->measures = base_arena_zalloc(rp->binder->arena, rp->clause->measure_count + 1, sizeof *rp->measures);
    if (!rp->measures)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < rp->clause->measure_count && !r; i++) {
        const struct patterns_measure *from = &rp->clause->measures[i];
        struct patterns_rp_measure *to = &rp->measures[rp->measure_count++];
        to->name = from->name.text;
        to->quoted = from->name.quoted;
        r = keep_going(patterns_rp_bind_measure(rp, from->expr, &to->bound), failed);
    }
    return r;
}

/* ---- PARTITION BY, ORDER BY ---- */

static int bind_column(struct patterns_match_detail *rp, const struct patterns_expr *expr, const char *where,
                       uint32_t *ret)
{
    struct patterns_scope scope = { .relation = rp->input, .where = where };
    const struct patterns_bound *bound;
    if (expr->kind != PATTERNS_EXPR_NAME)
        return patterns_refuse(rp->binder, expr, "not-a-column",
                               "compute it in a subquery: FROM (SELECT ..., expression AS c FROM t) MATCH_RECOGNIZE",
                               "%s of a row pattern takes columns, not expressions", where);
    int r = patterns_bind_expr(rp->binder, &scope, expr, &bound);
    if (r)
        return r;
    if (bound->kind != PATTERNS_BOUND_COLUMN)
        return patterns_refuse(rp->binder, expr, "not-a-column", NULL, "%s of a row pattern takes columns", where);
    *ret = bound->column;
    return 0;
}

static int bind_partition(struct patterns_match_detail *rp, struct patterns_bound_match *match, bool *failed)
{
    int r = 0;
    uint32_t *columns = base_arena_zalloc(rp->binder->arena, rp->clause->partition_count + 1, sizeof *columns);
    if (!columns)
        return BASE_E_NOMEM;
    match->partition = columns;
    for (uint32_t i = 0; i < rp->clause->partition_count && !r; i++)
        r = keep_going(bind_column(rp, rp->clause->partition_by[i], "PARTITION BY", &columns[match->partition_count++]),
                       failed);
    return r;
}

/* Why the order cannot be that of a stream; a rule needs one, a query over files may sort at the end of its input. */
static int check_order(struct patterns_match_detail *rp)
{
    const struct patterns_match *clause = rp->clause;
    if (!rp->batch_sort || (!rp->binder->is_rule && rp->input->bounded))
        return 0;
    if (rp->input->rowtime == PATTERNS_NO_COLUMN)
        return refuse(
            rp, clause->order_count ? clause->order_by[0].expr->begin : clause->begin,
            clause->order_count ? clause->order_by[0].expr->end : clause->end, "missing-watermark",
            "declare WATERMARK FOR column AS column - INTERVAL '5' SECOND at the table, and ORDER BY that column",
            "a pattern over a stream needs an event time, and the input has none");
    struct base_str name = rp->input->columns[rp->input->rowtime].name;
    const char *hint = base_arena_printf(rp->binder->arena, "write ORDER BY %.*s", (int)name.len, name.ptr);
    if (clause->order_count == 0)
        return refuse(rp, clause->begin, clause->end, "missing-order", hint,
                      "a pattern over a stream needs ORDER BY its event time");
    return refuse(rp, clause->order_by[0].expr->begin, clause->order_by[0].expr->end, "bad-order", hint,
                  "ORDER BY of a pattern over a stream starts with the event-time column, ascending");
}

static int bind_order(struct patterns_match_detail *rp, bool *failed)
{
    const struct patterns_match *clause = rp->clause;
    uint32_t *columns = base_arena_zalloc(rp->binder->arena, clause->order_count + 1, sizeof *columns);
    rp->order = base_arena_zalloc(rp->binder->arena, clause->order_count + 1, sizeof *rp->order);
    if (!columns || !rp->order)
        return BASE_E_NOMEM;
    rp->order_columns = columns;
    for (uint32_t i = 0; i < clause->order_count; i++) {
        const struct patterns_order_item *item = &clause->order_by[i];
        int r = bind_column(rp, item->expr, "ORDER BY", &columns[i]);
        if (r == BASE_E_NOMEM)
            return r;
        if (r) {
            *failed = true;
            return 0;
        }
        /* Flink's default: NULL is below all values. */
        bool nulls_first =
            item->nulls == PATTERNS_NULLS_FIRST || (item->nulls == PATTERNS_NULLS_DEFAULT && !item->descending);
        rp->order[rp->order_count++] = (struct patterns_rp_order){ columns[i], item->descending, nulls_first };
    }
    rp->order_column_count = clause->order_count;
    bool streaming = rp->order_count && columns[0] == rp->input->rowtime && !rp->order[0].descending;
    rp->batch_sort = !streaming;
    if (streaming)
        memmove(rp->order, rp->order + 1, --rp->order_count * sizeof *rp->order);
    return keep_going(check_order(rp), failed);
}

/* ---- WITHIN and the rest ---- */

static int bind_times(struct patterns_match_detail *rp, bool *failed)
{
    const struct patterns_match *clause = rp->clause;
    struct patterns_scope constants = { .where = "WITHIN" };
    int r = 0;
    if (clause->within)
        r = keep_going(patterns_bind_interval_ms(rp->binder, &constants, clause->within, "WITHIN", false,
                                                 &rp->within_ms),
                       failed);
    /* OR TERMINATED tells a match once nothing can extend it, and that is what WITHIN does. */
    if (!r && clause->delay)
        r = keep_going(patterns_bind_interval_ms(rp->binder, &constants, clause->delay, "INTERVAL", false,
                                                 clause->or_terminated ? &rp->within_ms : &rp->hold_ms),
                       failed);
    if (!r && clause->delay && clause->within)
        r = keep_going(refuse(rp, clause->delay->begin, clause->delay->end, "not-supported", "keep one of the two",
                              "INTERVAL together with WITHIN"),
                       failed);
    const struct patterns_expr *timed = clause->within ? clause->within : clause->delay;
    if (!r && timed && rp->batch_sort && !*failed)
        r = keep_going(refuse(rp, timed->begin, timed->end, "bad-order",
                              "declare a WATERMARK for the column and ORDER BY it first, ascending",
                              "WITHIN and INTERVAL need ORDER BY the event-time column"),
                       failed);
    if (!r && clause->timeout_rows && !clause->within)
        r = keep_going(refuse(rp, clause->pattern->begin, clause->pattern->end, "missing-within",
                              "add WITHIN INTERVAL '...' behind PATTERN (...)", "WITH TIMEOUT ROWS needs WITHIN"),
                       failed);
    return r;
}

static int check_output(struct patterns_match_detail *rp)
{
    const struct patterns_match *clause = rp->clause;
    uint32_t begin = clause->pattern->begin, end = clause->pattern->end;
    if (clause->rows == PATTERNS_ROWS_ALL_UNMATCHED && patterns_pat_contains(rp->pat, PATTERNS_PAT_EXCLUDE))
        return refuse(rp, begin, end, "bad-exclusion", "leave out WITH UNMATCHED ROWS, or the {- -}",
                      "{- -} cannot stand in a pattern whose unmatched rows are shown");
    if (rp->automaton->has_absent_for && rp->batch_sort)
        return refuse(rp, begin, end, "bad-order",
                      "declare a WATERMARK for the column and ORDER BY it first, ascending",
                      "FOR INTERVAL needs ORDER BY the event-time column");
    if (!rp->binder->is_rule || !rp->can_match_empty)
        return 0;
    if (clause->rows == PATTERNS_ROWS_ONE)
        return refuse(rp, begin, end, "empty-match", "make one element mandatory: `+` instead of `*`",
                      "the pattern matches no rows at all, so each row of the stream would be an alert");
    if (clause->rows != PATTERNS_ROWS_ALL_OMIT)
        return refuse(rp, begin, end, "empty-match",
                      "write ALL ROWS PER MATCH OMIT EMPTY MATCHES, or make one element mandatory",
                      "the pattern matches no rows at all, so each row of the stream would be an alert");
    return 0;
}

/* ---- output columns ---- */

static int add_out(struct patterns_match_detail *rp, struct patterns_bound_match *match,
                   const struct patterns_column *column, struct patterns_rp_out out)
{
    uint32_t at = patterns_relation_add(&match->output, rp->binder->arena, column);
    if (at == PATTERNS_NO_COLUMN)
        return BASE_E_NOMEM;
    rp->outs[rp->out_count++] = out;
    return 0;
}

static int add_out_column(struct patterns_match_detail *rp, struct patterns_bound_match *match, uint32_t column)
{
    struct patterns_column copy = rp->input->columns[column];
    copy.qualifier = (struct base_str){ 0 };
    copy.hash = mix(mix(rp->core_hash, 'c'), copy.hash);
    bool named = false; /* a nested field that is a key shows under its last name */
    for (uint32_t i = 0; i < match->partition_count; i++)
        named |= match->partition[i] == column;
    if (copy.hidden && named) {
        size_t start = copy.path.len;
        while (start > 0 && copy.path.ptr[start - 1] != PATTERNS_PATH_SEPARATOR)
            start--;
        copy.name = (struct base_str){ copy.path.ptr + start, copy.path.len - start };
        copy.path = (struct base_str){ 0 };
        copy.hidden = false;
    }
    return add_out(rp, match, &copy, (struct patterns_rp_out){ CEP_NONE, column });
}

static int add_measures(struct patterns_match_detail *rp, struct patterns_bound_match *match)
{
    for (uint32_t i = 0; i < rp->measure_count; i++) {
        const struct patterns_rp_measure *measure = &rp->measures[i];
        struct patterns_column column = { .name = measure->name,
                                          .quoted = measure->quoted,
                                          .type = measure->bound->type,
                                          .hash = mix(mix(rp->core_hash, 'm'), measure->bound->hash) };
        if (column.type.kind == CEP_KIND_NULL)
            column.type = CEP_TYPE(STRING);
        if (column.hash == 0)
            column.hash = 1;
        if (measure->bound->kind == PATTERNS_BOUND_ROW_TIME && match->output.rowtime == PATTERNS_NO_COLUMN)
            match->output.rowtime = match->output.count;
        int r = add_out(rp, match, &column, (struct patterns_rp_out){ i, PATTERNS_NO_COLUMN });
        if (r)
            return r;
    }
    return 0;
}

/* ONE ROW: keys, measures. ALL ROWS: keys, order columns, measures, the rest. */
static int bind_output(struct patterns_match_detail *rp, struct patterns_bound_match *match)
{
    const struct patterns_relation *input = rp->input;
    bool *shown = base_arena_zalloc(rp->binder->arena, input->count + 1, sizeof *shown);
    rp->outs =
        base_arena_zalloc(rp->binder->arena, (size_t)input->count + rp->measure_count + rp->order_column_count + 1,
                          sizeof *rp->outs);
    match->output.rowtime = PATTERNS_NO_COLUMN;
    match->output.bounded = input->bounded;
    match->all_rows = rp->clause->rows != PATTERNS_ROWS_ONE;
    if (!shown || !rp->outs)
        return BASE_E_NOMEM;
    int r = 0;
    for (uint32_t i = 0; i < match->partition_count && !r; i++) {
        r = shown[match->partition[i]] ? 0 : add_out_column(rp, match, match->partition[i]);
        shown[match->partition[i]] = true;
    }
    /* A column in both keys shows once, one that ORDER BY names twice shows twice, as in Trino. */
    for (uint32_t i = 0; match->all_rows && i < rp->order_column_count && !r; i++)
        r = shown[rp->order_columns[i]] ? 0 : add_out_column(rp, match, rp->order_columns[i]);
    for (uint32_t i = 0; i < rp->order_column_count; i++)
        shown[rp->order_columns[i]] = true;
    if (!r)
        r = add_measures(rp, match);
    for (int hidden = 0; match->all_rows && hidden < 2; hidden++) { /* nested fields, reached by name only, last */
        for (uint32_t i = 0; i < input->count && !r; i++)
            r = shown[i] || input->columns[i].hidden != hidden ? 0 : add_out_column(rp, match, i);
    }
    for (uint32_t i = 0; match->all_rows && i < rp->out_count; i++) {
        if (rp->outs[i].column == input->rowtime && input->rowtime != PATTERNS_NO_COLUMN)
            match->output.rowtime = i;
    }
    if (!r && match->output.count == 0) /* as the standard has it: a table has columns */
        return patterns_refuse_at(rp->binder, rp->clause->source, rp->clause->begin, rp->clause->end, "no-columns",
                                  "say what to tell: MEASURES A.id AS id; or PARTITION BY; or ALL ROWS PER MATCH",
                                  "the pattern's rows have no columns: there are neither MEASURES nor PARTITION BY");
    return r;
}

/* ---- meaning ---- */

static uint64_t hash_pat(uint64_t hash, const struct patterns_pat *pat)
{
    hash = mix(hash, (uint64_t)pat->kind);
    if (pat->kind == PATTERNS_PAT_VAR)
        hash = mix(hash, pat->var);
    if (pat->kind == PATTERNS_PAT_LOOP)
        hash = mix(mix(mix(hash, pat->min), pat->max), (uint64_t)pat->greed);
    if (pat->kind == PATTERNS_PAT_RELAX)
        hash = mix(hash, pat->any);
    if (pat->kind == PATTERNS_PAT_NOT) {
        hash = mix(mix(hash, pat->arrow), (uint64_t)pat->for_ms);
        for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++)
            hash = mix(hash, pat->set.words[i]);
    }
    hash = mix(hash, pat->count);
    for (uint32_t i = 0; i < pat->count; i++)
        hash = hash_pat(hash, pat->children[i]);
    return hash;
}

static uint64_t hash_core(const struct patterns_match_detail *rp, const struct patterns_bound_match *match)
{
    const struct patterns_match *clause = rp->clause;
    uint64_t hash = hash_pat(MATCH_HASH_VERSION, rp->pat);
    for (uint32_t v = 0; v < rp->var_count; v++) {
        hash = mix(hash, base_hash64(rp->vars[v].label.ptr, rp->vars[v].label.len, MATCH_HASH_VERSION));
        hash = mix(hash, rp->vars[v].pred ? rp->vars[v].pred->hash : 0);
    }
    for (uint32_t i = 0; i < match->partition_count; i++)
        hash = mix(hash, rp->input->columns[match->partition[i]].hash);
    hash = mix(hash, rp->batch_sort);
    for (uint32_t i = 0; i < rp->order_count; i++)
        hash = mix(mix(hash, rp->input->columns[rp->order[i].column].hash),
                   (uint64_t)rp->order[i].descending << 1 | rp->order[i].nulls_first);
    hash = mix(mix(mix(hash, (uint64_t)clause->rows), (uint64_t)clause->skip),
               (uint64_t)clause->all_matches << 1 | clause->timeout_rows);
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++)
        hash = mix(hash, rp->skip_set.words[i]);
    return mix(mix(hash, (uint64_t)rp->within_ms), (uint64_t)rp->hold_ms);
}

static int bind_registers(struct patterns_match_detail *rp)
{
    if (rp->automaton->has_absent_for) {
        rp->last_time = patterns_rp_last_time(rp);
        if (!rp->last_time)
            return BASE_E_NOMEM;
        rp->last_time->used = true;
    }
    for (uint32_t v = 0; v < rp->var_count; v++) {
        if (rp->vars[v].pred)
            patterns_rp_use(&rp->live, rp->vars[v].pred);
    }
    for (uint32_t i = 0; i < rp->measure_count; i++)
        patterns_rp_use(&rp->out, rp->measures[i].bound);
    patterns_rp_number_used(&rp->live);
    patterns_rp_number_used(&rp->out);
    if (rp->live.used > PATTERNS_REGS_MAX || rp->out.used > PATTERNS_REGS_MAX)
        return refuse(rp, rp->clause->begin, rp->clause->end, "limit", "use smaller offsets of FIRST and LAST",
                      "the pattern remembers more than 1000 values");
    return patterns_rp_liveness(rp);
}

static int bind_parts(struct patterns_match_detail *rp, struct patterns_bound_match *match)
{
    bool failed = false, broken = false;
    int r = keep_going(convert(rp, rp->clause->pattern, &rp->pat), &broken);
    if (!r)
        r = bind_partition(rp, match, &failed);
    if (!r)
        r = bind_order(rp, &failed);
    if (!r)
        r = bind_times(rp, &failed);
    if (!r && broken)
        return BASE_E_SYNTAX;
    if (!r)
        r = keep_going(bind_automaton(rp), &failed);
    if (!r)
        r = bind_subsets(rp, &failed);
    if (!r)
        r = keep_going(bind_skip(rp), &failed);
    if (!r)
        r = bind_defines(rp, &failed);
    if (!r)
        r = bind_measures(rp, &failed);
    if (!r && rp->automaton)
        r = keep_going(check_output(rp), &failed);
    return r ? r : failed ? BASE_E_SYNTAX : 0;
}

int patterns_bind_match(struct patterns_binder *binder, const struct patterns_relation *input,
                        const struct patterns_match *clause, const struct patterns_bound_match **ret)
{
    struct patterns_match_detail *rp = base_arena_zalloc(binder->arena, 1, sizeof *rp);
    struct patterns_bound_match *match = base_arena_zalloc(binder->arena, 1, sizeof *match);
    struct patterns_column *plain = base_arena_zalloc(binder->arena, input->count + 1, sizeof *plain);
    if (!rp || !match || !plain)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < input->count; i++) {
        plain[i] = input->columns[i];
        plain[i].qualifier = (struct base_str){ 0 };
    }
    rp->binder = binder;
    rp->clause = clause;
    rp->input = match->input = input;
    rp->plain = *input;
    rp->plain.columns = plain;
    match->detail = rp;
    int r = bind_parts(rp, match);
    if (!r)
        r = bind_registers(rp);
    if (r)
        return r;
    rp->core_hash = hash_core(rp, match);
    match->hash = rp->core_hash;
    for (uint32_t i = 0; i < rp->measure_count; i++)
        match->hash = mix(match->hash, rp->measures[i].bound->hash);
    match->within_ms = rp->within_ms;
    match->batch_sort = rp->batch_sort;
    match->append_only = true;
    r = bind_output(rp, match);
    if (!r)
        r = patterns_rp_stability(rp, &match->stability, &match->witness);
    if (!r)
        r = patterns_rp_lint(rp);
    if (!r && !(match->registers = patterns_rp_registers(rp)))
        r = BASE_E_NOMEM;
    if (r)
        return r;
    rp->after = (struct patterns_binder){ .arena = binder->arena };
    rp->binder = &rp->after;
    *ret = match;
    return 0;
}
