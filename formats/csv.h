/* What the two ways of reading CSV share: csv.c record by record, csv_columns.c whole blocks. Private to formats/. */
#ifndef FORMATS_CSV_H
#define FORMATS_CSV_H

#include "formats/decoder.h"

enum csv_header { CSV_HEADER_AUTO, CSV_HEADER_YES, CSV_HEADER_NO };

struct formats_csv {
    char delimiter, quote, escape, array_delimiter; /* quote, escape: 0 means none */
    enum csv_header header;
    bool allow_comments;
    struct base_str null_literal;  /* ptr NULL: none */
    uint32_t *column_field;        /* first field that a column feeds, or CEP_NONE; columns of them */
    uint32_t columns, columns_cap;
    uint32_t *same;                /* next field of the same column */
    uint32_t needed;               /* columns that a row must have */
    uint32_t missing;              /* field that the header has no column for, or CEP_NONE */
    uint64_t origin;               /* number of the origin that the map was made for */
    bool mapped;
    bool has_header;               /* the origin's first record is one */
    struct base_buf packed;
};

#endif
