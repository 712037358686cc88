/* Rows of a source put together in columns, with the watermarks between them, and handed over in stretches of any length: how `cepheid query` goes through a file key by key (cep_flow_history).
 * Called by the driver, drive.c; decides nothing about results. One thread. */
#ifndef CONFORMANCE_GATHER_H
#define CONFORMANCE_GATHER_H

#include "cep/columns.h"
#include "cep/flow.h"

struct gather {
    struct cep_flow *flow;
    uint32_t node;           /* the SOURCE whose rows are gathered; CEP_NONE: none is */
    struct cep_columns columns;
    struct { struct cep_history_mark *at; size_t len, cap; } marks;
    struct { uint8_t *at; size_t len, cap; } left_out;
    int64_t mark_ms;         /* the last one, handed over or not */
    uint64_t chance;         /* state of the random numbers that say where stretches end */
    uint32_t stretch;        /* rows of the one under way, once it is whole */
    bool any_left_out;
    struct { uint64_t rows, stretches, refused; } told; /* handed over key by key; handed over one by one after all */
};
/* Finds out whether the program's rows can be gathered, by the flow's word; node tells. Zeroed before. seed: any number. */
int gather_open(struct gather *gather, const struct cep_program *program, struct cep_flow *flow, uint64_t seed) BASE_MUST_CHECK;
/* The next row; late: it is none, for it lies behind a watermark. Hands a stretch over when it is whole. */
int gather_row(struct gather *gather, const struct cep_row *row, bool late) BASE_MUST_CHECK;
/* The next watermark; lower ones than the last are ignored. */
int gather_mark(struct gather *gather, int64_t ms) BASE_MUST_CHECK;
/* Hands over what there is. */
int gather_flush(struct gather *gather) BASE_MUST_CHECK;
/* Should what is optional be done this time? One in `of`. */
bool gather_by_chance(struct gather *gather, uint32_t of);
void gather_finish(struct gather *gather);

#endif
