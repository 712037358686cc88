/* Warnings and notes about a row pattern that compiles: state without a bound, conditions that never hold, the cost of
 * ALL MATCHES, and where real Flink reads the same text otherwise. */
#include "base/error.h"
#include "patterns/lint_risk.h"
#include "patterns/rowpat.h"

static void tell(struct patterns_match_detail *rp, enum base_severity severity, uint32_t begin, uint32_t end,
                 const char *code, const char *hint, const char *message)
{
    patterns_warn_at(rp->binder, severity, rp->clause->source, begin, end, code, hint, "%s", message);
}

static void tell_pattern(struct patterns_match_detail *rp, enum base_severity severity, const char *code,
                         const char *hint, const char *message)
{
    tell(rp, severity, rp->clause->pattern->begin, rp->clause->pattern->end, code, hint, message);
}

/* Does the pattern end in an element that can go on taking rows by preference? */
static bool ends_greedy(const struct patterns_pat *pat)
{
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_VAR:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return false;
    case PATTERNS_PAT_SEQ:
        for (uint32_t i = pat->count; i-- > 0;) {
            if (ends_greedy(pat->children[i]))
                return true;
            if (!patterns_pat_nullable(pat->children[i]))
                return false;
        }
        return false;
    case PATTERNS_PAT_ALT:
    case PATTERNS_PAT_PERMUTE:
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX:
        for (uint32_t i = 0; i < pat->count; i++) {
            if (ends_greedy(pat->children[i]))
                return true;
        }
        return false;
    case PATTERNS_PAT_LOOP:
        return (pat->min < pat->max && pat->greed != PATTERNS_RELUCTANT) || ends_greedy(pat->children[0]);
    }
    return false;
}

static bool has_unbounded_loop(const struct patterns_pat *pat)
{
    if (pat->kind == PATTERNS_PAT_LOOP && pat->max == PATTERNS_UNBOUNDED)
        return true;
    for (uint32_t i = 0; i < pat->count; i++) {
        if (has_unbounded_loop(pat->children[i]))
            return true;
    }
    return false;
}

static bool first_row_is_target(const struct patterns_match_detail *rp)
{
    struct patterns_varset firsts = { { 0 } };
    patterns_pat_firsts(rp->pat, &firsts);
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++) {
        if (firsts.words[i] & ~rp->skip_set.words[i])
            return false;
    }
    return patterns_pat_max_rows(rp->pat, &rp->skip_set) == 1 || rp->clause->skip == PATTERNS_SKIP_TO_FIRST;
}

static void lint_state(struct patterns_match_detail *rp)
{
    const struct patterns_match *clause = rp->clause;
    bool bounded = rp->within_ms || rp->hold_ms;
    if (rp->binder->is_rule && !bounded) {
        if (rp->automaton->has_wait)
            tell_pattern(rp, BASE_SEVERITY_WARNING, "unbounded-state", "add WITHIN INTERVAL '...' behind PATTERN (...)",
                         "a partial match waits for its next element for ever: state grows with every start");
        else if (has_unbounded_loop(rp->pat))
            tell_pattern(rp, BASE_SEVERITY_WARNING, "unbounded-state",
                         "add WITHIN INTERVAL '...' behind PATTERN (...), or bound the loop: {1,100}",
                         "a loop without bound keeps its rows for as long as it goes on");
        if (ends_greedy(rp->pat) && !rp->binder->eager)
            tell_pattern(
                rp, BASE_SEVERITY_WARNING, "late-answer",
                "add WITHIN, make the last quantifier reluctant, or use 'emit' = 'eager'",
                "the pattern ends in a greedy quantifier: a match is told only when the key's next row is there");
    }
    if (rp->binder->is_rule && (rp->reads_number || (rp->uses & PATTERNS_RP_USES_NUMBER) ||
                                patterns_pat_contains(rp->pat, PATTERNS_PAT_START)))
        tell_pattern(rp, BASE_SEVERITY_NOTE, "keeps-history", NULL,
                     "MATCH_NUMBER() and ^ read the past of a key beyond its matches: a little state stays for every "
                     "key ever seen");
    else if (rp->binder->is_rule && (rp->uses & PATTERNS_RP_USES_PHYSICAL))
        tell_pattern(rp, BASE_SEVERITY_NOTE, "keeps-history", NULL,
                     "PREV can read rows before the match: the last rows of every key stay");
    if (clause->all_matches && (rp->automaton->has_wait || has_unbounded_loop(rp->pat)))
        tell_pattern(rp, BASE_SEVERITY_WARNING, "many-matches",
                     "bound it by WITHIN and {n,m}, or leave ALL MATCHES out",
                     "ALL MATCHES of a pattern with loops or arrows: the number of matches can double with every row");
    if ((clause->skip == PATTERNS_SKIP_TO_FIRST || clause->skip == PATTERNS_SKIP_TO_LAST) && !clause->all_matches &&
        first_row_is_target(rp))
        tell(rp, BASE_SEVERITY_WARNING, clause->skip_target.begin, clause->skip_target.end, "skip-target",
             "skip to a later variable, or TO NEXT ROW",
             "this target is always the first row of the match: each match ends in a run-time error");
}

/* Parts that exclude each other, or a comparison of a value with itself, as `B AS v > LAST(B.v)` comes out. */
static bool never_holds(const struct patterns_bound *pred)
{
    if (patterns_bound_is_never(pred))
        return true;
    if (pred->kind == PATTERNS_BOUND_AND) {
        for (uint32_t i = 0; i < pred->arg_count; i++) {
            if (never_holds(pred->args[i]))
                return true;
            for (uint32_t k = 0; k < i; k++) {
                if (patterns_rp_excludes(pred->args[k], pred->args[i]))
                    return true;
            }
        }
    }
    return (pred->kind == PATTERNS_BOUND_GT || pred->kind == PATTERNS_BOUND_LT || pred->kind == PATTERNS_BOUND_NE) &&
           patterns_bound_same(pred->args[0], pred->args[1]);
}

static bool excludes_itself(const struct patterns_bound *pred)
{
    for (uint32_t i = 0; pred->kind == PATTERNS_BOUND_AND && i < pred->arg_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (patterns_rp_excludes(pred->args[k], pred->args[i]))
                return true;
        }
    }
    return false;
}

static void lint_conditions(struct patterns_match_detail *rp)
{
    for (uint32_t v = 0; v < rp->var_count; v++) {
        const struct patterns_rp_var *var = &rp->vars[v];
        if (!var->pred || !never_holds(var->pred))
            continue;
        const char *hint =
            excludes_itself(var->pred)        ? "its parts exclude each other: use OR, or correct one of them"
            : patterns_bound_is_never(var->pred)
                ? "a condition that is FALSE or NULL takes no row"
                : base_arena_printf(rp->binder->arena,
                                    "the row under test is the last %.*s already: the one before it is LAST(%.*s.x, 1)",
                                    (int)var->label.len, var->label.ptr, (int)var->label.len, var->label.ptr);
        patterns_warn_at(rp->binder, BASE_SEVERITY_WARNING, rp->clause->source, var->define->condition->begin,
                         var->define->condition->end, "never-true", hint, "the condition of %.*s can never hold",
                         (int)var->label.len, var->label.ptr);
    }
}

/* ---- portability to Flink SQL ---- */

static bool loops_over_group(const struct patterns_pat *pat)
{
    if (pat->kind == PATTERNS_PAT_LOOP && pat->children[0]->kind != PATTERNS_PAT_VAR)
        return true;
    for (uint32_t i = 0; i < pat->count; i++) {
        if (loops_over_group(pat->children[i]))
            return true;
    }
    return false;
}

/* Is there a loop of this greed, or, if `optional`, one of at most one round? */
static bool has_loop(const struct patterns_pat *pat, enum patterns_greed greed, bool optional)
{
    if (pat->kind == PATTERNS_PAT_LOOP && pat->greed == greed && (!optional || (pat->min == 0 && pat->max == 1)))
        return true;
    for (uint32_t i = 0; i < pat->count; i++) {
        if (has_loop(pat->children[i], greed, optional))
            return true;
    }
    return false;
}

/* A greedy loop with more behind it: Flink's never gives rows back. */
static bool greedy_inside(const struct patterns_pat *pat)
{
    for (uint32_t i = 0; i < pat->count; i++) {
        const struct patterns_pat *child = pat->children[i];
        if (pat->kind == PATTERNS_PAT_SEQ && i + 1 < pat->count && child->kind == PATTERNS_PAT_LOOP &&
            child->greed == PATTERNS_GREEDY && child->min < child->max)
            return true;
        if (greedy_inside(child))
            return true;
    }
    return false;
}

static bool variable_twice(const struct patterns_match_detail *rp)
{
    for (uint32_t v = 0; v < rp->var_count; v++) {
        uint32_t seen = 0;
        for (uint32_t i = 0; i < rp->automaton->count && seen < 2; i++)
            seen += rp->automaton->states[i].op == CEP_NFA_TAKE && rp->automaton->states[i].var == v;
        struct patterns_varset one = { { 0 } };
        patterns_varset_add(&one, v);
        if (seen > 1 && rp->pat->kind == PATTERNS_PAT_SEQ && patterns_pat_max_rows(rp->pat, &one) > 1) {
            uint32_t holders = 0;
            for (uint32_t i = 0; i < rp->pat->count; i++)
                holders += patterns_pat_max_rows(rp->pat->children[i], &one) > 0;
            if (holders > 1)
                return true;
        }
    }
    return false;
}

static void item(struct base_buf *out, bool applies, const char *text)
{
    if (!applies)
        return;
    if (out->len)
        base_buf_puts(out, "; ");
    base_buf_puts(out, text);
}

/* Does the pattern spell this name in another case? */
static bool spelled_otherwise(const struct patterns_pattern *pattern, const struct patterns_ident *name)
{
    if (pattern->kind == PATTERNS_PATTERN_VARIABLE)
        return !pattern->name.quoted && base_str_equal_fold(pattern->name.text, name->text) &&
               !base_str_equal(pattern->name.text, name->text);
    for (uint32_t i = 0; i < pattern->item_count; i++) {
        if (spelled_otherwise(pattern->items[i], name))
            return true;
    }
    return false;
}

static bool cases_differ(const struct patterns_match *clause)
{
    for (uint32_t i = 0; i < clause->define_count; i++) {
        if (!clause->defines[i].name.quoted && spelled_otherwise(clause->pattern, &clause->defines[i].name))
            return true;
    }
    return false;
}

static bool measure_twice(const struct patterns_match_detail *rp)
{
    for (uint32_t i = 1; i < rp->measure_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (base_str_equal_fold(rp->measures[i].name, rp->measures[k].name))
                return true;
    return false;
}

/* May ORDER BY begin with an attribute of time, event time or processing time? */
static bool in_time_order(const struct patterns_match_detail *rp)
{
    return !rp->batch_sort || (rp->order_count && !rp->order[0].descending &&
                               cep_kind_is_time(rp->input->columns[rp->order_columns[0]].type.kind));
}

static int lint_portability(struct patterns_match_detail *rp)
{
    const struct patterns_match *clause = rp->clause;
    struct base_buf text = { 0 };
    item(&text, patterns_pat_contains(rp->pat, PATTERNS_PAT_RELAX) || patterns_pat_contains(rp->pat, PATTERNS_PAT_NOT),
         "arrows and NOT are refused");
    item(&text, patterns_pat_contains(rp->pat, PATTERNS_PAT_ALT), "alternation is refused");
    item(&text, patterns_pat_contains(rp->pat, PATTERNS_PAT_PERMUTE), "PERMUTE is refused");
    item(&text, patterns_pat_contains(rp->pat, PATTERNS_PAT_EXCLUDE), "{- -} is refused");
    item(&text, loops_over_group(rp->pat), "quantified groups are refused");
    item(&text, has_loop(rp->pat, PATTERNS_RELUCTANT, true), "?? is refused");
    item(&text, has_loop(rp->pat, PATTERNS_POSSESSIVE, false), "possessive quantifiers are refused");
    item(&text, clause->delay != NULL, "INTERVAL behind PATTERN is refused");
    item(&text, patterns_pat_contains(rp->pat, PATTERNS_PAT_START) || patterns_pat_contains(rp->pat, PATTERNS_PAT_END),
         "^ and $ are silently ignored");
    item(&text, clause->subset_count > 0, "measures over a SUBSET are NULL");
    item(&text, variable_twice(rp), "a variable that stands twice is refused");
    item(&text, cases_differ(clause), "variables that differ in case are different ones");
    item(&text, clause->rows != PATTERNS_ROWS_ONE, "ALL ROWS PER MATCH is refused");
    item(&text, clause->all_matches || clause->timeout_rows, "ALL MATCHES and TIMEOUT ROWS are refused");
    item(&text, rp->uses & PATTERNS_RP_USES_PHYSICAL, "PREV and NEXT are refused");
    item(&text, rp->uses & (PATTERNS_RP_USES_CLASSIFIER | PATTERNS_RP_USES_NUMBER),
         "CLASSIFIER and MATCH_NUMBER are refused");
    item(&text, rp->uses & PATTERNS_RP_USES_MODE, "RUNNING and FINAL are refused");
    item(&text, rp->uses & PATTERNS_RP_USES_DISTINCT, "DISTINCT and FILTER in a pattern's aggregates are refused");
    item(&text, rp->uses & PATTERNS_RP_USES_AVG_INT, "AVG of integers is truncated to an integer");
    item(&text, measure_twice(rp), "two measures of one name are refused");
    item(&text, !in_time_order(rp), "ORDER BY must begin with the time attribute, ascending");
    item(&text, ends_greedy(rp->pat), "a greedy quantifier at the end is refused or cut short");
    item(&text, greedy_inside(rp->pat), "greedy loops never give rows back");
    item(&text, !clause->skip_written, "without AFTER MATCH it skips TO NEXT ROW, the standard PAST LAST ROW");
    int r = text.failed ? BASE_E_NOMEM : 0;
    if (text.len && !r)
        patterns_warn_at(rp->binder, BASE_SEVERITY_NOTE, clause->source, clause->pattern->begin, clause->pattern->end,
                         "portability", NULL, "in Flink SQL: %s", text.ptr);
    base_buf_finish(&text);
    return r;
}

int patterns_rp_lint(struct patterns_match_detail *rp)
{
    lint_state(rp);
    lint_conditions(rp);
    patterns_rp_lint_risk(rp);
    return lint_portability(rp);
}
