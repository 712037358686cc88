#include "service/case_run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* All rows at once, one behind the other in one padded buffer, as decoders like them. */
struct case_source {
    struct connectors_source source; /* first: this is what others see */
    struct cep_record *records;
    size_t count, next;
    struct cep_origin origin;
    struct base_buf bytes;
    struct connectors_position position;
};

static int case_poll(struct connectors_source *source, size_t max_records, int timeout_ms BASE_UNUSED, struct connectors_batch *ret)
{
    struct case_source *s = (struct case_source *)source;
    size_t left = s->count - s->next, n = left < max_records ? left : max_records;
    *ret = (struct connectors_batch){ .records = s->records + s->next, .count = n, .positions = &s->position, .position_count = 1 };
    s->next += n;
    s->position.offset = (int64_t)s->next;
    ret->at_end = ret->finished = s->next == s->count;
    return 0;
}

static int case_seek(struct connectors_source *source, const struct connectors_position *position)
{
    struct case_source *s = (struct case_source *)source;
    if (position->offset < 0 || (size_t)position->offset > s->count)
        return BASE_E_NOTFOUND;
    s->next = (size_t)position->offset;
    return 0;
}

static void case_close(struct connectors_source *source)
{
    struct case_source *s = (struct case_source *)source;
    base_buf_finish(&s->bytes);
    base_free(s->records);
    base_free(s);
}

static const struct connectors_source_ops OPS = { case_poll, case_seek, case_close };

static bool is_table(const struct service_case_rows *rows, struct base_str table)
{
    return base_str_equal_fold(rows->table, table);
}

int service_case_source(const struct service_case *c, struct base_str table, struct connectors_source **ret)
{
    static const char slack[CEP_RECORD_SLACK];
    struct case_source *s = base_calloc(1, sizeof *s);
    if (!s)
        return BASE_E_NOMEM;
    s->source.ops = &OPS;
    s->source.bounded = true;
    s->origin.name = table;
    size_t count = 0;
    for (size_t i = 0; i < c->rows.len; i++)
        count += is_table(&c->rows.at[i], table) ? c->rows.at[i].lines.len : 0;
    s->records = base_calloc(count + 1, sizeof *s->records);
    size_t *offsets = base_calloc(count + 1, sizeof *offsets);
    for (size_t i = 0; s->records && offsets && i < c->rows.len; i++) {
        for (size_t k = 0; is_table(&c->rows.at[i], table) && k < c->rows.at[i].lines.len; k++) {
            struct base_str line = c->rows.at[i].lines.at[k];
            offsets[s->count] = s->bytes.len;
            s->records[s->count] = (struct cep_record){ .bytes = { NULL, line.len }, .origin = &s->origin, .time_ms = BASE_TIME_MIN_MS,
                                                        .offset = (int64_t)s->count, .flags = CEP_RECORD_PADDED | (s->count == 0 ? CEP_RECORD_HEAD : 0) };
            base_buf_put_str(&s->bytes, line);
            base_buf_putc(&s->bytes, '\n');
            s->count++;
        }
    }
    base_buf_put(&s->bytes, slack, sizeof slack);
    bool failed = !s->records || !offsets || s->bytes.failed;
    for (size_t i = 0; !failed && i < s->count; i++)
        s->records[i].bytes.ptr = s->bytes.ptr + offsets[i];
    if (!failed && s->count)
        s->origin.head = s->records[0].bytes;
    base_free(offsets);
    if (failed) {
        case_close(&s->source);
        return BASE_E_NOMEM;
    }
    *ret = &s->source;
    return 0;
}
