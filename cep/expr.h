/* Evaluates expression code: one dispatch loop over a frame of values. Called by the operators; knows no keys and no state. One evaluator per shard thread. */
#ifndef CEP_EXPR_H
#define CEP_EXPR_H

#include "base/arena.h"
#include "base/attr.h"
#include "cep/program.h"
#include "cep/row.h"

/* Programs with their functions resolved and call sites prepared. Read-only after link: any thread. */
struct cep_linked;
/* funcs must outlive the result. Errors (unknown function, bad constant) go to ret_error (arena text). */
int cep_link(const struct cep_program *program, const struct cep_funcs *funcs, struct base_arena *arena, const char **ret_error,
             struct cep_linked **ret) BASE_MUST_CHECK;
void cep_unlink(struct cep_linked *linked);
const struct cep_program *cep_linked_program(const struct cep_linked *linked);

/* What code may read. Unused parts stay NULL. Filled by the operator before each evaluation. */
struct cep_frame {
    const struct cep_tuple *row;          /* current row's columns */
    const struct cep_type *row_types;     /* their types */
    int64_t row_time_ms;
    int64_t match_time_ms;                /* MATCH_ROWTIME(): ROW_TIME gives this if has_match_time */
    bool has_match_time;
    int64_t start_time_ms;
    int64_t proc_time_ms;                 /* from the host's clock, passed in */
    int64_t now_ms;                       /* start of the statement */
    int64_t row_number;                   /* of the row within its partition */
    int64_t match_number;                 /* 0: the row has none (timeout): NULL */
    const struct cep_value *regs;         /* running registers */
    const struct cep_value *final_regs;   /* FINAL registers */
    struct cep_value *new_regs;           /* STORE target */
    /* Neighbour at signed distance in the partition, or NULL; and its label in the current match (empty: none). */
    const struct cep_tuple *(*nav)(void *ctx, int32_t distance);
    bool (*label)(void *ctx, int32_t distance, struct base_str *ret);
    void *ctx;
    struct base_arena *arena;             /* temporaries; reset by the operator per row */
};
/* Keeps what volatile functions and the clock gave, so that rows that are gone through again after a restart meet the same answers (docs/protocol.md). */
struct cep_tape {
    void *ctx;
    /* 1: *ret (texts in the arena) or *ret_error (BASE_E_*, of this row) is what was kept; 0: nothing is gone through again, ask; BASE_E_*: it cannot be read. */
    int (*recall)(void *ctx, struct cep_type type, struct base_arena *arena, struct cep_value *ret, int *ret_error);
    /* error: 0 or what the call gave instead of a value. BASE_E_NOMEM. */
    int (*keep)(void *ctx, struct cep_type type, const struct cep_value *value, int error);
};
struct cep_expr; /* evaluator: linked program + value slots */
struct cep_expr *cep_expr_create(const struct cep_linked *linked); /* NULL: no memory */
/* From now on. The tape outlives the evaluator; NULL: none. */
void cep_expr_use_tape(struct cep_expr *expr, const struct cep_tape *tape);
void cep_expr_destroy(struct cep_expr *expr);
/* Runs code; *ret is its result (undefined for codes without one). 0 or the error of this row (BASE_E_DIVISION, OVERFLOW, CAST, REGEX, RANGE, NOMEM). */
int cep_expr_run(struct cep_expr *expr, uint32_t code, const struct cep_frame *frame, struct cep_value *ret) BASE_MUST_CHECK;
/* TRUE only if the code gives TRUE; error as above (then *ret_true is false). */
int cep_expr_test(struct cep_expr *expr, uint32_t code, const struct cep_frame *frame, bool *ret_true) BASE_MUST_CHECK;
/* Evaluates constant code at compile time (no row). Used by the compiler to fold; not for volatile code. */
int cep_expr_fold(const struct cep_program *program, uint32_t code, const struct cep_funcs *funcs, struct base_arena *arena,
                  struct cep_value *ret) BASE_MUST_CHECK;

#endif
