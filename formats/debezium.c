#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "formats/decoder.h"

/* The envelope is a row of its own: a second JSON decoder reads op, before and after, each at the top and below "payload" (where the converter writes schemas), the images as the
 * text that they are; the table's decoder then reads the image that counts. */
enum { OP, BEFORE, AFTER, PLACES };

struct formats_debezium {
    struct formats_decoder envelope;
    struct formats_field fields[2 * PLACES];
    struct cep_type types[2 * PLACES];
    struct cep_value values[2 * PLACES];
};

int formats_debezium_create(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    static const char *const paths[2 * PLACES] = { "op", "before", "after", "payload\037op", "payload\037before", "payload\037after" };
    struct formats_debezium *debezium = decoder->debezium = base_calloc(1, sizeof *debezium);
    if (!debezium)
        return BASE_E_NOMEM;
    struct formats_decoder *envelope = &debezium->envelope;
    *envelope = (struct formats_decoder){ .program = decoder->program, .table = decoder->table, .fields = debezium->fields, .types = debezium->types,
                                          .values = debezium->values, .field_count = 2 * PLACES, .rowtime = CEP_NONE, .table_index = decoder->table_index,
                                          .max_record_bytes = decoder->max_record_bytes };
    for (uint32_t f = 0; f < 2 * PLACES; f++) {
        debezium->types[f] = f % PLACES == OP ? CEP_TYPE(STRING) : CEP_TYPE(ROW);
        debezium->fields[f] = (struct formats_field){ .name = base_str_of(paths[f % PLACES]), .path = base_str_of(paths[f]), .type = debezium->types[f] };
    }
    int e = formats_json_create(envelope, ret_error, error_bytes);
    return e < 0 ? e : formats_json_create(decoder, ret_error, error_bytes);
}

void formats_debezium_destroy(struct formats_debezium *debezium)
{
    if (!debezium)
        return;
    formats_json_destroy(debezium->envelope.json);
    base_free(debezium);
}

int formats_debezium_decode(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row)
{
    struct formats_debezium *debezium = decoder->debezium;
    int e = formats_json_values(&debezium->envelope, record->bytes, arena);
    if (e < 0) {
        struct formats_problem told = debezium->envelope.problem;
        told.field = CEP_NONE;
        told.table = decoder->problem.table;
        decoder->problem = told;
        return e;
    }
    uint32_t base = debezium->values[OP].null ? PLACES : 0;
    struct cep_value op = debezium->values[base + OP];
    bool gone = !op.null && op.s.len == 1 && op.s.ptr[0] == 'd';
    struct cep_value image = debezium->values[base + (gone ? BEFORE : AFTER)];
    formats_decoder_clear(decoder);
    if (!image.null) {
        e = formats_json_values(decoder, (struct base_str){ image.s.ptr, image.s.len }, arena);
        if (e < 0)
            return e;
    }
    return formats_decoder_finish_change(decoder, record, op.null ? (struct base_str){ 0 } : (struct base_str){ op.s.ptr, op.s.len }, arena, ret_row);
}
