/* Binds expressions: names become columns, operators and calls get types and casts, constants are folded. What a name
 * or a special call means is asked of a scope, so that queries and row patterns share one binder. Then turns bound
 * expressions into expression code of a program. Called by bind.c (queries) and bind_pattern.c (row patterns). Reads no
 * rows, does no I/O. Single-threaded; results live in the compile arena.
 *
 * A caller that has a call of its own (an aggregate, PREV, CLASSIFIER) returns an EXTERNAL leaf from scope->call; when
 * the tree is emitted, the leaf comes back through patterns_emit_leaf, which appends the instructions that put its
 * value into a slot. */
#ifndef PATTERNS_BIND_EXPR_H
#define PATTERNS_BIND_EXPR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "cep/func.h"
#include "cep/value.h"
#include "patterns/bound.h"
#include "patterns/emit_expr.h"
#include "patterns/relation.h"

struct patterns_expr; /* ast.h */

/* ---- scope: what names and special calls mean ---- */

struct patterns_scope {
    void *ctx;
    /* Columns that plain names mean. May be NULL: then constants only. */
    const struct patterns_relation *relation;
    /* Optional, asked first for each name (`x`, `A.x`, `A.x.y`, parts as written). 0 with *ret set: resolved; 0 with
     * *ret NULL: not mine, look into relation; BASE_E_*: refused, diagnostics were added. */
    int (*name)(void *ctx, struct patterns_binder *binder, const struct patterns_expr *name,
                const struct patterns_name_part *parts, uint32_t count, const struct patterns_bound **ret);
    /* Optional, asked first for each function call, before its arguments are bound (so that they can be bound in
     * another scope). Same results as name(). */
    int (*call)(void *ctx, struct patterns_binder *binder, const struct patterns_expr *call,
                const struct patterns_bound **ret);
    /* Where expressions stand, for messages: "WHERE", "DEFINE", "MEASURES"; may be NULL. */
    const char *where;
};

/* What one compile run shares. The driver fills it; bind_pattern.c reads arena, diags, funcs and calls the functions
 * below. */
struct patterns_binder {
    struct base_arena *arena;
    struct base_diags *diags;
    const struct cep_funcs *funcs;
    bool is_rule;  /* the statement is a CREATE RULE (or INSERT): streaming; else a bare SELECT of `query` */
    bool evidence; /* its results bear the matched rows (CREATE RULE) */
    bool eager;    /* the statement's emission: eager or final */
    bool settled;  /* row patterns below a join, a top-N or an aggregate are final, whatever `eager` says */
    int64_t state_ttl_ms; /* of the statement: what operators without bound in time forget; 0: nothing */
    int64_t default_ttl_ms; /* SET 'table.exec.state.ttl': of views, and of statements that say nothing */
    int64_t late_ms; /* of the statement: windows are corrected by rows that are late by less; 0: none */
    int64_t default_late_ms; /* SET 'table.exec.emit.allow-lateness', of views and statements; -1: none, whatever views say */
    bool tells_early; /* with late_ms: windows are told at their first row, not only when the watermark has passed them */
    bool no_fold;  /* constants are not folded (optimiser off) */
    /* PARAM('name'): text of the rule's option; false if there is none. NULL: no rule around. */
    bool (*param)(void *ctx, struct base_str name, struct base_str *ret);
    void *param_ctx;
    uint32_t depth; /* of the running recursion; private */
};

/* ---- binding: 0, BASE_E_SYNTAX (diagnostics added) or BASE_E_NOMEM ---- */

int patterns_bind_expr(struct patterns_binder *binder, const struct patterns_scope *scope,
                       const struct patterns_expr *expr, const struct patterns_bound **ret) BASE_MUST_CHECK;
/* As above and the result must be BOOLEAN (a NULL literal will do). */
int patterns_bind_condition(struct patterns_binder *binder, const struct patterns_scope *scope,
                            const struct patterns_expr *expr, const struct patterns_bound **ret) BASE_MUST_CHECK;
/* A constant interval of days to milliseconds (WITHIN, FOR INTERVAL, WATERMARK); > 0 unless allow_zero. `what` names it
 * in messages. */
int patterns_bind_interval_ms(struct patterns_binder *binder, const struct patterns_scope *scope,
                              const struct patterns_expr *expr, const char *what, bool allow_zero,
                              int64_t *ret_ms) BASE_MUST_CHECK;
/* A constant non-negative integer (offset of PREV, LIMIT). */
int patterns_bind_count(struct patterns_binder *binder, const struct patterns_scope *scope,
                        const struct patterns_expr *expr, const char *what, uint64_t max,
                        uint64_t *ret) BASE_MUST_CHECK;
/* Cast without words in the text (INT to DECIMAL, NULL to all, a text literal to a timestamp); error "type-mismatch"
 * naming `what` if there is none. */
int patterns_coerce(struct patterns_binder *binder, const struct patterns_bound *bound, struct cep_type to,
                    const char *what, const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Casts args[0], args[step], args[2 * step], ... (below count) to their common type, in place. `what` names the
 * expression in messages. */
int patterns_common_type(struct patterns_binder *binder, const struct patterns_expr *place, const char *what,
                         const struct patterns_bound **args, uint32_t count, uint32_t step,
                         struct cep_type *ret) BASE_MUST_CHECK;

/* ---- diagnostics; the place is the expression's ---- */

/* Adds an error and returns BASE_E_SYNTAX. hint may be NULL. */
int patterns_refuse(struct patterns_binder *binder, const struct patterns_expr *place, const char *code,
                    const char *hint, const char *format, ...) BASE_PRINTF(5, 6);
int patterns_refuse_at(struct patterns_binder *binder, const struct base_source *source, uint32_t begin, uint32_t end,
                       const char *code, const char *hint, const char *format, ...) BASE_PRINTF(7, 8);
void patterns_warn_at(struct patterns_binder *binder, enum base_severity severity, const struct base_source *source,
                      uint32_t begin, uint32_t end, const char *code, const char *hint, const char *format, ...)
    BASE_PRINTF(8, 9);
/* "DECIMAL(12, 2)" in the arena, for messages; never NULL. */
const char *patterns_type_text(struct patterns_binder *binder, struct cep_type type);

#endif
