/* Rows to Avro: by a schema made from the columns, or by one that the table gives. Private to formats/, behind formats_encoder. Registers its schema where the format
 * wants an id before each record. One thread. */
#ifndef FORMATS_AVRO_WRITER_H
#define FORMATS_AVRO_WRITER_H

#include "cep/row.h"
#include "formats/writer.h"

struct formats_avro_writer;
/* BASE_E_CONFIG with a text: a column that the schema cannot take, a registry that refuses; BASE_E_IO: it cannot be reached; BASE_E_NOMEM. */
int formats_avro_writer_create(const struct formats_writer_config *config, struct formats_avro_writer **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;
void formats_avro_writer_destroy(struct formats_avro_writer *writer); /* NULL allowed */
/* Appends one record; out->failed tells of missing memory. */
void formats_avro_writer_row(const struct formats_avro_writer *writer, const struct cep_row *row, struct base_buf *out);

#endif
