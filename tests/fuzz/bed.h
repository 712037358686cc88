/* A bed for fuzzing and fault tests: one rule text, compiled and linked, one flow that is fed plain rows and keeps in memory what it told and what it stored.
 * Used by the fuzz targets and by the allocation sweep. It never hides an error: all that fails is returned. Single-threaded. */
#ifndef TESTS_FUZZ_BED_H
#define TESTS_FUZZ_BED_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/vec.h"
#include "cep/flow.h"
#include "patterns/compile.h"

/* A row for any source: columns are filled by their names and types. */
struct bed_row { int64_t time_ms, k, v; };
/* One stored piece of a key's state. */
struct bed_piece {
    uint64_t fingerprint;
    struct cep_tuple *key; /* owned */
    uint32_t number;
    bool live;
    int64_t deadline_ms;
    struct base_buf bytes;
};
struct bed_pieces BASE_VEC(struct bed_piece);
/* One derived row that stands. */
struct bed_told {
    uint32_t sink;
    uint8_t kind;
    struct cep_ident ident;
    char *text; /* owned */
};
struct bed_tolds BASE_VEC(struct bed_told);

struct bed {
    struct base_arena texts, rows;
    struct base_diags diags;
    struct base_source source;
    struct cep_funcs *funcs;
    bool own_funcs;
    struct patterns_result *result;
    const struct cep_program *program;  /* of the result, unless the caller puts another one in before bed_link */
    struct cep_linked *linked;
    struct cep_flow *flow;
    struct cep_limits limits;           /* for flows made from now on */
    struct bed_pieces pieces;
    struct bed_tolds told;              /* what stands */
    uint64_t changes, limited, errors;  /* sink calls; reports of limits and of run-time errors */
    const char *wrong;                  /* a broken promise of the flow: NULL while all is well */
    bool lazy;                          /* state is read from the pieces when the flow asks for it */
};

/* Compiles. Whatever it returns, bed_close must follow. The text must live as long, as must funcs; NULL: the bed makes its own. */
int bed_open(struct bed *bed, struct cep_funcs *funcs, struct base_str text, const struct patterns_options *options) BASE_MUST_CHECK;
int bed_link(struct bed *bed) BASE_MUST_CHECK;
/* A flow without state, instead of the one before. */
int bed_start(struct bed *bed) BASE_MUST_CHECK;
int bed_row(struct bed *bed, const struct bed_row *row, int64_t offset) BASE_MUST_CHECK;
int bed_mark(struct bed *bed, int64_t watermark_ms) BASE_MUST_CHECK;
int bed_save(struct bed *bed) BASE_MUST_CHECK;
/* Puts the live pieces into the flow, heads first. */
int bed_load(struct bed *bed) BASE_MUST_CHECK;
/* Save, new flow, watermarks, load: what a restart does. */
int bed_cycle(struct bed *bed, bool lazy) BASE_MUST_CHECK;
void bed_forget_told(struct bed *bed);
void bed_forget_pieces(struct bed *bed);
/* One line for each row that stands, in an order of its own. */
void bed_print(const struct bed *bed, bool with_idents, struct base_buf *out);
void bed_close(struct bed *bed);

#endif
