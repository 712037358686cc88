/* What the writers of binary formats (avro_writer.c, proto_writer.c) are told, and share. Private to formats/, behind formats_encoder. One thread. */
#ifndef FORMATS_WRITER_H
#define FORMATS_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/value.h"

struct formats_writer_column {
    struct base_str name;
    struct cep_type type;
    bool not_null;
};
struct formats_writer_config {
    const struct formats_writer_column *columns; /* as the rows have them; names live as long as the writer */
    uint32_t count;
    bool with_change;                            /* first a field "op": "+I", "-U", "+U", "-D" */
    bool confluent;
    struct base_str subject;                     /* confluent: where the schema is registered */
    struct base_str (*option)(const void *ctx, const char *name); /* option of the format: "url", "schema", … */
    const void *ctx;
};
/* Can a column of that name be a field's? Letters, digits, _. Otherwise BASE_E_CONFIG with a text that names the format. */
int formats_writer_check_name(struct base_str name, const char *format, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
/* Registers a schema of a type ("AVRO", "PROTOBUF"); ret_head: what stands in front of each record, 0 and the id. BASE_E_CONFIG, BASE_E_IO … with a text. */
int formats_writer_register(const struct formats_writer_config *config, const char *type, struct base_str text, char ret_head[5], char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;
/* Big-endian two's complement of a decimal with so many digits behind the point; returns the first byte that counts. */
int formats_writer_decimal(struct cep_type from, struct cep_value value, int scale, uint8_t ret[16]);

#endif
