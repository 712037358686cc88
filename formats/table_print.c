/* The aligned table of `-f table`: cells of the first rows are kept until the widths are known, then lines go out one by one. */
#include "formats/encode.h"

#include "base/alloc.h"
#include "base/error.h"

#define SAMPLE_ROWS 1000
#define WIDTH_MAX 60

struct formats_table {
    const struct cep_program *program;
    struct cep_list columns;
    size_t *widths;       /* code points, one per column */
    struct base_buf held; /* varint-prefixed cells of the rows that wait */
    size_t held_rows;
    bool started;         /* head is out */
};

struct formats_table *formats_table_create(const struct cep_program *program, uint32_t schema)
{
    struct formats_table *table = base_calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->program = program;
    table->columns = cep_program_schema(program, schema)->columns;
    table->widths = base_calloc(table->columns.count ? table->columns.count : 1, sizeof *table->widths);
    if (!table->widths) {
        base_free(table);
        return NULL;
    }
    return table;
}

void formats_table_destroy(struct formats_table *table)
{
    if (!table)
        return;
    base_buf_finish(&table->held);
    base_free(table->widths);
    base_free(table);
}

static void widen(struct formats_table *table, uint32_t c, struct base_str cell)
{
    size_t width = base_utf8_length(cell.ptr, cell.len);
    if (width > WIDTH_MAX)
        width = WIDTH_MAX;
    if (width > table->widths[c])
        table->widths[c] = width;
}

static void pad(struct base_buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        base_buf_putc(out, ' ');
}

/* Control characters would break the table or the terminal. */
static void put_clean(struct base_str cell, struct base_buf *out)
{
    for (size_t i = 0; i < cell.len; i++)
        base_buf_putc(out, (unsigned char)cell.ptr[i] < 0x20 || cell.ptr[i] == 0x7f ? ' ' : cell.ptr[i]);
}

static void put_cell(const struct formats_table *table, uint32_t c, struct base_str cell, struct base_buf *out)
{
    uint8_t kind = cep_program_column(table->program, table->columns.first + c)->type.kind;
    size_t width = base_utf8_length(cell.ptr, cell.len);
    size_t missing = width < table->widths[c] ? table->widths[c] - width : 0;
    bool last = c + 1 == table->columns.count;
    if (c > 0)
        base_buf_puts(out, " | ");
    if (cep_kind_is_number(kind))
        pad(out, missing);
    put_clean(cell, out);
    if (!cep_kind_is_number(kind) && !last)
        pad(out, missing);
    if (last)
        base_buf_putc(out, '\n');
}

static void put_head(struct formats_table *table, struct base_buf *out)
{
    for (uint32_t c = 0; c < table->columns.count; c++)
        put_cell(table, c, cep_program_text(table->program, cep_program_column(table->program, table->columns.first + c)->name), out);
    for (uint32_t c = 0; c < table->columns.count; c++) {
        base_buf_puts(out, c > 0 ? "-+-" : "");
        for (size_t i = 0; i < table->widths[c]; i++)
            base_buf_putc(out, '-');
    }
    base_buf_putc(out, '\n');
}

static void put_rows(const struct formats_table *table, struct base_buf *out)
{
    struct base_reader reader = base_reader_of(table->held.ptr, table->held.len);
    for (size_t r = 0; r < table->held_rows; r++) {
        for (uint32_t c = 0; c < table->columns.count; c++)
            put_cell(table, c, base_read_bytes(&reader), out);
    }
}

static void release(struct formats_table *table, struct base_buf *out)
{
    if (!table->started) {
        for (uint32_t c = 0; c < table->columns.count; c++)
            widen(table, c, cep_program_text(table->program, cep_program_column(table->program, table->columns.first + c)->name));
        put_head(table, out);
        table->started = true;
    }
    put_rows(table, out);
    base_buf_clear(&table->held);
    table->held_rows = 0;
}

int formats_table_add(struct formats_table *table, const struct cep_row *row, struct base_buf *out)
{
    struct base_buf cell = { 0 };
    for (uint32_t c = 0; c < table->columns.count; c++) {
        struct cep_type type = cep_program_column(table->program, table->columns.first + c)->type;
        struct cep_value value = cep_tuple_get(&row->tuple, c, type);
        base_buf_clear(&cell);
        if (value.null)
            base_buf_puts(&cell, "NULL");
        else if (type.kind == CEP_KIND_ARRAY)
            cep_value_print_json(type, value, &cell);
        else
            cep_value_print_text(type, value, &cell);
        if (!table->started)
            widen(table, c, (struct base_str){ cell.ptr, cell.len });
        base_buf_put_bytes(&table->held, cell.ptr, cell.len);
    }
    bool failed = cell.failed || table->held.failed;
    base_buf_finish(&cell);
    table->held_rows++;
    if (!failed && (table->started || table->held_rows >= SAMPLE_ROWS))
        release(table, out);
    return failed || out->failed ? BASE_E_NOMEM : 0;
}

int formats_table_finish(struct formats_table *table, struct base_buf *out)
{
    if (!table->started || table->held_rows > 0)
        release(table, out);
    return out->failed ? BASE_E_NOMEM : 0;
}
