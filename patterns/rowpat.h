/* Private to the row pattern files (bind_pattern.c, rowpat_regs.c, rowpat_scope.c, liveness.c, rowpat_emit.c,
 * lint_pattern.c, stability.c): the bound match with its variables and its two files of registers.
 *
 * Live registers are read by conditions and are part of a partial match; out registers are read by measures and exist
 * only while a found match is written. Both hold values as of the rows taken so far. A register is one value with a set
 * of variables whose rows change it and an update tree over the row and the registers as they stood before; equal
 * registers are made once. In a condition the row under test counts already, so a read of a register that this row
 * would change is replaced by its update tree. Single-threaded; all in the compile arena. */
#ifndef PATTERNS_ROWPAT_H
#define PATTERNS_ROWPAT_H

#include "patterns/ast.h"
#include "patterns/automaton.h"
#include "patterns/bind_expr.h"
#include "patterns/bind_pattern.h"

#define PATTERNS_REGS_MAX 1000      /* registers of one file */
#define PATTERNS_PHYSICAL_MAX 10000 /* offset of PREV, NEXT */
#define PATTERNS_LOGICAL_MAX 500    /* offset of FIRST, LAST */
#define PATTERNS_TOP_MAX 100        /* n of MAX_BY(x, y, n) */

/* EXTERNAL leaves of this scope: patterns_bound.id. */
enum patterns_rp_leaf {
    PATTERNS_RP_REG = 1,   /* detail: struct patterns_rp_reg; running value */
    PATTERNS_RP_FINAL,     /* detail: struct patterns_rp_reg; value at the end of the match (measures) */
    PATTERNS_RP_NAV,       /* detail: struct patterns_rp_nav; column of a neighbour in the partition */
    PATTERNS_RP_OWN_LABEL, /* name of the variable that takes, or is tested against, the row */
    PATTERNS_RP_LABEL,     /* detail: struct patterns_rp_nav; name of the variable of a neighbour (measures) */
    PATTERNS_RP_NUMBER,    /* MATCH_NUMBER() */
    PATTERNS_RP_ROW,       /* number of the row in its partition */
    PATTERNS_RP_ACC        /* detail: struct patterns_rp_acc; an accumulating opcode */
};
struct patterns_rp_nav {
    uint32_t column;
    int32_t distance;
    const struct patterns_rp_nav *next;
};
struct patterns_rp_acc {
    enum cep_opcode op;
    const struct patterns_bound *a, *b;
    struct cep_type type;
};

enum patterns_rp_kind {
    PATTERNS_RP_LAST,       /* args[0] at the n-th last row of the set */
    PATTERNS_RP_FIRST,      /* args[0] at the n-th row of the set, from 0 */
    PATTERNS_RP_SEEN,       /* number of rows of the set, not counted beyond n */
    PATTERNS_RP_ROWS,       /* COUNT of rows */
    PATTERNS_RP_COUNT,      /* COUNT(args[0]) */
    PATTERNS_RP_COUNT_TRUE, /* COUNT_IF(args[0]) */
    PATTERNS_RP_SUM,
    PATTERNS_RP_MIN,
    PATTERNS_RP_MAX,
    PATTERNS_RP_MEAN, /* Welford's running mean and sum of squared differences */
    PATTERNS_RP_M2,
    PATTERNS_RP_ARRAY,
    PATTERNS_RP_DIFFERENT, /* the different values of args[0], in the order in which they came */
    PATTERNS_RP_LIST,   /* LISTAGG(args[0], args[1]) */
    PATTERNS_RP_ANY,    /* first value that is not NULL */
    PATTERNS_RP_NEWEST, /* last value that is not NULL */
    PATTERNS_RP_ALL_TRUE,
    PATTERNS_RP_SOME_TRUE,
    PATTERNS_RP_TOP_KEY,   /* n-th greatest (order > 0) or least args[1] ... */
    PATTERNS_RP_TOP_VALUE, /* ... and args[0] at its row */
    PATTERNS_RP_TIME       /* event time of the last taken row */
};
/* Rows that a read ranges over. */
struct patterns_rp_rows {
    bool universal;             /* all rows of the match */
    struct patterns_varset set; /* else those of these variables */
    uint32_t label;             /* which name was written: 0 none, 1 + variable, or behind all variables the subsets */
};
struct patterns_rp_reg {
    enum patterns_rp_kind kind;
    uint32_t n;
    bool descending; /* TOP_*: greatest */
    struct patterns_rp_rows rows;
    const struct patterns_bound *args[2];
    struct cep_type type;
    struct cep_value init;
    const struct patterns_bound *update;
    uint64_t hash;
    uint32_t index;  /* in its file */
    bool used;       /* some condition or measure needs it */
    uint32_t number; /* among the used ones */
};
struct patterns_rp_file {
    struct patterns_rp_reg **regs;
    uint32_t count, cap;
    uint32_t used;
};

struct patterns_rp_var {
    struct base_str label;                /* as CLASSIFIER() gives it: upper case unless quoted */
    bool taken, refused;                  /* stands as an element; stands in a NOT */
    uint32_t begin, end;                  /* first place in PATTERN */
    const struct patterns_define *define; /* NULL: every row */
    const struct patterns_bound *pred;    /* NULL: every row */
};
struct patterns_rp_subset {
    struct base_str label;
    struct patterns_varset set;
    bool read; /* by a measure, a condition, or AFTER MATCH */
};
struct patterns_rp_order {
    uint32_t column;
    bool descending, nulls_first;
};
struct patterns_rp_measure {
    const struct patterns_bound *bound;
    struct base_str name;
    bool quoted;
};
/* One output column: a measure, or a column of the input (measure CEP_NONE). */
struct patterns_rp_out {
    uint32_t measure, column;
};

/* What the text uses that real Flink refuses or reads otherwise. */
enum patterns_rp_uses {
    PATTERNS_RP_USES_PHYSICAL = 1, /* PREV, NEXT */
    PATTERNS_RP_USES_CLASSIFIER = 2,
    PATTERNS_RP_USES_NUMBER = 4,
    PATTERNS_RP_USES_MODE = 8, /* RUNNING, FINAL */
    PATTERNS_RP_USES_AVG_INT = 16,
    PATTERNS_RP_USES_DISTINCT = 32 /* DISTINCT or FILTER in an aggregate */
};

struct patterns_match_detail {
    struct patterns_binder *binder; /* of the statement while it is bound; then &after */
    struct patterns_binder after;   /* the arena alone: statements' binders are gone when code is written */
    const struct patterns_match *clause;
    const struct patterns_relation *input;
    struct patterns_relation plain; /* input without qualifiers: inside the clause columns are `x` or `variable.x` */
    struct patterns_rp_var vars[PATTERNS_VARS_MAX];
    uint32_t var_count;
    struct patterns_rp_subset *subsets;
    uint32_t subset_count;
    struct patterns_pat *pat;
    struct patterns_automaton *automaton;
    struct patterns_rp_file live, out;
    uint64_t *updated;                      /* per variable: bits of the live registers that its rows must update */
    const struct patterns_rp_nav *navs; /* interned */
    struct patterns_rp_reg *last_time;  /* live register, or NULL */
    struct patterns_rp_measure *measures;
    uint32_t measure_count;
    struct patterns_rp_order *order; /* tie-breaks, or all with batch_sort */
    uint32_t order_count;
    const uint32_t *order_columns; /* all ORDER BY columns, for the layout of ALL ROWS */
    uint32_t order_column_count;
    struct patterns_rp_out *outs;
    uint32_t out_count;
    struct patterns_varset skip_set;
    int64_t within_ms, hold_ms;
    bool can_match_empty, batch_sort, reads_number;
    uint32_t uses; /* enum patterns_rp_uses, for the notes on portability */
    uint64_t core_hash;
};

/* ---- rowpat_regs.c: leaves, registers, aggregates. NULL: no memory ---- */

enum patterns_rp_direction { PATTERNS_RP_FROM_LAST, PATTERNS_RP_FROM_FIRST };
/* Where a value is read. */
struct patterns_rp_read {
    struct patterns_match_detail *rp;
    bool measures; /* MEASURES; else the condition of `var` */
    uint32_t var;
    bool final; /* FINAL value */
    bool distinct; /* an aggregate over different values */
    const struct patterns_bound *filter; /* of ARRAY_AGG, which collects NULLs too: only rows for which it holds; NULL: all */
    const struct patterns_expr *place;
};
const struct patterns_bound *patterns_rp_nav_leaf(struct patterns_match_detail *rp, const struct patterns_expr *place,
                                                  uint32_t column, int32_t distance);
const struct patterns_bound *patterns_rp_own_label(struct patterns_match_detail *rp, const struct patterns_expr *place);
const struct patterns_bound *patterns_rp_number(struct patterns_match_detail *rp, const struct patterns_expr *place);
/* value (over one row: columns, own label) at the n-th first or last row of `rows`, `distance` rows further in the
 * partition. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_rp_navigate(const struct patterns_rp_read *read, const struct patterns_rp_rows *rows,
                         enum patterns_rp_direction from, uint32_t n, int32_t distance,
                         const struct patterns_bound *value, const struct patterns_bound **ret) BASE_MUST_CHECK;
/* The live register with the time of the last taken row. */
struct patterns_rp_reg *patterns_rp_last_time(struct patterns_match_detail *rp);
/* Calls fn for every leaf below, those inside accumulations too. Stops at a result other than 0. */
int patterns_rp_leaves(const struct patterns_bound *root, int (*fn)(void *ctx, const struct patterns_bound *leaf),
                       void *ctx);
/* Marks the registers that root needs, those their updates need included; then numbers the marked ones. */
void patterns_rp_use(struct patterns_rp_file *file, const struct patterns_bound *root);
void patterns_rp_number_used(struct patterns_rp_file *file);
/* A register by what it holds; made unless it is there. Where the row under test counts already, its update tree
 * instead. */
struct patterns_rp_request {
    enum patterns_rp_kind kind;
    uint32_t n;
    bool descending;
    const struct patterns_rp_rows *rows;
    const struct patterns_bound *args[2];
    struct cep_type type;
    bool is_counter; /* starts with 0; else with NULL */
};
const struct patterns_bound *patterns_rp_read_reg(const struct patterns_rp_read *read,
                                                  const struct patterns_rp_request *want);

/* args[0] of a register of different values, NULL where its row brings a value that was there before. */
const struct patterns_bound *patterns_rp_new_value(const struct patterns_rp_read *read,
                                                   const struct patterns_rp_request *different);

/* value with the hash of what was written (rows and `what`), so that a better choice of registers changes no
 * fingerprint. value NULL: NULL. */
const struct patterns_bound *patterns_rp_named(const struct patterns_rp_read *read, const struct patterns_rp_rows *rows,
                                               uint64_t what, const struct patterns_bound *value);
/* array with value behind it (array NULL: a new one). */
const struct patterns_bound *patterns_rp_append(struct patterns_match_detail *rp, const struct patterns_bound *array,
                                                const struct patterns_bound *value);

/* ---- rowpat_aggregates.c ---- */
/* Aggregate by its upper-case name over bound arguments; rows counted: COUNT(*), COUNT(A.*) have no argument. */
int patterns_rp_aggregate(const struct patterns_rp_read *read, struct base_str name,
                          const struct patterns_rp_rows *rows, const struct patterns_bound *const *args, uint32_t count,
                          const struct patterns_bound **ret) BASE_MUST_CHECK;
bool patterns_rp_is_aggregate(struct base_str name);

/* ---- rowpat_scope.c: names and calls in DEFINE and MEASURES ---- */
int patterns_rp_bind_condition(struct patterns_match_detail *rp, uint32_t var, const struct patterns_expr *expr,
                               const struct patterns_bound **ret) BASE_MUST_CHECK;
int patterns_rp_bind_measure(struct patterns_match_detail *rp, const struct patterns_expr *expr,
                             const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Variable or subset of that name; *ret_rows says which rows. False: neither. */
bool patterns_rp_find_label(const struct patterns_match_detail *rp, struct base_str name, bool quoted,
                            struct patterns_rp_rows *ret_rows);
/* "the variables are A, B", for hints; in the arena; NULL: none. */
const char *patterns_rp_list_labels(const struct patterns_match_detail *rp);
/* Name as compared and as CLASSIFIER() gives it; ptr NULL: no memory. */
struct base_str patterns_rp_label(struct patterns_match_detail *rp, struct base_str name, bool quoted);

/* ---- rowpat_text.c ---- */
/* "r0 = LAST(v) of A; r1 = SUM(v) of B": the live registers in use. NULL: no memory. */
const char *patterns_rp_registers(const struct patterns_match_detail *rp);

/* ---- liveness.c: which registers a partial match needs where ---- */
int patterns_rp_liveness(struct patterns_match_detail *rp) BASE_MUST_CHECK;
static inline bool patterns_rp_is_live(const struct patterns_state *state, uint32_t number)
{
    return state->live && ((state->live[number / 64] >> (number % 64)) & 1);
}
/* Does the condition depend on the row and its neighbours alone? */
bool patterns_rp_is_unary(const struct patterns_bound *pred);

/* ---- lint_pattern.c, stability.c: what is told about a match that compiles ---- */
int patterns_rp_lint(struct patterns_match_detail *rp) BASE_MUST_CHECK;
/* "stable", "unstable", "not proved" and why. Texts live in the arena or are static. */
int patterns_rp_stability_pairs(struct patterns_match_detail *rp, const char **ret_verdict,
                                const char **ret_why) BASE_MUST_CHECK; /* what the structure does not tell */
int patterns_rp_stability(struct patterns_match_detail *rp, const char **ret_verdict,
                          const char **ret_why) BASE_MUST_CHECK;

#endif
