/* OVER aggregates, inside: a key's rows in order and the frames that slide over them. over.c is the operator, over_frame.c slides frames, over_codec.c
 * stores. Internal to cep/operators. Shard thread only. */
#ifndef CEP_OPERATORS_OVER_H
#define CEP_OPERATORS_OVER_H

#include "base/vec.h"
#include "cep/operators/fold.h"

struct over_entry {
    int64_t time_ms;
    struct cep_position at;
    struct cep_ident ident;
    struct cep_tuple *args; /* owned: what the row gives to each aggregate */
    struct cep_row *row;    /* owned: the input row; NULL once settled */
    struct cep_row *told;   /* owned, eager: what stands outside; NULL once settled */
};
struct over_entries BASE_VEC(struct over_entry);
/* Rows whose values can still be the aggregate's: MIN and MAX those that no later one beats, FIRST all, LAST the newest. */
struct over_queue { uint64_t *seqs; size_t head, len, cap; };
struct over_slide {          /* one frame of one key, at the last row that was folded */
    uint64_t lo, hi;         /* rows in it: seqs [lo, hi) */
    struct cep_agg_cell *cells;
    struct cep_agg_cell *base; /* UNBOUNDED, eager: as after the settled rows */
    struct over_queue *queues; /* parallel to cells */
    struct over_queue *base_queues; /* eager, bounded: over the settled rows alone */
};
struct over_state {
    struct over_entries entries; /* in order; those before head are gone */
    size_t head;
    uint64_t first;          /* seq of the entry at head: they are numbered through */
    uint64_t settled;        /* seq of the first row that the watermark has not passed */
    uint64_t dirty;          /* entries from this seq on have changed since they were stored */
    uint64_t stored_first, stored_end; /* pieces in the store */
    size_t bytes;
    struct over_slide slides[];
};
struct over_op {
    struct cep_operator op;  /* first */
    const struct cep_over *over;
    struct cep_fold fold;
    struct cep_type *arg_types; /* one per aggregate */
    bool rows_frames, range_frames; /* there are such */
    bool unbounded;          /* some frame is */
    int64_t range_ms;        /* widest bounded RANGE */
    uint64_t rows_back;      /* longest bounded ROWS */
};
static inline uint64_t cep_over_end(const struct over_state *state) { return state->first + (state->entries.len - state->head); }
static inline struct over_entry *cep_over_entry(const struct over_state *state, uint64_t seq)
{
    return &state->entries.at[state->head + (size_t)(seq - state->first)];
}
static inline const struct cep_over_frame *cep_over_frame(const struct over_op *op, uint32_t i)
{
    return cep_program_frame(op->fold.program, op->over->frames.first + i);
}
struct over_state *cep_over_make(const struct over_op *op); /* NULL: no memory */
void cep_over_free(struct over_op *op, struct over_state *state);
void cep_over_free_entry(struct over_state *state, struct over_entry *entry);
/* Frames as after the settled rows, from the rows that are kept (after a load). */
int cep_over_rebuild(struct over_op *op, struct over_state *state) BASE_MUST_CHECK;
/* Eager: frames as the row before `to` left them; to >= settled is the first of its instant. Costs the rows behind it, and as many at the frames' begin. */
int cep_over_unwind(struct over_op *op, struct over_state *state, uint64_t to) BASE_MUST_CHECK;
/* Folds the row (with RANGE frames: `peers` rows from it on, those of its time) into all frames. */
int cep_over_fold_range(struct over_op *op, struct over_state *state, uint64_t seq, uint64_t peers) BASE_MUST_CHECK;
int cep_over_fold_rows(struct over_op *op, struct over_state *state, uint64_t seq) BASE_MUST_CHECK;
/* Results of all frames at the row `seq`, which is in them, into op->fold.results; texts live as long as the state is not changed. */
int cep_over_results(struct over_op *op, struct over_state *state, uint64_t seq, bool *ret_good) BASE_MUST_CHECK;
/* Rows [settled, to) are settled: into the bases. */
int cep_over_settle_base(struct over_op *op, struct over_state *state, uint64_t to) BASE_MUST_CHECK;
/* Lets go of rows that no frame of a row behind watermark_ms can hold. */
int cep_over_trim(struct over_op *op, struct over_state *state, int64_t watermark_ms) BASE_MUST_CHECK;
/* Drops the oldest settled row although frames may want it. */
int cep_over_drop_oldest(struct over_op *op, struct over_state *state) BASE_MUST_CHECK;

int cep_over_save(struct cep_operator *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx) BASE_MUST_CHECK;
int cep_over_load(struct cep_operator *op, struct cep_key *key, uint32_t piece, const void *bytes, size_t len) BASE_MUST_CHECK;
int cep_over_complete(struct cep_operator *op, struct cep_key *key) BASE_MUST_CHECK;
void cep_over_pieces(const struct cep_operator *op, const struct cep_key *key, uint32_t *ret_first, uint32_t *ret_end);

#endif
