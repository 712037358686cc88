/* Whole lines straight into columns: what formats_block_decode (format.c) asks of CSV and JSON, and how both put values into the next row of the columns. What
 * they leave to the record's own decoder they leave with BASE_E_MALFORMED, whatever it is: that one says what is wrong, if anything is. Private to formats/. */
#ifndef FORMATS_BLOCKS_H
#define FORMATS_BLOCKS_H

#include "base/error.h"
#include "cep/columns.h"
#include "formats/decoder.h"

/* Do its options allow it? The columns are no metadata. */
bool formats_csv_takes_blocks(const struct formats_decoder *decoder);
bool formats_json_takes_blocks(const struct formats_decoder *decoder);
/* As formats_block_decode, without times and the decoder's counts. */
int formats_csv_block(struct formats_decoder *decoder, const struct formats_block *block, struct cep_columns *columns, size_t *ret_bytes) BASE_MUST_CHECK;
int formats_json_block(struct formats_decoder *decoder, const struct formats_block *block, struct cep_columns *columns, size_t *ret_bytes) BASE_MUST_CHECK;

static inline void formats_put_slot(struct cep_columns *columns, uint32_t field, int64_t slot)
{
    struct cep_column_data *data = &columns->at[field];
    if (data->narrow)
        data->narrow[columns->rows] = (int32_t)slot;
    else
        data->wide[columns->rows] = slot;
}
/* BASE_E_MALFORMED where there must be a value; BASE_E_NOMEM. */
static inline int formats_put_null(const struct formats_decoder *decoder, struct cep_columns *columns, uint32_t field)
{
    if (decoder->fields[field].not_null || field == decoder->rowtime)
        return BASE_E_MALFORMED;
    uint8_t *nulls = cep_columns_nulls(columns, field);
    if (!nulls)
        return BASE_E_NOMEM;
    formats_put_slot(columns, field, 0);
    nulls[columns->rows] = 1;
    return 0;
}
static inline int formats_put_value(const struct formats_decoder *decoder, struct cep_columns *columns, uint32_t field, const struct cep_value *value)
{
    struct cep_type type = decoder->types[field];
    int64_t slot = type.kind == CEP_KIND_DECIMAL ? (int64_t)value->dec.lo : value->i;
    int rc = 0;
    if (value->null)
        return formats_put_null(decoder, columns, field);
    if (cep_kind_is_text(type.kind))
        rc = cep_columns_put_text(columns, value->s.ptr, value->s.len, &slot);
    else if (cep_columns_in_text(type))
        rc = cep_columns_put_text(columns, (const char *)&value->dec, sizeof value->dec, &slot);
    if (rc == 0)
        formats_put_slot(columns, field, slot);
    return rc;
}
/* The next row has no values yet, nor had it any. */
static inline void formats_put_back(struct cep_columns *columns, uint64_t text_len)
{
    columns->text_len = text_len;
    for (uint32_t f = 0; f < columns->count; f++)
        if (columns->at[f].nulls)
            columns->at[f].nulls[columns->rows] = 0;
}

#endif
