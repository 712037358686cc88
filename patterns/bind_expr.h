/* Binds expressions: names become columns, operators and calls get types and casts, constants are folded. What a name or a special call means is asked of a
 * scope, so that queries and row patterns share one binder. Then turns bound expressions into expression code of a program.
 * Called by bind.c (queries) and bind_pattern.c (row patterns). Reads no rows, does no I/O. Single-threaded; results live in the compile arena.
 *
 * A caller that has a call of its own (an aggregate, PREV, CLASSIFIER) returns an EXTERNAL leaf from scope->call; when the tree is emitted, the leaf comes back
 * through patterns_emit_leaf, which appends the instructions that put its value into a slot. */
#ifndef PATTERNS_BIND_EXPR_H
#define PATTERNS_BIND_EXPR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "cep/func.h"
#include "cep/program.h"
#include "cep/value.h"
#include "patterns/relation.h"

struct patterns_expr;  /* ast.h */
struct patterns_binder;
struct patterns_emit;

/* ---- the bound tree ---- */

enum patterns_bound_kind {
    PATTERNS_BOUND_CONST,        /* value */
    PATTERNS_BOUND_COLUMN,       /* column of the current row */
    PATTERNS_BOUND_EXTERNAL,     /* a leaf that its scope owns: id, detail */
    PATTERNS_BOUND_ROW_TIME,     /* event time of the row; behind a match MATCH_ROWTIME() */
    PATTERNS_BOUND_PROC_TIME,
    PATTERNS_BOUND_NOW,          /* start of the statement */
    PATTERNS_BOUND_CAST,         /* args[0] to type; try_cast: NULL instead of an error */
    PATTERNS_BOUND_NEG,
    PATTERNS_BOUND_ADD,          /* arithmetic: INT, BIGINT, DOUBLE: arguments have the result's type; DECIMAL: any decimals; DATE/TIMESTAMP/INTERVAL: integers */
    PATTERNS_BOUND_SUB,
    PATTERNS_BOUND_MUL,
    PATTERNS_BOUND_DIV,
    PATTERNS_BOUND_MOD,
    PATTERNS_BOUND_ADD_MONTHS,   /* date or timestamp, months (INTERVAL_MONTH) */
    PATTERNS_BOUND_CONCAT,
    PATTERNS_BOUND_EQ,           /* comparisons: both arguments have one type */
    PATTERNS_BOUND_NE,
    PATTERNS_BOUND_LT,
    PATTERNS_BOUND_LE,
    PATTERNS_BOUND_GT,
    PATTERNS_BOUND_GE,
    PATTERNS_BOUND_SAME,         /* IS NOT DISTINCT FROM */
    PATTERNS_BOUND_IN,           /* args[0] in args[1..]; all of one type */
    PATTERNS_BOUND_BETWEEN,      /* args[0] between args[1] and args[2]; all of one type */
    PATTERNS_BOUND_AND,          /* two or more arguments */
    PATTERNS_BOUND_OR,
    PATTERNS_BOUND_NOT,
    PATTERNS_BOUND_IS_NULL,
    PATTERNS_BOUND_IS_NOT_NULL,
    PATTERNS_BOUND_IS_TRUE,
    PATTERNS_BOUND_IS_FALSE,
    PATTERNS_BOUND_CASE,         /* condition, value, condition, value, ..., else */
    PATTERNS_BOUND_COALESCE,     /* first that is not NULL; later ones are not evaluated */
    PATTERNS_BOUND_CALL,         /* function of the registry */
    PATTERNS_BOUND_ARRAY_GET     /* array, 1-based INT or BIGINT index */
};
enum patterns_bound_flags {      /* what stands anywhere in the subtree */
    PATTERNS_BOUND_HAS_COLUMN = 1,
    PATTERNS_BOUND_HAS_EXTERNAL = 2,
    PATTERNS_BOUND_IS_VOLATILE = 4,  /* a volatile function, PROCTIME() or the clock: never folded, never shared */
    PATTERNS_BOUND_HAS_ROW_TIME = 8
};
/* Immutable once made, so subtrees may be shared. */
struct patterns_bound {
    enum patterns_bound_kind kind;
    struct cep_type type;
    uint32_t flags;                  /* enum patterns_bound_flags */
    bool try_cast;                   /* CAST */
    const struct base_source *source;
    uint32_t begin, end;             /* place in source->text */
    uint64_t hash;                   /* structure and literals, no names, no places */
    uint32_t column;                 /* COLUMN: index in the scope's relation */
    uint32_t id;                     /* EXTERNAL: the scope's number */
    const void *detail;              /* EXTERNAL: the scope's data */
    struct cep_value value;          /* CONST */
    const struct cep_func *func;     /* CALL */
    uint32_t arg_count;
    const struct patterns_bound **args;
};

/* ---- scope: what names and special calls mean ---- */

struct patterns_scope {
    void *ctx;
    /* Columns that plain names mean. May be NULL: then constants only. */
    const struct patterns_relation *relation;
    /* Optional, asked first for each name (`x`, `A.x`, `A.x.y`, parts as written). 0 with *ret set: resolved; 0 with *ret NULL: not mine, look into relation; BASE_E_*: refused,
     * diagnostics were added. */
    int (*name)(void *ctx, struct patterns_binder *binder, const struct patterns_expr *name, const struct patterns_name_part *parts, uint32_t count,
                const struct patterns_bound **ret);
    /* Optional, asked first for each function call, before its arguments are bound (so that they can be bound in another scope). Same results as name(). */
    int (*call)(void *ctx, struct patterns_binder *binder, const struct patterns_expr *call, const struct patterns_bound **ret);
    /* Where expressions stand, for messages: "WHERE", "DEFINE", "MEASURES"; may be NULL. */
    const char *where;
};

/* What one compile run shares. The driver fills it; bind_pattern.c reads arena, diags, funcs and calls the functions below. */
struct patterns_binder {
    struct base_arena *arena;
    struct base_diags *diags;
    const struct cep_funcs *funcs;
    bool is_rule;       /* the statement is a CREATE RULE (or INSERT): streaming; else a bare SELECT of `query` */
    bool eager;         /* the statement's emission: eager or final */
    bool no_fold;       /* constants are not folded (optimiser off) */
    /* PARAM('name'): text of the rule's option; false if there is none. NULL: no rule around. */
    bool (*param)(void *ctx, struct base_str name, struct base_str *ret);
    void *param_ctx;
    uint32_t depth;     /* of the running recursion; private */
};

/* ---- binding: 0, BASE_E_SYNTAX (diagnostics added) or BASE_E_NOMEM ---- */

int patterns_bind_expr(struct patterns_binder *binder, const struct patterns_scope *scope, const struct patterns_expr *expr,
                       const struct patterns_bound **ret) BASE_MUST_CHECK;
/* As above and the result must be BOOLEAN (a NULL literal will do). */
int patterns_bind_condition(struct patterns_binder *binder, const struct patterns_scope *scope, const struct patterns_expr *expr,
                            const struct patterns_bound **ret) BASE_MUST_CHECK;
/* A constant interval of days to milliseconds (WITHIN, FOR INTERVAL, WATERMARK); > 0 unless allow_zero. `what` names it in messages. */
int patterns_bind_interval_ms(struct patterns_binder *binder, const struct patterns_scope *scope, const struct patterns_expr *expr, const char *what,
                              bool allow_zero, int64_t *ret_ms) BASE_MUST_CHECK;
/* A constant non-negative integer (offset of PREV, LIMIT). */
int patterns_bind_count(struct patterns_binder *binder, const struct patterns_scope *scope, const struct patterns_expr *expr, const char *what,
                        uint64_t max, uint64_t *ret) BASE_MUST_CHECK;
/* Cast without words in the text (INT to DECIMAL, NULL to all, a text literal to a timestamp); error "type-mismatch" naming `what` if there is none. */
int patterns_coerce(struct patterns_binder *binder, const struct patterns_bound *bound, struct cep_type to, const char *what,
                    const struct patterns_bound **ret) BASE_MUST_CHECK;

/* ---- making bound nodes by hand. place: its range is taken over. NULL: no memory. Types are as given, nothing is checked or folded. ---- */

const struct patterns_bound *patterns_bound_const(struct patterns_binder *binder, const struct patterns_expr *place, struct cep_type type,
                                                  struct cep_value value);
/* Column of a relation: type and hash come from it. */
const struct patterns_bound *patterns_bound_column(struct patterns_binder *binder, const struct patterns_expr *place,
                                                   const struct patterns_relation *relation, uint32_t column);
/* hash: what the leaf means (equal hashes mean equal values at equal rows). flags are or'ed to HAS_EXTERNAL. */
const struct patterns_bound *patterns_bound_external(struct patterns_binder *binder, const struct patterns_expr *place, struct cep_type type, uint32_t id,
                                                     const void *detail, uint64_t hash, uint32_t flags);
/* Operator node of the given kind and result type; args are copied. */
const struct patterns_bound *patterns_bound_op(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
                                               struct cep_type type, const struct patterns_bound *const *args, uint32_t count);
/* Explicit CAST node (the argument itself if types are equal). */
const struct patterns_bound *patterns_bound_cast(struct patterns_binder *binder, const struct patterns_bound *arg, struct cep_type to);

/* ---- reading bound trees ---- */

/* Is it a constant that is TRUE / never TRUE (FALSE or NULL)? */
bool patterns_bound_is_true(const struct patterns_bound *bound);
bool patterns_bound_is_never(const struct patterns_bound *bound);
/* Same structure and leaves (EXTERNAL: same id, detail and hash). */
bool patterns_bound_same(const struct patterns_bound *a, const struct patterns_bound *b);
/* Calls leaf for each COLUMN and EXTERNAL, left to right; a result other than 0 ends the walk and is returned. */
int patterns_bound_leaves(const struct patterns_bound *bound, int (*leaf)(void *ctx, const struct patterns_bound *leaf), void *ctx);
/* Marks the columns that it reads: used[column] = true. */
void patterns_bound_mark_columns(const struct patterns_bound *bound, bool *used);
/* Copy in which each COLUMN and EXTERNAL leaf is replaced by what `leaf` returns (the same pointer keeps it; NULL: no memory). NULL: no memory. */
const struct patterns_bound *patterns_bound_map(struct patterns_binder *binder, const struct patterns_bound *bound,
                                                const struct patterns_bound *(*leaf)(void *ctx, const struct patterns_bound *leaf), void *ctx);
/* Text for explain and golden tests: "AND(GT($3, 10), EQ($1, 'x'))"; columns by the relation's names if it is given. */
void patterns_bound_print(const struct patterns_bound *bound, const struct patterns_relation *relation, struct base_buf *out);

/* ---- diagnostics; the place is the expression's ---- */

/* Adds an error and returns BASE_E_SYNTAX. hint may be NULL. */
int patterns_refuse(struct patterns_binder *binder, const struct patterns_expr *place, const char *code, const char *hint, const char *format, ...)
    BASE_PRINTF(5, 6);
int patterns_refuse_at(struct patterns_binder *binder, const struct base_source *source, uint32_t begin, uint32_t end, const char *code, const char *hint,
                       const char *format, ...) BASE_PRINTF(7, 8);
void patterns_warn_at(struct patterns_binder *binder, enum base_severity severity, const struct base_source *source, uint32_t begin, uint32_t end,
                      const char *code, const char *hint, const char *format, ...) BASE_PRINTF(8, 9);
/* "DECIMAL(12, 2)" in the arena, for messages; never NULL. */
const char *patterns_type_text(struct patterns_binder *binder, struct cep_type type);

/* ---- emission ---- */

/* Puts an EXTERNAL leaf's value into slot `d` by appending instructions. 0 or BASE_E_NOMEM. */
typedef int patterns_emit_leaf(void *ctx, struct patterns_emit *emit, const struct patterns_bound *leaf, uint16_t d);
struct patterns_emit_env {
    struct cep_builder *builder;
    struct base_arena *arena;
    const uint32_t *columns;   /* bound column -> column of the row that the code reads; NULL: the same */
    patterns_emit_leaf *leaf;  /* NULL: no EXTERNAL leaves occur */
    void *ctx;
};
/* Whole expression ending in RETURN; *ret is the index in the codes section. 0, BASE_E_NOMEM, BASE_E_LIMIT (too many slots). */
int patterns_emit_expr(const struct patterns_emit_env *env, const struct patterns_bound *bound, uint32_t *ret_code) BASE_MUST_CHECK;

/* Piecewise, for codes with several results (STORE ... END): begin, value()s and insn()s, end. */
struct patterns_emit *patterns_emit_begin(const struct patterns_emit_env *env); /* NULL: no memory. Memory is the arena's */
uint16_t patterns_emit_slot(struct patterns_emit *emit);                        /* a fresh slot; errors are sticky and told by end */
/* Appends code that leaves the value in *ret_slot (a fresh slot or one that already holds it in straight-line code). */
int patterns_emit_value(struct patterns_emit *emit, const struct patterns_bound *bound, uint16_t *ret_slot) BASE_MUST_CHECK;
/* Appends one instruction. NAV, LABEL, REG, FINAL, MATCH_NUMBER set the code's flags and neighbour range by themselves. */
void patterns_emit_insn(struct patterns_emit *emit, enum cep_opcode op, uint16_t d, uint16_t a, uint16_t b, uint32_t c, int32_t e);
/* Column of the row that a bound column is in (by env->columns), for NAV. */
uint32_t patterns_emit_column(const struct patterns_emit *emit, uint32_t bound_column);
/* Type index for opcodes that name a type. */
uint32_t patterns_emit_type(struct patterns_emit *emit, struct cep_type type);
/* Ends with RETURN of slot `result` and its type, or with END if type.kind is NULL. place gives the origin (may be NULL). */
int patterns_emit_end(struct patterns_emit *emit, struct cep_type type, uint16_t result, const struct patterns_bound *place,
                      uint32_t *ret_code) BASE_MUST_CHECK;

#endif
