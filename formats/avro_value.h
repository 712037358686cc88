/* Values of Avro's binary encoding: reading, skipping, as a column's value, as JSON. Private to formats/; called by avro.c along its plan. Total: any bytes give a
 * value or a problem. */
#ifndef FORMATS_AVRO_VALUE_H
#define FORMATS_AVRO_VALUE_H

#include "formats/avro_schema.h"
#include "formats/wire.h"

/* State of an array's or map's blocks; zero-initialise. */
struct formats_avro_blocks {
    uint64_t left;
    bool begun, done;
};
/* 1: an item follows; 0: the end; negative: an error. */
int formats_avro_next(struct formats_walk *w, struct formats_avro_blocks *blocks) BASE_MUST_CHECK;
int formats_avro_text(struct formats_walk *w, struct base_str *ret) BASE_MUST_CHECK;
int formats_avro_branch(struct formats_walk *w, const struct formats_avro_type *type, uint32_t *ret) BASE_MUST_CHECK;
int formats_avro_skip(struct formats_walk *w, const struct formats_avro_type *type) BASE_MUST_CHECK;
/* The value at hand as one of column type want; slot is for messages. */
int formats_avro_value(struct formats_walk *w, const struct formats_avro_type *type, uint32_t slot, struct cep_type want, struct cep_value *ret) BASE_MUST_CHECK;
/* A schema's default as a column's value; texts in the arena. */
int formats_avro_default(const struct formats_avro_type *type, json_t *json, struct formats_times *times, struct cep_type want, struct base_arena *arena,
                         struct cep_value *ret) BASE_MUST_CHECK;

#endif
