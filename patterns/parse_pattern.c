#include "patterns/parse_pattern.h"

#include "patterns/parse_expr.h"

struct items BASE_VEC(const struct patterns_pattern *);

static const struct patterns_pattern *parse_choice(struct patterns_cursor *c);

/* ---- nodes ---- */

static struct patterns_pattern *new_pattern(struct patterns_cursor *c, enum patterns_pattern_kind kind, uint32_t begin)
{
    struct patterns_pattern *pattern = patterns_cursor_alloc(c, sizeof *pattern);
    if (!pattern)
        return NULL;
    pattern->kind = kind;
    pattern->source = c->source;
    pattern->begin = begin;
    pattern->end = patterns_cursor_last(c);
    pattern->depth = 1;
    return pattern;
}

static const struct patterns_pattern *close_pattern(struct patterns_cursor *c, struct patterns_pattern *pattern,
                                                    const struct items *items)
{
    uint32_t height = 0;
    for (size_t i = 0; i < items->len; i++) {
        if (items->at[i]->depth > height)
            height = items->at[i]->depth;
    }
    pattern->items = items->at;
    pattern->item_count = (uint32_t)items->len;
    pattern->depth = height + 1;
    pattern->end = patterns_cursor_last(c);
    return patterns_cursor_height(c, pattern->depth, pattern->begin, pattern->end) ? pattern : NULL;
}

static const struct patterns_pattern *close_one(struct patterns_cursor *c, struct patterns_pattern *pattern,
                                                const struct patterns_pattern *item)
{
    struct items items = { 0 };
    if (!pattern || !item || !PATTERNS_PUSH(c, &items, item))
        return NULL;
    return close_pattern(c, pattern, &items);
}

/* ---- quantifiers ---- */

/* The number behind the minus is the next token. */
static void refuse_negative_bound(struct patterns_cursor *c, uint32_t begin)
{
    patterns_cursor_skip(c, 1);
    patterns_cursor_refuse(c, "quantifier", begin, patterns_cursor_last(c), "bounds are counts: A{2}, A{1,3}, A{,3}",
                           "a bound of a quantifier cannot be negative");
}

static bool minus_number(struct patterns_cursor *c, uint32_t begin)
{
    if (!patterns_cursor_is(c, PATTERNS_TOKEN_MINUS) || !patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_NUMBER))
        return false;
    patterns_cursor_skip(c, 1);
    refuse_negative_bound(c, begin);
    return true;
}

/* {n} {n,} {,m} {n,m}, and {,} for any number; the brace is open. */
static bool parse_braces(struct patterns_cursor *c, uint32_t begin, uint32_t *ret_min, uint32_t *ret_max)
{
    uint32_t min = 0;
    uint32_t max = PATTERNS_UNBOUNDED;
    if (minus_number(c, begin)) /* { -1}; {-1 is read as an exclusion's begin, see parse_group */
        return false;
    if (!patterns_cursor_is(c, PATTERNS_TOKEN_COMMA) &&
        !patterns_cursor_count(c, "a bound of a quantifier", PATTERNS_MAX_QUANTIFIER, &min))
        return false;
    if (!patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA))
        max = min;
    else if (minus_number(c, begin))
        return false;
    else if (!patterns_cursor_is(c, PATTERNS_TOKEN_BRACE_CLOSE) &&
             !patterns_cursor_count(c, "a bound of a quantifier", PATTERNS_MAX_QUANTIFIER, &max))
        return false;
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_BRACE_CLOSE, "after the bounds of the quantifier",
                                "quantifiers are * + ? {n} {n,} {,m} {n,m}"))
        return false;
    uint32_t end = patterns_cursor_last(c);
    if (max == 0)
        return patterns_cursor_refuse(c, "quantifier", begin, end, "leave the element out, or write () for nothing",
                                      "the upper bound of a quantifier must be at least 1");
    if (min > max)
        return patterns_cursor_refuse(c, "quantifier", begin, end, "the smaller bound stands first",
                                      "the lower bound %u of the quantifier is above the upper bound %u", min, max);
    *ret_min = min;
    *ret_max = max;
    return true;
}

/* 1: a quantifier was read, 0: none stands here, -1: refused. */
static int accept_quantifier(struct patterns_cursor *c, struct patterns_pattern *ret)
{
    uint32_t begin = patterns_cursor_begin(c);
    ret->max = PATTERNS_UNBOUNDED;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_STAR)) {
        ret->min = 0;
    } else if (patterns_cursor_accept(c, PATTERNS_TOKEN_PLUS)) {
        ret->min = 1;
    } else if (patterns_cursor_accept(c, PATTERNS_TOKEN_QUESTION)) {
        ret->min = 0;
        ret->max = 1;
    } else if (patterns_cursor_accept(c, PATTERNS_TOKEN_BRACE_OPEN)) {
        if (!parse_braces(c, begin, &ret->min, &ret->max))
            return -1;
    } else {
        return 0;
    }
    ret->greed = PATTERNS_GREEDY;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_QUESTION))
        ret->greed = PATTERNS_RELUCTANT;
    else if (patterns_cursor_accept(c, PATTERNS_TOKEN_PLUS))
        ret->greed = PATTERNS_POSSESSIVE;
    return 1;
}

static bool is_quantifier(const struct patterns_cursor *c)
{
    return patterns_cursor_is(c, PATTERNS_TOKEN_STAR) || patterns_cursor_is(c, PATTERNS_TOKEN_PLUS) ||
           patterns_cursor_is(c, PATTERNS_TOKEN_QUESTION) || patterns_cursor_is(c, PATTERNS_TOKEN_BRACE_OPEN);
}

/* ---- primaries ---- */

static const struct patterns_pattern *parse_permute(struct patterns_cursor *c)
{
    struct patterns_pattern *pattern = new_pattern(c, PATTERNS_PATTERN_PERMUTE, patterns_cursor_begin(c));
    struct items items = { 0 };
    patterns_cursor_skip(c, 2);
    if (!pattern)
        return NULL;
    do {
        const struct patterns_pattern *item = parse_choice(c);
        if (!item || !PATTERNS_PUSH(c, &items, item))
            return NULL;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the elements of PERMUTE",
                                "the elements of PERMUTE are separated by commas"))
        return NULL;
    if (items.len > PATTERNS_MAX_PERMUTE) {
        patterns_cursor_refuse(c, "limit", pattern->begin, patterns_cursor_last(c),
                               "the number of orders grows as the factorial",
                               "PERMUTE has %zu elements; the limit is %d", items.len, PATTERNS_MAX_PERMUTE);
        return NULL;
    }
    return close_pattern(c, pattern, &items);
}

static const char *comma_hint(const struct patterns_cursor *c)
{
    return patterns_cursor_is(c, PATTERNS_TOKEN_COMMA) ? "the elements of a pattern follow each other without commas"
                                                       : NULL;
}

/* The parenthesis or {- is the next token. */
static const struct patterns_pattern *parse_group(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    bool exclude = patterns_cursor_is(c, PATTERNS_TOKEN_EXCLUDE_OPEN);
    patterns_cursor_skip(c, 1);
    if (!exclude && patterns_cursor_accept(c, PATTERNS_TOKEN_CLOSE))
        return new_pattern(c, PATTERNS_PATTERN_EMPTY, begin);
    if (exclude && patterns_cursor_is(c, PATTERNS_TOKEN_NUMBER)) {
        refuse_negative_bound(c, begin);
        return NULL;
    }
    const struct patterns_pattern *inner = parse_choice(c);
    if (!inner)
        return NULL;
    if (!exclude)
        return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "in the pattern", comma_hint(c)) ? inner : NULL;
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_EXCLUDE_CLOSE, "at the end of the exclusion {- ... -}", NULL))
        return NULL;
    return close_one(c, new_pattern(c, PATTERNS_PATTERN_EXCLUDE, begin), inner);
}

static const struct patterns_pattern *parse_primary(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN) || patterns_cursor_is(c, PATTERNS_TOKEN_EXCLUDE_OPEN))
        return parse_group(c);
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_CARET))
        return new_pattern(c, PATTERNS_PATTERN_START, begin);
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_DOLLAR))
        return new_pattern(c, PATTERNS_PATTERN_END, begin);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_PERMUTE) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN))
        return parse_permute(c);
    const char *hint = NULL;
    if (is_quantifier(c))
        hint = "a quantifier stands behind an element: A+, (A B){2}";
    else if (patterns_cursor_is(c, PATTERNS_TOKEN_CONCAT))
        hint = "alternatives are separated by a single |";
    else if (patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE) || patterns_cursor_is(c, PATTERNS_TOKEN_PIPE))
        hint = "nothing is written ()";
    else
        hint = comma_hint(c);
    if (hint) {
        patterns_cursor_expected(c, "a pattern variable", hint);
        return NULL;
    }
    struct patterns_pattern *pattern = new_pattern(c, PATTERNS_PATTERN_VARIABLE, begin);
    if (!pattern || !patterns_cursor_ident(c, "a pattern variable", &pattern->name))
        return NULL;
    pattern->end = patterns_cursor_last(c);
    return pattern;
}

/* Primary with any number of quantifiers: A+{2} repeats A+ twice. One written right on a reluctant quantifier is reluctant itself, as in Esper: A+?{2,} is
 * A+? A+? A*?; in parentheses, (A+?){2,}, the outer one is ISO's and greedy. */
static const struct patterns_pattern *parse_repeat(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_pattern *pattern = parse_primary(c);
    bool reluctant = false;
    while (pattern && is_quantifier(c)) {
        struct patterns_pattern *repeat = new_pattern(c, PATTERNS_PATTERN_REPEAT, begin);
        if (!repeat || accept_quantifier(c, repeat) < 0)
            return NULL;
        if (reluctant && repeat->greed == PATTERNS_GREEDY)
            repeat->greed = PATTERNS_RELUCTANT;
        reluctant = repeat->greed == PATTERNS_RELUCTANT;
        pattern = close_one(c, repeat, pattern);
    }
    return pattern;
}

/* ---- arrows and NOT ---- */

static bool all_variables(const struct patterns_pattern *pattern)
{
    if (pattern->kind == PATTERNS_PATTERN_VARIABLE)
        return true;
    if (pattern->kind != PATTERNS_PATTERN_CHOICE)
        return false;
    for (uint32_t i = 0; i < pattern->item_count; i++) {
        if (pattern->items[i]->kind != PATTERNS_PATTERN_VARIABLE)
            return false;
    }
    return true;
}

/* [arrow] NOT N [FOR INTERVAL '5' MINUTE]; NOT is the next token. */
static const struct patterns_pattern *parse_not(struct patterns_cursor *c, enum patterns_arrow arrow, uint32_t begin)
{
    patterns_cursor_skip(c, 1);
    struct patterns_pattern *pattern = new_pattern(c, PATTERNS_PATTERN_NOT, begin);
    const struct patterns_pattern *item = pattern ? parse_primary(c) : NULL;
    if (!item)
        return NULL;
    if (!all_variables(item)) {
        patterns_cursor_refuse(c, "syntax", item->begin, item->end, "write NOT N, or NOT (N1 | N2)",
                               "NOT takes a variable, or several in parentheses");
        return NULL;
    }
    if (is_quantifier(c)) {
        patterns_cursor_refuse(c, "syntax", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                               "NOT N means that no such row comes; it needs no count",
                               "a variable behind NOT has no quantifier");
        return NULL;
    }
    pattern->arrow = arrow;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_FOR)) {
        if (!patterns_cursor_is_word(c, PATTERNS_WORD_INTERVAL)) {
            patterns_cursor_expected(c, "\"INTERVAL\" after FOR", "write FOR INTERVAL '5' MINUTE");
            return NULL;
        }
        pattern->hold = patterns_parse_interval(c);
        if (!pattern->hold)
            return NULL;
    }
    return close_one(c, pattern, item);
}

/* The clause behind the pattern: a parenthesis is missing before it. */
static bool is_next_clause(const struct patterns_cursor *c)
{
    return (patterns_cursor_is_word(c, PATTERNS_WORD_DEFINE) && patterns_cursor_ahead_word(c, 2, PATTERNS_WORD_AS)) ||
           (patterns_cursor_is_word(c, PATTERNS_WORD_SUBSET) && patterns_cursor_ahead(c, 2, PATTERNS_TOKEN_EQ)) ||
           (patterns_cursor_is_word(c, PATTERNS_WORD_WITHIN) &&
            patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_INTERVAL));
}

static bool ends_sequence(const struct patterns_cursor *c)
{
    return is_next_clause(c) || patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE) ||
           patterns_cursor_is(c, PATTERNS_TOKEN_PIPE) || patterns_cursor_is(c, PATTERNS_TOKEN_EXCLUDE_CLOSE) ||
           patterns_cursor_is(c, PATTERNS_TOKEN_COMMA) || patterns_cursor_is(c, PATTERNS_TOKEN_EOF);
}

/* [-> | ->>] (element with quantifiers | NOT N) */
static const struct patterns_pattern *parse_element(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    enum patterns_arrow arrow = PATTERNS_ARROW_NONE;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_ARROW))
        arrow = PATTERNS_ARROW_NEXT;
    else if (patterns_cursor_accept(c, PATTERNS_TOKEN_ARROW_ANY))
        arrow = PATTERNS_ARROW_ANY;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_NOT))
        return parse_not(c, arrow, begin);
    if (arrow == PATTERNS_ARROW_NONE)
        return parse_repeat(c);
    if (patterns_cursor_is(c, PATTERNS_TOKEN_ARROW) || patterns_cursor_is(c, PATTERNS_TOKEN_ARROW_ANY)) {
        patterns_cursor_expected(c, "a pattern variable after the arrow", "one arrow stands before an element");
        return NULL;
    }
    if (ends_sequence(c)) {
        patterns_cursor_expected(c, "a pattern variable after the arrow", NULL);
        return NULL;
    }
    struct patterns_pattern *follow = new_pattern(c, PATTERNS_PATTERN_FOLLOW, begin);
    if (!follow)
        return NULL;
    follow->arrow = arrow;
    return close_one(c, follow, parse_repeat(c));
}

static const struct patterns_pattern *parse_sequence(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct items items = { 0 };
    do {
        const struct patterns_pattern *item = parse_element(c);
        if (!item || !PATTERNS_PUSH(c, &items, item))
            return NULL;
    } while (!ends_sequence(c));
    if (items.len == 1)
        return items.at[0];
    struct patterns_pattern *pattern = new_pattern(c, PATTERNS_PATTERN_SEQUENCE, begin);
    return pattern ? close_pattern(c, pattern, &items) : NULL;
}

static const struct patterns_pattern *parse_alternatives(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct items items = { 0 };
    do {
        const struct patterns_pattern *item = parse_sequence(c);
        if (!item || !PATTERNS_PUSH(c, &items, item))
            return NULL;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_PIPE));
    if (items.len == 1)
        return items.at[0];
    struct patterns_pattern *pattern = new_pattern(c, PATTERNS_PATTERN_CHOICE, begin);
    return pattern ? close_pattern(c, pattern, &items) : NULL;
}

/* All nesting of patterns goes through here. */
static const struct patterns_pattern *parse_choice(struct patterns_cursor *c)
{
    if (!patterns_cursor_enter(c))
        return NULL;
    const struct patterns_pattern *pattern = parse_alternatives(c);
    patterns_cursor_leave(c);
    return pattern;
}

const struct patterns_pattern *patterns_parse_row_pattern(struct patterns_cursor *c)
{
    if (patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE)) {
        patterns_cursor_expected(c, "a pattern variable in PATTERN", "a pattern that matches nothing is written (())");
        return NULL;
    }
    c->in_pattern = true;
    const struct patterns_pattern *pattern = parse_choice(c);
    c->in_pattern = false;
    return pattern;
}

/* ---- the clauses of MATCH_RECOGNIZE ---- */

static bool parse_measures(struct patterns_cursor *c, struct patterns_match *match)
{
    struct BASE_VEC(struct patterns_measure) list = { 0 };
    do {
        struct patterns_measure measure = { .begin = patterns_cursor_begin(c) };
        measure.expr = patterns_parse_expr(c);
        if (!measure.expr)
            return false;
        if (!patterns_cursor_accept_word(c, PATTERNS_WORD_AS))
            return patterns_cursor_expected(c, "\"AS\" after the measure",
                                            "each measure has a name: FIRST(A.ts) AS start_ts");
        if (!patterns_cursor_ident(c, "the name of the measure", &measure.name))
            return false;
        measure.end = patterns_cursor_last(c);
        if (!PATTERNS_PUSH(c, &list, measure))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    match->measures = list.at;
    match->measure_count = (uint32_t)list.len;
    return true;
}

static bool accept_words(struct patterns_cursor *c, enum patterns_word first, enum patterns_word second,
                         enum patterns_word third)
{
    if (!patterns_cursor_is_word(c, first) || !patterns_cursor_ahead_word(c, 1, second) ||
        (third != PATTERNS_WORD_NONE && !patterns_cursor_ahead_word(c, 2, third)))
        return false;
    patterns_cursor_skip(c, third != PATTERNS_WORD_NONE ? 3 : 2);
    return true;
}

/* ONE ROW PER MATCH, ALL ROWS PER MATCH and what follows them. */
static bool parse_rows(struct patterns_cursor *c, struct patterns_match *match)
{
    bool one = patterns_cursor_is_word(c, PATTERNS_WORD_ONE);
    if (!one &&
        !(patterns_cursor_is_word(c, PATTERNS_WORD_ALL) && !patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_MATCHES)))
        return true;
    patterns_cursor_skip(c, 1);
    if (!patterns_cursor_expect_word(c, one ? PATTERNS_WORD_ROW : PATTERNS_WORD_ROWS,
                                     one ? "after ONE" : "after ALL") ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_PER, one ? "after ONE ROW" : "after ALL ROWS") ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_MATCH, one ? "after ONE ROW PER" : "after ALL ROWS PER"))
        return false;
    match->rows_written = true;
    match->rows = one ? PATTERNS_ROWS_ONE : PATTERNS_ROWS_ALL_SHOW;
    uint32_t begin = patterns_cursor_begin(c);
    bool option = true;
    if (accept_words(c, PATTERNS_WORD_SHOW, PATTERNS_WORD_EMPTY, PATTERNS_WORD_MATCHES))
        match->rows = PATTERNS_ROWS_ALL_SHOW;
    else if (accept_words(c, PATTERNS_WORD_OMIT, PATTERNS_WORD_EMPTY, PATTERNS_WORD_MATCHES))
        match->rows = PATTERNS_ROWS_ALL_OMIT;
    else if (accept_words(c, PATTERNS_WORD_WITH, PATTERNS_WORD_UNMATCHED, PATTERNS_WORD_ROWS))
        match->rows = PATTERNS_ROWS_ALL_UNMATCHED;
    else
        option = false;
    if (option && one)
        return patterns_cursor_refuse(c, "syntax", begin, patterns_cursor_last(c), "write ALL ROWS PER MATCH ...",
                                      "ONE ROW PER MATCH has no such option");
    match->timeout_rows = accept_words(c, PATTERNS_WORD_WITH, PATTERNS_WORD_TIMEOUT, PATTERNS_WORD_ROWS);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_WITH) || patterns_cursor_is_word(c, PATTERNS_WORD_SHOW) ||
        patterns_cursor_is_word(c, PATTERNS_WORD_OMIT))
        return patterns_cursor_expected(c, "AFTER MATCH or PATTERN",
                                        "the options are SHOW EMPTY MATCHES, OMIT EMPTY MATCHES, WITH UNMATCHED ROWS, "
                                        "then WITH TIMEOUT ROWS");
    return true;
}

static bool parse_skip(struct patterns_cursor *c, struct patterns_match *match)
{
    match->skip_begin = patterns_cursor_begin(c);
    match->skip_written = true;
    patterns_cursor_skip(c, 1);
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_MATCH, "after AFTER") ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_SKIP, "after AFTER MATCH"))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_PAST)) {
        if (!patterns_cursor_accept_word(c, PATTERNS_WORD_LAST))
            return patterns_cursor_expected(c, "\"LAST\" after SKIP PAST", "write AFTER MATCH SKIP PAST LAST ROW");
        if (!patterns_cursor_accept_word(c, PATTERNS_WORD_ROW))
            return patterns_cursor_expected(c, "\"ROW\" after SKIP PAST LAST", "write AFTER MATCH SKIP PAST LAST ROW");
        match->skip = PATTERNS_SKIP_PAST_LAST_ROW;
    } else if (!patterns_cursor_accept_word(c, PATTERNS_WORD_TO)) {
        return patterns_cursor_expected(c, "\"PAST LAST ROW\" or \"TO\" after AFTER MATCH SKIP",
                                        "write PAST LAST ROW, TO NEXT ROW, TO FIRST A, TO LAST A or TO CURRENT ROW");
    } else if (accept_words(c, PATTERNS_WORD_NEXT, PATTERNS_WORD_ROW, PATTERNS_WORD_NONE)) {
        match->skip = PATTERNS_SKIP_TO_NEXT_ROW;
    } else if (accept_words(c, PATTERNS_WORD_CURRENT, PATTERNS_WORD_ROW, PATTERNS_WORD_NONE)) {
        match->skip = PATTERNS_SKIP_TO_CURRENT_ROW;
    } else {
        /* TO FIRST A, TO LAST A, TO A; a variable may itself be called first or last */
        bool first = patterns_cursor_is_word(c, PATTERNS_WORD_FIRST);
        bool word = first || patterns_cursor_is_word(c, PATTERNS_WORD_LAST);
        bool variable = patterns_cursor_ahead_ident(c, 1) && !patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_PATTERN) &&
                        !patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_INITIAL) &&
                        !patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_SEEK);
        match->skip = first && variable ? PATTERNS_SKIP_TO_FIRST : PATTERNS_SKIP_TO_LAST;
        if (word && variable)
            patterns_cursor_skip(c, 1);
        if (!patterns_cursor_ident(c, "a pattern variable to skip to", &match->skip_target))
            return false;
    }
    match->skip_end = patterns_cursor_last(c);
    return true;
}

static bool parse_subsets(struct patterns_cursor *c, struct patterns_match *match)
{
    struct BASE_VEC(struct patterns_subset) list = { 0 };
    do {
        struct patterns_subset subset = { .begin = patterns_cursor_begin(c) };
        if (!patterns_cursor_ident(c, "the name of a subset", &subset.name) ||
            !patterns_cursor_expect(c, PATTERNS_TOKEN_EQ, "after the name of the subset", "write SUBSET u = (A, B)") ||
            !patterns_cursor_ident_list(c, "a pattern variable", &subset.members, &subset.member_count))
            return false;
        subset.end = patterns_cursor_last(c);
        if (!PATTERNS_PUSH(c, &list, subset))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    match->subsets = list.at;
    match->subset_count = (uint32_t)list.len;
    return true;
}

static bool parse_defines(struct patterns_cursor *c, struct patterns_match *match)
{
    struct BASE_VEC(struct patterns_define) list = { 0 };
    do {
        struct patterns_define define = { .begin = patterns_cursor_begin(c) };
        if (!patterns_cursor_ident(c, "a pattern variable in DEFINE", &define.name))
            return false;
        if (patterns_cursor_is(c, PATTERNS_TOKEN_EQ))
            return patterns_cursor_expected(c, "\"AS\" after the variable", "write DEFINE A AS A.amount > 100");
        if (!patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "after the variable"))
            return false;
        define.condition = patterns_parse_expr(c);
        define.end = patterns_cursor_last(c);
        if (!define.condition || !PATTERNS_PUSH(c, &list, define))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    match->defines = list.at;
    match->define_count = (uint32_t)list.len;
    return true;
}

/* PATTERN (...) [WITHIN e] [INTERVAL '10' SECOND [OR TERMINATED]] */
static bool parse_pattern_clause(struct patterns_cursor *c, struct patterns_match *match)
{
    if (patterns_cursor_is_word(c, PATTERNS_WORD_INITIAL) || patterns_cursor_is_word(c, PATTERNS_WORD_SEEK))
        return patterns_cursor_refuse(c, "unsupported", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                                      "leave the word out", "INITIAL and SEEK are not allowed in MATCH_RECOGNIZE");
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_PATTERN))
        return patterns_cursor_expected(c, "\"PATTERN\" in MATCH_RECOGNIZE",
                                        "the clauses stand in this order: PARTITION BY, ORDER BY, MEASURES, ONE ROW "
                                        "PER MATCH, ALL MATCHES, AFTER MATCH, PATTERN, WITHIN, SUBSET, DEFINE");
    patterns_cursor_skip(c, 1);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after PATTERN", "write PATTERN (A B)") ||
        !(match->pattern = patterns_parse_row_pattern(c)) ||
        !patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the pattern", comma_hint(c)))
        return false;
    if (patterns_cursor_is(c, PATTERNS_TOKEN_PLUS) || patterns_cursor_is(c, PATTERNS_TOKEN_STAR) || patterns_cursor_is(c, PATTERNS_TOKEN_QUESTION))
        return patterns_cursor_expected(c, "WITHIN, SUBSET or DEFINE", "a quantifier of the whole pattern stands inside: PATTERN ((A B)+)");
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_WITHIN)) {
        if (patterns_cursor_is(c, PATTERNS_TOKEN_NUMBER) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_WORD))
            return patterns_cursor_expected(c, "\"INTERVAL\" after WITHIN", "write WITHIN INTERVAL '5' MINUTE");
        match->within = patterns_parse_value(c);
        if (!match->within)
            return false;
    }
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_INTERVAL))
        return true;
    match->delay = patterns_parse_interval(c);
    match->or_terminated =
        match->delay && accept_words(c, PATTERNS_WORD_OR, PATTERNS_WORD_TERMINATED, PATTERNS_WORD_NONE);
    return match->delay != NULL;
}

static bool parse_clauses(struct patterns_cursor *c, struct patterns_match *match)
{
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_PARTITION) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after PARTITION") ||
         !patterns_parse_exprs(c, &match->partition_by, &match->partition_count)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_ORDER) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after ORDER") ||
         !patterns_parse_order(c, &match->order_by, &match->order_count)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_MEASURES) && !parse_measures(c, match))
        return false;
    if (!parse_rows(c, match))
        return false;
    match->all_matches = accept_words(c, PATTERNS_WORD_ALL, PATTERNS_WORD_MATCHES, PATTERNS_WORD_NONE);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_AFTER) && !parse_skip(c, match))
        return false;
    if (!parse_pattern_clause(c, match))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_SUBSET) && !parse_subsets(c, match))
        return false;
    return !patterns_cursor_accept_word(c, PATTERNS_WORD_DEFINE) || parse_defines(c, match);
}

const struct patterns_match *patterns_parse_match(struct patterns_cursor *c, uint32_t begin)
{
    struct patterns_match *match = patterns_cursor_alloc(c, sizeof *match);
    if (!match)
        return NULL;
    match->source = c->source;
    match->begin = begin;
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after MATCH_RECOGNIZE", NULL) || !parse_clauses(c, match))
        return NULL;
    bool comma = patterns_cursor_ahead_ident(c, 0) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_AS);
    if (comma) {
        patterns_cursor_expected(c, "\",\" or \")\" in DEFINE", "is a comma missing before it?");
        return NULL;
    }
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "at the end of MATCH_RECOGNIZE",
                                "the clauses stand in this order: PARTITION BY, ORDER BY, MEASURES, ONE ROW PER MATCH, "
                                "ALL MATCHES, AFTER MATCH, PATTERN, WITHIN, SUBSET, DEFINE"))
        return NULL;
    match->end = patterns_cursor_last(c);
    return match;
}
