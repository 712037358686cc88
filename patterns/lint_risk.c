/* Two conditions that exclude each other, and what is told about a pattern because of its variables: a SUBSET that nobody reads, loops whose ways sums keep
 * apart. Called by lint_pattern.c and, for its letters, stability_pairs.c. Knows constants only: never evaluates. */
#include "patterns/lint_risk.h"

#include "base/error.h"

/* The values that a condition leaves to what it compares: a range, a list, or NULL. */
struct reach {
    const struct patterns_bound *what;
    struct cep_type type;
    bool null, has_low, has_high, low_open, high_open;
    struct cep_value low, high;
    const struct patterns_bound *const *list; /* of constants; NULL: a range */
    uint32_t list_count;
};

static bool is_value(const struct patterns_bound *b) { return b->kind == PATTERNS_BOUND_CONST && !b->value.null; }

static void put_low(struct reach *r, struct cep_value value, bool open)
{
    r->has_low = true;
    r->low = value;
    r->low_open = open;
}

static void put_high(struct reach *r, struct cep_value value, bool open)
{
    r->has_high = true;
    r->high = value;
    r->high_open = open;
}

static bool read_list(const struct patterns_bound *b, struct reach *ret)
{
    for (uint32_t i = 1; i < b->arg_count; i++) {
        if (!is_value(b->args[i]))
            return false;
    }
    ret->what = b->args[0];
    ret->type = b->args[1]->type;
    ret->list = b->args + 1;
    ret->list_count = b->arg_count - 1;
    return true;
}

static bool read_comparison(const struct patterns_bound *b, struct reach *ret)
{
    bool swapped = is_value(b->args[0]);
    const struct patterns_bound *value = b->args[swapped ? 0 : 1];
    ret->what = b->args[swapped ? 1 : 0];
    ret->type = value->type;
    if (!is_value(value) || is_value(ret->what))
        return false;
    bool below = b->kind == PATTERNS_BOUND_LT || b->kind == PATTERNS_BOUND_LE, open = b->kind == PATTERNS_BOUND_LT || b->kind == PATTERNS_BOUND_GT;
    if (b->kind == PATTERNS_BOUND_EQ || below != swapped)
        put_high(ret, value->value, open);
    if (b->kind == PATTERNS_BOUND_EQ || below == swapped)
        put_low(ret, value->value, open);
    return true;
}

/* False: the condition is of another form. */
static bool read(const struct patterns_bound *b, struct reach *ret)
{
    *ret = (struct reach){ 0 };
    if (b->kind == PATTERNS_BOUND_IS_NULL) {
        ret->what = b->args[0];
        ret->null = true;
        return true;
    }
    if (b->kind == PATTERNS_BOUND_IN)
        return read_list(b, ret);
    if (b->kind == PATTERNS_BOUND_BETWEEN && is_value(b->args[1]) && is_value(b->args[2])) {
        ret->what = b->args[0];
        ret->type = b->args[1]->type;
        put_low(ret, b->args[1]->value, false);
        put_high(ret, b->args[2]->value, false);
        return cep_type_equal(b->args[1]->type, b->args[2]->type);
    }
    bool comparison = b->kind == PATTERNS_BOUND_EQ || b->kind == PATTERNS_BOUND_LT || b->kind == PATTERNS_BOUND_LE || b->kind == PATTERNS_BOUND_GT ||
                      b->kind == PATTERNS_BOUND_GE;
    return comparison && read_comparison(b, ret);
}

/* Is the low end of a above the high end of b? */
static bool above(const struct reach *a, const struct reach *b)
{
    if (!a->has_low || !b->has_high)
        return false;
    int c = cep_value_compare(a->type, a->low, b->high);
    return c > 0 || (c == 0 && (a->low_open || b->high_open));
}

static bool apart(const struct reach *a, const struct reach *b)
{
    for (uint32_t i = 0; i < a->list_count; i++) {
        struct reach one = { .what = a->what, .type = a->type };
        put_low(&one, a->list[i]->value, false);
        put_high(&one, a->list[i]->value, false);
        if (!apart(&one, b))
            return false;
    }
    if (a->list_count)
        return true;
    return b->list_count ? apart(b, a) : above(a, b) || above(b, a);
}

bool patterns_rp_excludes(const struct patterns_bound *a, const struct patterns_bound *b)
{
    struct reach x, y;
    const struct patterns_bound *deep = a->kind == PATTERNS_BOUND_AND || a->kind == PATTERNS_BOUND_OR ? a : b, *other = deep == a ? b : a;
    if (deep->kind == PATTERNS_BOUND_AND || deep->kind == PATTERNS_BOUND_OR) {
        bool all = true, any = false;
        for (uint32_t i = 0; i < deep->arg_count; i++) {
            bool one = patterns_rp_excludes(deep->args[i], other);
            all = all && one;
            any = any || one;
        }
        return deep->kind == PATTERNS_BOUND_AND ? any : all;
    }
    if ((a->kind == PATTERNS_BOUND_NOT && patterns_bound_same(a->args[0], b)) || (b->kind == PATTERNS_BOUND_NOT && patterns_bound_same(b->args[0], a)))
        return true;
    if (!read(a, &x) || !read(b, &y) || !patterns_bound_same(x.what, y.what))
        return false;
    if (x.null || y.null)
        return x.null != y.null;
    return cep_type_equal(x.type, y.type) && apart(&x, &y);
}

/* ---- what is told ---- */

static void lint_subsets(struct patterns_match_detail *rp)
{
    for (uint32_t i = 0; i < rp->subset_count && i < rp->clause->subset_count; i++) {
        const struct patterns_subset *subset = &rp->clause->subsets[i];
        if (!rp->subsets[i].read)
            patterns_warn_at(rp->binder, BASE_SEVERITY_WARNING, rp->clause->source, subset->begin, subset->end, "unused-variable",
                             "read it in MEASURES or DEFINE, or take it out", "SUBSET %.*s is never read", (int)rp->subsets[i].label.len,
                             rp->subsets[i].label.ptr);
    }
}

/* Has it more than one way to take the rows that it takes? any: some of them may also be passed over at will. */
static bool has_choice(const struct patterns_pat *pat, bool *ret_any)
{
    bool found = pat->kind == PATTERNS_PAT_ALT || pat->kind == PATTERNS_PAT_PERMUTE || (pat->kind == PATTERNS_PAT_LOOP && pat->min != pat->max);
    *ret_any |= pat->kind == PATTERNS_PAT_RELAX && pat->any;
    for (uint32_t i = 0; i < pat->count; i++)
        found |= has_choice(pat->children[i], ret_any);
    return found;
}

static bool may_both_hold(const struct patterns_match_detail *rp, uint32_t a, uint32_t b)
{
    const struct patterns_bound *x = rp->vars[a].pred, *y = rp->vars[b].pred;
    return !(x && patterns_bound_is_never(x)) && !(y && patterns_bound_is_never(y)) && !(x && y && patterns_rp_excludes(x, y));
}

static bool accumulates(const struct patterns_rp_reg *reg)
{
    return reg->used && (reg->kind == PATTERNS_RP_ROWS || reg->kind == PATTERNS_RP_COUNT || reg->kind == PATTERNS_RP_COUNT_TRUE ||
                         reg->kind == PATTERNS_RP_SUM || reg->kind == PATTERNS_RP_MEAN || reg->kind == PATTERNS_RP_M2 ||
                         reg->kind == PATTERNS_RP_ARRAY || reg->kind == PATTERNS_RP_DIFFERENT || reg->kind == PATTERNS_RP_LIST);
}

/* Can the register tell two ways apart that take the same rows of a loop as other variables, or leave some of them out? */
static bool tells_apart(const struct patterns_match_detail *rp, const struct patterns_rp_reg *reg, const struct patterns_varset *vars, bool any)
{
    for (uint32_t a = 0; a < rp->var_count; a++) {
        if (!patterns_varset_has(vars, a) || !(reg->rows.universal || patterns_varset_has(&reg->rows.set, a)))
            continue;
        if (any)
            return true;
        for (uint32_t b = 0; b < rp->var_count && !reg->rows.universal; b++) {
            if (b != a && patterns_varset_has(vars, b) && !patterns_varset_has(&reg->rows.set, b) && may_both_hold(rp, a, b))
                return true;
        }
    }
    return false;
}

static void lint_loops(struct patterns_match_detail *rp, const struct patterns_pat *pat)
{
    bool any = false;
    struct patterns_varset vars = { { 0 } };
    if (pat->kind == PATTERNS_PAT_LOOP && pat->max >= 10 && (has_choice(pat->children[0], &any) || any)) {
        patterns_pat_vars(pat->children[0], &vars);
        for (uint32_t i = 0; i < rp->live.count; i++) {
            if (!accumulates(rp->live.regs[i]) || !tells_apart(rp, rp->live.regs[i], &vars, any))
                continue;
            patterns_warn_at(rp->binder, BASE_SEVERITY_WARNING, rp->clause->source, pat->begin, pat->end, "exponential-risk",
                             "let the conditions exclude each other, bound the loop, or compare columns of single rows",
                             "a row of this loop can be taken in more than one way, and a sum or count in DEFINE keeps the ways apart: the partial matches of one "
                             "start can double with every row");
            return;
        }
    }
    for (uint32_t i = 0; i < pat->count; i++)
        lint_loops(rp, pat->children[i]);
}

void patterns_rp_lint_risk(struct patterns_match_detail *rp)
{
    lint_subsets(rp);
    lint_loops(rp, rp->pat);
}
