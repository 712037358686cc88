/* What Avro and Protobuf share: the wanted tree of the table, schemas by the id that stands before a record (Confluent's wire format) or one that the table names,
 * Debezium's envelope, and the walk over a record's bytes. avro.c and proto.c turn a schema into a plan and run it. Private to formats/. One thread. */
#ifndef FORMATS_WIRE_H
#define FORMATS_WIRE_H

#include "formats/decoder.h"
#include "formats/wanted.h"

struct formats_registry;
struct formats_avro;
struct formats_proto;

/* One record. */
struct formats_walk {
    struct formats_decoder *decoder;
    struct formats_slots *slots;
    struct base_arena *arena;
    struct base_buf *packed;        /* scratch for arrays */
    const uint8_t *begin, *at, *end;
    uint64_t budget;                /* values that may still be looked at: what takes no bytes cannot go on for ever */
    uint32_t depth;
};
/* The record is broken here. Returns BASE_E_MALFORMED. */
int formats_walk_bad(struct formats_walk *w, const char *what);
/* The value of a slot is none of its column. Returns BASE_E_MALFORMED or BASE_E_NOMEM. */
int formats_walk_misfit(struct formats_walk *w, uint32_t slot, int code, struct cep_type from, struct cep_value value);

/* One named text of a schema; those that others refer to stand first. */
struct formats_schema_text {
    struct base_str name, text;
};
struct formats_plan_ask {
    const struct formats_schema_text *texts;
    size_t text_count;
    struct base_str reader;         /* Avro: schema of the reader (defaults, aliases), or empty */
    struct base_str message;        /* Protobuf: full name, or empty: by the record's indexes, or the first */
    const struct formats_wanted *root;
    struct formats_slots *slots;
    struct formats_times *times;
};

/* avro.c. BASE_E_CONFIG with a text: the schema is bad, or cannot give the columns. */
int formats_avro_create(const struct formats_plan_ask *ask, struct formats_avro **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_avro_destroy(struct formats_avro *avro);
/* Values of all slots (others stay as they are); the whole record must be read. */
int formats_avro_run(const struct formats_avro *avro, struct formats_walk *w) BASE_MUST_CHECK;

/* proto.c. */
int formats_proto_create(const struct formats_plan_ask *ask, struct formats_proto **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_proto_destroy(struct formats_proto *proto);
/* indexed: the message's place in its file stands before the record. */
int formats_proto_run(struct formats_proto *proto, struct formats_walk *w, bool indexed) BASE_MUST_CHECK;

/* wire.c: 'avro', 'avro-confluent', 'debezium-avro-confluent', 'protobuf', 'protobuf-confluent'. */
bool formats_wire_knows(struct base_str format);
/* key: for the record's key: 'key.format' with options 'key.<format>.…'. */
int formats_wire_create(struct formats_decoder *decoder, struct base_str format, bool key, struct formats_wire **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;
void formats_wire_destroy(struct formats_wire *wire); /* NULL allowed */
/* Fetches the schema that the bytes name, unless it is known. BASE_E_IO, BASE_E_TIMEOUT, BASE_E_AUTH with decoder->trouble: the registry cannot be asked now. */
int formats_wire_prepare(struct formats_wire *wire, struct base_str bytes) BASE_MUST_CHECK;
int formats_wire_decode(struct formats_wire *wire, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row) BASE_MUST_CHECK;
/* A record's key into decoder->values. */
int formats_wire_values(struct formats_wire *wire, struct base_str bytes, struct base_arena *arena) BASE_MUST_CHECK;

#endif
