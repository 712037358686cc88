/* Turns bound expressions into expression code of a program: the only place that knows which opcode serves which type.
 * Called by emit.c (plans) and by the emission of row patterns. Binds nothing. Single-threaded. */
#ifndef PATTERNS_EMIT_EXPR_H
#define PATTERNS_EMIT_EXPR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "cep/program.h"
#include "patterns/bound.h"

struct patterns_emit;

/* Puts an EXTERNAL leaf's value into slot `d` by appending instructions. 0 or BASE_E_NOMEM. */
typedef int patterns_emit_leaf(void *ctx, struct patterns_emit *emit, const struct patterns_bound *leaf, uint16_t d);
struct patterns_emit_env {
    struct cep_builder *builder;
    struct base_arena *arena;
    const uint32_t *columns;  /* bound column -> column of the row that the code reads; NULL: the same */
    patterns_emit_leaf *leaf; /* NULL: no EXTERNAL leaves occur */
    void *ctx;
};
/* Whole expression ending in RETURN; *ret is the index in the codes section. 0, BASE_E_NOMEM, BASE_E_LIMIT (too many
 * slots). */
int patterns_emit_expr(const struct patterns_emit_env *env, const struct patterns_bound *bound,
                       uint32_t *ret_code) BASE_MUST_CHECK;

/* Piecewise, for codes with several results (STORE ... END): begin, value()s and insn()s, end. */
struct patterns_emit *
patterns_emit_begin(const struct patterns_emit_env *env); /* NULL: no memory. Memory is the arena's */
uint16_t patterns_emit_slot(struct patterns_emit *emit);  /* a fresh slot; errors are sticky and told by end */
/* Appends code that leaves the value in *ret_slot (a fresh slot or one that already holds it in straight-line code). */
int patterns_emit_value(struct patterns_emit *emit, const struct patterns_bound *bound,
                        uint16_t *ret_slot) BASE_MUST_CHECK;
/* Appends one instruction. NAV, LABEL, REG, FINAL, MATCH_NUMBER set the code's flags and neighbour range by themselves.
 */
void patterns_emit_insn(struct patterns_emit *emit, enum cep_opcode op, uint16_t d, uint16_t a, uint16_t b, uint32_t c,
                        int32_t e);
/* Column of the row that a bound column is in (by env->columns), for NAV. */
uint32_t patterns_emit_column(const struct patterns_emit *emit, uint32_t bound_column);
/* Type index for opcodes that name a type. */
uint32_t patterns_emit_type(struct patterns_emit *emit, struct cep_type type);
/* Ends with RETURN of slot `result` and its type, or with END if type.kind is NULL. place gives the origin (may be
 * NULL). */
int patterns_emit_end(struct patterns_emit *emit, struct cep_type type, uint16_t result,
                      const struct patterns_bound *place, uint32_t *ret_code) BASE_MUST_CHECK;

#endif
