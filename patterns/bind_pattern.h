/* Row patterns: MATCH_RECOGNIZE as parsed becomes a bound match (variables, registers, automaton, measures, output
 * columns) and then the match sections of a program. Called by bind.c (bind), plan.c (columns, keys, hash) and emit.c
 * (emission). Evaluates nothing, does no I/O. Single-threaded; everything lives in the compile arena.
 *
 * Life of a match: patterns_bind_match while the FROM clause is bound; patterns_match_mark_columns when the planner
 * decides which columns are decoded; patterns_match_emit when the program is written. */
#ifndef PATTERNS_BIND_PATTERN_H
#define PATTERNS_BIND_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/diag.h"
#include "base/str.h"
#include "cep/program.h"
#include "patterns/bind_expr.h"
#include "patterns/relation.h"

struct patterns_match; /* ast.h: the clause as parsed */

/* What the rest of the compiler reads of a bound match. Read-only for callers. */
struct patterns_bound_match {
    const struct patterns_relation *input; /* as given to bind */
    /* Columns in the order of SELECT *; qualifiers empty (the caller sets the alias). rowtime: a measure that is
     * MATCH_ROWTIME(), or the input's rowtime column under ALL ROWS; else PATTERNS_NO_COLUMN. */
    struct patterns_relation output;
    const uint32_t *partition; /* PARTITION BY: columns of input: key of the EXCHANGE before the match, in order */
    uint32_t partition_count;
    uint64_t hash;     /* meaning of the clause over its input's columns by hash: names of variables count (CLASSIFIER),
                          those of columns do not */
    int64_t within_ms; /* 0: none */
    bool all_rows;     /* ALL ROWS PER MATCH */
    bool batch_sort;   /* rows are sorted at the end of input */
    bool append_only;  /* reserved, true */
    const char *stability;                      /* "stable", "unstable", "not proved" */
    const char *witness;                        /* why; never NULL */
    const char *registers;                      /* what those of a partial match hold, in words; "" if there are none */
    const struct patterns_match_detail *detail; /* private */
};

/* Binds the clause over its input. Warnings and notes (unbounded state, unused variables, never-true conditions,
 * portability) go to binder->diags too. 0, BASE_E_SYNTAX (diagnostics added), BASE_E_NOMEM. */
int patterns_bind_match(struct patterns_binder *binder, const struct patterns_relation *input,
                        const struct patterns_match *clause, const struct patterns_bound_match **ret) BASE_MUST_CHECK;

/* Marks the input columns that the match reads: used[column] = true. outputs: which output columns are read behind it
 * (NULL: all). A column that is only passed through to an unread output is not marked. */
void patterns_match_mark_columns(const struct patterns_bound_match *match, const bool *outputs, bool *used);

struct patterns_match_emit_env {
    struct cep_builder *builder;
    struct base_arena *arena;
    const uint32_t *columns; /* input column -> column of the rows of the input node; NULL: the same */
    const bool *outputs;     /* output columns to be emitted, in order; NULL: all */
    uint32_t input_node;     /* node that the match reads: equal unary conditions of all matches over one node share one
                                evaluation */
    bool eager;              /* emit eager, else final */
    bool evidence;           /* a rule whose alerts bear the matched rows */
    struct patterns_pred_pool *pool; /* of the compile run: see below; NULL: no sharing between matches */
};
/* Appends nfas, vars, preds, guards, regs, outs, orders, codes and one match; *ret_match is its index in
 * CEP_SEC_MATCHES. 0, BASE_E_NOMEM, BASE_E_LIMIT. */
int patterns_match_emit(const struct patterns_bound_match *match, const struct patterns_match_emit_env *env,
                        uint32_t *ret_match) BASE_MUST_CHECK;

/* Numbers equal unary conditions over one input node, for cep_pred.shared. One per compile run, in its arena. */
struct patterns_pred_pool *patterns_pred_pool_create(struct base_arena *arena); /* NULL: no memory */
void patterns_pred_pool_destroy(struct patterns_pred_pool *pool);               /* frees its index; NULL allowed */

/* ---- explain_pattern.c: the automaton of a finished program, for explain and golden tests ---- */
enum patterns_explain_format { PATTERNS_EXPLAIN_TEXT, PATTERNS_EXPLAIN_DOT, PATTERNS_EXPLAIN_JSON };
/* text: the rule text that code origins point into (for conditions as written); empty: disassembly-free short forms. */
void patterns_explain_match(const struct cep_program *program, uint32_t match, struct base_str text,
                            enum patterns_explain_format format, struct base_buf *out);

#endif
