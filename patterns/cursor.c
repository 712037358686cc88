#include "patterns/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FOUND_BYTES 48
#define MESSAGE_BYTES 512

static const struct patterns_token end_token = { .kind = PATTERNS_TOKEN_EOF };

const struct patterns_token *patterns_cursor_peek(const struct patterns_cursor *c, uint32_t ahead)
{
    return c->end - c->at > ahead ? &c->tokens[c->at + ahead] : &end_token;
}

bool patterns_cursor_ahead(const struct patterns_cursor *c, uint32_t ahead, enum patterns_token_kind kind)
{
    return patterns_cursor_peek(c, ahead)->kind == kind;
}

bool patterns_cursor_ahead_word(const struct patterns_cursor *c, uint32_t ahead, enum patterns_word word)
{
    const struct patterns_token *token = patterns_cursor_peek(c, ahead);
    return token->kind == PATTERNS_TOKEN_WORD && token->word == word;
}

bool patterns_cursor_is(const struct patterns_cursor *c, enum patterns_token_kind kind)
{
    return patterns_cursor_ahead(c, 0, kind);
}

bool patterns_cursor_is_word(const struct patterns_cursor *c, enum patterns_word word)
{
    return patterns_cursor_ahead_word(c, 0, word);
}

bool patterns_cursor_ahead_ident(const struct patterns_cursor *c, uint32_t ahead)
{
    const struct patterns_token *token = patterns_cursor_peek(c, ahead);
    if (token->kind == PATTERNS_TOKEN_QUOTED)
        return true;
    return token->kind == PATTERNS_TOKEN_WORD &&
           patterns_word_class((enum patterns_word)token->word) != PATTERNS_WORD_RESERVED;
}

bool patterns_cursor_is_alias(const struct patterns_cursor *c)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (token->kind == PATTERNS_TOKEN_QUOTED)
        return true;
    return token->kind == PATTERNS_TOKEN_WORD &&
           patterns_word_class((enum patterns_word)token->word) == PATTERNS_WORD_FREE;
}

uint32_t patterns_cursor_begin(const struct patterns_cursor *c)
{
    return c->tokens[c->at].begin;
}

uint32_t patterns_cursor_last(const struct patterns_cursor *c)
{
    return c->at > 0 ? c->tokens[c->at - 1].end : 0;
}

void patterns_cursor_skip(struct patterns_cursor *c, uint32_t count)
{
    c->at = c->end - c->at > count ? c->at + count : c->end;
}

bool patterns_cursor_accept(struct patterns_cursor *c, enum patterns_token_kind kind)
{
    if (!patterns_cursor_is(c, kind))
        return false;
    c->at++;
    return true;
}

bool patterns_cursor_accept_word(struct patterns_cursor *c, enum patterns_word word)
{
    if (!patterns_cursor_is_word(c, word))
        return false;
    c->at++;
    return true;
}

bool patterns_cursor_refuse(struct patterns_cursor *c, const char *code, uint32_t begin, uint32_t end, const char *hint,
                            const char *format, ...)
{
    if (c->failed || c->no_memory)
        return false;
    c->failed = true;
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* cut if too long: texts of tokens are clipped before */
    va_end(args);
    base_diag_add(c->diags, BASE_SEVERITY_ERROR, code, c->source, begin, end, hint, "%s", message);
    return false;
}

/* "\"DEFINE\"", "the string 'abc'", "the end of the statement" */
static void describe(const struct patterns_cursor *c, char *ret, size_t bytes)
{
    if (c->at >= c->end) {
        bool last = c->tokens[c->end].kind == PATTERNS_TOKEN_EOF;
        snprintf(ret, bytes, "%s", last ? "the end of the text" : "the end of the statement");
        return;
    }
    const struct patterns_token *token = &c->tokens[c->at];
    const char *text = c->source->text + token->begin;
    size_t len = token->end - token->begin;
    size_t shown = base_utf8_prefix(text, len, FOUND_BYTES / 2);
    const char *dots = shown < len ? "..." : "";
    if (token->kind == PATTERNS_TOKEN_STRING)
        snprintf(ret, bytes, "the string %.*s%s", (int)shown, text, dots);
    else if (token->kind == PATTERNS_TOKEN_QUOTED)
        snprintf(ret, bytes, "the name %.*s%s", (int)shown, text, dots);
    else
        snprintf(ret, bytes, "\"%.*s%s\"", (int)shown, text, dots);
}

/* A mistake that shows in what was found, wherever it was found. */
static const char *found_hint(const struct patterns_cursor *c)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    enum patterns_token_kind last =
        c->at > 0 ? (enum patterns_token_kind)c->tokens[c->at - 1].kind : PATTERNS_TOKEN_EOF;
    const char *foreign = patterns_token_hint((enum patterns_token_kind)token->kind);
    bool logic = token->kind == PATTERNS_TOKEN_AND_AND || token->kind == PATTERNS_TOKEN_AMPERSAND;
    if (foreign && !(c->in_pattern && logic))
        return foreign;
    if (token->kind == PATTERNS_TOKEN_EQ && (last == PATTERNS_TOKEN_LT || last == PATTERNS_TOKEN_GT))
        return "<= and >= are written without a blank";
    if (!c->in_pattern && (token->kind == PATTERNS_TOKEN_ARROW || token->kind == PATTERNS_TOKEN_ARROW_ANY))
        return "-> and ->> order the steps inside PATTERN (...)";
    if (token->kind == PATTERNS_TOKEN_NAMED && c->in_pattern)
        return "a step that may come later is written ->";
    if (token->kind == PATTERNS_TOKEN_NAMED)
        return "greater or equal is written >=";
    bool ends = c->at >= c->end || token->kind == PATTERNS_TOKEN_CLOSE || token->kind == PATTERNS_TOKEN_COMMA ||
                (token->kind == PATTERNS_TOKEN_WORD &&
                 patterns_word_class((enum patterns_word)token->word) != PATTERNS_WORD_FREE);
    if (last == PATTERNS_TOKEN_COMMA && ends)
        return "remove the comma before it";
    return NULL;
}

/* Of the words in capitals that `list` names, the one that `found` may be a slip of. */
static struct base_str near_word(const char *list, struct base_str found)
{
    struct base_str near = { 0 };
    size_t least = found.len >= 4 ? 3 : 2; /* two letters changed places are a distance of 2 */
    for (const char *at = list; at && *at;) {
        size_t len = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        struct base_str word = { at, len };
        size_t far = len >= 2 && (found.ptr[0] | 32) == (at[0] | 32) ? base_str_distance(word, found) : least;
        if (far < least) {
            least = far;
            near = word;
        }
        at += len ? len : 1;
    }
    return near;
}

bool patterns_cursor_expected(struct patterns_cursor *c, const char *what, const char *hint)
{
    char found[FOUND_BYTES * 4], meant[FOUND_BYTES * 2];
    describe(c, found, sizeof found);
    const char *better = found_hint(c);
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (!better && c->at < c->end && token->kind == PATTERNS_TOKEN_WORD) {
        struct base_str text = { c->source->text + token->begin, token->end - token->begin }, near = near_word(what, text);
        if (!near.len)
            near = near_word(hint, text);
        if (near.len && !base_str_equal_fold(near, text)) {
            snprintf(meant, sizeof meant, "did you mean %.*s?", (int)near.len, near.ptr);
            better = meant;
        }
    }
    uint32_t begin = c->at < c->end ? c->tokens[c->at].begin : patterns_cursor_last(c);
    uint32_t end = c->at < c->end ? c->tokens[c->at].end : begin;
    return patterns_cursor_refuse(c, "syntax", begin, end, better ? better : hint, "expected %s, found %s", what,
                                  found);
}

bool patterns_cursor_expect(struct patterns_cursor *c, enum patterns_token_kind kind, const char *where,
                            const char *hint)
{
    if (patterns_cursor_accept(c, kind))
        return true;
    char what[MESSAGE_BYTES / 2];
    snprintf(what, sizeof what, "\"%s\"%s%s", patterns_token_text(kind), *where ? " " : "", where);
    return patterns_cursor_expected(c, what, hint);
}

bool patterns_cursor_expect_word(struct patterns_cursor *c, enum patterns_word word, const char *where)
{
    if (patterns_cursor_accept_word(c, word))
        return true;
    char what[MESSAGE_BYTES / 2];
    snprintf(what, sizeof what, "\"%s\"%s%s", patterns_word_text(word), *where ? " " : "", where);
    return patterns_cursor_expected(c, what, NULL);
}

/* Text between quotes, the doubled ones undone. */
static bool unquote(struct patterns_cursor *c, const struct patterns_token *token, struct base_str *ret)
{
    const char *text = c->source->text + token->begin;
    char quote = text[0];
    size_t len = token->end - token->begin - 2;
    text++;
    if (len == 0 || !memchr(text, quote, len)) {
        *ret = (struct base_str){ text, len };
        return true;
    }
    char *copy = patterns_cursor_alloc(c, len);
    if (!copy)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        copy[used++] = text[i];
        if (text[i] == quote)
            i++; /* the lexer saw to it that a second one follows */
    }
    *ret = (struct base_str){ copy, used };
    return true;
}

/* Words that stand inside a clause: where a name was expected, the name is missing rather than badly chosen. */
static bool is_inner_word(enum patterns_word word)
{
    static const enum patterns_word words[] = {
        PATTERNS_WORD_FROM, PATTERNS_WORD_WHERE, PATTERNS_WORD_AND,  PATTERNS_WORD_OR,     PATTERNS_WORD_THEN,
        PATTERNS_WORD_ELSE, PATTERNS_WORD_WHEN,  PATTERNS_WORD_AS,   PATTERNS_WORD_BY,     PATTERNS_WORD_IN,
        PATTERNS_WORD_IS,   PATTERNS_WORD_LIKE,  PATTERNS_WORD_ON,   PATTERNS_WORD_JOIN,   PATTERNS_WORD_BETWEEN,
        PATTERNS_WORD_NOT,  PATTERNS_WORD_UNION, PATTERNS_WORD_WITH, PATTERNS_WORD_HAVING,
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i] == word)
            return true;
    }
    return false;
}

bool patterns_cursor_ident(struct patterns_cursor *c, const char *what, struct patterns_ident *ret)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (!patterns_cursor_ahead_ident(c, 0)) {
        if (token->kind != PATTERNS_TOKEN_WORD)
            return patterns_cursor_expected(c, what,
                                            token->kind == PATTERNS_TOKEN_STRING
                                                ? "names are quoted by \"...\" or `...`, strings by '...'"
                                                : NULL);
        if (found_hint(c) || is_inner_word((enum patterns_word)token->word))
            return patterns_cursor_expected(c, what, NULL);
        const char *word = patterns_word_text((enum patterns_word)token->word);
        char hint[FOUND_BYTES * 2];
        snprintf(hint, sizeof hint, "as a name it must be quoted: `%.*s`", (int)(token->end - token->begin),
                 c->source->text + token->begin);
        return patterns_cursor_refuse(c, "reserved-word", token->begin, token->end, hint,
                                      "expected %s, found the reserved word %s", what, word);
    }
    struct patterns_ident ident = { .quoted = token->kind == PATTERNS_TOKEN_QUOTED,
                                    .begin = token->begin,
                                    .end = token->end };
    if (!ident.quoted)
        ident.text = (struct base_str){ c->source->text + token->begin, token->end - token->begin };
    else if (!unquote(c, token, &ident.text))
        return false;
    c->at++;
    *ret = ident;
    return true;
}

const struct patterns_ident *patterns_cursor_new_ident(struct patterns_cursor *c, const char *what)
{
    struct patterns_ident *ident = patterns_cursor_alloc(c, sizeof *ident);
    return ident && patterns_cursor_ident(c, what, ident) ? ident : NULL;
}

bool patterns_cursor_name(struct patterns_cursor *c, const char *what, struct patterns_name *ret)
{
    struct BASE_VEC(struct patterns_ident) parts = { 0 };
    uint32_t begin = patterns_cursor_begin(c);
    do {
        struct patterns_ident part;
        if (!patterns_cursor_ident(c, what, &part) || !PATTERNS_PUSH(c, &parts, part))
            return false;
        what = "a name after \".\"";
        if (patterns_cursor_is(c, PATTERNS_TOKEN_DOT) && patterns_cursor_ahead(c, 1, PATTERNS_TOKEN_STAR)) {
            patterns_cursor_skip(c, 1);
            return patterns_cursor_expected(c, what, "name the columns one by one; COUNT(A.*) counts the rows of A, ALL ROWS PER MATCH shows them");
        }
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_DOT));
    *ret = (struct patterns_name){
        .parts = parts.at, .count = (uint32_t)parts.len, .begin = begin, .end = patterns_cursor_last(c)
    };
    return true;
}

bool patterns_cursor_string(struct patterns_cursor *c, const char *what, struct base_str *ret)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (token->kind != PATTERNS_TOKEN_STRING)
        return patterns_cursor_expected(c, what,
                                        token->kind == PATTERNS_TOKEN_QUOTED
                                            ? "a string is written in single quotes; double quotes and "
                                              "backticks are for names"
                                            : "a string is written in single quotes");
    if (!unquote(c, token, ret))
        return false;
    c->at++;
    return true;
}

bool patterns_cursor_ident_list(struct patterns_cursor *c, const char *what, const struct patterns_ident **ret,
                                uint32_t *ret_count)
{
    struct BASE_VEC(struct patterns_ident) list = { 0 };
    char where[FOUND_BYTES * 2];
    snprintf(where, sizeof where, "before %s", what);
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_OPEN, where, NULL))
        return false;
    do {
        struct patterns_ident ident;
        if (!patterns_cursor_ident(c, what, &ident) || !PATTERNS_PUSH(c, &list, ident))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    if (!patterns_cursor_is(c, PATTERNS_TOKEN_CLOSE)) {
        snprintf(where, sizeof where, "\",\" or \")\" after %s", what);
        return patterns_cursor_expected(c, where, NULL);
    }
    c->at++;
    *ret = list.at;
    *ret_count = (uint32_t)list.len;
    return true;
}

bool patterns_cursor_count(struct patterns_cursor *c, const char *what, uint32_t max, uint32_t *ret)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    if (token->kind != PATTERNS_TOKEN_NUMBER || token->number != PATTERNS_NUMBER_INTEGER)
        return patterns_cursor_expected(c, what, NULL);
    uint64_t value = 0;
    for (uint32_t i = token->begin; i < token->end; i++) {
        value = value * 10 + (uint64_t)(c->source->text[i] - '0');
        if (value > max)
            return patterns_cursor_refuse(c, "limit", token->begin, token->end, NULL, "%s is at most %u", what, max);
    }
    c->at++;
    *ret = (uint32_t)value;
    return true;
}

void *patterns_cursor_alloc(struct patterns_cursor *c, size_t bytes)
{
    void *block = base_arena_zalloc(c->arena, 1, bytes);
    if (!block)
        c->no_memory = true;
    return block;
}

bool patterns_cursor_enter(struct patterns_cursor *c)
{
    if (c->depth >= PATTERNS_MAX_DEPTH)
        return patterns_cursor_refuse(c, "limit", patterns_cursor_begin(c), patterns_cursor_begin(c) + 1,
                                      "take a part out into a view", "this is nested too deep; the limit is %d levels",
                                      PATTERNS_MAX_DEPTH);
    c->depth++;
    return true;
}

void patterns_cursor_leave(struct patterns_cursor *c)
{
    c->depth--;
}

bool patterns_cursor_height(struct patterns_cursor *c, uint32_t height, uint32_t begin, uint32_t end)
{
    if (height <= PATTERNS_MAX_TREE_DEPTH)
        return true;
    return patterns_cursor_refuse(c, "limit", begin, end,
                                  "group parts of it by parentheses, or take a part out into a "
                                  "view",
                                  "a chain of more than %d operations", PATTERNS_MAX_TREE_DEPTH);
}

bool patterns_cursor_grow(struct patterns_cursor *c, void **at, size_t *cap, size_t len, size_t element_bytes)
{
    if (len < *cap && len < PATTERNS_MAX_LIST)
        return true;
    if (len >= PATTERNS_MAX_LIST)
        return patterns_cursor_refuse(c, "limit", patterns_cursor_begin(c), patterns_cursor_begin(c) + 1, NULL,
                                      "a list of more than %d elements", PATTERNS_MAX_LIST);
    size_t want = *cap ? *cap * 2 : 4; /* bounded by PATTERNS_MAX_LIST, cannot overflow */
    void *grown = patterns_cursor_alloc(c, want * element_bytes);
    if (!grown)
        return false;
    if (len > 0)
        memcpy(grown, *at, len * element_bytes);
    *at = grown;
    *cap = want;
    return true;
}
