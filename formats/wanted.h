/* Which places of a nested record the columns of a table want: a tree of names made from their paths. The decoders of binary formats walk it beside a
 * schema. Private to formats/. One thread. */
#ifndef FORMATS_WANTED_H
#define FORMATS_WANTED_H

#include "formats/decoder.h"

#define FORMATS_WANTED_DEPTH 32

struct formats_wanted {
    struct base_str name;
    struct formats_wanted *child;   /* wanted names inside of it */
    struct formats_wanted *sibling;
    uint32_t slot;                  /* first slot of this path, or CEP_NONE; next ones by formats_slots.same */
    uint32_t children;
};
/* Where values go: slot s is column s % field count of the table. A format with an envelope has several sets of them. */
struct formats_slots {
    uint32_t count;
    uint32_t *same;                 /* next slot of the same path */
    struct cep_type *types;
    struct cep_value *values;
};

/* The child of that name, made if it is not there; NULL: no memory. */
struct formats_wanted *formats_wanted_child(struct formats_wanted *parent, struct base_str name, struct base_arena *arena);
/* All columns that are no metadata below root, slots from base on. BASE_E_CONFIG with a text; BASE_E_NOMEM. */
int formats_wanted_columns(const struct formats_decoder *decoder, struct formats_wanted *root, struct formats_slots *slots, uint32_t base,
                           struct base_arena *arena, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
/* Puts slot at a node. */
void formats_wanted_at(struct formats_wanted *node, struct formats_slots *slots, uint32_t slot);

/* A value as a format has it, made one of the column's type: numbers that do not fit or are not whole for an integer column are errors, numbers read as timestamps
 * are epochs, texts are read as CSV cells are. 0, BASE_E_CAST, BASE_E_OVERFLOW, BASE_E_NOMEM. */
int formats_convert(struct formats_times *times, struct cep_type from, struct cep_value value, struct cep_type want, struct base_arena *arena,
                    struct cep_value *ret) BASE_MUST_CHECK;
/* A 32-bit float: as a double it is itself, as text and DECIMAL the shortest number that gives it back. */
int formats_convert_float(struct formats_times *times, float value, struct cep_type want, struct base_arena *arena, struct cep_value *ret) BASE_MUST_CHECK;

#endif
