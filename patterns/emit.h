/* Writes placed plans into a program: equal parts of all statements once, columns that nobody reads left out. Called by
 * compile.c; binds nothing. Single-threaded. */
#ifndef PATTERNS_EMIT_H
#define PATTERNS_EMIT_H

#include "base/attr.h"
#include "cep/program.h"
#include "patterns/plan.h"
#include "patterns/rule.h"

/* What a root became. */
struct patterns_emitted {
    uint32_t sink_node;                       /* nodes */
    uint32_t rule;                            /* rules or CEP_NONE */
    char fingerprint[33];                     /* of the bound statement */
    const struct patterns_bound_match *match; /* nearest row pattern or NULL */
    uint32_t match_node;                      /* nodes or CEP_NONE */
};
/* The text that a code's origin points into; parallel to the program's codes, entries may be NULL. */
struct patterns_code_sources {
    const struct base_source **at;
    uint32_t count;
};
/* roots in order of their statements; ret_emitted parallel to them. share: build equal parts once. 0, BASE_E_NOMEM,
 * BASE_E_LIMIT, BASE_E_CORRUPT (a fault of the compiler). */
int patterns_emit_program(struct patterns_binder *binder, const struct patterns_root *roots, uint32_t count, bool share,
                          struct patterns_emitted *ret_emitted, struct patterns_code_sources *ret_sources,
                          struct cep_program **ret) BASE_MUST_CHECK;
/* Fingerprint of a bound statement (semantics.md 18), from its plan as bound: call before patterns_plan_place. */
void patterns_root_fingerprint(const struct patterns_plan *plan, const uint32_t *key, uint32_t key_count, char ret[33]);

#endif
