#include "patterns/parse_call.h"

#include "patterns/parse_expr.h"
#include "patterns/parse_type.h"

struct exprs BASE_VEC(const struct patterns_expr *);

/* A call under construction. */
struct building {
    struct patterns_expr *expr;
    struct patterns_call *call;
    struct exprs args;
    uint32_t inner; /* height of FILTER, OVER and ORDER BY inside */
};

static void raise_inner(struct building *b, const struct patterns_expr *part)
{
    if (part && part->depth > b->inner)
        b->inner = part->depth;
}

static bool is_bare(const struct patterns_cursor *c, uint32_t ahead)
{
    static const enum patterns_word words[] = {
        PATTERNS_WORD_CURRENT_DATE,   PATTERNS_WORD_CURRENT_TIME, PATTERNS_WORD_CURRENT_TIMESTAMP,
        PATTERNS_WORD_LOCALTIMESTAMP, PATTERNS_WORD_LOCALTIME,    PATTERNS_WORD_CURRENT_ROW_TIMESTAMP,
    };
    if (patterns_cursor_ahead(c, ahead + 1, PATTERNS_TOKEN_OPEN) ||
        patterns_cursor_ahead(c, ahead + 1, PATTERNS_TOKEN_DOT))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (patterns_cursor_ahead_word(c, ahead, words[i]))
            return true;
    }
    return false;
}

/* LEFT and RIGHT are reserved for joins, but also functions. */
static bool is_plain_call(const struct patterns_cursor *c, uint32_t ahead)
{
    bool name = patterns_cursor_ahead_ident(c, ahead) || patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_LEFT) ||
                patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_RIGHT);
    return name && patterns_cursor_ahead(c, ahead + 1, PATTERNS_TOKEN_OPEN);
}

static bool is_mode(const struct patterns_cursor *c)
{
    return (patterns_cursor_is_word(c, PATTERNS_WORD_RUNNING) || patterns_cursor_is_word(c, PATTERNS_WORD_FINAL)) &&
           is_plain_call(c, 1);
}

bool patterns_is_call(const struct patterns_cursor *c)
{
    return is_bare(c, 0) || is_plain_call(c, 0) || is_mode(c);
}

/* ---- windows ---- */

static bool parse_bound(struct patterns_cursor *c, struct patterns_frame_bound *ret)
{
    if (patterns_cursor_is_word(c, PATTERNS_WORD_CURRENT) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_ROW)) {
        patterns_cursor_skip(c, 2);
        ret->kind = PATTERNS_BOUND_AT_CURRENT_ROW;
        return true;
    }
    bool unbounded = patterns_cursor_accept_word(c, PATTERNS_WORD_UNBOUNDED);
    if (!unbounded) {
        ret->expr = patterns_parse_value(c);
        if (!ret->expr)
            return false;
    }
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_PRECEDING))
        ret->kind = unbounded ? PATTERNS_BOUND_AT_UNBOUNDED_PRECEDING : PATTERNS_BOUND_AT_PRECEDING;
    else if (patterns_cursor_accept_word(c, PATTERNS_WORD_FOLLOWING))
        ret->kind = unbounded ? PATTERNS_BOUND_AT_UNBOUNDED_FOLLOWING : PATTERNS_BOUND_AT_FOLLOWING;
    else
        return patterns_cursor_expected(c, "\"PRECEDING\" or \"FOLLOWING\" in the frame of OVER", NULL);
    return true;
}

static bool parse_frame(struct patterns_cursor *c, struct patterns_window *window)
{
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_ROWS))
        window->unit = PATTERNS_FRAME_ROWS;
    else if (patterns_cursor_accept_word(c, PATTERNS_WORD_RANGE))
        window->unit = PATTERNS_FRAME_RANGE;
    else
        return true;
    window->to.kind = PATTERNS_BOUND_AT_CURRENT_ROW;
    if (!patterns_cursor_accept_word(c, PATTERNS_WORD_BETWEEN))
        return parse_bound(c, &window->from);
    return parse_bound(c, &window->from) &&
           patterns_cursor_expect_word(c, PATTERNS_WORD_AND, "between the bounds of the frame") &&
           parse_bound(c, &window->to);
}

static bool is_window_base(const struct patterns_cursor *c)
{
    bool keyword = patterns_cursor_is_word(c, PATTERNS_WORD_PARTITION) ||
                   patterns_cursor_is_word(c, PATTERNS_WORD_ROWS) || patterns_cursor_is_word(c, PATTERNS_WORD_RANGE);
    return patterns_cursor_ahead_ident(c, 0) && !keyword;
}

const struct patterns_window *patterns_parse_window(struct patterns_cursor *c)
{
    struct patterns_window *window = patterns_cursor_alloc(c, sizeof *window);
    if (!window)
        return NULL;
    window->source = c->source;
    window->begin = patterns_cursor_begin(c);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "before the window", NULL))
        return NULL;
    if (is_window_base(c)) {
        window->base = patterns_cursor_new_ident(c, "a window name");
        if (!window->base)
            return NULL;
    }
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_PARTITION) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after PARTITION") ||
         !patterns_parse_exprs(c, &window->partition_by, &window->partition_count)))
        return NULL;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_ORDER) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after ORDER") ||
         !patterns_parse_order(c, &window->order_by, &window->order_count)))
        return NULL;
    if (!parse_frame(c, window) || !patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the window", NULL))
        return NULL;
    window->end = patterns_cursor_last(c);
    return window;
}

static void raise_window(struct building *b, const struct patterns_window *window)
{
    for (uint32_t i = 0; i < window->partition_count; i++)
        raise_inner(b, window->partition_by[i]);
    for (uint32_t i = 0; i < window->order_count; i++)
        raise_inner(b, window->order_by[i].expr);
    raise_inner(b, window->from.expr);
    raise_inner(b, window->to.expr);
}

static bool parse_over(struct patterns_cursor *c, struct building *b)
{
    uint32_t begin = patterns_cursor_begin(c);
    if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN)) {
        b->call->over = patterns_parse_window(c);
        if (b->call->over)
            raise_window(b, b->call->over);
        return b->call->over != NULL;
    }
    struct patterns_window *window = patterns_cursor_alloc(c, sizeof *window);
    if (!window)
        return false;
    window->source = c->source;
    window->begin = begin;
    window->bare = true;
    window->base = patterns_cursor_new_ident(c, "a window name after OVER");
    window->end = patterns_cursor_last(c);
    b->call->over = window;
    return window->base != NULL;
}

/* ---- what stands behind the arguments ---- */

static bool parse_filter(struct patterns_cursor *c, struct building *b)
{
    patterns_cursor_skip(c, 2);
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_WHERE, "in FILTER (WHERE ...)"))
        return false;
    b->call->filter = patterns_parse_expr(c);
    raise_inner(b, b->call->filter);
    return b->call->filter && patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the condition of FILTER", NULL);
}

static bool parse_within_group(struct patterns_cursor *c, struct building *b)
{
    patterns_cursor_skip(c, 2);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after WITHIN GROUP", NULL) ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_ORDER, "in WITHIN GROUP (ORDER BY ...)") ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after ORDER") ||
        !patterns_parse_order(c, &b->call->within_group, &b->call->within_count))
        return false;
    for (uint32_t i = 0; i < b->call->within_count; i++)
        raise_inner(b, b->call->within_group[i].expr);
    return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after WITHIN GROUP (ORDER BY ...", NULL);
}

static bool parse_tail(struct patterns_cursor *c, struct building *b)
{
    struct patterns_call *call = b->call;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_WITHIN) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_GROUP) &&
        !parse_within_group(c, b))
        return false;
    if (patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_NULLS)) {
        if (patterns_cursor_is_word(c, PATTERNS_WORD_IGNORE))
            call->nulls = PATTERNS_CALL_NULLS_IGNORE;
        else if (patterns_cursor_is_word(c, PATTERNS_WORD_RESPECT))
            call->nulls = PATTERNS_CALL_NULLS_RESPECT;
        if (call->nulls != PATTERNS_CALL_NULLS_NONE)
            patterns_cursor_skip(c, 2);
    }
    if (patterns_cursor_is_word(c, PATTERNS_WORD_FILTER) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN) &&
        !parse_filter(c, b))
        return false;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_OVER) &&
        (patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN) || patterns_cursor_ahead_ident(c, 1))) {
        patterns_cursor_skip(c, 1);
        return parse_over(c, b);
    }
    return true;
}

/* ---- arguments ---- */

static bool take_arg(struct patterns_cursor *c, struct building *b, const struct patterns_expr *arg)
{
    return arg && PATTERNS_PUSH(c, &b->args, arg);
}

static bool close_args(struct patterns_cursor *c, const char *where)
{
    return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, where, NULL);
}

/* The rest of name ( [DISTINCT] [name =>] a, ... ) behind the parenthesis; `first` has been read already if not NULL.
 */
static bool parse_plain_args(struct patterns_cursor *c, struct building *b, const struct patterns_expr *first)
{
    struct BASE_VEC(const struct patterns_ident *) names = { 0 };
    bool any_name = false;
    if (!first && patterns_cursor_accept(c, PATTERNS_TOKEN_CLOSE))
        return true;
    if (!first && patterns_cursor_accept_word(c, PATTERNS_WORD_DISTINCT))
        b->call->distinct = true;
    else if (!first)
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_ALL);
    do {
        const struct patterns_ident *name = NULL;
        const struct patterns_expr *arg = first;
        if (!first && patterns_cursor_ahead_ident(c, 0) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_NAMED)) {
            name = patterns_cursor_new_ident(c, "an argument name");
            patterns_cursor_skip(c, 1);
            if (!name)
                return false;
            any_name = true;
        }
        if (!first && !patterns_parse_star(c, &arg))
            return false;
        if (!arg)
            arg = patterns_parse_expr(c);
        first = NULL;
        if (!take_arg(c, b, arg) || !PATTERNS_PUSH(c, &names, name))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    if (any_name)
        b->call->arg_names = names.at;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_CLOSE))
        return true;
    return patterns_cursor_expected(c, "\",\" or \")\" after the argument",
                                    patterns_cursor_ahead_ident(c, 0) ? "is a comma missing before it?" : NULL);
}

static bool parse_extract(struct patterns_cursor *c, struct building *b)
{
    b->call->syntax = PATTERNS_CALL_EXTRACT;
    return patterns_parse_unit(c, false, &b->call->unit) &&
           patterns_cursor_expect_word(c, PATTERNS_WORD_FROM, "in EXTRACT(unit FROM value)") &&
           take_arg(c, b, patterns_parse_expr(c)) && close_args(c, "after EXTRACT(unit FROM value");
}

/* FLOOR(x), FLOOR(x TO unit) */
static bool parse_rounding(struct patterns_cursor *c, struct building *b)
{
    if (patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE))
        return parse_plain_args(c, b, NULL);
    const struct patterns_expr *value = patterns_parse_expr(c);
    if (!value || !patterns_cursor_accept_word(c, PATTERNS_WORD_TO))
        return value && parse_plain_args(c, b, value);
    b->call->syntax = PATTERNS_CALL_TO_UNIT;
    return patterns_parse_unit(c, false, &b->call->unit) && take_arg(c, b, value) && close_args(c, "after the unit");
}

/* TIMESTAMPADD(unit, n, t), TIMESTAMPDIFF(unit, a, b) */
static bool parse_unit_arg(struct patterns_cursor *c, struct building *b)
{
    b->call->syntax = PATTERNS_CALL_UNIT_ARG;
    if (!patterns_parse_unit(c, false, &b->call->unit) ||
        !patterns_cursor_expect(c, PATTERNS_TOKEN_COMMA, "after the unit", NULL))
        return false;
    return take_arg(c, b, patterns_parse_expr(c)) &&
           patterns_cursor_expect(c, PATTERNS_TOKEN_COMMA, "after the second argument", NULL) &&
           take_arg(c, b, patterns_parse_expr(c)) && close_args(c, "after the third argument");
}

static bool parse_position(struct patterns_cursor *c, struct building *b)
{
    b->call->syntax = PATTERNS_CALL_POSITION;
    return take_arg(c, b, patterns_parse_value(c)) &&
           patterns_cursor_expect_word(c, PATTERNS_WORD_IN, "in POSITION(part IN text)") &&
           take_arg(c, b, patterns_parse_expr(c)) && close_args(c, "after POSITION(part IN text");
}

static bool parse_substring(struct patterns_cursor *c, struct building *b)
{
    if (patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE))
        return parse_plain_args(c, b, NULL);
    const struct patterns_expr *value = patterns_parse_expr(c);
    if (!value || !patterns_cursor_accept_word(c, PATTERNS_WORD_FROM))
        return value && parse_plain_args(c, b, value);
    b->call->syntax = PATTERNS_CALL_SUBSTRING;
    if (!take_arg(c, b, value) || !take_arg(c, b, patterns_parse_expr(c)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_FOR) && !take_arg(c, b, patterns_parse_expr(c)))
        return false;
    return close_args(c, "after SUBSTRING(text FROM start");
}

/* TRIM(x), TRIM([side] [characters] FROM x) */
static bool parse_trim(struct patterns_cursor *c, struct building *b)
{
    bool side = true;
    bool end_next = patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_CLOSE);
    if (!end_next && patterns_cursor_accept_word(c, PATTERNS_WORD_LEADING))
        b->call->trim = PATTERNS_TRIM_LEADING;
    else if (!end_next && patterns_cursor_accept_word(c, PATTERNS_WORD_TRAILING))
        b->call->trim = PATTERNS_TRIM_TRAILING;
    else if (end_next || !patterns_cursor_accept_word(c, PATTERNS_WORD_BOTH))
        side = false;
    if (!side && patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE))
        return parse_plain_args(c, b, NULL);
    const struct patterns_expr *characters = NULL;
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_FROM)) {
        characters = patterns_parse_expr(c);
        if (!characters)
            return false;
        if (!side && !patterns_cursor_is_word(c, PATTERNS_WORD_FROM))
            return parse_plain_args(c, b, characters);
    }
    b->call->syntax = PATTERNS_CALL_TRIM;
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_FROM, "in TRIM(BOTH ' ' FROM text)") ||
        !take_arg(c, b, patterns_parse_expr(c)) || (characters && !take_arg(c, b, characters)))
        return false;
    return close_args(c, "after TRIM(... FROM text");
}

static bool parse_overlay(struct patterns_cursor *c, struct building *b)
{
    b->call->syntax = PATTERNS_CALL_OVERLAY;
    if (!take_arg(c, b, patterns_parse_expr(c)) ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_PLACING, "in OVERLAY(text PLACING new FROM start)") ||
        !take_arg(c, b, patterns_parse_expr(c)) ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_FROM, "in OVERLAY(text PLACING new FROM start)") ||
        !take_arg(c, b, patterns_parse_expr(c)))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_FOR) && !take_arg(c, b, patterns_parse_expr(c)))
        return false;
    return close_args(c, "after OVERLAY(... FROM start");
}

typedef bool args_parser(struct patterns_cursor *c, struct building *b);
static args_parser *own_syntax(enum patterns_word word)
{
    if (word == PATTERNS_WORD_EXTRACT)
        return parse_extract;
    if (word == PATTERNS_WORD_FLOOR || word == PATTERNS_WORD_CEIL || word == PATTERNS_WORD_CEILING)
        return parse_rounding;
    if (word == PATTERNS_WORD_TIMESTAMPADD || word == PATTERNS_WORD_TIMESTAMPDIFF)
        return parse_unit_arg;
    if (word == PATTERNS_WORD_POSITION)
        return parse_position;
    if (word == PATTERNS_WORD_SUBSTRING)
        return parse_substring;
    if (word == PATTERNS_WORD_TRIM)
        return parse_trim;
    if (word == PATTERNS_WORD_OVERLAY)
        return parse_overlay;
    return NULL;
}

/* The name of a function: also LEFT, RIGHT. */
static bool parse_name(struct patterns_cursor *c, struct patterns_ident *ret, enum patterns_word *ret_word)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    *ret_word = token->kind == PATTERNS_TOKEN_WORD ? (enum patterns_word)token->word : PATTERNS_WORD_NONE;
    if (*ret_word != PATTERNS_WORD_LEFT && *ret_word != PATTERNS_WORD_RIGHT)
        return patterns_cursor_ident(c, "a function name", ret);
    ret->text = (struct base_str){ c->source->text + token->begin, token->end - token->begin };
    ret->begin = token->begin;
    ret->end = token->end;
    patterns_cursor_skip(c, 1);
    return true;
}

static bool parse_body(struct patterns_cursor *c, struct building *b)
{
    enum patterns_word word = PATTERNS_WORD_NONE;
    if (is_mode(c)) {
        b->call->mode = patterns_cursor_is_word(c, PATTERNS_WORD_FINAL) ? PATTERNS_MODE_FINAL : PATTERNS_MODE_RUNNING;
        patterns_cursor_skip(c, 1);
    }
    bool bare = is_bare(c, 0);
    if (!parse_name(c, &b->call->name, &word))
        return false;
    if (bare) {
        b->call->syntax = PATTERNS_CALL_BARE;
        return true;
    }
    patterns_cursor_skip(c, 1); /* the parenthesis, seen by patterns_is_call */
    args_parser *own = own_syntax(word);
    if (own ? !own(c, b) : !parse_plain_args(c, b, NULL))
        return false;
    return parse_tail(c, b);
}

const struct patterns_expr *patterns_parse_call(struct patterns_cursor *c)
{
    struct building b = { .expr = patterns_expr_new(c, PATTERNS_EXPR_CALL, patterns_cursor_begin(c)) };
    b.call = patterns_cursor_alloc(c, sizeof *b.call);
    if (!b.expr || !b.call || !parse_body(c, &b))
        return NULL;
    b.call->args = b.args.at;
    b.call->arg_count = (uint32_t)b.args.len;
    b.expr->call = b.call;
    return patterns_expr_close(c, b.expr, b.args.at, (uint32_t)b.args.len, b.inner);
}
