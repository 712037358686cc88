/* Protobuf schemas at run time: the one place that names libprotobuf, which parses .proto texts and descriptor sets into the plain trees below. No message ever passes through
 * libprotobuf: proto.c reads the wire itself. Private to formats/. Any thread; what it made is read-only. */
#ifndef FORMATS_PROTO_SCHEMA_H
#define FORMATS_PROTO_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct base_arena;
struct formats_schema_text;

/* FieldDescriptorProto.Type of descriptor.proto. */
enum formats_proto_type {
    FORMATS_PROTO_DOUBLE = 1, FORMATS_PROTO_FLOAT, FORMATS_PROTO_INT64, FORMATS_PROTO_UINT64, FORMATS_PROTO_INT32, FORMATS_PROTO_FIXED64, FORMATS_PROTO_FIXED32,
    FORMATS_PROTO_BOOL, FORMATS_PROTO_STRING, FORMATS_PROTO_GROUP, FORMATS_PROTO_MESSAGE, FORMATS_PROTO_BYTES, FORMATS_PROTO_UINT32, FORMATS_PROTO_ENUM,
    FORMATS_PROTO_SFIXED32, FORMATS_PROTO_SFIXED64, FORMATS_PROTO_SINT32, FORMATS_PROTO_SINT64
};
/* Messages that stand for one value. */
enum formats_proto_special {
    FORMATS_PROTO_PLAIN, FORMATS_PROTO_TIMESTAMP, FORMATS_PROTO_WRAPPER, FORMATS_PROTO_DATE, FORMATS_PROTO_TIME_OF_DAY, FORMATS_PROTO_DECIMAL_BYTES,
    FORMATS_PROTO_DECIMAL_TEXT
};
struct formats_proto_symbol {
    int32_t number;
    const char *name;
};
struct formats_proto_enumeration {
    uint32_t count;
    struct formats_proto_symbol *symbols;
};
struct formats_proto_message;
struct formats_proto_field {
    const char *name;
    uint32_t number;
    enum formats_proto_type type;
    bool repeated, map;
    bool implicit;                                   /* without presence: absent means zero or empty */
    const struct formats_proto_message *message;     /* MESSAGE, GROUP */
    const struct formats_proto_enumeration *enumeration; /* ENUM */
};
struct formats_proto_message {
    const char *name;                                /* full name */
    enum formats_proto_special special;
    uint32_t count;
    struct formats_proto_field *fields;
    uint32_t nested_count;
    const struct formats_proto_message **nested;     /* in the order of the file: the indexes of Confluent's wire format */
};
struct formats_proto_schema {
    const struct formats_proto_message **top;        /* of the last text, in its order */
    uint32_t count;
};
/* The last text is the schema, those before it are what it imports, by name; google/protobuf, and a few of google/type and confluent, are known. A text may be a serialised
 * FileDescriptorSet; then the messages of all its files count. BASE_E_CONFIG with a text (file:line: what is wrong); BASE_E_NOMEM. */
int formats_proto_parse(const struct formats_schema_text *texts, size_t count, struct base_arena *arena, struct formats_proto_schema *ret, char *ret_error,
                        size_t error_bytes);

#ifdef __cplusplus
}
#endif
#endif
