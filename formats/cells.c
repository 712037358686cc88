#include "formats/cells.h"

#include "base/alloc.h"
#include "base/error.h"

#define COLUMNS_MAX 65535
#define KEY_BIT 0x80

struct column { struct base_str name; struct cep_type type; bool key; };
struct formats_cells {
    struct column *columns;
    uint32_t count;
    bool keyed;
};

int formats_cells_create(const struct cep_program *program, uint32_t schema, uint32_t table, struct formats_cells **ret)
{
    struct cep_list columns = cep_program_schema(program, schema)->columns, fields = cep_program_table(program, table)->fields;
    struct cep_list keys = cep_program_table(program, table)->key_fields;
    struct formats_cells *cells = base_calloc(1, sizeof *cells);
    if (!cells)
        return BASE_E_NOMEM;
    cells->count = columns.count;
    cells->keyed = keys.count > 0;
    cells->columns = base_calloc(columns.count + 1, sizeof *cells->columns);
    if (!cells->columns) {
        base_free(cells);
        return BASE_E_NOMEM;
    }
    for (uint32_t c = 0; c < columns.count; c++) {
        const struct cep_column *column = cep_program_column(program, columns.first + c);
        struct cep_text name = fields.count == columns.count ? cep_program_field(program, fields.first + c)->name : column->name;
        cells->columns[c] = (struct column){ cep_program_text(program, name), column->type, false };
    }
    for (uint32_t k = 0; k < keys.count; k++) {
        uint32_t c = *cep_program_u32(program, keys.first + k);
        if (c < cells->count)
            cells->columns[c].key = true;
    }
    *ret = cells;
    return 0;
}

void formats_cells_destroy(struct formats_cells *cells)
{
    if (!cells)
        return;
    base_free(cells->columns);
    base_free(cells);
}

/* Kind and text of a value; scratch is cleared and may hold the text. */
static struct formats_cell cell_of(const struct column *column, struct cep_value value, struct base_buf *scratch)
{
    struct formats_cell cell = { .name = column->name, .key = column->key };
    base_buf_clear(scratch);
    if (value.null)
        return cell;
    if (column->type.kind == CEP_KIND_STRING) {
        cell.kind = FORMATS_CELL_TEXT;
        cell.text = (struct base_str){ value.s.ptr, value.s.len };
        return cell;
    }
    cep_value_print_json(column->type, value, scratch);
    cell.text = (struct base_str){ scratch->ptr ? scratch->ptr : "", scratch->len };
    bool quoted = cell.text.len >= 2 && cell.text.ptr[0] == '"';
    switch (column->type.kind) {
    case CEP_KIND_BOOLEAN:
        cell.kind = FORMATS_CELL_BOOL;
        return cell;
    case CEP_KIND_ARRAY:
    case CEP_KIND_ROW:
        cell.kind = FORMATS_CELL_JSON;
        return cell;
    case CEP_KIND_DATE:
    case CEP_KIND_TIME:
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ:
        cell.kind = FORMATS_CELL_TIME;
        break;
    default: /* numbers; as a string only what JSON has no number for (NaN), and bytes */
        cell.kind = quoted ? FORMATS_CELL_TEXT : FORMATS_CELL_NUMBER;
    }
    if (quoted)
        cell.text = (struct base_str){ cell.text.ptr + 1, cell.text.len - 2 };
    return cell;
}

void formats_cells_begin(uint32_t count, struct base_buf *out)
{
    base_buf_put_varint(out, count);
}

void formats_cells_add(const struct formats_cell *cell, struct base_buf *out)
{
    base_buf_put_bytes(out, cell->name.ptr, cell->name.len);
    base_buf_put_u8(out, (uint8_t)((uint8_t)cell->kind | (cell->key ? KEY_BIT : 0)));
    base_buf_put_bytes(out, cell->text.ptr, cell->text.len);
}

void formats_cells_put(const struct formats_cells *cells, const struct cep_row *row, struct base_buf *out)
{
    struct base_buf scratch = { 0 };
    formats_cells_begin(cells->count, out);
    for (uint32_t c = 0; c < cells->count; c++) {
        struct formats_cell cell = cell_of(&cells->columns[c], cep_tuple_get(&row->tuple, c, cells->columns[c].type), &scratch);
        formats_cells_add(&cell, out);
        out->failed = out->failed || scratch.failed;
    }
    base_buf_finish(&scratch);
}

bool formats_cells_key(const struct formats_cells *cells, const struct cep_row *row, struct base_buf *out)
{
    struct base_buf scratch = { 0 };
    for (uint32_t c = 0; c < cells->count; c++) {
        if (!cells->columns[c].key)
            continue;
        struct formats_cell cell = cell_of(&cells->columns[c], cep_tuple_get(&row->tuple, c, cells->columns[c].type), &scratch);
        base_buf_put_u8(out, (uint8_t)cell.kind);
        base_buf_put_bytes(out, cell.text.ptr, cell.text.len);
        out->failed = out->failed || scratch.failed;
    }
    base_buf_finish(&scratch);
    return cells->keyed;
}

int formats_cells_open(struct base_reader *in, uint32_t *ret_count)
{
    uint64_t count = base_read_varint(in);
    if (in->failed || count > COLUMNS_MAX)
        return BASE_E_CORRUPT;
    *ret_count = (uint32_t)count;
    return 0;
}

int formats_cells_next(struct base_reader *in, struct formats_cell *ret)
{
    ret->name = base_read_bytes(in);
    uint8_t kind = base_read_u8(in);
    ret->text = base_read_bytes(in);
    ret->key = kind & KEY_BIT;
    kind &= (uint8_t)~KEY_BIT;
    if (in->failed || kind > FORMATS_CELL_JSON)
        return BASE_E_CORRUPT;
    ret->kind = (enum formats_cell_kind)kind;
    return 0;
}
