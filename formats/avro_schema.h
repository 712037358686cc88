/* Avro schemas as trees: parsed from JSON once, walked by decoder and encoder. Private to formats/. Read-only once parsed. */
#ifndef FORMATS_AVRO_SCHEMA_H
#define FORMATS_AVRO_SCHEMA_H

#include <jansson.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/map.h"
#include "base/str.h"

#define FORMATS_AVRO_DEPTH 64        /* nesting of a schema, and of a value */
#define FORMATS_AVRO_FIXED_MOST (1u << 20)

enum formats_avro_kind {
    FORMATS_AVRO_NULL, FORMATS_AVRO_BOOLEAN, FORMATS_AVRO_INT, FORMATS_AVRO_LONG, FORMATS_AVRO_FLOAT, FORMATS_AVRO_DOUBLE, FORMATS_AVRO_BYTES,
    FORMATS_AVRO_STRING, FORMATS_AVRO_RECORD, FORMATS_AVRO_ENUM, FORMATS_AVRO_ARRAY, FORMATS_AVRO_MAP, FORMATS_AVRO_UNION, FORMATS_AVRO_FIXED
};
enum formats_avro_logical {
    FORMATS_AVRO_PLAIN, FORMATS_AVRO_DECIMAL, FORMATS_AVRO_UUID, FORMATS_AVRO_DATE, FORMATS_AVRO_TIME_MS, FORMATS_AVRO_TIME_US, FORMATS_AVRO_TIMESTAMP_MS,
    FORMATS_AVRO_TIMESTAMP_US, FORMATS_AVRO_TIMESTAMP_NS, FORMATS_AVRO_LOCAL_MS, FORMATS_AVRO_LOCAL_US, FORMATS_AVRO_LOCAL_NS
};
struct formats_avro_field;
struct formats_avro_type {
    enum formats_avro_kind kind;
    enum formats_avro_logical logical;
    uint8_t precision, scale;          /* DECIMAL */
    uint32_t size;                     /* FIXED: bytes */
    struct base_str name;              /* full name of RECORD, ENUM, FIXED */
    uint32_t count;                    /* fields, symbols, branches */
    struct formats_avro_field *fields; /* RECORD */
    struct base_str *symbols;          /* ENUM */
    const struct formats_avro_type **items; /* UNION: branches; ARRAY, MAP: one */
};
struct formats_avro_field {
    struct base_str name;
    const struct formats_avro_type *type;
    const struct base_str *aliases;
    uint32_t alias_count;
    json_t *fallback;                  /* the default, or NULL; owned by the schema */
};
/* A set of schemas that know each other's names. Zero-initialise. */
struct formats_avro_schemas {
    struct base_arena arena;
    struct base_map names;             /* full name -> type */
    json_t *texts;                     /* array that keeps the parsed texts alive */
    const char *error;                 /* static or in the arena */
};
/* Parses a text; *ret its type. BASE_E_CONFIG with schemas->error, BASE_E_NOMEM. */
int formats_avro_parse(struct formats_avro_schemas *schemas, struct base_str text, const struct formats_avro_type **ret) BASE_MUST_CHECK;
void formats_avro_schemas_finish(struct formats_avro_schemas *schemas);
/* Has the union a null branch? Its index or -1. Other types: -1. */
int formats_avro_null_branch(const struct formats_avro_type *type);

#endif
