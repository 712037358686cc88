/* The compiler's front door: rule texts in, a program or diagnostics out. Called by the service (rules folder,
 * validate, reload) and the command line (query, check, explain, test). Reads no file, no clock, keeps no state. A run
 * is single-threaded; several may run at once.
 *
 * All sources form one catalogue in any order. Nothing is half-compiled: with one error there is no program. */
#ifndef PATTERNS_COMPILE_H
#define PATTERNS_COMPILE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "cep/func.h"
#include "cep/program.h"

struct patterns_script;
struct patterns_statement;

struct patterns_options {
    bool queries;       /* `query`: bare SELECTs are allowed, INSERTs may read input that ends in any order */
    bool eager_queries; /* bare SELECTs emit eagerly (default final) */
    bool final_rules;   /* rules without 'emit' are final (default eager) */
    bool no_optimiser;  /* no folding, no push-down, no sharing: for tests, the answers are the same */
    /* Value of ${NAME} in options: text must outlive the compile run. NULL: none is known. */
    bool (*variable)(void *ctx, struct base_str name, struct base_str *ret);
    void *variable_ctx;
};

enum patterns_unit_kind { PATTERNS_COMPILED_QUERY, PATTERNS_COMPILED_INSERT, PATTERNS_COMPILED_RULE, PATTERNS_COMPILED_VIEW };
/* One statement that runs. */
struct patterns_compiled {
    enum patterns_unit_kind kind;
    struct base_str name; /* rule or target table; of queries "query 1", ... */
    const struct base_source *source;
    uint32_t begin, end; /* place of the statement in it */
    const struct patterns_statement *statement;
    uint32_t sink_node;   /* nodes of the program */
    uint32_t rule;        /* rules of the program, CEP_NONE unless RULE */
    uint32_t match_node;  /* nearest row pattern or CEP_NONE */
    char fingerprint[33]; /* RULE: as in cep_rule; others: likewise made */
    const char *stability, *witness;
    const char *registers; /* of match_node's partial matches, in words; "" if there are none */
};
struct patterns_result {
    struct cep_program *program;        /* owned; released by patterns_result_finish */
    struct patterns_compiled *compiled; /* in order of the sources and statements */
    uint32_t compiled_count;
    const struct patterns_script *const *scripts; /* parallel to the sources */
    uint32_t script_count;
    const struct base_source *
        *code_sources; /* parallel to the program's codes: what their origins point into; entries may be NULL */
    uint32_t code_count;
};

/* sources, funcs and the arena must outlive the result. Diagnostics (errors, warnings, notes) are added to diags, whose
 * arena may be the same. The result lives in the arena, its program on the heap. 0; BASE_E_SYNTAX: diags say why;
 * BASE_E_NOMEM; BASE_E_CORRUPT: a fault of the compiler, told as "internal". */
int patterns_compile(const struct base_source *sources, uint32_t count, const struct cep_funcs *funcs,
                     const struct patterns_options *options, struct base_arena *arena, struct base_diags *diags,
                     struct patterns_result **ret) BASE_MUST_CHECK;
/* Place of a code in the rule texts, for run-time errors. False: it has none. */
bool patterns_result_place(const struct patterns_result *result, const struct cep_program *program, uint32_t code,
                           const struct base_source **ret_source, uint32_t *ret_begin, uint32_t *ret_end);
/* Frees the program; NULL allowed. */
void patterns_result_finish(struct patterns_result *result);
/* Takes the program out of the result, which then owns none. */
struct cep_program *patterns_result_take(struct patterns_result *result);

#endif
