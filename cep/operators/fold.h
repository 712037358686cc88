/* What the aggregating operators (group.c, window.c, over.c) share: the arguments of a row, the cells of a list of aggregates, output rows, rows in stored
 * state. Internal to cep/operators. Shard thread only. */
#ifndef CEP_OPERATORS_FOLD_H
#define CEP_OPERATORS_FOLD_H

#include "cep/agg.h"
#include "cep/operators/kept.h"

struct cep_fold {
    struct cep_flow *flow;
    const struct cep_program *program;
    uint32_t node, input;              /* nodes */
    bool asks_clock;                   /* some argument reads the time of day */
    struct cep_list aggs;
    struct cep_list outs;
    const struct cep_type *key_types;  /* of the node's key columns; owned */
    struct cep_value *args;            /* scratch: one per aggregate; the last row's arguments */
    struct cep_value *results;         /* scratch: one per aggregate */
    struct cep_value *columns;         /* scratch: of an output row */
};
int cep_fold_init(struct cep_fold *fold, struct cep_flow *flow, uint32_t node, struct cep_list aggs, struct cep_list outs) BASE_MUST_CHECK;
void cep_fold_finish(struct cep_fold *fold);
static inline const struct cep_agg *cep_fold_agg(const struct cep_fold *fold, uint32_t i) { return cep_program_agg(fold->program, fold->aggs.first + i); }
struct cep_frame cep_fold_frame(const struct cep_fold *fold, const struct cep_row *row);
/* Arguments of a row into fold->args. *ret_good false: an expression failed; told, the row is to be left out. */
int cep_fold_arguments(struct cep_fold *fold, const struct cep_event *event, bool *ret_good) BASE_MUST_CHECK;
/* A timestamp code over the row; *ret_good false: it failed or is NULL; told. */
int cep_fold_time(struct cep_fold *fold, uint32_t code, const struct cep_event *event, int64_t *ret_ms, bool *ret_good) BASE_MUST_CHECK;
struct cep_agg_order cep_fold_order(const struct cep_row *row, int64_t time_ms);
/* Cells of aggregates [first, first + count), with the arguments in `values` (parallel to them). A full collection is told and the value left out. */
int cep_fold_add(struct cep_fold *fold, uint32_t first, uint32_t count, struct cep_agg_cell *cells, const struct cep_value *values,
                 const struct cep_agg_order *order) BASE_MUST_CHECK;
/* The arguments of the last row, of all aggregates, so many times more. */
int cep_fold_add_times(struct cep_fold *fold, struct cep_agg_cell *cells, uint64_t times, const struct cep_agg_order *order) BASE_MUST_CHECK;
int cep_fold_take(struct cep_fold *fold, uint32_t first, uint32_t count, struct cep_agg_cell *cells, const struct cep_value *values,
                  const struct cep_agg_order *order) BASE_MUST_CHECK;
void cep_fold_clear(const struct cep_fold *fold, uint32_t first, uint32_t count, struct cep_agg_cell *cells);
int cep_fold_merge(struct cep_fold *fold, struct cep_agg_cell *to, const struct cep_agg_cell *from) BASE_MUST_CHECK;
void cep_fold_save(const struct cep_fold *fold, uint32_t first, uint32_t count, const struct cep_agg_cell *cells, struct base_buf *out);
int cep_fold_load(const struct cep_fold *fold, uint32_t first, uint32_t count, struct base_reader *in, struct cep_agg_cell *ret) BASE_MUST_CHECK;
size_t cep_fold_bytes(const struct cep_fold *fold, uint32_t count, const struct cep_agg_cell *cells);
/* Results of all cells into fold->results. *ret_good false: one failed (an overflow); told. */
int cep_fold_results(struct cep_fold *fold, const struct cep_agg_cell *cells, bool *ret_good) BASE_MUST_CHECK;
/* An output row of key, fold->results, window bounds and the input row (those that outs name), in the flow's arena. */
struct cep_fold_parts { const struct cep_tuple *key; const int64_t *window; const struct cep_tuple *row; };
int cep_fold_row(struct cep_fold *fold, const struct cep_fold_parts *parts, int64_t time_ms, struct cep_position at, struct cep_row **ret) BASE_MUST_CHECK;

/* An event of the node: the row with that change. The row's own change is restored afterwards. */
struct cep_fold_tell { struct cep_key *key; struct cep_ident ident; bool final, limited; int64_t first_ms, last_ms; };
int cep_fold_tell(struct cep_fold *fold, const struct cep_fold_tell *tell, struct cep_row *row, uint8_t change) BASE_MUST_CHECK;
/* Identity of a derived row: hash of the key and two numbers. */
struct cep_ident cep_fold_ident(const struct cep_tuple *key, int64_t a, int64_t b);
/* The difference of what stands (NULL: nothing) and what should (NULL: nothing), told as changes; *told becomes an owned copy of now. */
int cep_fold_differ(struct cep_fold *fold, const struct cep_fold_tell *tell, struct cep_row **told, const struct cep_row *now) BASE_MUST_CHECK;
int cep_fold_settle(struct cep_fold *fold, const struct cep_fold_tell *tell, struct cep_row *told) BASE_MUST_CHECK;

#endif
