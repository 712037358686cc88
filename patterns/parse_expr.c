#include "patterns/parse_expr.h"

#include "patterns/parse_call.h"
#include "patterns/parse_query.h"
#include "patterns/parse_type.h"

struct exprs BASE_VEC(const struct patterns_expr *);

struct patterns_expr *patterns_expr_new(struct patterns_cursor *c, enum patterns_expr_kind kind, uint32_t begin)
{
    struct patterns_expr *expr = patterns_cursor_alloc(c, sizeof *expr);
    if (!expr)
        return NULL;
    expr->kind = kind;
    expr->source = c->source;
    expr->begin = begin;
    expr->end = patterns_cursor_last(c);
    expr->depth = 1;
    return expr;
}

const struct patterns_expr *patterns_expr_close(struct patterns_cursor *c, struct patterns_expr *expr,
                                                const struct patterns_expr *const *args, uint32_t count, uint32_t inner)
{
    uint32_t height = inner;
    for (uint32_t i = 0; i < count; i++) {
        if (args[i]->depth > height)
            height = args[i]->depth;
    }
    expr->depth = height + 1;
    expr->end = patterns_cursor_last(c);
    if (expr->kind != PATTERNS_EXPR_CALL) {
        expr->args = args;
        expr->arg_count = count;
    }
    if (!patterns_cursor_height(c, expr->depth, expr->begin, expr->end))
        return NULL;
    if (expr->depth > c->height)
        c->height = expr->depth;
    return expr;
}

/* Node over one to three operands. */
static const struct patterns_expr *node(struct patterns_cursor *c, struct patterns_expr *expr,
                                        const struct patterns_expr *a, const struct patterns_expr *b,
                                        const struct patterns_expr *third)
{
    struct exprs args = { 0 };
    if (!expr || (a && !PATTERNS_PUSH(c, &args, a)) || (b && !PATTERNS_PUSH(c, &args, b)) ||
        (third && !PATTERNS_PUSH(c, &args, third)))
        return NULL;
    return patterns_expr_close(c, expr, args.at, (uint32_t)args.len, 0);
}

static const struct patterns_expr *op_node(struct patterns_cursor *c, enum patterns_op op, uint32_t begin,
                                           const struct patterns_expr *a, const struct patterns_expr *b)
{
    struct patterns_expr *expr = patterns_expr_new(c, b ? PATTERNS_EXPR_BINARY : PATTERNS_EXPR_UNARY, begin);
    if (!expr)
        return NULL;
    expr->op = op;
    return node(c, expr, a, b, NULL);
}

const struct patterns_query *patterns_parse_inner_query(struct patterns_cursor *c, uint32_t *ret_height)
{
    const struct patterns_query *query = patterns_parse_query(c);
    if (!query)
        return NULL;
    *ret_height = c->query_height;
    return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the subquery", NULL) ? query : NULL;
}

bool patterns_parse_exprs(struct patterns_cursor *c, const struct patterns_expr *const **ret, uint32_t *ret_count)
{
    struct exprs list = { 0 };
    do {
        const struct patterns_expr *expr = patterns_parse_expr(c);
        if (!expr || !PATTERNS_PUSH(c, &list, expr))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    *ret = list.at;
    *ret_count = (uint32_t)list.len;
    return true;
}

bool patterns_parse_order(struct patterns_cursor *c, const struct patterns_order_item **ret, uint32_t *ret_count)
{
    struct BASE_VEC(struct patterns_order_item) list = { 0 };
    do {
        struct patterns_order_item item = { .expr = patterns_parse_expr(c) };
        if (!item.expr)
            return false;
        if (patterns_cursor_accept_word(c, PATTERNS_WORD_DESC))
            item.descending = true;
        else
            (void)patterns_cursor_accept_word(c, PATTERNS_WORD_ASC);
        if (patterns_cursor_accept_word(c, PATTERNS_WORD_NULLS)) {
            if (patterns_cursor_accept_word(c, PATTERNS_WORD_FIRST))
                item.nulls = PATTERNS_NULLS_FIRST;
            else if (patterns_cursor_accept_word(c, PATTERNS_WORD_LAST))
                item.nulls = PATTERNS_NULLS_LAST;
            else
                return patterns_cursor_expected(c, "\"FIRST\" or \"LAST\" after NULLS", NULL);
        }
        if (!PATTERNS_PUSH(c, &list, item))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    *ret = list.at;
    *ret_count = (uint32_t)list.len;
    return true;
}

bool patterns_parse_star(struct patterns_cursor *c, const struct patterns_expr **ret)
{
    uint32_t begin = patterns_cursor_begin(c);
    uint32_t ahead = 0;
    *ret = NULL;
    while (patterns_cursor_ahead_ident(c, ahead) && patterns_cursor_ahead(c, ahead + 1, PATTERNS_TOKEN_DOT))
        ahead += 2;
    if (!patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_STAR))
        return true;
    struct BASE_VEC(struct patterns_ident) parts = { 0 };
    for (uint32_t i = 0; i < ahead; i += 2) {
        struct patterns_ident part;
        if (!patterns_cursor_ident(c, "a name", &part) || !PATTERNS_PUSH(c, &parts, part))
            return false;
        patterns_cursor_skip(c, 1);
    }
    patterns_cursor_skip(c, 1);
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_STAR, begin);
    if (!expr)
        return false;
    expr->name = (struct patterns_name){
        .parts = parts.at, .count = (uint32_t)parts.len, .begin = begin, .end = patterns_cursor_last(c)
    };
    *ret = expr;
    return true;
}

/* ---- literals and constructors ---- */

const struct patterns_expr *patterns_parse_interval(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_INTERVAL, ""))
        return NULL;
    struct patterns_interval interval = { 0 };
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_MINUS))
        interval.negative = true;
    else
        (void)patterns_cursor_accept(c, PATTERNS_TOKEN_PLUS);
    if (patterns_cursor_is(c, PATTERNS_TOKEN_NUMBER)) {
        patterns_cursor_expected(c, "a string after INTERVAL",
                                 "the amount of an interval is quoted: INTERVAL '5' MINUTE");
        return NULL;
    }
    if (!patterns_cursor_string(c, "a string after INTERVAL", &interval.text) ||
        !patterns_parse_interval_unit(c, &interval))
        return NULL;
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_INTERVAL, begin);
    if (!expr)
        return NULL;
    expr->interval = interval;
    return expr;
}

static const struct patterns_expr *text_literal(struct patterns_cursor *c, enum patterns_expr_kind kind, uint32_t words)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct base_str text = { 0 };
    patterns_cursor_skip(c, words);
    if (!patterns_cursor_string(c, "a string", &text))
        return NULL;
    struct patterns_expr *expr = patterns_expr_new(c, kind, begin);
    if (!expr)
        return NULL;
    expr->text = text;
    return expr;
}

static const struct patterns_expr *number_literal(struct patterns_cursor *c)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    patterns_cursor_skip(c, 1);
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_NUMBER, token->begin);
    if (!expr)
        return NULL;
    expr->number.kind = (enum patterns_number_kind)token->number;
    expr->number.text = (struct base_str){ c->source->text + token->begin, token->end - token->begin };
    return expr;
}

static const struct patterns_expr *word_literal(struct patterns_cursor *c, enum patterns_expr_kind kind, bool value)
{
    uint32_t begin = patterns_cursor_begin(c);
    patterns_cursor_skip(c, 1);
    struct patterns_expr *expr = patterns_expr_new(c, kind, begin);
    if (!expr)
        return NULL;
    if (kind == PATTERNS_EXPR_BOOLEAN)
        expr->boolean = value;
    return expr;
}

/* ARRAY[...], MAP[...], ROW(...) */
static const struct patterns_expr *parse_constructor(struct patterns_cursor *c, enum patterns_expr_kind kind,
                                                     enum patterns_token_kind close)
{
    struct patterns_expr *expr = patterns_expr_new(c, kind, patterns_cursor_begin(c));
    const struct patterns_expr *const *args = NULL;
    uint32_t count = 0;
    patterns_cursor_skip(c, 2);
    if (!expr || (!patterns_cursor_is(c, close) && !patterns_parse_exprs(c, &args, &count)) ||
        !patterns_cursor_expect(c, close, "after the elements", NULL))
        return NULL;
    if (kind == PATTERNS_EXPR_MAP && count % 2 != 0) {
        patterns_cursor_refuse(c, "syntax", expr->begin, patterns_cursor_last(c), "write MAP['key', value, ...]",
                               "a MAP needs a value for each key");
        return NULL;
    }
    if (kind == PATTERNS_EXPR_ROW && count == 0) {
        patterns_cursor_refuse(c, "syntax", expr->begin, patterns_cursor_last(c), NULL, "a ROW needs fields");
        return NULL;
    }
    return patterns_expr_close(c, expr, args, count, 0);
}

static const struct patterns_expr *parse_cast(struct patterns_cursor *c, bool try_cast)
{
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_CAST, patterns_cursor_begin(c));
    patterns_cursor_skip(c, 1);
    if (!expr || !patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after CAST", "write CAST(value AS type)"))
        return NULL;
    const struct patterns_expr *value = patterns_parse_expr(c);
    if (value && patterns_cursor_is(c, PATTERNS_TOKEN_COMMA))
        patterns_cursor_expected(c, "\"AS\" in CAST(value AS type)", "write CAST(x AS INT)");
    if (!value || patterns_cursor_is(c, PATTERNS_TOKEN_COMMA) || !patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "in CAST(value AS type)"))
        return NULL;
    expr->type = patterns_parse_type(c);
    if (!expr->type || !patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the type of CAST", NULL))
        return NULL;
    expr->try_cast = try_cast;
    return node(c, expr, value, NULL, NULL);
}

static bool parse_when(struct patterns_cursor *c, struct patterns_when *ret, uint32_t *height)
{
    ret->condition = patterns_parse_expr(c);
    if (!ret->condition || !patterns_cursor_expect_word(c, PATTERNS_WORD_THEN, "after the condition of WHEN"))
        return false;
    ret->result = patterns_parse_expr(c);
    if (!ret->result)
        return false;
    *height = *height > ret->condition->depth ? *height : ret->condition->depth;
    *height = *height > ret->result->depth ? *height : ret->result->depth;
    return true;
}

static const struct patterns_expr *parse_case(struct patterns_cursor *c)
{
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_CASE, patterns_cursor_begin(c));
    struct patterns_case *body = patterns_cursor_alloc(c, sizeof *body);
    struct BASE_VEC(struct patterns_when) whens = { 0 };
    uint32_t height = 0;
    patterns_cursor_skip(c, 1);
    if (!expr || !body)
        return NULL;
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_WHEN)) {
        body->operand = patterns_parse_expr(c);
        if (!body->operand)
            return NULL;
        height = body->operand->depth;
    }
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_WHEN)) {
        patterns_cursor_expected(c, "\"WHEN\" in CASE", NULL);
        return NULL;
    }
    while (patterns_cursor_accept_word(c, PATTERNS_WORD_WHEN)) {
        struct patterns_when when;
        if (!parse_when(c, &when, &height) || !PATTERNS_PUSH(c, &whens, when))
            return NULL;
    }
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_ELSE)) {
        body->otherwise = patterns_parse_expr(c);
        if (!body->otherwise)
            return NULL;
        height = height > body->otherwise->depth ? height : body->otherwise->depth;
    }
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_END, "at the end of CASE"))
        return NULL;
    body->whens = whens.at;
    body->when_count = (uint32_t)whens.len;
    expr->case_when = body;
    return patterns_expr_close(c, expr, NULL, 0, height);
}

/* ---- primary ---- */

static const struct patterns_expr *parse_name(struct patterns_cursor *c)
{
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_NAME, patterns_cursor_begin(c));
    if (!expr || !patterns_cursor_name(c, "an expression", &expr->name))
        return NULL;
    expr->end = patterns_cursor_last(c);
    if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN)) {
        patterns_cursor_refuse(c, "syntax", expr->begin, expr->end, "functions are called by their name alone: LAST(A.amount), not A.LAST(amount)",
                               "a function has no qualifier");
        return NULL;
    }
    return expr;
}

/* ( query ), ( e ), ( a, b ) */
static const struct patterns_expr *parse_parenthesis(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    patterns_cursor_skip(c, 1);
    if (patterns_is_query(c)) {
        uint32_t height = 0;
        struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_SUBQUERY, begin);
        const struct patterns_query *query = expr ? patterns_parse_inner_query(c, &height) : NULL;
        if (!query)
            return NULL;
        expr->query = query;
        return patterns_expr_close(c, expr, NULL, 0, height);
    }
    const struct patterns_expr *const *args = NULL;
    uint32_t count = 0;
    if (!patterns_parse_exprs(c, &args, &count) ||
        !patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the expression", NULL))
        return NULL;
    if (count == 1)
        return args[0];
    struct patterns_expr *row = patterns_expr_new(c, PATTERNS_EXPR_ROW, begin);
    return row ? patterns_expr_close(c, row, args, count, 0) : NULL;
}

static const struct patterns_expr *parse_exists(struct patterns_cursor *c)
{
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_EXISTS, patterns_cursor_begin(c));
    uint32_t height = 0;
    patterns_cursor_skip(c, 1);
    if (!expr || !patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after EXISTS", NULL))
        return NULL;
    expr->query = patterns_parse_inner_query(c, &height);
    return expr->query ? patterns_expr_close(c, expr, NULL, 0, height) : NULL;
}

/* TIMESTAMP WITH LOCAL TIME ZONE '...' */
static bool is_zoned_literal(const struct patterns_cursor *c)
{
    return patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_WITH) &&
           patterns_cursor_ahead_word(c, 2, PATTERNS_WORD_LOCAL) &&
           patterns_cursor_ahead_word(c, 3, PATTERNS_WORD_TIME) &&
           patterns_cursor_ahead_word(c, 4, PATTERNS_WORD_ZONE) && patterns_cursor_ahead(c, 5, PATTERNS_TOKEN_STRING);
}

/* Words that start something else than a name. *ret_none: they do not, here. */
static const struct patterns_expr *parse_word(struct patterns_cursor *c, enum patterns_word word, bool *ret_none)
{
    bool string_next = patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_STRING);
    bool bracket_next = patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_BRACKET_OPEN);
    if (word == PATTERNS_WORD_NULL)
        return word_literal(c, PATTERNS_EXPR_NULL, false);
    if (word == PATTERNS_WORD_TRUE || word == PATTERNS_WORD_FALSE)
        return word_literal(c, PATTERNS_EXPR_BOOLEAN, word == PATTERNS_WORD_TRUE);
    if (word == PATTERNS_WORD_CASE)
        return parse_case(c);
    if (word == PATTERNS_WORD_EXISTS)
        return parse_exists(c);
    if (word == PATTERNS_WORD_CAST ||
        (word == PATTERNS_WORD_TRY_CAST && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN)))
        return parse_cast(c, word == PATTERNS_WORD_TRY_CAST);
    if (word == PATTERNS_WORD_DATE && string_next)
        return text_literal(c, PATTERNS_EXPR_DATE, 1);
    if (word == PATTERNS_WORD_TIME && string_next)
        return text_literal(c, PATTERNS_EXPR_TIME, 1);
    if (word == PATTERNS_WORD_TIMESTAMP && string_next)
        return text_literal(c, PATTERNS_EXPR_TIMESTAMP, 1);
    if (word == PATTERNS_WORD_TIMESTAMP_LTZ && string_next)
        return text_literal(c, PATTERNS_EXPR_TIMESTAMP_LTZ, 1);
    if (word == PATTERNS_WORD_TIMESTAMP && is_zoned_literal(c))
        return text_literal(c, PATTERNS_EXPR_TIMESTAMP_LTZ, 5);
    if (word == PATTERNS_WORD_INTERVAL && (string_next || patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_NUMBER) ||
                                           patterns_cursor_ahead(c, 2, PATTERNS_TOKEN_STRING)))
        return patterns_parse_interval(c);
    if (word == PATTERNS_WORD_ARRAY && bracket_next)
        return parse_constructor(c, PATTERNS_EXPR_ARRAY, PATTERNS_TOKEN_BRACKET_CLOSE);
    if (word == PATTERNS_WORD_MAP && bracket_next)
        return parse_constructor(c, PATTERNS_EXPR_MAP, PATTERNS_TOKEN_BRACKET_CLOSE);
    if (word == PATTERNS_WORD_ROW && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN))
        return parse_constructor(c, PATTERNS_EXPR_ROW, PATTERNS_TOKEN_CLOSE);
    *ret_none = true;
    return NULL;
}

static const struct patterns_expr *parse_primary(struct patterns_cursor *c)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (token->kind == PATTERNS_TOKEN_NUMBER)
        return number_literal(c);
    if (token->kind == PATTERNS_TOKEN_STRING)
        return text_literal(c, PATTERNS_EXPR_STRING, 0);
    if (token->kind == PATTERNS_TOKEN_OPEN)
        return parse_parenthesis(c);
    if (token->kind == PATTERNS_TOKEN_WORD) {
        bool none = false;
        const struct patterns_expr *expr = parse_word(c, (enum patterns_word)token->word, &none);
        if (!none)
            return expr;
    }
    if (patterns_is_call(c))
        return patterns_parse_call(c);
    if (token->kind == PATTERNS_TOKEN_WORD || token->kind == PATTERNS_TOKEN_QUOTED)
        return parse_name(c);
    const char *hint = NULL;
    if (token->kind == PATTERNS_TOKEN_QUESTION)
        hint = "parameters are not known here; write the value, or an option of the rule by PARAM('name')";
    else if (token->kind == PATTERNS_TOKEN_STAR)
        hint = "* stands alone in SELECT and in COUNT(*)";
    patterns_cursor_expected(c, "an expression", hint);
    return NULL;
}

static const struct patterns_expr *parse_postfix(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_expr *expr = parse_primary(c);
    while (expr) {
        if (patterns_cursor_accept(c, PATTERNS_TOKEN_BRACKET_OPEN)) {
            const struct patterns_expr *index = patterns_parse_expr(c);
            if (!index || !patterns_cursor_expect(c, PATTERNS_TOKEN_BRACKET_CLOSE, "after the index", NULL))
                return NULL;
            expr = node(c, patterns_expr_new(c, PATTERNS_EXPR_INDEX, begin), expr, index, NULL);
        } else if (patterns_cursor_accept(c, PATTERNS_TOKEN_DOT)) {
            struct patterns_expr *field = patterns_expr_new(c, PATTERNS_EXPR_FIELD, begin);
            if (!field || !patterns_cursor_ident(c, "a field name after \".\"", &field->field))
                return NULL;
            expr = node(c, field, expr, NULL, NULL);
        } else {
            break;
        }
    }
    return expr;
}

static const struct patterns_expr *parse_unary(struct patterns_cursor *c)
{
    bool minus = patterns_cursor_is(c, PATTERNS_TOKEN_MINUS);
    if (!minus && !patterns_cursor_is(c, PATTERNS_TOKEN_PLUS))
        return parse_postfix(c);
    uint32_t begin = patterns_cursor_begin(c);
    if (!patterns_cursor_enter(c))
        return NULL;
    patterns_cursor_skip(c, 1);
    const struct patterns_expr *operand = parse_unary(c);
    patterns_cursor_leave(c);
    return operand ? op_node(c, minus ? PATTERNS_OP_NEG : PATTERNS_OP_PLUS, begin, operand, NULL) : NULL;
}

static bool product_op(const struct patterns_cursor *c, enum patterns_op *ret)
{
    *ret = patterns_cursor_is(c, PATTERNS_TOKEN_STAR)    ? PATTERNS_OP_MUL
           : patterns_cursor_is(c, PATTERNS_TOKEN_SLASH) ? PATTERNS_OP_DIV
                                                         : PATTERNS_OP_MOD;
    return *ret != PATTERNS_OP_MOD || patterns_cursor_is(c, PATTERNS_TOKEN_PERCENT);
}

static const struct patterns_expr *parse_product(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_expr *left = parse_unary(c);
    enum patterns_op op;
    while (left && product_op(c, &op)) {
        patterns_cursor_skip(c, 1);
        const struct patterns_expr *right = parse_unary(c);
        left = right ? op_node(c, op, begin, left, right) : NULL;
    }
    return left;
}

static const struct patterns_expr *parse_sum(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_expr *left = parse_product(c);
    while (left && (patterns_cursor_is(c, PATTERNS_TOKEN_PLUS) || patterns_cursor_is(c, PATTERNS_TOKEN_MINUS))) {
        enum patterns_op op = patterns_cursor_is(c, PATTERNS_TOKEN_PLUS) ? PATTERNS_OP_ADD : PATTERNS_OP_SUB;
        patterns_cursor_skip(c, 1);
        const struct patterns_expr *right = parse_product(c);
        left = right ? op_node(c, op, begin, left, right) : NULL;
    }
    return left;
}

/* ---- chains and predicates ---- */

static bool accept_chain_op(struct patterns_cursor *c, enum patterns_op op)
{
    if (op == PATTERNS_OP_CONCAT)
        return patterns_cursor_accept(c, PATTERNS_TOKEN_CONCAT);
    return patterns_cursor_accept_word(c, op == PATTERNS_OP_AND ? PATTERNS_WORD_AND : PATTERNS_WORD_OR);
}

/* a op b op c as one flat node; a alone as itself. */
static const struct patterns_expr *parse_chain(struct patterns_cursor *c, enum patterns_op op,
                                               const struct patterns_expr *(*next)(struct patterns_cursor *))
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_expr *first = next(c);
    struct exprs args = { 0 };
    if (!first || !accept_chain_op(c, op))
        return first;
    if (!PATTERNS_PUSH(c, &args, first))
        return NULL;
    do {
        const struct patterns_expr *operand = next(c);
        if (!operand || !PATTERNS_PUSH(c, &args, operand))
            return NULL;
    } while (accept_chain_op(c, op));
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_BINARY, begin);
    if (!expr)
        return NULL;
    expr->op = op;
    return patterns_expr_close(c, expr, args.at, (uint32_t)args.len, 0);
}

/* || binds weaker than + and *, as in Trino: every text that types can make sense of means the same in Flink. */
const struct patterns_expr *patterns_parse_value(struct patterns_cursor *c)
{
    return parse_chain(c, PATTERNS_OP_CONCAT, parse_sum);
}

static bool comparison_op(const struct patterns_cursor *c, enum patterns_op *ret)
{
    static const struct {
        enum patterns_token_kind kind;
        enum patterns_op op;
    } table[] = {
        { PATTERNS_TOKEN_EQ, PATTERNS_OP_EQ },      { PATTERNS_TOKEN_NE, PATTERNS_OP_NE },
        { PATTERNS_TOKEN_NE_BANG, PATTERNS_OP_NE }, { PATTERNS_TOKEN_LT, PATTERNS_OP_LT },
        { PATTERNS_TOKEN_LE, PATTERNS_OP_LE },      { PATTERNS_TOKEN_GT, PATTERNS_OP_GT },
        { PATTERNS_TOKEN_GE, PATTERNS_OP_GE },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (patterns_cursor_is(c, table[i].kind)) {
            *ret = table[i].op;
            return true;
        }
    }
    return false;
}

static const struct patterns_expr *parse_is(struct patterns_cursor *c, const struct patterns_expr *left, uint32_t begin)
{
    patterns_cursor_skip(c, 1);
    bool negated = patterns_cursor_accept_word(c, PATTERNS_WORD_NOT);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_NULL))
        return op_node(c, negated ? PATTERNS_OP_IS_NOT_NULL : PATTERNS_OP_IS_NULL, begin, left, NULL);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_TRUE))
        return op_node(c, negated ? PATTERNS_OP_IS_NOT_TRUE : PATTERNS_OP_IS_TRUE, begin, left, NULL);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_FALSE))
        return op_node(c, negated ? PATTERNS_OP_IS_NOT_FALSE : PATTERNS_OP_IS_FALSE, begin, left, NULL);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_UNKNOWN))
        return op_node(c, negated ? PATTERNS_OP_IS_NOT_UNKNOWN : PATTERNS_OP_IS_UNKNOWN, begin, left, NULL);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_DISTINCT)) {
        if (!patterns_cursor_expect_word(c, PATTERNS_WORD_FROM, "after IS DISTINCT"))
            return NULL;
        const struct patterns_expr *right = patterns_parse_value(c);
        if (!right)
            return NULL;
        return op_node(c, negated ? PATTERNS_OP_IS_NOT_DISTINCT : PATTERNS_OP_IS_DISTINCT, begin, left, right);
    }
    patterns_cursor_expected(c, "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS", NULL);
    return NULL;
}

static const struct patterns_expr *parse_between(struct patterns_cursor *c, const struct patterns_expr *left,
                                                 uint32_t begin, bool negated)
{
    patterns_cursor_skip(c, 1);
    bool symmetric = patterns_cursor_accept_word(c, PATTERNS_WORD_SYMMETRIC);
    if (!symmetric)
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_ASYMMETRIC);
    const struct patterns_expr *low = patterns_parse_value(c);
    if (low && patterns_cursor_is(c, PATTERNS_TOKEN_COMMA))
        patterns_cursor_expected(c, "\"AND\" between the bounds of BETWEEN", "write x BETWEEN 1 AND 5");
    if (!low || patterns_cursor_is(c, PATTERNS_TOKEN_COMMA) || !patterns_cursor_expect_word(c, PATTERNS_WORD_AND, "between the bounds of BETWEEN"))
        return NULL;
    const struct patterns_expr *high = patterns_parse_value(c);
    struct patterns_expr *expr = high ? patterns_expr_new(c, PATTERNS_EXPR_BETWEEN, begin) : NULL;
    if (!expr)
        return NULL;
    expr->negated = negated;
    expr->symmetric = symmetric;
    return node(c, expr, left, low, high);
}

static const struct patterns_expr *parse_in(struct patterns_cursor *c, const struct patterns_expr *left, uint32_t begin,
                                            bool negated)
{
    patterns_cursor_skip(c, 1);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after IN", "write x IN ('a', 'b')"))
        return NULL;
    if (patterns_is_query(c)) {
        uint32_t height = 0;
        struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_IN_QUERY, begin);
        const struct patterns_query *query = expr ? patterns_parse_inner_query(c, &height) : NULL;
        struct exprs args = { 0 };
        if (!query || !PATTERNS_PUSH(c, &args, left))
            return NULL;
        expr->query = query;
        expr->negated = negated;
        return patterns_expr_close(c, expr, args.at, 1, height);
    }
    struct exprs args = { 0 };
    if (!PATTERNS_PUSH(c, &args, left))
        return NULL;
    do {
        const struct patterns_expr *item = patterns_parse_expr(c);
        if (!item || !PATTERNS_PUSH(c, &args, item))
            return NULL;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    if (!patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE)) {
        patterns_cursor_expected(c, "\",\" or \")\" in the list of IN", "is a comma missing before it?");
        return NULL;
    }
    patterns_cursor_skip(c, 1);
    struct patterns_expr *expr = patterns_expr_new(c, PATTERNS_EXPR_IN, begin);
    if (!expr)
        return NULL;
    expr->negated = negated;
    return patterns_expr_close(c, expr, args.at, (uint32_t)args.len, 0);
}

static const struct patterns_expr *parse_like(struct patterns_cursor *c, const struct patterns_expr *left,
                                              uint32_t begin, bool negated)
{
    bool similar = patterns_cursor_is_word(c, PATTERNS_WORD_SIMILAR);
    patterns_cursor_skip(c, 1);
    if (similar && !patterns_cursor_expect_word(c, PATTERNS_WORD_TO, "after SIMILAR"))
        return NULL;
    const struct patterns_expr *text = patterns_parse_value(c);
    const struct patterns_expr *escape = NULL;
    if (text && patterns_cursor_accept_word(c, PATTERNS_WORD_ESCAPE)) {
        escape = patterns_parse_value(c);
        if (!escape)
            return NULL;
    }
    struct patterns_expr *expr =
        text ? patterns_expr_new(c, similar ? PATTERNS_EXPR_SIMILAR : PATTERNS_EXPR_LIKE, begin) : NULL;
    if (!expr)
        return NULL;
    expr->negated = negated;
    return node(c, expr, left, text, escape);
}

/* BETWEEN, IN, LIKE, SIMILAR with or without NOT; false: none stands here. */
static bool is_predicate(const struct patterns_cursor *c, uint32_t ahead)
{
    return patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_BETWEEN) ||
           patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_IN) ||
           patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_LIKE) ||
           patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_SIMILAR);
}

static const struct patterns_expr *parse_tail(struct patterns_cursor *c, const struct patterns_expr *left,
                                              uint32_t begin)
{
    bool negated = patterns_cursor_accept_word(c, PATTERNS_WORD_NOT);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_BETWEEN))
        return parse_between(c, left, begin, negated);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_IN))
        return parse_in(c, left, begin, negated);
    return parse_like(c, left, begin, negated);
}

/* Comparison, possibly with a quantified subquery, which is refused with a way out. */
static const struct patterns_expr *parse_comparison(struct patterns_cursor *c, const struct patterns_expr *left,
                                                    uint32_t begin, enum patterns_op op)
{
    patterns_cursor_skip(c, 1);
    bool any = patterns_cursor_is_word(c, PATTERNS_WORD_ANY) || patterns_cursor_is_word(c, PATTERNS_WORD_ALL);
    if (any && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN)) {
        patterns_cursor_refuse(c, "unsupported", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                               "write x IN (SELECT ...)", "comparisons with ANY or ALL are not supported");
        return NULL;
    }
    const struct patterns_expr *right = patterns_parse_value(c);
    return right ? op_node(c, op, begin, left, right) : NULL;
}

static const struct patterns_expr *parse_predicate(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    const struct patterns_expr *left = patterns_parse_value(c);
    bool closed = false; /* a comparison or predicate was read: only IS may follow */
    while (left) {
        enum patterns_op op;
        if (patterns_cursor_is_word(c, PATTERNS_WORD_IS)) {
            left = parse_is(c, left, begin);
        } else if (comparison_op(c, &op)) {
            if (closed) {
                patterns_cursor_refuse(c, "syntax", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                                       "write a < b AND b < c, or put parentheses", "comparisons do not chain");
                return NULL;
            }
            left = parse_comparison(c, left, begin, op);
        } else if (is_predicate(c, patterns_cursor_is_word(c, PATTERNS_WORD_NOT) ? 1 : 0)) {
            if (closed) {
                patterns_cursor_refuse(c, "syntax", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                                       "put parentheses around the first", "two conditions without AND or OR");
                return NULL;
            }
            left = parse_tail(c, left, begin);
        } else {
            break;
        }
        closed = true;
    }
    bool regex = patterns_cursor_is_word(c, PATTERNS_WORD_RLIKE) || patterns_cursor_is_word(c, PATTERNS_WORD_REGEXP);
    if (left && (regex || patterns_cursor_is_word(c, PATTERNS_WORD_ILIKE)) &&
        patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_STRING)) {
        patterns_cursor_refuse(c, "unsupported", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                               regex ? "write REGEXP(value, 'expression')" : "write LOWER(value) LIKE 'pattern'",
                               "there is no such operator");
        return NULL;
    }
    return left;
}

static const struct patterns_expr *parse_not(struct patterns_cursor *c)
{
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_NOT))
        return parse_predicate(c);
    uint32_t begin = patterns_cursor_begin(c);
    if (!patterns_cursor_enter(c))
        return NULL;
    patterns_cursor_skip(c, 1);
    const struct patterns_expr *operand = parse_not(c);
    patterns_cursor_leave(c);
    return operand ? op_node(c, PATTERNS_OP_NOT, begin, operand, NULL) : NULL;
}

static const struct patterns_expr *parse_and(struct patterns_cursor *c)
{
    return parse_chain(c, PATTERNS_OP_AND, parse_not);
}

const struct patterns_expr *patterns_parse_expr(struct patterns_cursor *c)
{
    if (!patterns_cursor_enter(c))
        return NULL;
    const struct patterns_expr *expr = parse_chain(c, PATTERNS_OP_OR, parse_and);
    patterns_cursor_leave(c);
    return expr;
}
