#include "patterns/parse_table.h"

#include "patterns/parse_expr.h"
#include "patterns/parse_pattern.h"
#include "patterns/parse_query.h"

static const struct patterns_table *parse_joined(struct patterns_cursor *c);

static struct patterns_table *new_table(struct patterns_cursor *c, enum patterns_table_kind kind, uint32_t begin)
{
    struct patterns_table *table = patterns_cursor_alloc(c, sizeof *table);
    if (!table)
        return NULL;
    table->kind = kind;
    table->source = c->source;
    table->begin = begin;
    return table;
}

static bool unsupported(struct patterns_cursor *c, const char *hint, const char *message)
{
    return patterns_cursor_refuse(c, "unsupported", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end, hint,
                                  "%s", message);
}

/* ---- window table functions ---- */

/* ORDER SLOTS: the arguments in the order of each function. */
enum slot { SLOT_DATA, SLOT_TIME, SLOT_SIZE, SLOT_SLIDE, SLOT_OFFSET, SLOT_NONE };
struct window_shape {
    enum patterns_word word;
    enum patterns_window_kind kind;
    enum slot slots[6];
    const char *hint;
};
static const struct window_shape window_shapes[] = {
    { PATTERNS_WORD_TUMBLE,
      PATTERNS_WINDOW_TUMBLE,
      { SLOT_DATA, SLOT_TIME, SLOT_SIZE, SLOT_OFFSET, SLOT_NONE, SLOT_NONE },
      "write TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)" },
    { PATTERNS_WORD_HOP,
      PATTERNS_WINDOW_HOP,
      { SLOT_DATA, SLOT_TIME, SLOT_SLIDE, SLOT_SIZE, SLOT_OFFSET, SLOT_NONE },
      "write HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE): slide, then size" },
    { PATTERNS_WORD_CUMULATE,
      PATTERNS_WINDOW_CUMULATE,
      { SLOT_DATA, SLOT_TIME, SLOT_SLIDE, SLOT_SIZE, SLOT_OFFSET, SLOT_NONE },
      "write CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '1' HOUR): step, then size" },
    { PATTERNS_WORD_SESSION,
      PATTERNS_WINDOW_SESSION,
      { SLOT_DATA, SLOT_TIME, SLOT_SIZE, SLOT_NONE, SLOT_NONE, SLOT_NONE },
      "write SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' MINUTE)" },
};

static const struct window_shape *window_shape(const struct patterns_cursor *c)
{
    for (size_t i = 0; i < sizeof window_shapes / sizeof window_shapes[0]; i++) {
        if (patterns_cursor_is_word(c, window_shapes[i].word) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN))
            return &window_shapes[i];
    }
    return NULL;
}

/* PARTITION BY k, ... inside TABLE t: a comma may also end it. */
static bool parse_partition(struct patterns_cursor *c, struct patterns_window_tvf *window)
{
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after PARTITION"))
        return false;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_OPEN))
        return patterns_parse_exprs(c, &window->partition_by, &window->partition_count) &&
               patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after PARTITION BY (...", NULL);
    struct BASE_VEC(const struct patterns_expr *) keys = { 0 };
    for (;;) {
        const struct patterns_expr *key = patterns_parse_expr(c);
        if (!key || !PATTERNS_PUSH(c, &keys, key))
            return false;
        bool next_arg = patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_DESCRIPTOR) ||
                        patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_INTERVAL) ||
                        patterns_cursor_ahead(c, 2, PATTERNS_TOKEN_NAMED);
        if (next_arg || !patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA))
            break;
    }
    window->partition_by = keys.at;
    window->partition_count = (uint32_t)keys.len;
    return true;
}

/* TABLE name [PARTITION BY ...], TABLE (query), (query) */
static bool parse_data(struct patterns_cursor *c, struct patterns_window_tvf *window)
{
    bool word = patterns_cursor_accept_word(c, PATTERNS_WORD_TABLE);
    uint32_t begin = patterns_cursor_begin(c);
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_OPEN)) {
        struct patterns_table *table = new_table(c, PATTERNS_TABLE_QUERY, begin);
        uint32_t height = 0;
        if (!table)
            return false;
        table->query = patterns_parse_inner_query(c, &height);
        table->end = patterns_cursor_last(c);
        window->table = table;
        if (!table->query)
            return false;
    } else {
        if (!word)
            return patterns_cursor_expected(c, "\"TABLE\" before the name of the table",
                                            "write TUMBLE(TABLE t, DESCRIPTOR(ts), ...)");
        struct patterns_table *table = new_table(c, PATTERNS_TABLE_NAME, begin);
        if (!table || !patterns_cursor_name(c, "a table name", &table->name))
            return false;
        table->end = patterns_cursor_last(c);
        window->table = table;
    }
    return !patterns_cursor_accept_word(c, PATTERNS_WORD_PARTITION) || parse_partition(c, window);
}

static bool parse_time(struct patterns_cursor *c, struct patterns_window_tvf *window)
{
    if (!patterns_cursor_accept_word(c, PATTERNS_WORD_DESCRIPTOR))
        return patterns_cursor_expected(c, "\"DESCRIPTOR\" around the time column", "write DESCRIPTOR(ts)");
    return patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after DESCRIPTOR", "write DESCRIPTOR(ts)") &&
           patterns_cursor_name(c, "the time column", &window->time) &&
           patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the time column", NULL);
}

static enum slot named_slot(struct patterns_cursor *c)
{
    static const struct {
        enum patterns_word word;
        enum slot slot;
    } names[] = {
        { PATTERNS_WORD_DATA, SLOT_DATA },     { PATTERNS_WORD_TIMECOL, SLOT_TIME }, { PATTERNS_WORD_SIZE, SLOT_SIZE },
        { PATTERNS_WORD_GAP, SLOT_SIZE },      { PATTERNS_WORD_SLIDE, SLOT_SLIDE },  { PATTERNS_WORD_STEP, SLOT_SLIDE },
        { PATTERNS_WORD_OFFSET, SLOT_OFFSET },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (patterns_cursor_is_word(c, names[i].word)) {
            patterns_cursor_skip(c, 2);
            return names[i].slot;
        }
    }
    patterns_cursor_expected(c, "an argument name", "the names are DATA, TIMECOL, SIZE, SLIDE, STEP, GAP, OFFSET");
    return SLOT_NONE;
}

static bool parse_slot(struct patterns_cursor *c, enum slot slot, struct patterns_window_tvf *window)
{
    const struct patterns_expr **place = NULL;
    switch (slot) {
    case SLOT_DATA: return parse_data(c, window);
    case SLOT_TIME: return parse_time(c, window);
    case SLOT_SIZE: place = &window->size; break;
    case SLOT_SLIDE: place = &window->slide; break;
    case SLOT_OFFSET: place = &window->offset; break;
    case SLOT_NONE: return false;
    }
    *place = patterns_parse_expr(c);
    return *place != NULL;
}

static bool shape_has(const struct window_shape *shape, enum slot slot)
{
    for (size_t i = 0; shape->slots[i] != SLOT_NONE; i++) {
        if (shape->slots[i] == slot)
            return true;
    }
    return false;
}

static bool parse_window_args(struct patterns_cursor *c, const struct window_shape *shape,
                              struct patterns_window_tvf *window)
{
    unsigned seen = 0;
    uint32_t begin = patterns_cursor_begin(c);
    patterns_cursor_skip(c, 2);
    for (unsigned i = 0;; i++) {
        enum slot slot = i < 5 ? shape->slots[i] : SLOT_NONE;
        uint32_t at = patterns_cursor_begin(c);
        if (patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_NAMED)) {
            slot = named_slot(c);
            if (slot == SLOT_NONE)
                return false;
        }
        if (slot == SLOT_NONE || !shape_has(shape, slot) || (seen & (1u << slot)) != 0)
            return patterns_cursor_refuse(c, "syntax", at, patterns_cursor_peek(c, 0)->end, shape->hint,
                                          "%s has no such argument, or has it already",
                                          patterns_word_text(shape->word));
        seen |= 1u << slot;
        if (!parse_slot(c, slot, window))
            return false;
        if (!patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA))
            break;
    }
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the arguments of the window", shape->hint))
        return false;
    if (!window->table || window->time.count == 0 || !window->size || (!window->slide && shape_has(shape, SLOT_SLIDE)))
        return patterns_cursor_refuse(c, "syntax", begin, patterns_cursor_last(c), shape->hint, "%s lacks an argument",
                                      patterns_word_text(shape->word));
    return true;
}

static struct patterns_table *parse_window(struct patterns_cursor *c, const struct window_shape *shape, uint32_t begin)
{
    struct patterns_table *table = new_table(c, PATTERNS_TABLE_WINDOW, begin);
    struct patterns_window_tvf *window = patterns_cursor_alloc(c, sizeof *window);
    if (!table || !window)
        return NULL;
    window->kind = shape->kind;
    table->window_tvf = window;
    return parse_window_args(c, shape, window) ? table : NULL;
}

/* TABLE(TUMBLE(...)) */
static struct patterns_table *parse_table_function(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    patterns_cursor_skip(c, 1);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after TABLE", "a table is named without TABLE"))
        return NULL;
    const struct window_shape *shape = window_shape(c);
    if (!shape) {
        patterns_cursor_expected(c, "TUMBLE(, HOP(, CUMULATE( or SESSION( in TABLE(...)",
                                 "other table functions are not supported");
        return NULL;
    }
    struct patterns_table *table = parse_window(c, shape, begin);
    return table && patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after TABLE(...", NULL) ? table : NULL;
}

/* ---- primaries ---- */

/* Behind an opening parenthesis: a query, or tables in parentheses? What follows the inner parenthesis tells
 * ((SELECT 1) UNION ...) from ((SELECT 1) AS a JOIN ...). */
static bool is_inner_query(const struct patterns_cursor *c)
{
    uint32_t ahead = 0;
    while (patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_OPEN))
        ahead++;
    bool query = patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_SELECT) ||
                 patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_VALUES) ||
                 patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_WITH);
    if (!query || ahead == 0)
        return query;
    uint32_t level = 0;
    for (ahead = 0; !patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_EOF); ahead++) {
        if (patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_OPEN))
            level++;
        else if (patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_CLOSE) && --level == 0)
            break;
    }
    ahead++;
    return !patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_AS) && !patterns_cursor_ahead_ident(c, ahead) &&
           !patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_COMMA) &&
           (patterns_cursor_ahead(c, ahead, PATTERNS_TOKEN_CLOSE) ||
            patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_UNION) ||
            patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_INTERSECT) ||
            patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_EXCEPT) ||
            patterns_cursor_ahead_word(c, ahead, PATTERNS_WORD_ORDER));
}

static struct patterns_table *parse_parenthesis(struct patterns_cursor *c)
{
    uint32_t begin = patterns_cursor_begin(c);
    patterns_cursor_skip(c, 1);
    if (is_inner_query(c)) {
        struct patterns_table *table = new_table(c, PATTERNS_TABLE_QUERY, begin);
        uint32_t height = 0;
        if (!table)
            return NULL;
        table->query = patterns_parse_inner_query(c, &height);
        return table->query ? table : NULL;
    }
    if (!patterns_cursor_enter(c))
        return NULL;
    const struct patterns_table *inner = parse_joined(c);
    patterns_cursor_leave(c);
    if (!inner || !patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the joined tables", NULL))
        return NULL;
    struct patterns_table *table = patterns_cursor_alloc(c, sizeof *table);
    if (table)
        *table = *inner;
    return table;
}

static bool parse_as_of(struct patterns_cursor *c, struct patterns_table *table)
{
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_FOR))
        return true;
    patterns_cursor_skip(c, 1);
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_SYSTEM_TIME, "after FOR") ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "after FOR SYSTEM_TIME") ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_OF, "after FOR SYSTEM_TIME AS"))
        return false;
    if (table->as_of || table->kind != PATTERNS_TABLE_NAME)
        return patterns_cursor_refuse(c, "syntax", table->begin, patterns_cursor_last(c), NULL,
                                      "FOR SYSTEM_TIME AS OF stands once, behind the name of a table");
    table->as_of = patterns_parse_value(c);
    return table->as_of != NULL;
}

static struct patterns_table *parse_named(struct patterns_cursor *c)
{
    struct patterns_table *table = new_table(c, PATTERNS_TABLE_NAME, patterns_cursor_begin(c));
    if (!table || !patterns_cursor_name(c, "a table name", &table->name))
        return NULL;
    if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN)) {
        patterns_cursor_refuse(c, "unsupported", table->begin, patterns_cursor_last(c),
                               "the table functions are TUMBLE, HOP, CUMULATE and SESSION; names of columns stand "
                               "behind an alias: t AS x (a, b)",
                               "there is no such table function");
        return NULL;
    }
    return parse_as_of(c, table) ? table : NULL;
}

static struct patterns_table *parse_primary(struct patterns_cursor *c)
{
    const struct window_shape *shape = window_shape(c);
    if (shape)
        return parse_window(c, shape, patterns_cursor_begin(c));
    if (patterns_cursor_is(c, PATTERNS_TOKEN_OPEN))
        return parse_parenthesis(c);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_TABLE))
        return parse_table_function(c);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_LATERAL) ||
        (patterns_cursor_is_word(c, PATTERNS_WORD_UNNEST) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_OPEN))) {
        unsupported(c,
                    "a lookup is written JOIN t FOR SYSTEM_TIME AS OF time ON ...; for the elements of an array "
                    "use a[1] or an array function",
                    "LATERAL and UNNEST are not supported");
        return NULL;
    }
    return parse_named(c);
}

/* [AS] alias [(columns)] */
static bool parse_alias(struct patterns_cursor *c, struct patterns_table *table)
{
    bool as = patterns_cursor_accept_word(c, PATTERNS_WORD_AS);
    if (!as && !patterns_cursor_is_alias(c))
        return true;
    if (table->kind == PATTERNS_TABLE_JOIN || table->alias)
        return patterns_cursor_refuse(c, "syntax", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                                      "write (SELECT ... FROM a JOIN b ON ...) AS name",
                                      "joined tables in parentheses take no alias");
    table->alias = patterns_cursor_new_ident(c, "an alias after AS");
    if (table->alias && !as && !table->alias->quoted && patterns_cursor_peek(c, 0)->kind == PATTERNS_TOKEN_OPEN &&
        base_str_distance(table->alias->text, BASE_STR("MATCH_RECOGNIZE")) <= 3)
        return patterns_cursor_refuse(c, "syntax", table->alias->begin, table->alias->end, "did you mean MATCH_RECOGNIZE?",
                                      "expected a clause or an alias, found \"%.*s\"", (int)table->alias->text.len,
                                      table->alias->text.ptr);
    if (!table->alias)
        return false;
    return !patterns_cursor_is(c, PATTERNS_TOKEN_OPEN) ||
           patterns_cursor_ident_list(c, "a column name", &table->alias_columns, &table->alias_column_count);
}

static const struct patterns_table *parse_match(struct patterns_cursor *c, struct patterns_table *input)
{
    uint32_t begin = patterns_cursor_begin(c);
    struct patterns_table *table = new_table(c, PATTERNS_TABLE_MATCH, input->begin);
    if (!table)
        return NULL;
    if (input->kind == PATTERNS_TABLE_JOIN) {
        unsupported(c, "write (SELECT ... FROM a JOIN b ON ...) MATCH_RECOGNIZE (...)",
                    "MATCH_RECOGNIZE reads one table");
        return NULL;
    }
    patterns_cursor_skip(c, 1);
    table->match.input = input;
    table->match.match = patterns_parse_match(c, begin);
    if (!table->match.match || !parse_alias(c, table))
        return NULL;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_MATCH_RECOGNIZE)) {
        unsupported(c, "write (SELECT * FROM t MATCH_RECOGNIZE (...)) MATCH_RECOGNIZE (...)",
                    "a second MATCH_RECOGNIZE needs a query of its own");
        return NULL;
    }
    table->end = patterns_cursor_last(c);
    return table;
}

/* Primary, alias, MATCH_RECOGNIZE and its alias. */
static const struct patterns_table *parse_factor(struct patterns_cursor *c)
{
    struct patterns_table *table = parse_primary(c);
    if (!table || !parse_alias(c, table) || !parse_as_of(c, table))
        return NULL;
    table->end = patterns_cursor_last(c);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_MATCH_RECOGNIZE))
        return parse_match(c, table);
    return table;
}

/* ---- joins ---- */

/* Reads [INNER|LEFT|RIGHT|FULL [OUTER]|CROSS] JOIN. 1: a join, 0: none, -1: refused. */
static int accept_join(struct patterns_cursor *c, enum patterns_join_kind *ret)
{
    enum patterns_join_kind kind = PATTERNS_JOIN_INNER;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_NATURAL))
        return unsupported(c, "write JOIN t ON a.k = t.k", "NATURAL joins are not supported") - 1;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_JOIN)) {
        *ret = kind;
        return 1;
    }
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_CROSS))
        kind = PATTERNS_JOIN_CROSS;
    else if (patterns_cursor_accept_word(c, PATTERNS_WORD_LEFT))
        kind = PATTERNS_JOIN_LEFT;
    else if (patterns_cursor_accept_word(c, PATTERNS_WORD_RIGHT))
        kind = PATTERNS_JOIN_RIGHT;
    else if (patterns_cursor_accept_word(c, PATTERNS_WORD_FULL))
        kind = PATTERNS_JOIN_FULL;
    else if (!patterns_cursor_accept_word(c, PATTERNS_WORD_INNER))
        return 0;
    if (kind == PATTERNS_JOIN_LEFT &&
        (patterns_cursor_is_word(c, PATTERNS_WORD_SEMI) || patterns_cursor_is_word(c, PATTERNS_WORD_ANTI)))
        return unsupported(c, "write WHERE k IN (SELECT k FROM t), or LEFT JOIN and IS NULL",
                           "SEMI and ANTI joins are not supported") -
               1;
    if (kind != PATTERNS_JOIN_INNER && kind != PATTERNS_JOIN_CROSS)
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_OUTER);
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_JOIN, "between the tables"))
        return -1;
    *ret = kind;
    return 1;
}

static bool parse_join_condition(struct patterns_cursor *c, struct patterns_join *join)
{
    if (join->kind == PATTERNS_JOIN_CROSS)
        return true;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_ON)) {
        join->on = patterns_parse_expr(c);
        return join->on != NULL;
    }
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_USING))
        return patterns_cursor_ident_list(c, "a column name", &join->using_columns, &join->using_count);
    return patterns_cursor_expected(c, "\"ON\" and the condition of the join",
                                    "a join without condition is written CROSS JOIN");
}

static struct patterns_table *new_join(struct patterns_cursor *c, const struct patterns_table *left,
                                       enum patterns_join_kind kind)
{
    struct patterns_table *table = new_table(c, PATTERNS_TABLE_JOIN, left->begin);
    c->height++; /* joins stand in each other, leftmost deepest */
    if (!table || !patterns_cursor_height(c, c->height, left->begin, patterns_cursor_last(c)))
        return NULL;
    table->join.kind = kind;
    table->join.left = left;
    return table;
}

/* a JOIN b ON ... JOIN c ON ... */
static const struct patterns_table *parse_joined(struct patterns_cursor *c)
{
    const struct patterns_table *left = parse_factor(c);
    uint32_t tables = 1;
    while (left) {
        enum patterns_join_kind kind;
        int found = accept_join(c, &kind);
        if (found == 0)
            return left;
        if (found < 0)
            return NULL;
        if (++tables > PATTERNS_MAX_TABLES) {
            patterns_cursor_refuse(c, "limit", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end, NULL,
                                   "more than %d tables are joined", PATTERNS_MAX_TABLES);
            return NULL;
        }
        struct patterns_table *table = new_join(c, left, kind);
        if (!table)
            return NULL;
        table->join.right = parse_factor(c);
        if (!table->join.right || !parse_join_condition(c, &table->join))
            return NULL;
        table->end = patterns_cursor_last(c);
        left = table;
    }
    return left;
}

const struct patterns_table *patterns_parse_from(struct patterns_cursor *c)
{
    const struct patterns_table *left = parse_joined(c);
    uint32_t tables = 1;
    while (left && patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA)) {
        if (++tables > PATTERNS_MAX_TABLES) {
            patterns_cursor_refuse(c, "limit", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end, NULL,
                                   "more than %d tables are joined", PATTERNS_MAX_TABLES);
            return NULL;
        }
        struct patterns_table *table = new_join(c, left, PATTERNS_JOIN_CROSS);
        if (!table)
            return NULL;
        table->join.right = parse_joined(c);
        if (!table->join.right)
            return NULL;
        table->end = patterns_cursor_last(c);
        left = table;
    }
    return left;
}
