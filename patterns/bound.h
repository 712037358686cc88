/* The bound expression tree: typed, immutable, shared by pointers, without names. Made by bind_expr.c and
 * bind_pattern.c, read by the planner and emit_expr.c. Evaluates nothing. Single-threaded; nodes live in the compile
 * arena. */
#ifndef PATTERNS_BOUND_H
#define PATTERNS_BOUND_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "cep/func.h"
#include "cep/value.h"
#include "patterns/relation.h"

struct patterns_expr;   /* ast.h */
struct patterns_binder; /* bind_expr.h */

enum patterns_bound_kind {
    PATTERNS_BOUND_CONST,    /* value */
    PATTERNS_BOUND_COLUMN,   /* column of the current row */
    PATTERNS_BOUND_EXTERNAL, /* a leaf that its scope owns: id, detail */
    PATTERNS_BOUND_ROW_TIME, /* event time of the row; behind a match MATCH_ROWTIME() */
    PATTERNS_BOUND_PROC_TIME,
    PATTERNS_BOUND_NOW,  /* start of the statement */
    PATTERNS_BOUND_CAST, /* args[0] to type; try_cast: NULL instead of an error */
    PATTERNS_BOUND_NEG,
    PATTERNS_BOUND_ADD, /* arithmetic: INT, BIGINT, DOUBLE: arguments have the result's type; DECIMAL: any decimals;
                           DATE/TIMESTAMP/INTERVAL: integers */
    PATTERNS_BOUND_SUB,
    PATTERNS_BOUND_MUL,
    PATTERNS_BOUND_DIV,
    PATTERNS_BOUND_MOD,
    PATTERNS_BOUND_ADD_MONTHS, /* date or timestamp, months (INTERVAL_MONTH) */
    PATTERNS_BOUND_CONCAT,
    PATTERNS_BOUND_EQ, /* comparisons: both arguments have one type */
    PATTERNS_BOUND_NE,
    PATTERNS_BOUND_LT,
    PATTERNS_BOUND_LE,
    PATTERNS_BOUND_GT,
    PATTERNS_BOUND_GE,
    PATTERNS_BOUND_SAME,    /* IS NOT DISTINCT FROM */
    PATTERNS_BOUND_IN,      /* args[0] in args[1..]; all of one type */
    PATTERNS_BOUND_BETWEEN, /* args[0] between args[1] and args[2]; all of one type */
    PATTERNS_BOUND_AND,     /* two or more arguments */
    PATTERNS_BOUND_OR,
    PATTERNS_BOUND_NOT,
    PATTERNS_BOUND_IS_NULL,
    PATTERNS_BOUND_IS_NOT_NULL,
    PATTERNS_BOUND_IS_TRUE,
    PATTERNS_BOUND_IS_FALSE,
    PATTERNS_BOUND_CASE,     /* condition, value, condition, value, ..., else */
    PATTERNS_BOUND_COALESCE, /* first that is not NULL; later ones are not evaluated */
    PATTERNS_BOUND_CALL,     /* function of the registry */
    PATTERNS_BOUND_ARRAY_GET /* array, 1-based INT or BIGINT index */
};
enum patterns_bound_flags { /* what stands anywhere in the subtree */
                            PATTERNS_BOUND_HAS_COLUMN = 1,
                            PATTERNS_BOUND_HAS_EXTERNAL = 2,
                            PATTERNS_BOUND_IS_VOLATILE =
                                4, /* a volatile function, PROCTIME() or the clock: never folded, never shared */
                            PATTERNS_BOUND_HAS_ROW_TIME = 8
};
/* Immutable once made, so subtrees may be shared. */
struct patterns_bound {
    enum patterns_bound_kind kind;
    struct cep_type type;
    uint32_t flags; /* enum patterns_bound_flags */
    bool try_cast;  /* CAST */
    const struct base_source *source;
    uint32_t begin, end;         /* place in source->text */
    uint64_t hash;               /* structure and literals, no names, no places */
    uint32_t column;             /* COLUMN: index in the scope's relation */
    uint32_t id;                 /* EXTERNAL: the scope's number */
    const void *detail;          /* EXTERNAL: the scope's data */
    struct cep_value value;      /* CONST */
    const struct cep_func *func; /* CALL */
    uint32_t arg_count;
    const struct patterns_bound **args;
};

/* ---- making bound nodes by hand. place: its range is taken over. NULL: no memory. Types are as given, nothing is
 * checked or folded. ---- */

const struct patterns_bound *patterns_bound_const(struct patterns_binder *binder, const struct patterns_expr *place,
                                                  struct cep_type type, struct cep_value value);
/* Column of a relation: type and hash come from it. */
const struct patterns_bound *patterns_bound_column(struct patterns_binder *binder, const struct patterns_expr *place,
                                                   const struct patterns_relation *relation, uint32_t column);
/* hash: what the leaf means (equal hashes mean equal values at equal rows). flags are or'ed to HAS_EXTERNAL. */
const struct patterns_bound *patterns_bound_external(struct patterns_binder *binder, const struct patterns_expr *place,
                                                     struct cep_type type, uint32_t id, const void *detail,
                                                     uint64_t hash, uint32_t flags);
/* Operator node of the given kind and result type; args are copied. */
const struct patterns_bound *patterns_bound_op(struct patterns_binder *binder, const struct patterns_expr *place,
                                               enum patterns_bound_kind kind, struct cep_type type,
                                               const struct patterns_bound *const *args, uint32_t count);
/* Call of a function; args have the types that it wants. */
const struct patterns_bound *patterns_bound_call(struct patterns_binder *binder, const struct patterns_expr *place,
                                                 const struct cep_func *func, struct cep_type type,
                                                 const struct patterns_bound *const *args, uint32_t count);
/* Explicit CAST node (the argument itself if types are equal). */
const struct patterns_bound *patterns_bound_cast(struct patterns_binder *binder, const struct patterns_bound *arg,
                                                 struct cep_type to);
const struct patterns_bound *patterns_bound_try_cast(struct patterns_binder *binder, const struct patterns_bound *arg,
                                                     struct cep_type to);
/* A constant that stands for `bound` (its value was computed): keeps place and hash, so that folding changes no
 * fingerprint. */
const struct patterns_bound *patterns_bound_relabel(struct patterns_binder *binder, const struct patterns_bound *bound,
                                                    struct cep_value value, struct cep_type type);
/* Copy with another hash (a simplified form keeps the hash of what was written). */
const struct patterns_bound *patterns_bound_with_hash(struct patterns_binder *binder,
                                                      const struct patterns_bound *bound, uint64_t hash);

/* Copy with the place that messages show. */
const struct patterns_bound *patterns_bound_at(struct patterns_binder *binder, const struct patterns_bound *bound,
                                               const struct patterns_expr *place);

/* ---- hashes of meaning: parts of fingerprints, so their values never change ---- */

uint64_t patterns_hash_mix(uint64_t hash, uint64_t value);
uint64_t patterns_hash_text(uint64_t hash, struct base_str text);
uint64_t patterns_hash_type(uint64_t hash, struct cep_type type);

/* ---- reading bound trees ---- */

/* Is it a constant that is TRUE / never TRUE (FALSE or NULL)? */
bool patterns_bound_is_true(const struct patterns_bound *bound);
bool patterns_bound_is_never(const struct patterns_bound *bound);
/* Same structure and leaves (EXTERNAL: same id, detail and hash). */
bool patterns_bound_same(const struct patterns_bound *a, const struct patterns_bound *b);
/* Calls leaf for each COLUMN and EXTERNAL, left to right; a result other than 0 ends the walk and is returned. */
int patterns_bound_leaves(const struct patterns_bound *bound, int (*leaf)(void *ctx, const struct patterns_bound *leaf),
                          void *ctx);
/* Marks the columns that it reads: used[column] = true. */
void patterns_bound_mark_columns(const struct patterns_bound *bound, bool *used);
/* Copy in which each COLUMN and EXTERNAL leaf is replaced by what `leaf` returns (the same pointer keeps it; NULL: no
 * memory). NULL: no memory. */
const struct patterns_bound *
patterns_bound_map(struct patterns_binder *binder, const struct patterns_bound *bound,
                   const struct patterns_bound *(*leaf)(void *ctx, const struct patterns_bound *leaf), void *ctx);
/* Text for explain and golden tests: "AND(GT($3, 10), EQ($1, 'x'))"; columns by the relation's names if it is given. */
void patterns_bound_print(const struct patterns_bound *bound, const struct patterns_relation *relation,
                          struct base_buf *out);

#endif
