#include "tests/fuzz/bed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

/* ---- what the flow calls ---- */

static int on_route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct bed *bed = ctx;
    return cep_flow_deliver(bed->flow, exchange, event);
}

static int on_route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    struct bed *bed = ctx;
    return cep_flow_deliver_watermark(bed->flow, exchange, watermark_ms);
}

static struct bed_told *find_told(struct bed *bed, uint32_t node, const struct cep_event *event)
{
    for (size_t i = 0; i < bed->told.len; i++) {
        struct bed_told *told = &bed->told.at[i];
        if (told->sink == node && told->kind == event->kind && told->ident.hi == event->ident.hi && told->ident.lo == event->ident.lo)
            return told;
    }
    return NULL;
}

static char *row_text(const struct bed *bed, uint32_t node, const struct cep_event *event)
{
    struct cep_list columns = cep_program_schema(bed->program, cep_program_node(bed->program, node)->schema)->columns;
    struct base_buf out = { 0 };
    base_buf_printf(&out, "%" PRId64 "..%" PRId64, event->first_time_ms, event->last_time_ms);
    for (uint32_t i = 0; i < columns.count; i++) {
        struct cep_type type = cep_program_column(bed->program, columns.first + i)->type;
        base_buf_putc(&out, ' ');
        cep_value_print_json(type, cep_tuple_get(&event->row->tuple, i, type), &out);
    }
    if (out.failed)
        base_buf_finish(&out);
    return out.ptr; /* the buffer's memory is the caller's now */
}

static void forget(struct bed *bed, struct bed_told *told)
{
    base_free(told->text);
    *told = bed->told.at[--bed->told.len];
}

static int on_sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct bed *bed = ctx;
    struct bed_told *told = find_told(bed, node, event);
    bed->changes++;
    switch ((enum cep_change)event->row->change) {
    case CEP_SETTLED:
    case CEP_UPDATE_BEFORE:
        return 0;
    case CEP_DELETE:
        if (told)
            forget(bed, told);
        else
            bed->wrong = "a row is withdrawn that does not stand";
        return 0;
    case CEP_INSERT:
    case CEP_UPDATE_AFTER:
        break;
    }
    char *text = row_text(bed, node, event);
    if (!text)
        return BASE_E_NOMEM;
    if ((told != NULL) != (event->row->change == CEP_UPDATE_AFTER))
        bed->wrong = told ? "a row is told twice" : "a row is updated that does not stand";
    if (told) {
        base_free(told->text);
        told->text = text;
        return 0;
    }
    struct bed_told fresh = { .sink = node, .kind = event->kind, .ident = event->ident, .text = text };
    if (BASE_VEC_PUSH(&bed->told, fresh))
        return 0;
    base_free(text);
    return BASE_E_NOMEM;
}

static int on_sink_watermark(void *ctx BASE_UNUSED, uint32_t node BASE_UNUSED, int64_t watermark_ms BASE_UNUSED) { return 0; }

static int on_lookup(void *ctx BASE_UNUSED, uint32_t table BASE_UNUSED, const struct cep_tuple *key BASE_UNUSED,
                     int64_t as_of_ms BASE_UNUSED, const struct cep_row **ret)
{
    *ret = NULL;
    return 0;
}

static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error BASE_UNUSED,
                      const struct cep_code *place BASE_UNUSED, const struct cep_event *event BASE_UNUSED)
{
    struct bed *bed = ctx;
    bed->limited += what == CEP_REPORT_LIMIT;
    bed->errors += what == CEP_REPORT_ERROR;
}

static int64_t on_proc_time(void *ctx BASE_UNUSED) { return 0; }

static struct bed_piece *find_piece(struct bed *bed, uint64_t fingerprint, const struct cep_tuple *key, uint32_t number)
{
    for (size_t i = 0; i < bed->pieces.len; i++) {
        struct bed_piece *p = &bed->pieces.at[i];
        if (p->fingerprint == fingerprint && p->number == number && cep_tuple_equal(p->key, key))
            return p;
    }
    return NULL;
}

static int on_load(void *ctx, uint64_t fingerprint, const struct cep_tuple *key, uint32_t number, struct base_buf *ret)
{
    struct bed *bed = ctx;
    struct bed_piece *p = bed->lazy ? find_piece(bed, fingerprint, key, number) : NULL;
    if (!p || !p->live)
        return BASE_E_NOTFOUND;
    base_buf_put(ret, p->bytes.ptr, p->bytes.len);
    return ret->failed ? BASE_E_NOMEM : 0;
}

static int on_piece(void *ctx, uint64_t fingerprint, uint32_t key_group BASE_UNUSED, const struct cep_tuple *key, uint32_t number,
                    const void *bytes, size_t len,
                    int64_t deadline_ms)
{
    struct bed *bed = ctx;
    struct bed_piece *p = find_piece(bed, fingerprint, key, number);
    if (!p) {
        struct bed_piece fresh = { .fingerprint = fingerprint, .number = number, .key = base_alloc(key->size_bytes) };
        if (!fresh.key)
            return BASE_E_NOMEM;
        memcpy(fresh.key, key, key->size_bytes);
        if (!BASE_VEC_PUSH(&bed->pieces, fresh)) {
            base_free(fresh.key);
            return BASE_E_NOMEM;
        }
        p = &bed->pieces.at[bed->pieces.len - 1];
    }
    base_buf_clear(&p->bytes);
    if (len)
        base_buf_put(&p->bytes, bytes, len);
    p->live = bytes != NULL;
    p->deadline_ms = deadline_ms;
    return p->bytes.failed ? BASE_E_NOMEM : 0;
}

/* ---- driving ---- */

int bed_open(struct bed *bed, struct cep_funcs *funcs, struct base_str text, const struct patterns_options *options)
{
    *bed = (struct bed){ .source = { "rule.sql", text.ptr ? text.ptr : "", text.len }, .own_funcs = !funcs };
    base_diags_init(&bed->diags, &bed->texts);
    bed->funcs = funcs ? funcs : cep_funcs_create();
    if (!bed->funcs)
        return BASE_E_NOMEM;
    int e = patterns_compile(&bed->source, 1, bed->funcs, options, &bed->texts, &bed->diags, &bed->result);
    if (e == 0)
        bed->program = bed->result->program;
    return e;
}

int bed_link(struct bed *bed)
{
    const char *why = NULL;
    return cep_link(bed->program, bed->funcs, &bed->texts, &why, &bed->linked);
}

int bed_start(struct bed *bed)
{
    struct cep_env env = {
        .ctx = bed, .route = on_route, .route_watermark = on_route_watermark, .sink = on_sink, .sink_watermark = on_sink_watermark,
        .lookup = on_lookup, .report = on_report, .proc_time_ms = on_proc_time, .load = on_load,
    };
    cep_flow_destroy(bed->flow);
    bed->flow = NULL;
    return cep_flow_create(bed->linked, &env, &bed->limits, &bed->flow);
}

static struct cep_value column_value(const struct cep_column *column, struct base_str name, const struct bed_row *row)
{
    static const char letters[] = "aAbBxyz,";
    struct cep_value null = cep_null();
    uint64_t v = (uint64_t)row->v;
    switch ((enum cep_kind)column->type.kind) {
    case CEP_KIND_BOOLEAN:
        return cep_int(row->v & 1);
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT:
        return base_str_equal(name, BASE_STR("k")) ? cep_int(row->k) : row->v == 7 ? null : cep_int(row->v);
    case CEP_KIND_DOUBLE:
        return cep_double((double)row->v / 2);
    case CEP_KIND_DECIMAL:
        return cep_dec(row->v);
    case CEP_KIND_STRING:
    case CEP_KIND_BYTES:
        return base_str_equal(name, BASE_STR("k")) ? cep_string(letters, (uint64_t)row->k % 5) : cep_string(letters + v % 4, 1 + v % 3);
    case CEP_KIND_DATE:
        return cep_int(row->time_ms / 86400000);
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ:
        return cep_int(row->time_ms);
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
    case CEP_KIND_TIME:
        return cep_int(row->v & 0xff);
    case CEP_KIND_NULL:
    case CEP_KIND_ARRAY:
    case CEP_KIND_ROW:
        return null;
    }
    return null;
}

static int feed(struct bed *bed, uint32_t node, const struct bed_row *row, int64_t offset)
{
    const struct cep_node *source = cep_program_node(bed->program, node);
    struct cep_list columns = cep_program_schema(bed->program, source->schema)->columns;
    struct cep_type *types = base_arena_zalloc(&bed->rows, columns.count + 1, sizeof *types);
    struct cep_value *values = base_arena_zalloc(&bed->rows, columns.count + 1, sizeof *values);
    struct cep_row *made = NULL;
    if (!types || !values)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct cep_column *column = cep_program_column(bed->program, columns.first + i);
        types[i] = column->type;
        values[i] = column_value(column, cep_program_text(bed->program, column->name), row);
    }
    struct cep_position at = { .offset = offset, .table = (uint16_t)source->detail };
    int e = cep_row_make(types, values, columns.count, row->time_ms, at, &bed->rows, &made);
    return e ? e : cep_flow_source(bed->flow, node, made);
}

int bed_row(struct bed *bed, const struct bed_row *row, int64_t offset)
{
    int e = 0;
    for (uint32_t n = 0; e == 0 && n < cep_program_node_count(bed->program); n++)
        if (cep_program_node(bed->program, n)->kind == CEP_NODE_SOURCE)
            e = feed(bed, n, row, offset);
    base_arena_reset(&bed->rows);
    return e;
}

int bed_mark(struct bed *bed, int64_t watermark_ms)
{
    int e = 0;
    for (uint32_t n = 0; e == 0 && n < cep_program_node_count(bed->program); n++)
        if (cep_program_node(bed->program, n)->kind == CEP_NODE_SOURCE)
            e = cep_flow_source_watermark(bed->flow, n, watermark_ms);
    return e;
}

int bed_save(struct bed *bed)
{
    return cep_flow_checkpoint(bed->flow, on_piece, bed);
}

/* In the order of a store's keys: piece 0, the head, comes first. */
static int compare_pieces(const void *a, const void *b)
{
    const struct bed_piece *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

int bed_load(struct bed *bed)
{
    int e = 0;
    if (bed->pieces.len)
        qsort(bed->pieces.at, bed->pieces.len, sizeof *bed->pieces.at, compare_pieces);
    for (size_t i = 0; e == 0 && i < bed->pieces.len; i++) {
        struct bed_piece *p = &bed->pieces.at[i];
        if (!p->live)
            continue;
        if (!bed->lazy)
            e = cep_flow_restore(bed->flow, p->fingerprint, p->key, p->number, p->bytes.ptr, p->bytes.len);
        else if (p->number == 0 && p->deadline_ms != BASE_TIME_MAX_MS)
            e = cep_flow_restore_timer(bed->flow, p->fingerprint, p->key, p->deadline_ms);
    }
    return e;
}

int bed_cycle(struct bed *bed, bool lazy)
{
    struct base_buf marks = { 0 };
    int e = bed_save(bed);
    if (e == 0)
        e = cep_flow_watermarks(bed->flow, &marks);
    bed->lazy = lazy;
    if (e == 0)
        e = bed_start(bed);
    if (e == 0)
        e = cep_flow_restore_watermarks(bed->flow, marks.ptr, marks.len);
    if (e == 0)
        e = bed_load(bed);
    base_buf_finish(&marks);
    return e;
}

void bed_forget_told(struct bed *bed)
{
    while (bed->told.len)
        forget(bed, bed->told.at);
}

void bed_forget_pieces(struct bed *bed)
{
    for (size_t i = 0; i < bed->pieces.len; i++) {
        base_free(bed->pieces.at[i].key);
        base_buf_finish(&bed->pieces.at[i].bytes);
    }
    bed->pieces.len = 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void bed_print(const struct bed *bed, bool with_idents, struct base_buf *out)
{
    char **lines = base_calloc(bed->told.len + 1, sizeof *lines);
    for (size_t i = 0; lines && i < bed->told.len; i++) {
        const struct bed_told *told = &bed->told.at[i];
        struct base_buf line = { 0 };
        base_buf_printf(&line, "%u %u ", told->sink, told->kind);
        if (with_idents)
            base_buf_printf(&line, "%016" PRIx64 "%016" PRIx64 " ", told->ident.hi, told->ident.lo);
        base_buf_puts(&line, told->text);
        lines[i] = line.ptr;
    }
    if (lines && bed->told.len)
        qsort(lines, bed->told.len, sizeof *lines, compare_texts);
    for (size_t i = 0; lines && i < bed->told.len; i++) {
        base_buf_printf(out, "%s\n", lines[i]);
        base_free(lines[i]);
    }
    base_free(lines);
}

void bed_close(struct bed *bed)
{
    cep_flow_destroy(bed->flow);
    bed_forget_told(bed);
    bed_forget_pieces(bed);
    BASE_VEC_FINISH(&bed->told);
    BASE_VEC_FINISH(&bed->pieces);
    cep_unlink(bed->linked);
    patterns_result_finish(bed->result);
    if (bed->own_funcs)
        cep_funcs_destroy(bed->funcs);
    base_diags_finish(&bed->diags);
    base_arena_finish(&bed->rows);
    base_arena_finish(&bed->texts);
    *bed = (struct bed){ .flow = NULL };
}
