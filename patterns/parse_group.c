#include "patterns/parse_group.h"

#include "base/vec.h"
#include "patterns/parse_expr.h"

#define SETS_MAX 64

struct exprs BASE_VEC(const struct patterns_expr *);
struct sets BASE_VEC(struct exprs);

static bool refuse_many(struct patterns_cursor *c, uint32_t begin)
{
    return patterns_cursor_refuse(c, "limit", begin, patterns_cursor_last(c), "write GROUPING SETS with those that are wanted",
                                  "a GROUP BY has at most 64 grouping sets");
}

static bool append(struct patterns_cursor *c, struct exprs *to, const struct exprs *from)
{
    for (size_t i = 0; i < from->len; i++)
        if (!PATTERNS_PUSH(c, to, from->at[i]))
            return false;
    return true;
}

/* a, (a, b), (): the columns of one item. */
static bool parse_item(struct patterns_cursor *c, struct exprs *ret)
{
    if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_CLOSE)) {
        patterns_cursor_skip(c, 2);
        return true;
    }
    const struct patterns_expr *expr = patterns_parse_expr(c);
    if (!expr)
        return false;
    if (expr->kind != PATTERNS_EXPR_ROW)
        return PATTERNS_PUSH(c, ret, expr);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!PATTERNS_PUSH(c, ret, expr->args[i]))
            return false;
    return true;
}

static bool parse_element(struct patterns_cursor *c, struct sets *ret);

/* ROLLUP (a, b): (a, b), (a), (). CUBE (a, b): all subsets. */
static bool parse_steps(struct patterns_cursor *c, bool cube, struct sets *ret)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct sets items = { 0 };
    patterns_cursor_skip(c, 2);
    do {
        struct exprs item = { 0 };
        if (!parse_item(c, &item) || !PATTERNS_PUSH(c, &items, item))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the columns of ROLLUP or CUBE", NULL))
        return false;
    if (items.len > (cube ? 6 : SETS_MAX - 1))
        return refuse_many(c, begin);
    uint64_t count = cube ? 1u << items.len : items.len + 1;
    for (uint64_t n = 0; n < count; n++) {
        struct exprs set = { 0 };
        for (size_t i = 0; i < items.len; i++) /* the full set first, the empty one last */
            if ((cube ? !(n >> (items.len - 1 - i) & 1) : i + n < items.len) && !append(c, &set, &items.at[i]))
                return false;
        if (!PATTERNS_PUSH(c, ret, set))
            return false;
    }
    return true;
}

static bool parse_sets(struct patterns_cursor *c, struct sets *ret)
{
    patterns_cursor_skip(c, 2);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after GROUPING SETS", NULL))
        return false;
    do {
        if (!parse_element(c, ret))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the grouping sets", NULL);
}

static bool is_sets(const struct patterns_cursor *c)
{
    return patterns_cursor_is_word(c, PATTERNS_WORD_GROUPING) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_SETS);
}

static bool is_steps(const struct patterns_cursor *c, enum patterns_word word)
{
    return patterns_cursor_is_word(c, word) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN);
}

/* Adds the sets that the element stands for. */
static bool parse_element(struct patterns_cursor *c, struct sets *ret)
{
    struct exprs item = { 0 };
    bool good;
    if (!patterns_cursor_enter(c))
        return false;
    if (is_sets(c))
        good = parse_sets(c, ret);
    else if (is_steps(c, PATTERNS_WORD_CUBE) || is_steps(c, PATTERNS_WORD_ROLLUP))
        good = parse_steps(c, is_steps(c, PATTERNS_WORD_CUBE), ret);
    else
        good = parse_item(c, &item) && PATTERNS_PUSH(c, ret, item);
    patterns_cursor_leave(c);
    return good;
}

/* Each set of the one with each of the other. */
static bool multiply(struct patterns_cursor *c, uint32_t begin, struct sets *sets, const struct sets *by)
{
    struct sets product = { 0 };
    if (sets->len * by->len > SETS_MAX)
        return refuse_many(c, begin);
    for (size_t i = 0; i < sets->len; i++)
        for (size_t k = 0; k < by->len; k++) {
            struct exprs set = { 0 };
            if (!append(c, &set, &sets->at[i]) || !append(c, &set, &by->at[k]) || !PATTERNS_PUSH(c, &product, set))
                return false;
        }
    *sets = product;
    return true;
}

bool patterns_parse_group(struct patterns_cursor *c, struct patterns_select *select)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct sets sets = { 0 };
    struct exprs none = { 0 }, all = { 0 };
    struct BASE_VEC(uint32_t) sizes = { 0 };
    bool several = false;
    if (!PATTERNS_PUSH(c, &sets, none))
        return false;
    do {
        struct sets element = { 0 };
        bool empty = patterns_cursor_is(c, PATTERNS_TOKEN_OPEN) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_CLOSE);
        several = several || empty || is_sets(c) || is_steps(c, PATTERNS_WORD_CUBE) || is_steps(c, PATTERNS_WORD_ROLLUP);
        if (!parse_element(c, &element) || !multiply(c, begin, &sets, &element))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    for (size_t i = 0; i < sets.len; i++)
        if (!append(c, &all, &sets.at[i]) || !PATTERNS_PUSH(c, &sizes, (uint32_t)sets.at[i].len))
            return false;
    select->group_by = all.at;
    select->group_count = (uint32_t)all.len;
    select->set_sizes = several ? sizes.at : NULL;
    select->set_count = several ? (uint32_t)sizes.len : 0;
    return true;
}
