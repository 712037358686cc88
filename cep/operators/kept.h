/* An event that outlives its call: row, evidence and facts, owned, and their place in a key's stored state. For operators that hold rows back or may have to
 * take them back. Internal to cep/. */
#ifndef CEP_OPERATORS_KEPT_H
#define CEP_OPERATORS_KEPT_H

#include "base/time.h"
#include "base/vec.h"
#include "cep/operator.h"

/* Evidence that outlives its call. */
struct cep_kept_evidence {
    struct cep_evidence_item *items; /* rows owned */
    uint32_t count, total, schema;
};
/* Copies it (NULL: none); on BASE_E_NOMEM nothing is kept. What was there before must have been finished. */
int cep_kept_evidence_take(struct cep_kept_evidence *kept, const struct cep_evidence *evidence) BASE_MUST_CHECK;
void cep_kept_evidence_finish(struct cep_kept_evidence *kept);
static inline struct cep_evidence cep_kept_evidence_of(const struct cep_kept_evidence *kept)
{
    return (struct cep_evidence){ .schema = kept->schema, .items = kept->items, .count = kept->count, .total = kept->total };
}
/* In a key's state. BASE_E_CORRUPT, BASE_E_NOMEM. */
void cep_kept_evidence_save(const struct cep_kept_evidence *kept, struct base_buf *out);
int cep_kept_evidence_load(const struct cep_program *program, struct base_reader *in, struct cep_kept_evidence *ret) BASE_MUST_CHECK;

struct cep_kept {
    struct cep_row *row;             /* NULL: nothing is kept */
    struct cep_ident ident;
    int64_t first_time_ms, last_time_ms;
    struct cep_position first_at;
    uint8_t kind;
    bool limited;
    struct cep_kept_evidence evidence;
};
/* Takes a copy of the event over what was kept before; on BASE_E_NOMEM nothing is kept. */
int cep_kept_take(struct cep_kept *kept, const struct cep_event *event) BASE_MUST_CHECK;
void cep_kept_finish(struct cep_kept *kept);
/* The event again, without key; borrows from kept and from *evidence. */
void cep_kept_event(const struct cep_kept *kept, struct cep_evidence *evidence, struct cep_event *ret);
size_t cep_kept_bytes(const struct cep_kept *kept);
/* NULL: no memory. */
struct cep_row *cep_kept_row(const struct cep_row *row);

/* Watermark behind an operator that keeps rows and gives them later: below the earliest of them (BASE_TIME_MAX_MS: it keeps none), at most the input's. */
static inline int64_t cep_kept_watermark(int64_t least_ms, int64_t input_ms)
{
    if (least_ms == BASE_TIME_MAX_MS || least_ms > input_ms)
        return input_ms;
    return least_ms == BASE_TIME_MIN_MS ? BASE_TIME_MIN_MS : least_ms - 1;
}

/* In a key's state. types: of the row's columns. A NULL row is stored as nothing. BASE_E_CORRUPT, BASE_E_NOMEM. */
void cep_kept_save(const struct cep_kept *kept, struct base_buf *out);
void cep_kept_save_row(const struct cep_row *row, struct base_buf *out);
int cep_kept_load(const struct cep_program *program, struct base_reader *in, const struct cep_type *types, uint32_t columns, struct cep_kept *ret) BASE_MUST_CHECK;
int cep_kept_load_row(struct base_reader *in, const struct cep_type *types, uint32_t columns, struct cep_row **ret) BASE_MUST_CHECK;

#endif
