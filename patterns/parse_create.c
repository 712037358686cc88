#include "patterns/parse_create.h"

#include "patterns/parse_expr.h"
#include "patterns/parse_query.h"
#include "patterns/parse_type.h"

struct columns BASE_VEC(struct patterns_column_def);

static bool accept_if_not_exists(struct patterns_cursor *c, bool *ret)
{
    *ret = false;
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_IF) || !patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_NOT))
        return true;
    patterns_cursor_skip(c, 2);
    *ret = true;
    return patterns_cursor_expect_word(c, PATTERNS_WORD_EXISTS, "after IF NOT");
}

/* ---- options ---- */

bool patterns_parse_option(struct patterns_cursor *c, struct patterns_option *ret)
{
    ret->begin = ret->key_begin = patterns_cursor_begin(c);
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (token->kind == PATTERNS_TOKEN_WORD)
        return patterns_cursor_expected(c, "an option in quotes", "options are written 'key' = 'value'");
    if (!patterns_cursor_string(c, "an option", &ret->key))
        return false;
    ret->key_end = patterns_cursor_last(c);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_EQ, "after the name of the option",
                                "options are written 'key' = 'value'"))
        return false;
    ret->value_begin = patterns_cursor_begin(c);
    token = patterns_cursor_peek(c, 0);
    if (token->kind == PATTERNS_TOKEN_NUMBER || token->kind == PATTERNS_TOKEN_WORD)
        return patterns_cursor_expected(c, "the value of the option in quotes", "numbers too: 'parallelism' = '4'");
    if (!patterns_cursor_string(c, "the value of the option", &ret->value))
        return false;
    ret->end = ret->value_end = patterns_cursor_last(c);
    return true;
}

/* [WITH ( 'key' = 'value', ... )] */
static bool parse_options(struct patterns_cursor *c, const struct patterns_option **ret, uint32_t *ret_count)
{
    struct BASE_VEC(struct patterns_option) list = { 0 };
    if (!patterns_cursor_accept_word(c, PATTERNS_WORD_WITH))
        return true;
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "after WITH", "options are written WITH ('key' = 'value')"))
        return false;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_CLOSE))
        return true;
    do {
        struct patterns_option option = { 0 };
        if (!patterns_parse_option(c, &option) || !PATTERNS_PUSH(c, &list, option))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    *ret = list.at;
    *ret_count = (uint32_t)list.len;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_CLOSE))
        return true;
    return patterns_cursor_expected(c, "\",\" or \")\" after the option",
                                    patterns_cursor_is(c, PATTERNS_TOKEN_STRING) ? "is a comma missing before it?"
                                                                                 : NULL);
}

static bool parse_comment(struct patterns_cursor *c, struct base_str *ret)
{
    return !patterns_cursor_accept_word(c, PATTERNS_WORD_COMMENT) ||
           patterns_cursor_string(c, "a string after COMMENT", ret);
}

/* ---- CREATE TABLE ---- */

static bool parse_not_enforced(struct patterns_cursor *c)
{
    if (patterns_cursor_is_word(c, PATTERNS_WORD_NOT) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_ENFORCED)) {
        patterns_cursor_skip(c, 2);
        return true;
    }
    return patterns_cursor_expected(c, "\"NOT ENFORCED\" after PRIMARY KEY",
                                    "a stream cannot be made to keep a key: write PRIMARY KEY (k) NOT ENFORCED");
}

static bool set_key(struct patterns_cursor *c, struct patterns_create_table *table, const struct patterns_ident *names,
                    uint32_t count)
{
    if (table->primary_key_count > 0)
        return patterns_cursor_refuse(c, "syntax", names[0].begin, names[count - 1].end, NULL,
                                      "a table has one PRIMARY KEY");
    table->primary_key = names;
    table->primary_key_count = count;
    return true;
}

/* [CONSTRAINT name] PRIMARY KEY (a, b) NOT ENFORCED */
static bool parse_key(struct patterns_cursor *c, struct patterns_create_table *table)
{
    const struct patterns_ident *names = NULL;
    uint32_t count = 0;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_CONSTRAINT)) {
        struct patterns_ident unused;
        if (!patterns_cursor_ident(c, "the name of the constraint", &unused))
            return false;
    }
    return patterns_cursor_expect_word(c, PATTERNS_WORD_PRIMARY, "after the name of the constraint") &&
           patterns_cursor_expect_word(c, PATTERNS_WORD_KEY, "after PRIMARY") &&
           patterns_cursor_ident_list(c, "a column name", &names, &count) && set_key(c, table, names, count) &&
           parse_not_enforced(c);
}

static bool parse_watermark(struct patterns_cursor *c, struct patterns_create_table *table)
{
    struct patterns_watermark *watermark = patterns_cursor_alloc(c, sizeof *watermark);
    if (!watermark)
        return false;
    watermark->begin = patterns_cursor_begin(c);
    patterns_cursor_skip(c, 2);
    if (!patterns_cursor_name(c, "the time column", &watermark->column) ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "after the time column"))
        return false;
    watermark->expr = patterns_parse_expr(c);
    watermark->end = patterns_cursor_last(c);
    if (!watermark->expr)
        return false;
    if (table->watermark)
        return patterns_cursor_refuse(c, "syntax", watermark->begin, watermark->end, NULL, "a table has one WATERMARK");
    table->watermark = watermark;
    return true;
}

/* METADATA [FROM 'key'] [VIRTUAL] */
static bool parse_metadata(struct patterns_cursor *c, struct patterns_column_def *column)
{
    column->kind = PATTERNS_COLUMN_METADATA;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_FROM) &&
        !patterns_cursor_string(c, "the metadata key after FROM", &column->metadata_key))
        return false;
    column->is_virtual = patterns_cursor_accept_word(c, PATTERNS_WORD_VIRTUAL);
    return true;
}

static bool parse_column(struct patterns_cursor *c, struct patterns_create_table *table,
                         struct patterns_column_def *ret)
{
    ret->begin = patterns_cursor_begin(c);
    if (!patterns_cursor_ident(c, "a column name", &ret->name))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_AS)) {
        ret->kind = PATTERNS_COLUMN_COMPUTED;
        ret->expr = patterns_parse_expr(c);
        if (!ret->expr)
            return false;
    } else {
        ret->type = patterns_parse_type(c);
        if (!ret->type)
            return false;
        if (patterns_cursor_accept_word(c, PATTERNS_WORD_METADATA) && !parse_metadata(c, ret))
            return false;
        if (patterns_cursor_is_word(c, PATTERNS_WORD_PRIMARY)) {
            patterns_cursor_skip(c, 1);
            if (!patterns_cursor_expect_word(c, PATTERNS_WORD_KEY, "after PRIMARY") || !parse_not_enforced(c))
                return false;
            struct patterns_ident *name = patterns_cursor_alloc(c, sizeof *name);
            if (!name)
                return false;
            *name = ret->name;
            if (!set_key(c, table, name, 1))
                return false;
        }
    }
    if (!parse_comment(c, &ret->comment))
        return false;
    ret->end = patterns_cursor_last(c);
    return true;
}

static bool parse_element(struct patterns_cursor *c, struct patterns_create_table *table, struct columns *columns)
{
    if (patterns_cursor_is_word(c, PATTERNS_WORD_WATERMARK) && patterns_cursor_ahead_ident(c, 1) && patterns_cursor_ahead_word(c, 2, PATTERNS_WORD_AS)) {
        patterns_cursor_skip(c, 1);
        return patterns_cursor_expected(c, "\"FOR\" after WATERMARK", "write WATERMARK FOR ts AS ts - INTERVAL '5' SECOND");
    }
    if (patterns_cursor_is_word(c, PATTERNS_WORD_WATERMARK) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_FOR))
        return parse_watermark(c, table);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_CONSTRAINT) ||
        (patterns_cursor_is_word(c, PATTERNS_WORD_PRIMARY) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_KEY)))
        return parse_key(c, table);
    struct patterns_column_def column = { 0 };
    return parse_column(c, table, &column) && PATTERNS_PUSH(c, columns, column);
}

/* Both ways to write a key give the same tree. */
static void mark_key(struct patterns_create_table *table, struct columns *columns)
{
    for (size_t i = 0; i < columns->len; i++) {
        struct patterns_ident *name = &columns->at[i].name;
        for (uint32_t k = 0; k < table->primary_key_count; k++) {
            const struct patterns_ident *key = &table->primary_key[k];
            bool exact = name->quoted && key->quoted;
            if (exact ? base_str_equal(name->text, key->text) : base_str_equal_fold(name->text, key->text))
                columns->at[i].primary_key = true;
        }
    }
}

static bool parse_elements(struct patterns_cursor *c, struct patterns_create_table *table)
{
    struct columns columns = { 0 };
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, "before the columns", NULL))
        return false;
    do {
        if (!parse_element(c, table, &columns))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    if (!patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE))
        return patterns_cursor_expected(c, "\",\" or \")\" after the column",
                                        patterns_cursor_ahead_ident(c, 0) ? "is a comma missing before it?" : NULL);
    patterns_cursor_skip(c, 1);
    mark_key(table, &columns);
    table->columns = columns.at;
    table->column_count = (uint32_t)columns.len;
    return true;
}

static bool parse_table(struct patterns_cursor *c, struct patterns_create_table *table)
{
    if (!accept_if_not_exists(c, &table->if_not_exists) ||
        !patterns_cursor_name(c, "the name of the table", &table->name) || !parse_elements(c, table) ||
        !parse_comment(c, &table->comment))
        return false;
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_PARTITIONED) &&
        (!patterns_cursor_expect_word(c, PATTERNS_WORD_BY, "after PARTITIONED") ||
         !patterns_cursor_ident_list(c, "a column name", &table->partitioned_by, &table->partitioned_count)))
        return false;
    if (!parse_options(c, &table->options, &table->option_count))
        return false;
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_LIKE))
        return patterns_cursor_refuse(c, "unsupported", token->begin, token->end, "write the columns out",
                                      "CREATE TABLE ... LIKE is not supported");
    if (patterns_cursor_is_word(c, PATTERNS_WORD_AS))
        return patterns_cursor_refuse(c, "unsupported", token->begin, token->end,
                                      "write CREATE VIEW, or CREATE TABLE and INSERT INTO",
                                      "CREATE TABLE ... AS SELECT is not supported");
    return true;
}

/* ---- CREATE VIEW, CREATE RULE ---- */

/* (a [COMMENT 'x'], b, ...) */
static bool parse_view_columns(struct patterns_cursor *c, struct patterns_create_view *view)
{
    struct BASE_VEC(struct patterns_ident) list = { 0 };
    if (!patterns_cursor_accept(c, PATTERNS_TOKEN_OPEN))
        return true;
    do {
        struct patterns_ident name;
        struct base_str comment;
        if (!patterns_cursor_ident(c, "a column name", &name) || !parse_comment(c, &comment) ||
            !PATTERNS_PUSH(c, &list, name))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    view->columns = list.at;
    view->column_count = (uint32_t)list.len;
    return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the columns of the view", NULL);
}

static bool parse_view(struct patterns_cursor *c, struct patterns_create_view *view)
{
    if (!accept_if_not_exists(c, &view->if_not_exists) ||
        !patterns_cursor_name(c, "the name of the view", &view->name) || !parse_view_columns(c, view) ||
        !parse_comment(c, &view->comment))
        return false;
    uint32_t begin = patterns_cursor_begin(c);
    if (!parse_options(c, &view->options, &view->option_count))
        return false;
    if (view->option_count > 0 && !view->materialized)
        return patterns_cursor_refuse(c, "syntax", begin, patterns_cursor_last(c),
                                      "write CREATE MATERIALIZED VIEW, or give the options to a table",
                                      "a view has no options");
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "before the query of the view"))
        return false;
    view->query = patterns_parse_query(c);
    return view->query != NULL;
}

static bool parse_rule(struct patterns_cursor *c, struct patterns_create_rule *rule)
{
    if (!accept_if_not_exists(c, &rule->if_not_exists) ||
        !patterns_cursor_name(c, "the name of the rule", &rule->name) ||
        !parse_options(c, &rule->options, &rule->option_count) ||
        !patterns_cursor_expect_word(c, PATTERNS_WORD_AS, "before the query of the rule"))
        return false;
    rule->query = patterns_parse_query(c);
    return rule->query != NULL;
}

bool patterns_parse_create(struct patterns_cursor *c, struct patterns_statement *ret)
{
    patterns_cursor_skip(c, 1);
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_OR))
        return patterns_cursor_refuse(c, "unsupported", token->begin, token->end,
                                      "rule files are the whole truth: change the text and reload; write CREATE",
                                      "CREATE OR REPLACE is not supported");
    bool temporary = patterns_cursor_accept_word(c, PATTERNS_WORD_TEMPORARY);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_TABLE)) {
        ret->kind = PATTERNS_STATEMENT_CREATE_TABLE;
        ret->create_table.temporary = temporary;
        return parse_table(c, &ret->create_table);
    }
    bool materialized = patterns_cursor_accept_word(c, PATTERNS_WORD_MATERIALIZED);
    if (materialized && !patterns_cursor_is_word(c, PATTERNS_WORD_VIEW))
        return patterns_cursor_expected(c, "\"VIEW\" after MATERIALIZED", NULL);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_VIEW)) {
        ret->kind = PATTERNS_STATEMENT_CREATE_VIEW;
        ret->create_view.temporary = temporary;
        ret->create_view.materialized = materialized;
        return parse_view(c, &ret->create_view);
    }
    if (!temporary && patterns_cursor_accept_word(c, PATTERNS_WORD_RULE)) {
        ret->kind = PATTERNS_STATEMENT_CREATE_RULE;
        return parse_rule(c, &ret->create_rule);
    }
    bool foreign =
        patterns_cursor_is_word(c, PATTERNS_WORD_FUNCTION) || patterns_cursor_is_word(c, PATTERNS_WORD_CATALOG) ||
        patterns_cursor_is_word(c, PATTERNS_WORD_DATABASE) || patterns_cursor_is_word(c, PATTERNS_WORD_MODEL);
    if (foreign)
        return patterns_cursor_refuse(c, "unsupported", token->begin, token->end,
                                      "only tables, views and rules can be created", "CREATE %s is not supported",
                                      patterns_word_text((enum patterns_word)token->word));
    return patterns_cursor_expected(c, "TABLE, VIEW, MATERIALIZED VIEW or RULE after CREATE", NULL);
}
