/* Window table functions: TABLE(TUMBLE(...)), HOP, CUMULATE, SESSION. Called by bind_from.c, group.c and emit.c. Single-threaded; memory is the compile
 * arena's. */
#ifndef PATTERNS_WINDOW_H
#define PATTERNS_WINDOW_H

#include "base/attr.h"
#include "cep/program.h"
#include "patterns/bind_from.h"
#include "patterns/emit_expr.h"

struct patterns_window_tvf_bound {
    enum cep_window_kind kind;
    int64_t size_ms, slide_ms, offset_ms;
    const struct patterns_bound *time;       /* over the input */
    const struct patterns_bound **partition; /* SESSION: over the input */
    uint32_t partition_count;
    uint32_t first_column;                   /* window_start; behind it window_end and window_time */
    int64_t late_ms;                         /* 'allowed-lateness': the input's watermark lags so far; 0: none */
    bool tells_early;                        /* with late_ms: told at its first row */
    const struct base_source *source;
    uint32_t begin, end;
    uint64_t hash;
};
/* The function as a table: its input's rows, each once for every window that it lies in, with the window's three columns behind its own. */
int patterns_window_bind(const struct patterns_query_scope *scope, const struct patterns_table *table, const struct patterns_plan **ret) BASE_MUST_CHECK;
/* Are these the keys that the sessions are made by? Other windows take any. 0 or BASE_E_SYNTAX. */
int patterns_window_check_keys(struct patterns_binder *binder, const struct patterns_window_tvf_bound *window, const struct patterns_bound *const *keys,
                               uint32_t count) BASE_MUST_CHECK;
/* Refuses sessions without an aggregate right above them, in a whole plan. */
int patterns_window_check(struct patterns_binder *binder, const struct patterns_plan *plan) BASE_MUST_CHECK;
/* Adds `detail` with the window's own fields filled in. */
int patterns_window_emit(const struct patterns_window_tvf_bound *window, const struct patterns_emit_env *env, struct cep_window *detail,
                         uint32_t *ret) BASE_MUST_CHECK;
/* The function without an aggregate above it. */
int patterns_window_emit_assign(const struct patterns_plan *plan, const struct patterns_emit_env *env, const bool *needed, uint32_t *ret) BASE_MUST_CHECK;

#endif
