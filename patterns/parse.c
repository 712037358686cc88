#include "patterns/parse.h"

#include "base/error.h"
#include "patterns/cursor.h"
#include "patterns/parse_create.h"
#include "patterns/parse_expr.h"
#include "patterns/parse_query.h"

static bool parse_statement(struct patterns_cursor *c, struct patterns_statement *ret);

/* ---- INSERT, DROP, SET, EXPLAIN ---- */

static bool parse_insert(struct patterns_cursor *c, struct patterns_insert *insert)
{
    patterns_cursor_skip(c, 1);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_OVERWRITE))
        return patterns_cursor_refuse(c, "unsupported", patterns_cursor_begin(c), patterns_cursor_peek(c, 0)->end,
                                      "write INSERT INTO", "INSERT OVERWRITE is not supported");
    if (!patterns_cursor_expect_word(c, PATTERNS_WORD_INTO, "after INSERT") ||
        !patterns_cursor_name(c, "the name of the table", &insert->name))
        return false;
    bool columns = patterns_cursor_is(c, PATTERNS_TOKEN_OPEN) && patterns_cursor_ahead_ident(c, 1);
    if (columns && !patterns_cursor_ident_list(c, "a column name", &insert->columns, &insert->column_count))
        return false;
    insert->query = patterns_parse_query(c);
    return insert->query != NULL;
}

static bool parse_drop(struct patterns_cursor *c, struct patterns_drop *drop)
{
    patterns_cursor_skip(c, 1);
    (void)patterns_cursor_accept_word(c, PATTERNS_WORD_TEMPORARY);
    bool materialized = patterns_cursor_accept_word(c, PATTERNS_WORD_MATERIALIZED);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_VIEW))
        drop->what = PATTERNS_DROP_VIEW;
    else if (!materialized && patterns_cursor_accept_word(c, PATTERNS_WORD_TABLE))
        drop->what = PATTERNS_DROP_TABLE;
    else if (!materialized && patterns_cursor_accept_word(c, PATTERNS_WORD_RULE))
        drop->what = PATTERNS_DROP_RULE;
    else
        return patterns_cursor_expected(c, "TABLE, VIEW or RULE after DROP", NULL);
    if (patterns_cursor_is_word(c, PATTERNS_WORD_IF) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_EXISTS)) {
        patterns_cursor_skip(c, 2);
        drop->if_exists = true;
    }
    return patterns_cursor_name(c, "the name of what is dropped", &drop->name);
}

static bool parse_set(struct patterns_cursor *c, struct patterns_option *set)
{
    patterns_cursor_skip(c, 1);
    return patterns_parse_option(c, set);
}

static struct patterns_statement *new_statement(struct patterns_cursor *c)
{
    struct patterns_statement *statement = patterns_cursor_alloc(c, sizeof *statement);
    if (!statement)
        return NULL;
    statement->source = c->source;
    statement->begin = patterns_cursor_begin(c);
    return statement;
}

static bool parse_explain(struct patterns_cursor *c, struct patterns_statement *ret)
{
    patterns_cursor_skip(c, 1);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_PLAN) &&
        !patterns_cursor_expect_word(c, PATTERNS_WORD_FOR, "after EXPLAIN PLAN"))
        return false;
    bool rule =
        patterns_cursor_is_word(c, PATTERNS_WORD_CREATE) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_RULE);
    bool query = patterns_is_query(c) || patterns_cursor_is(c, PATTERNS_TOKEN_OPEN);
    if (!rule && !query && !patterns_cursor_is_word(c, PATTERNS_WORD_INSERT))
        return patterns_cursor_expected(c, "a query, INSERT or CREATE RULE after EXPLAIN", NULL);
    struct patterns_statement *inner = new_statement(c);
    if (!inner || !parse_statement(c, inner))
        return false;
    ret->kind = PATTERNS_STATEMENT_EXPLAIN;
    ret->explained = inner;
    return true;
}

/* ---- one statement ---- */

static bool refuse_statement(struct patterns_cursor *c)
{
    static const struct {
        const char *word;
        const char *hint;
    } others[] = {
        { "alter", "change the CREATE statement and reload" },
        { "update", "rows are changed by their source; write INSERT INTO" },
        { "delete", "rows are removed by their source" },
        { "merge", "write INSERT INTO a table with a PRIMARY KEY" },
        { "use", "there are no catalogs and databases; names stand alone" },
        { "show", "ask the command line: cepheid check" },
        { "describe", "ask the command line: cepheid check" },
        { "execute", "statements of a file run together anyway: write the INSERTs one after another" },
        { "begin", "statements of a file run together anyway: write the INSERTs one after another" },
        { "load", "there are no modules" },
        { "reset", "leave the setting out" },
        { "add", "programs cannot be extended by JAR files" },
    };
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    struct base_str text = { c->source->text + token->begin, token->end - token->begin };
    for (size_t i = 0; token->kind == PATTERNS_TOKEN_WORD && i < sizeof others / sizeof others[0]; i++) {
        if (base_str_equal_fold(text, base_str_of(others[i].word)))
            return patterns_cursor_refuse(c, "unsupported", token->begin, token->end, others[i].hint,
                                          "the statement %.*s is not supported", (int)text.len, text.ptr);
    }
    return patterns_cursor_expected(c, "a statement",
                                    "statements start with CREATE TABLE, CREATE VIEW, CREATE RULE, "
                                    "INSERT INTO, DROP, SET, EXPLAIN or SELECT");
}

static bool parse_statement(struct patterns_cursor *c, struct patterns_statement *ret)
{
    bool good = false;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_CREATE)) {
        good = patterns_parse_create(c, ret);
    } else if (patterns_cursor_is_word(c, PATTERNS_WORD_INSERT)) {
        ret->kind = PATTERNS_STATEMENT_INSERT;
        good = parse_insert(c, &ret->insert);
    } else if (patterns_cursor_is_word(c, PATTERNS_WORD_DROP)) {
        ret->kind = PATTERNS_STATEMENT_DROP;
        good = parse_drop(c, &ret->drop);
    } else if (patterns_cursor_is_word(c, PATTERNS_WORD_SET)) {
        ret->kind = PATTERNS_STATEMENT_SET;
        good = parse_set(c, &ret->set);
    } else if (patterns_cursor_is_word(c, PATTERNS_WORD_EXPLAIN)) {
        good = parse_explain(c, ret);
    } else if (patterns_is_query(c) || patterns_cursor_is(c, PATTERNS_TOKEN_OPEN)) {
        ret->kind = PATTERNS_STATEMENT_SELECT;
        ret->query = patterns_parse_query(c);
        good = ret->query != NULL;
    } else {
        good = refuse_statement(c);
    }
    ret->end = patterns_cursor_last(c);
    return good;
}

/* The statement must end here; what stands there instead tells what is missing. */
static bool check_end(struct patterns_cursor *c)
{
    if (c->at >= c->end)
        return true;
    const char *hint = NULL;
    bool starts = patterns_is_query(c) || patterns_cursor_is_word(c, PATTERNS_WORD_CREATE) ||
                  patterns_cursor_is_word(c, PATTERNS_WORD_INSERT) || patterns_cursor_is_word(c, PATTERNS_WORD_DROP);
    if (starts)
        hint = "a semicolon ends the statement before it";
    else if (patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE))
        hint = "this parenthesis was never opened";
    return patterns_cursor_expected(c, "the end of the statement", hint);
}

/* ---- the script ---- */

struct statements BASE_VEC(const struct patterns_statement *);

/* Index of the semicolon or EOF at or behind `at`; *ret_broken: an ERROR token stands before it. */
static uint32_t find_end(const struct patterns_tokens *tokens, uint32_t at, bool *ret_broken)
{
    *ret_broken = false;
    for (;; at++) {
        if (tokens->at[at].kind == PATTERNS_TOKEN_SEMICOLON || tokens->at[at].kind == PATTERNS_TOKEN_EOF)
            return at;
        if (tokens->at[at].kind == PATTERNS_TOKEN_ERROR)
            *ret_broken = true;
    }
}

/* The END of EXECUTE STATEMENT SET BEGIN ... END, of which the begin has been refused. */
static bool is_lone_end(const struct patterns_cursor *c)
{
    return c->end - c->at == 1 && patterns_cursor_is_word(c, PATTERNS_WORD_END);
}

/* Statements are limited apart from each other: only this list has no bound but the text's size. */
static bool push_statement(struct patterns_cursor *c, struct statements *list,
                           const struct patterns_statement *statement)
{
    if (list->len >= list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        const struct patterns_statement **grown = patterns_cursor_alloc(c, cap * sizeof *grown);
        if (!grown)
            return false;
        for (size_t i = 0; i < list->len; i++)
            grown[i] = list->at[i];
        list->at = grown;
        list->cap = cap;
    }
    list->at[list->len++] = statement;
    return true;
}

static int parse_all(struct patterns_cursor *start, const struct patterns_tokens *tokens, struct statements *ret)
{
    bool in_set = false;
    for (uint32_t at = 0; at + 1 < tokens->len; at++) {
        bool broken;
        uint32_t end = find_end(tokens, at, &broken);
        struct patterns_cursor c = *start;
        c.at = at;
        c.end = end;
        at = end;
        if (broken || c.at == c.end || (in_set && is_lone_end(&c)))
            continue;
        if (end - c.at > PATTERNS_MAX_TOKENS) {
            patterns_cursor_refuse(&c, "limit", patterns_cursor_begin(&c), patterns_cursor_peek(&c, 0)->end,
                                   "put constants into a table and join it",
                                   "a statement of %u tokens; the limit is %d", end - c.at, PATTERNS_MAX_TOKENS);
            continue;
        }
        in_set = in_set || patterns_cursor_is_word(&c, PATTERNS_WORD_EXECUTE);
        struct patterns_statement *statement = new_statement(&c);
        bool good = statement && parse_statement(&c, statement) && check_end(&c);
        if (good)
            good = push_statement(&c, ret, statement);
        if (c.no_memory)
            return BASE_E_NOMEM;
    }
    return 0;
}

int patterns_parse(const struct base_source *source, struct base_arena *arena, struct base_diags *diags,
                   struct patterns_script **ret)
{
    struct patterns_tokens tokens = { 0 };
    struct statements statements = { 0 };
    struct patterns_script *script = base_arena_zalloc(arena, 1, sizeof *script);
    int error = script ? patterns_lex(source, diags, &tokens) : BASE_E_NOMEM;
    if (error == BASE_E_SYNTAX)
        error = 0; /* diagnosed: a script without statements */
    else if (error == 0) {
        struct patterns_cursor c = { .source = source, .arena = arena, .diags = diags, .tokens = tokens.at };
        error = parse_all(&c, &tokens, &statements);
    }
    BASE_VEC_FINISH(&tokens);
    if (error)
        return error;
    script->source = source;
    script->statements = statements.at;
    script->statement_count = (uint32_t)statements.len;
    *ret = script;
    return 0;
}

int patterns_parse_expression(const struct base_source *source, struct base_arena *arena, struct base_diags *diags,
                              const struct patterns_expr **ret)
{
    struct patterns_tokens tokens = { 0 };
    size_t errors = diags->errors;
    const struct patterns_expr *expr = NULL;
    int error = patterns_lex(source, diags, &tokens);
    if (error == 0 && diags->errors == errors) {
        struct patterns_cursor c = {
            .source = source, .arena = arena, .diags = diags, .tokens = tokens.at, .end = (uint32_t)tokens.len - 1
        };
        expr = patterns_parse_expr(&c);
        if (expr && !check_end(&c))
            expr = NULL;
        if (c.no_memory)
            error = BASE_E_NOMEM;
    }
    BASE_VEC_FINISH(&tokens);
    if (error == 0 && !expr)
        error = BASE_E_SYNTAX;
    if (error)
        return error;
    *ret = expr;
    return 0;
}
