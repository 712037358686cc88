/* Where a parse stands: the tokens of one statement, what is ahead, and the one way to refuse it. Used by the parse_*.c
 * files only; builds no nodes but names. The first refusal of a statement is told, the rest are silent: functions give
 * NULL or false and the statement is given up. Single-threaded. */
#ifndef PATTERNS_CURSOR_H
#define PATTERNS_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "patterns/ast.h"
#include "patterns/lex.h"

struct patterns_cursor {
    const struct base_source *source;
    struct base_arena *arena;
    struct base_diags *diags;
    const struct patterns_token *tokens;
    uint32_t at;           /* the next token */
    uint32_t end;          /* the statement's semicolon or the EOF: never passed */
    uint32_t depth;        /* running nesting, at most PATTERNS_MAX_DEPTH */
    uint32_t height;       /* highest expression of the query being parsed */
    uint32_t query_height; /* of the query parsed last, see patterns_parse_query */
    bool in_pattern;       /* between the parentheses of PATTERN: arrows are at home */
    bool failed;           /* refused, diagnosed */
    bool no_memory;
};

/* ---- looking ---- */

/* The token `ahead` places on; the statement's end is an EOF. */
const struct patterns_token *patterns_cursor_peek(const struct patterns_cursor *c, uint32_t ahead);
bool patterns_cursor_is(const struct patterns_cursor *c, enum patterns_token_kind kind);
bool patterns_cursor_is_word(const struct patterns_cursor *c, enum patterns_word word);
bool patterns_cursor_ahead(const struct patterns_cursor *c, uint32_t ahead, enum patterns_token_kind kind);
bool patterns_cursor_ahead_word(const struct patterns_cursor *c, uint32_t ahead, enum patterns_word word);
/* A token that may be a name: quoted, or a word that is not reserved. */
bool patterns_cursor_ahead_ident(const struct patterns_cursor *c, uint32_t ahead);
/* A name that may be an alias without AS. */
bool patterns_cursor_is_alias(const struct patterns_cursor *c);
/* Begin of the next token, end of the last. */
uint32_t patterns_cursor_begin(const struct patterns_cursor *c);
uint32_t patterns_cursor_last(const struct patterns_cursor *c);

/* ---- taking ---- */

void patterns_cursor_skip(struct patterns_cursor *c, uint32_t count);
bool patterns_cursor_accept(struct patterns_cursor *c, enum patterns_token_kind kind);
bool patterns_cursor_accept_word(struct patterns_cursor *c, enum patterns_word word);
/* Refuses with: expected "x" <where>, found "y". where may be "" ; hint may be NULL. */
bool patterns_cursor_expect(struct patterns_cursor *c, enum patterns_token_kind kind, const char *where,
                            const char *hint) BASE_MUST_CHECK;
bool patterns_cursor_expect_word(struct patterns_cursor *c, enum patterns_word word, const char *where) BASE_MUST_CHECK;
/* what: "a column name". */
bool patterns_cursor_ident(struct patterns_cursor *c, const char *what, struct patterns_ident *ret) BASE_MUST_CHECK;
const struct patterns_ident *patterns_cursor_new_ident(struct patterns_cursor *c, const char *what) BASE_MUST_CHECK;
bool patterns_cursor_name(struct patterns_cursor *c, const char *what, struct patterns_name *ret) BASE_MUST_CHECK;
bool patterns_cursor_string(struct patterns_cursor *c, const char *what, struct base_str *ret) BASE_MUST_CHECK;
/* ( a, b, ... ): one or more names. */
bool patterns_cursor_ident_list(struct patterns_cursor *c, const char *what, const struct patterns_ident **ret,
                                uint32_t *ret_count) BASE_MUST_CHECK;
/* An unsigned integer up to max; beyond it a "limit" that names `what`. */
bool patterns_cursor_count(struct patterns_cursor *c, const char *what, uint32_t max, uint32_t *ret) BASE_MUST_CHECK;

/* ---- refusing; all give false ---- */

bool patterns_cursor_refuse(struct patterns_cursor *c, const char *code, uint32_t begin, uint32_t end, const char *hint,
                            const char *format, ...) BASE_PRINTF(6, 7);
/* expected <what>, found "...", at the next token. */
bool patterns_cursor_expected(struct patterns_cursor *c, const char *what, const char *hint);

/* ---- memory and limits ---- */

/* Zeroed arena memory; NULL: no memory, noted in the cursor. */
void *patterns_cursor_alloc(struct patterns_cursor *c, size_t bytes);
/* Nests one level deeper; false: too deep. Each enter that gave true is followed by a leave. */
bool patterns_cursor_enter(struct patterns_cursor *c) BASE_MUST_CHECK;
void patterns_cursor_leave(struct patterns_cursor *c);
/* Refuses heights above PATTERNS_MAX_TREE_DEPTH. */
bool patterns_cursor_height(struct patterns_cursor *c, uint32_t height, uint32_t begin, uint32_t end) BASE_MUST_CHECK;
/* Room for one more element of an arena list; at most PATTERNS_MAX_LIST elements. */
bool patterns_cursor_grow(struct patterns_cursor *c, void **at, size_t *cap, size_t len, size_t element_bytes);
/* bool. vec is the address of a BASE_VEC that lives in the arena and is never freed. */
#define PATTERNS_PUSH(c, vec, value) \
    (patterns_cursor_grow((c), (void **)&(vec)->at, &(vec)->cap, (vec)->len, sizeof *(vec)->at) \
         ? ((vec)->at[(vec)->len++] = (value), true) \
         : false)

#endif
