#include "service/letters.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "formats/dead_letter.h"
#include "formats/encode.h"

struct heap_of { struct base_buf lines; uint64_t count, lost; };
struct service_letters {
    pthread_mutex_t lock;
    size_t limit_bytes;
    struct heap_of dead, late;
};

struct service_letters *service_letters_create(size_t limit_bytes)
{
    struct service_letters *letters = base_calloc(1, sizeof *letters);
    if (!letters)
        return NULL;
    pthread_mutex_init(&letters->lock, NULL);
    letters->limit_bytes = limit_bytes;
    return letters;
}

void service_letters_destroy(struct service_letters *letters)
{
    if (!letters)
        return;
    base_buf_finish(&letters->dead.lines);
    base_buf_finish(&letters->late.lines);
    pthread_mutex_destroy(&letters->lock);
    base_free(letters);
}

static void add(struct service_letters *letters, struct heap_of *heap, const struct base_buf *line)
{
    pthread_mutex_lock(&letters->lock);
    if (line->failed || heap->lines.len + line->len + 1 > letters->limit_bytes) {
        heap->lost++;
    } else {
        base_buf_put(&heap->lines, line->ptr, line->len);
        base_buf_putc(&heap->lines, '\n');
        heap->count++;
    }
    pthread_mutex_unlock(&letters->lock);
}

void service_letters_record(struct service_letters *letters, struct base_str table, const struct cep_record *record, int code, const char *reason)
{
    struct base_buf line = { 0 };
    struct formats_dead_letter letter = { .code = code, .reason = base_str_of(reason), .table = table, .record = record,
                                          .detected_ms = base_clock_wall_ms() };
    if (formats_dead_letter_json(&letter, &line) < 0)
        line.failed = true;
    add(letters, &letters->dead, &line);
    base_buf_finish(&line);
}

/* The row as a record of its values, so that both kinds of letters look alike. */
static void row_line(const struct service_letter_row *row, int64_t watermark_ms, struct base_buf *line)
{
    struct base_buf values = { 0 };
    bool cut = false;
    if (row->schema != CEP_NONE) {
        struct formats_object object = { row->program, cep_program_schema(row->program, row->schema)->columns, &row->row->tuple, true, 4096 };
        formats_encode_object(&object, &values, &cut);
    }
    const struct cep_table *table = row->row->at.table < cep_program_table_count(row->program) ? cep_program_table(row->program, row->row->at.table) : NULL;
    struct cep_origin origin = { 0 };
    struct cep_record record = { .bytes = { values.ptr ? values.ptr : "{}", values.ptr ? values.len : 2 }, .origin = &origin,
                                 .time_ms = row->row->time_ms, .offset = row->row->at.offset, .partition = row->row->at.partition };
    struct formats_dead_letter letter = {
        .code = row->code, .reason = base_str_of(row->reason), .rule = row->rule, .record = &record, .detected_ms = base_clock_wall_ms(),
        .table = table ? cep_program_text(row->program, table->name) : (struct base_str){ 0 },
    };
    if (formats_dead_letter_json(&letter, line) < 0 || values.failed)
        line->failed = true;
    if (watermark_ms != BASE_TIME_MIN_MS && line->len && !line->failed) {
        char text[40];
        base_time_print(watermark_ms, true, text);
        line->ptr[--line->len] = '\0'; /* the closing brace comes again behind one more member */
        base_buf_printf(line, ",\"watermark\":\"%s\"}", text);
    }
    base_buf_finish(&values);
}

void service_letters_row(struct service_letters *letters, const struct service_letter_row *row)
{
    struct base_buf line = { 0 };
    row_line(row, BASE_TIME_MIN_MS, &line);
    add(letters, &letters->dead, &line);
    base_buf_finish(&line);
}

void service_letters_late(struct service_letters *letters, const struct service_letter_row *row, int64_t watermark_ms)
{
    struct base_buf line = { 0 };
    row_line(row, watermark_ms, &line);
    add(letters, &letters->late, &line);
    base_buf_finish(&line);
}

static void take(struct heap_of *heap, struct base_buf *out, uint64_t *ret_count)
{
    base_buf_put(out, heap->lines.ptr, heap->lines.len);
    if (heap->lost)
        base_buf_printf(out, "{\"reason\":\"%llu more letters in this epoch were over the limit and are only counted\",\"code\":\"LIMIT\"}\n",
                        (unsigned long long)heap->lost);
    *ret_count = heap->count + heap->lost;
    heap->count = heap->lost = 0;
    base_buf_clear(&heap->lines);
}

void service_letters_take(struct service_letters *letters, struct base_buf *dead, struct base_buf *late, uint64_t *ret_dead, uint64_t *ret_late)
{
    pthread_mutex_lock(&letters->lock);
    take(&letters->dead, dead, ret_dead);
    take(&letters->late, late, ret_late);
    pthread_mutex_unlock(&letters->lock);
}
