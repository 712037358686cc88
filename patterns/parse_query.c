#include "patterns/parse_query.h"

#include "patterns/parse_call.h"
#include "patterns/parse_expr.h"
#include "patterns/parse_group.h"
#include "patterns/parse_table.h"

bool patterns_is_query(const struct patterns_cursor *c)
{
    return patterns_cursor_is_word(c, PATTERNS_WORD_SELECT) || patterns_cursor_is_word(c, PATTERNS_WORD_WITH) ||
           patterns_cursor_is_word(c, PATTERNS_WORD_VALUES);
}

static struct patterns_query *new_query(struct patterns_cursor *c, enum patterns_query_kind kind, uint32_t begin)
{
    struct patterns_query *query = patterns_cursor_alloc(c, sizeof *query);
    if (!query)
        return NULL;
    query->kind = kind;
    query->source = c->source;
    query->begin = begin;
    return query;
}

/* ---- SELECT ---- */

static bool parse_item(struct patterns_cursor *c, struct patterns_select_item *ret)
{
    *ret = (struct patterns_select_item){ .begin = patterns_cursor_begin(c) };
    if (!patterns_parse_star(c, &ret->expr))
        return false;
    if (!ret->expr) {
        ret->expr = patterns_parse_expr(c);
        if (!ret->expr)
            return false;
        bool as = patterns_cursor_accept_word(c, PATTERNS_WORD_AS);
        if (as || patterns_cursor_is_alias(c)) {
            ret->alias = patterns_cursor_new_ident(c, "a column name after AS");
            if (!ret->alias)
                return false;
        }
    }
    ret->end = patterns_cursor_last(c);
    return true;
}

/* The token behind a SELECT list: if it looks like the start of another column, a comma is missing. */
static bool check_list_end(struct patterns_cursor *c)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    bool value = token->kind == PATTERNS_TOKEN_NUMBER || token->kind == PATTERNS_TOKEN_STRING ||
                 token->kind == PATTERNS_TOKEN_OPEN || token->kind == PATTERNS_TOKEN_QUOTED ||
                 (token->kind == PATTERNS_TOKEN_WORD &&
                  patterns_word_class((enum patterns_word)token->word) == PATTERNS_WORD_FREE);
    return !value || patterns_cursor_expected(c, "\",\" or \"FROM\" after the column", "is a comma missing before it?");
}

static bool parse_items(struct patterns_cursor *c, struct patterns_select *select)
{
    struct BASE_VEC(struct patterns_select_item) items = { 0 };
    do {
        struct patterns_select_item item;
        if (!parse_item(c, &item) || !PATTERNS_PUSH(c, &items, item))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    select->items = items.at;
    select->item_count = (uint32_t)items.len;
    return check_list_end(c);
}

static bool parse_windows(struct patterns_cursor *c, struct patterns_select *select)
{
    struct BASE_VEC(struct patterns_named_window) windows = { 0 };
    do {
        struct patterns_named_window window = { 0 };
        if (!patterns_cursor_ident(c, "a window name", &window.name) ||
            !patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "after the window name"))
            return false;
        window.window = patterns_parse_window(c);
        if (!window.window || !PATTERNS_PUSH(c, &windows, window))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    select->windows = windows.at;
    select->window_count = (uint32_t)windows.len;
    return true;
}

static bool parse_select_clauses(struct patterns_cursor *c, struct patterns_select *select)
{
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_DISTINCT))
        select->distinct = true;
    else
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_ALL);
    if (!parse_items(c, select))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_FROM) && !(select->from = patterns_parse_from(c)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_WHERE) && !(select->where = patterns_parse_expr(c)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_GROUP) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after GROUP") || !patterns_parse_group(c, select)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_HAVING) && !(select->having = patterns_parse_expr(c)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_WINDOW) && !parse_windows(c, select))
        return false;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_QUALIFY))
        return patterns_cursor_refuse(c, "unsupported", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                                      "put the query into FROM (...) and filter it by WHERE",
                                      "QUALIFY is not supported");
    return true;
}

static struct patterns_query *parse_select(struct patterns_cursor *c)
{
    struct patterns_query *query = new_query(c, PATTERNS_QUERY_SELECT, patterns_cursor_begin(c));
    struct patterns_select *select = patterns_cursor_alloc(c, sizeof *select);
    if (!query || !select)
        return NULL;
    patterns_cursor_skip(c, 1);
    if (!parse_select_clauses(c, select))
        return NULL;
    query->select = select;
    query->end = patterns_cursor_last(c);
    return query;
}

/* ---- VALUES ---- */

static const struct patterns_expr *parse_row(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_expr *const *args = NULL;
    uint32_t count = 1;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_OPEN)) {
        if (!patterns_parse_exprs(c, &args, &count) ||
            !patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the values of a row", NULL))
            return NULL;
    } else {
        const struct patterns_expr **one = patterns_cursor_alloc(c, sizeof *one);
        const struct patterns_expr *value = patterns_parse_expr(c);
        if (!one || !value || value->kind == PATTERNS_EXPR_ROW)
            return value;
        one[0] = value;
        args = one;
    }
    struct patterns_expr *row = patterns_expr_new(c, PATTERNS_EXPR_ROW, begin);
    return row ? patterns_expr_close(c, row, args, count, 0) : NULL;
}

static struct patterns_query *parse_values(struct patterns_cursor *c)
{
    struct patterns_query *query = new_query(c, PATTERNS_QUERY_VALUES, patterns_cursor_begin(c));
    struct BASE_VEC(const struct patterns_expr *) rows = { 0 };
    if (!query)
        return NULL;
    patterns_cursor_skip(c, 1);
    do {
        const struct patterns_expr *row = parse_row(c);
        if (!row || !PATTERNS_PUSH(c, &rows, row))
            return NULL;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    query->values.rows = rows.at;
    query->values.row_count = (uint32_t)rows.len;
    query->end = patterns_cursor_last(c);
    return query;
}

/* ---- set operations ---- */

static struct patterns_query *parse_whole(struct patterns_cursor *c);

static struct patterns_query *parse_operand(struct patterns_cursor *c)
{
    if (patterns_cursor_is_word(c, PATTERNS_WORD_SELECT))
        return parse_select(c);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_VALUES))
        return parse_values(c);
    if (!patterns_cursor_is(c, PATTERNS_TOKEN_OPEN)) {
        patterns_cursor_expected(c, "a query (SELECT, VALUES or WITH)", NULL);
        return NULL;
    }
    if (!patterns_cursor_enter(c))
        return NULL;
    patterns_cursor_skip(c, 1);
    struct patterns_query *query = parse_whole(c);
    patterns_cursor_leave(c);
    return query && patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the query", NULL) ? query : NULL;
}

static bool accept_set_op(struct patterns_cursor *c, bool intersect, enum patterns_set_op *ret, bool *ret_all)
{
    if (patterns_cursor_is_word(c, PATTERNS_WORD_MINUS) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_SELECT)) {
        patterns_cursor_expected(c, "the end of the query", "the difference of queries is written EXCEPT");
        return false;
    }
    if (intersect) {
        if (!patterns_cursor_accept_word(c, PATTERNS_WORD_INTERSECT))
            return false;
        *ret = PATTERNS_SET_INTERSECT;
    } else if (patterns_cursor_accept_word(c, PATTERNS_WORD_UNION)) {
        *ret = PATTERNS_SET_UNION;
    } else if (patterns_cursor_accept_word(c, PATTERNS_WORD_EXCEPT)) {
        *ret = PATTERNS_SET_EXCEPT;
    } else {
        return false;
    }
    *ret_all = patterns_cursor_accept_word(c, PATTERNS_WORD_ALL);
    if (!*ret_all)
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_DISTINCT);
    return true;
}

/* INTERSECT binds tighter than UNION and EXCEPT; equal operations in a row are one node. */
static struct patterns_query *parse_set(struct patterns_cursor *c, bool intersect)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct patterns_query *left = intersect ? parse_operand(c) : parse_set(c, true);
    struct patterns_query *set = NULL; /* made by this loop: more inputs may be added */
    struct BASE_VEC(const struct patterns_query *) inputs = { 0 };
    enum patterns_set_op op;
    bool all;
    while (left && accept_set_op(c, intersect, &op, &all)) {
        struct patterns_query *right = intersect ? parse_operand(c) : parse_set(c, true);
        if (!right)
            return NULL;
        if (!set || set->set.op != op || set->set.all != all) {
            c->height++; /* the nodes of a mixed chain stand in each other */
            set = new_query(c, PATTERNS_QUERY_SET, begin);
            if (!set || !patterns_cursor_height(c, c->height, begin, patterns_cursor_last(c)))
                return NULL;
            set->set.op = op;
            set->set.all = all;
            inputs.at = NULL;
            inputs.len = inputs.cap = 0;
            if (!PATTERNS_PUSH(c, &inputs, left))
                return NULL;
        }
        if (!PATTERNS_PUSH(c, &inputs, right))
            return NULL;
        set->set.inputs = inputs.at;
        set->set.input_count = (uint32_t)inputs.len;
        set->end = patterns_cursor_last(c);
        left = set;
    }
    return c->failed ? NULL : left;
}

/* ---- WITH, ORDER BY, LIMIT ---- */

static bool parse_ctes(struct patterns_cursor *c, const struct patterns_cte **ret, uint32_t *ret_count)
{
    struct BASE_VEC(struct patterns_cte) ctes = { 0 };
    do {
        struct patterns_cte cte = { .begin = patterns_cursor_begin(c) };
        if (!patterns_cursor_ident(c, "a name after WITH", &cte.name))
            return false;
        if (base_str_equal_fold(cte.name.text, BASE_STR("recursive")) && patterns_cursor_ahead_ident(c, 0))
            return patterns_cursor_refuse(c, "unsupported", cte.name.begin, cte.name.end, NULL,
                                          "recursive queries are not supported");
        if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN) &&
            !patterns_cursor_ident_list(c, "a column name", &cte.columns, &cte.column_count))
            return false;
        uint32_t height = 0;
        if (!patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "after the name of a WITH query") ||
            !patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "before the query of WITH", NULL))
            return false;
        cte.query = patterns_parse_inner_query(c, &height);
        cte.end = patterns_cursor_last(c);
        if (!cte.query || !PATTERNS_PUSH(c, &ctes, cte))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    *ret = ctes.at;
    *ret_count = (uint32_t)ctes.len;
    return true;
}

static bool parse_fetch(struct patterns_cursor *c, struct patterns_query *query)
{
    if (!patterns_cursor_accept_word(c, PATTERNS_WORD_FIRST) && !patterns_cursor_accept_word(c, PATTERNS_WORD_NEXT))
        return patterns_cursor_expected(c, "\"FIRST\" after FETCH", NULL);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_ROW) || patterns_cursor_is_word(c, PATTERNS_WORD_ROWS)) {
        struct patterns_expr *one = patterns_expr_new(c, PATTERNS_EXPR_NUMBER, patterns_cursor_last(c));
        if (!one)
            return false;
        one->number = (struct patterns_number){ .kind = PATTERNS_NUMBER_INTEGER, .text = BASE_STR("1") };
        query->limit = one;
    } else {
        query->limit = patterns_parse_value(c);
        if (!query->limit)
            return false;
    }
    if (!patterns_cursor_accept_word(c, PATTERNS_WORD_ROWS) && !patterns_cursor_accept_word(c, PATTERNS_WORD_ROW))
        return patterns_cursor_expected(c, "\"ROWS\" in FETCH FIRST n ROWS ONLY", NULL);
    return patterns_cursor_expect_word(c, PATTERNS_WORD_ONLY, "in FETCH FIRST n ROWS ONLY");
}

static bool parse_offset(struct patterns_cursor *c, struct patterns_query *query)
{
    query->offset = patterns_parse_value(c);
    if (query->offset && !patterns_cursor_accept_word(c, PATTERNS_WORD_ROWS))
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_ROW);
    return query->offset != NULL;
}

static bool parse_limit(struct patterns_cursor *c, struct patterns_query *query)
{
    query->limit = patterns_parse_value(c);
    if (query->limit && patterns_cursor_is(c, PATTERNS_TOKEN_COMMA))
        return patterns_cursor_refuse(c, "syntax", patterns_cursor_begin(c), patterns_cursor_begin(c) + 1,
                                      "write LIMIT count OFFSET start", "LIMIT has one number");
    return query->limit != NULL;
}

static bool is_tail(const struct patterns_cursor *c)
{
    return patterns_cursor_is_word(c, PATTERNS_WORD_ORDER) || patterns_cursor_is_word(c, PATTERNS_WORD_LIMIT) ||
           patterns_cursor_is_word(c, PATTERNS_WORD_OFFSET) || patterns_cursor_is_word(c, PATTERNS_WORD_FETCH);
}

/* ORDER BY, LIMIT, OFFSET, FETCH; LIMIT and OFFSET in either order. */
static bool parse_tail(struct patterns_cursor *c, struct patterns_query *query)
{
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_ORDER) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after ORDER") ||
         !patterns_parse_order(c, &query->order_by, &query->order_count)))
        return false;
    for (;;) {
        if (!query->limit && patterns_cursor_accept_word(c, PATTERNS_WORD_LIMIT)) {
            if (!parse_limit(c, query))
                return false;
        } else if (!query->offset && patterns_cursor_accept_word(c, PATTERNS_WORD_OFFSET)) {
            if (!parse_offset(c, query))
                return false;
        } else if (!query->limit && patterns_cursor_accept_word(c, PATTERNS_WORD_FETCH)) {
            if (!parse_fetch(c, query))
                return false;
        } else {
            query->end = patterns_cursor_last(c);
            return true;
        }
    }
}

static struct patterns_query *parse_whole(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_cte *ctes = NULL;
    uint32_t cte_count = 0;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_WITH) && !parse_ctes(c, &ctes, &cte_count))
        return NULL;
    struct patterns_query *query = parse_set(c, false);
    if (!query)
        return NULL;
    bool own = query->order_count > 0 || query->limit || query->offset || query->cte_count > 0;
    if (own && (is_tail(c) || cte_count > 0)) {
        patterns_cursor_refuse(c, "syntax", begin, patterns_cursor_last(c), "write SELECT * FROM (query)",
                               "a query in parentheses has its own WITH, ORDER BY or LIMIT");
        return NULL;
    }
    if (is_tail(c) && !parse_tail(c, query))
        return NULL;
    if (cte_count > 0) {
        query->ctes = ctes;
        query->cte_count = cte_count;
        query->begin = begin;
    }
    return query;
}

const struct patterns_query *patterns_parse_query(struct patterns_cursor *c)
{
    if (!patterns_cursor_enter(c))
        return NULL;
    uint32_t outer = c->height;
    c->height = 0;
    const struct patterns_query *query = parse_whole(c);
    patterns_cursor_leave(c);
    c->query_height = c->height + 1;
    c->height = outer > c->query_height ? outer : c->query_height;
    if (!query || !patterns_cursor_height(c, c->query_height, query->begin, query->end))
        return NULL;
    return query;
}
