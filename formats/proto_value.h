/* Values of Protobuf's wire encoding: tags, skipping, as a column's value, as JSON. Private to formats/; called by proto.c along its plan. Total: any bytes give a value or
 * a problem. */
#ifndef FORMATS_PROTO_VALUE_H
#define FORMATS_PROTO_VALUE_H

#include "formats/proto_schema.h"
#include "formats/wire.h"

#define FORMATS_PROTO_DEPTH 64
enum { FORMATS_PROTO_WIRE_VARINT = 0, FORMATS_PROTO_WIRE_64 = 1, FORMATS_PROTO_WIRE_BYTES = 2, FORMATS_PROTO_WIRE_GROUP = 3, FORMATS_PROTO_WIRE_END = 4,
       FORMATS_PROTO_WIRE_32 = 5 };

int formats_proto_zigzag(struct formats_walk *w, const uint8_t *end, int64_t *ret) BASE_MUST_CHECK;
int formats_proto_tag(struct formats_walk *w, const uint8_t *end, uint32_t *ret_number, unsigned *ret_wire) BASE_MUST_CHECK;
/* Over the value behind a tag. */
int formats_proto_skip(struct formats_walk *w, unsigned wire, uint32_t number, const uint8_t *end) BASE_MUST_CHECK;
/* Reads the length of what stands at hand; *ret_end is its end. */
int formats_proto_enter(struct formats_walk *w, const uint8_t *end, const uint8_t **ret_end) BASE_MUST_CHECK;
/* Can a value of this wire type be one of the field? Others are unknown fields. */
bool formats_proto_fits(const struct formats_proto_field *field, unsigned wire);
/* The value at hand of a field that is not repeated (or one element of it); slot is for messages. */
int formats_proto_value(struct formats_walk *w, const struct formats_proto_field *field, unsigned wire, const uint8_t *end, uint32_t slot, struct cep_type want,
                        struct cep_value *ret) BASE_MUST_CHECK;
/* All elements of a repeated field or pairs of a map, of the message that begins at hand and ends at end. */
int formats_proto_repeated(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, uint32_t slot, struct cep_type want,
                           struct cep_value *ret) BASE_MUST_CHECK;
/* Zero, or the empty list. */
int formats_proto_zero(struct formats_walk *w, const struct formats_proto_field *field, uint32_t slot, struct cep_type want, struct cep_value *ret) BASE_MUST_CHECK;

struct formats_proto_pair {
    struct base_str key;           /* as text */
    const struct formats_proto_field *value;
    const uint8_t *at, *end;       /* of the value behind its tag; at NULL: absent */
    unsigned wire;
};
int formats_proto_read_pair(struct formats_walk *w, const struct formats_proto_message *message, const uint8_t *end, struct formats_proto_pair *ret)
    BASE_MUST_CHECK;
int formats_proto_pair_value(struct formats_walk *w, const struct formats_proto_pair *pair, uint32_t slot, struct cep_type want, struct cep_value *ret)
    BASE_MUST_CHECK;

#endif
