/* GROUP BY and aggregates over a whole bounded query: which registers a group keeps, how a row changes them, what they
 * give at the end. Called by bind.c (binding) and emit.c (emission). Knows no row patterns. Single-threaded; memory is
 * the compile arena's. */
#ifndef PATTERNS_GROUP_H
#define PATTERNS_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"

/* A register: its value before any row, and after one, as an expression over the row and the registers before it. */
struct patterns_group_reg {
    struct cep_type type;
    struct cep_value init;
    const struct patterns_bound *update;
};
/* What a group gives: first its keys, then the aggregates, each an expression over registers. */
struct patterns_group {
    struct patterns_binder *binder;
    struct patterns_scope input;        /* names of the grouped rows */
    const struct patterns_bound **keys; /* over the grouped rows */
    uint32_t key_count;
    struct patterns_group_reg *regs;
    uint32_t reg_count, reg_cap;
    const struct patterns_bound **outs;    /* key_count + aggregates */
    const struct patterns_bound **written; /* parallel to outs: the aggregate as bound, to find equal ones */
    uint32_t out_count, out_cap;
    uint64_t hash; /* of keys and aggregates */
};

/* keys: expressions of GROUP BY. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_group_begin(struct patterns_binder *binder, const struct patterns_scope *input,
                         const struct patterns_expr *const *keys, uint32_t count,
                         struct patterns_group **ret) BASE_MUST_CHECK;
/* An expression over a group (SELECT, HAVING, ORDER BY): keys and aggregates become columns of the group's relation,
 * whose types *out gets as they are found. A column that is neither is refused. */
int patterns_group_bind(struct patterns_group *group, const struct patterns_expr *expr, const char *where,
                        const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Marks the columns of the grouped rows that the group reads. */
void patterns_group_mark_columns(const struct patterns_group *group, bool *used);
/* Writes the group's detail; columns: bound column -> column of the grouped rows; needed: outs that are read. *ret is
 * its index in CEP_SEC_GROUPS. */
int patterns_group_emit(const struct patterns_group *group, struct cep_builder *builder, const uint32_t *columns,
                        const bool *needed, uint32_t *ret) BASE_MUST_CHECK;

#endif
