/* Rows as named texts: what the log of a sink keeps, so that a row can be written to a store of any kind later on, by another run, after the table has changed.
 * Called by shard threads (put) and by the threads that follow a log (next). Touches no file. One thread per encoder. */
#ifndef FORMATS_CELLS_H
#define FORMATS_CELLS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "cep/row.h"

/* Stored: never renumber. */
enum formats_cell_kind {
    FORMATS_CELL_NULL = 0,
    FORMATS_CELL_NUMBER = 1, /* exact decimal text */
    FORMATS_CELL_BOOL = 2,
    FORMATS_CELL_TEXT = 3,
    FORMATS_CELL_TIME = 4,   /* ISO-8601, with Z if it is a point in time */
    FORMATS_CELL_JSON = 5
};
struct formats_cell { struct base_str name, text; enum formats_cell_kind kind; bool key; };

struct formats_cells;
/* table: the sink table, whose column names and PRIMARY KEY count. BASE_E_NOMEM. */
int formats_cells_create(const struct cep_program *program, uint32_t schema, uint32_t table, struct formats_cells **ret) BASE_MUST_CHECK;
void formats_cells_destroy(struct formats_cells *cells); /* NULL allowed */
/* Appends the row; out->failed tells of missing memory. */
void formats_cells_put(const struct formats_cells *cells, const struct cep_row *row, struct base_buf *out);
/* Appends the row's PRIMARY KEY as bytes that are equal exactly if the keys are. False: the table has none. */
bool formats_cells_key(const struct formats_cells *cells, const struct cep_row *row, struct base_buf *out);
/* One cell by itself, for rows that are no rows of a program (alerts). Begin with formats_cells_begin. */
void formats_cells_begin(uint32_t count, struct base_buf *out);
void formats_cells_add(const struct formats_cell *cell, struct base_buf *out);

/* Reads back. *ret_count: how many cells follow. BASE_E_CORRUPT. */
int formats_cells_open(struct base_reader *in, uint32_t *ret_count) BASE_MUST_CHECK;
/* The next cell, borrowed from the bytes. BASE_E_CORRUPT. */
int formats_cells_next(struct base_reader *in, struct formats_cell *ret) BASE_MUST_CHECK;

#endif
