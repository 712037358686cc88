#include "service/local_history.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/columns.h"

#define BYTES_MOST (UINT64_C(256) << 20) /* of the columns of rows gone through together */
#define ROWS_TOGETHER 64

struct stretch {
    const struct service_local_history *local;
    struct cep_columns columns;
    uint8_t *left_out;       /* NULL: no row */
    struct { struct cep_history_mark *at; size_t len, cap; } marks;
    uint32_t timed;          /* rows whose time was looked at */
    uint32_t since;          /* rows since the last watermark */
    int64_t told_ms;
    struct base_arena arena;
};

bool service_local_takes_history(const struct service_local_history *local)
{
    const struct service_local_config *config = local->from.config;
    const struct cep_program *program = cep_linked_program(config->linked);
    const struct cep_table *table = cep_program_table(program, service_input_table(local->from.input));
    return table->rowtime_field != CEP_NONE && !table->changes && table->key_fields.count == 0 && !config->clock_by_rows && service_input_at_rest(local->from.input) &&
           cep_flow_takes_history(local->from.flow, local->from.node);
}

/* ---- time ---- */

/* A row behind the watermark is none; who asks is told of it. */
static int leave_out(struct stretch *stretch, uint32_t row)
{
    const struct service_local_config *config = stretch->local->from.config;
    struct cep_row *late;
    if (!stretch->left_out)
        stretch->left_out = base_calloc(stretch->columns.cap, 1);
    if (!stretch->left_out)
        return BASE_E_NOMEM;
    stretch->left_out[row] = 1;
    if (!config->calls.late)
        return 0;
    base_arena_reset(&stretch->arena);
    int e = cep_columns_row(&stretch->columns, row, &stretch->arena, &late);
    if (e == 0)
        config->calls.late(config->calls.ctx, service_input_table(stretch->local->from.input), late);
    return e;
}

/* A watermark is told behind the rows so far. */
static int mark_rows(struct stretch *stretch)
{
    const struct cep_history_mark mark = { service_watermarks_merge(service_input_watermarks(stretch->local->from.input)), stretch->timed };
    stretch->since = 0;
    if (mark.watermark_ms <= stretch->told_ms)
        return 0;
    stretch->told_ms = mark.watermark_ms;
    return BASE_VEC_PUSH(&stretch->marks, mark) ? 0 : BASE_E_NOMEM;
}

/* As local.c does with each row: is it on time, and is a watermark told behind it? Rows of one partition up to `end`, or up to the next watermark. */
static int time_some(struct stretch *stretch, uint32_t end, int32_t partition)
{
    struct service_watermarks *marks = service_input_watermarks(stretch->local->from.input);
    const int64_t *times_ms = stretch->columns.times + stretch->timed;
    uint32_t rows = end - stretch->timed, left = stretch->local->watermark_rows - stretch->since, most = rows < left ? rows : left;
    uint32_t n = service_watermarks_on_time(marks, partition, times_ms, most);
    enum service_timing timing = SERVICE_ON_TIME;
    int e = 0;
    stretch->timed += n;
    stretch->since += n;
    if (n < most) { /* not on time, most likely */
        e = service_watermarks_row(marks, partition, times_ms[n], &timing);
        if (e == 0 && timing != SERVICE_ON_TIME)
            e = leave_out(stretch, stretch->timed);
        stretch->timed++;
        stretch->since += timing == SERVICE_ON_TIME;
    }
    return e == 0 && stretch->since >= stretch->local->watermark_rows ? mark_rows(stretch) : e;
}

static int time_rows(struct stretch *stretch)
{
    const struct cep_columns *columns = &stretch->columns;
    size_t run = 0;
    int e = 0;
    while (stretch->timed < columns->rows && e == 0) {
        while (run + 1 < columns->runs.len && columns->runs.at[run + 1].row <= stretch->timed)
            run++;
        uint32_t end = run + 1 < columns->runs.len ? columns->runs.at[run + 1].row : columns->rows;
        e = time_some(stretch, end, columns->runs.at[run].partition);
    }
    return e;
}

/* ---- handing over ---- */

/* One by one after all. */
static int hand_rows(struct stretch *stretch)
{
    const struct service_local_history *local = stretch->local;
    const struct cep_row *rows[ROWS_TOGETHER];
    uint32_t count = 0;
    size_t mark = 0;
    int e = 0;
    base_arena_reset(&stretch->arena);
    for (uint32_t row = 0; row < stretch->columns.rows && e == 0; row++) {
        struct cep_row *made;
        bool marked = mark < stretch->marks.len && stretch->marks.at[mark].end == row + 1;
        if (!stretch->left_out || !stretch->left_out[row]) {
            e = cep_columns_row(&stretch->columns, row, &stretch->arena, &made);
            rows[count++] = made;
        }
        if (e < 0 || (!marked && count < ROWS_TOGETHER && row + 1 < stretch->columns.rows))
            continue;
        e = cep_flow_source_rows(local->from.flow, local->from.node, rows, count);
        count = 0;
        base_arena_reset(&stretch->arena);
        if (e == 0 && marked)
            e = local->watermark(local->ctx, stretch->marks.at[mark++].watermark_ms);
    }
    return e;
}

static int hand_over(struct stretch *stretch, bool *ret_supported)
{
    const struct service_local_history *local = stretch->local;
    const struct cep_history history = { &stretch->columns, stretch->left_out, stretch->marks.at, (uint32_t)stretch->marks.len };
    int e = cep_flow_history(local->from.flow, local->from.node, &history);
    *ret_supported = e != BASE_E_UNSUPPORTED;
    if (e == BASE_E_UNSUPPORTED)
        e = hand_rows(stretch);
    else if (e == 0 && stretch->marks.len)
        e = local->watermark(local->ctx, stretch->marks.at[stretch->marks.len - 1].watermark_ms);
    base_free(stretch->left_out);
    stretch->left_out = NULL;
    cep_columns_clear(&stretch->columns);
    stretch->marks.len = 0;
    stretch->timed = 0;
    return e;
}

static int run(struct stretch *stretch, bool *ret_done, struct base_buf *reterr)
{
    const struct service_local_history *local = stretch->local;
    uint64_t rows = (uint64_t)local->watermark_rows * (CEP_HISTORY_MARKS_MOST / 2); /* what is read at once may be more than is asked for */
    uint32_t asked = local->from.config->together_rows, upto = asked && asked < CEP_HISTORY_ROWS_MOST ? asked : CEP_HISTORY_ROWS_MOST;
    const struct service_local_most most = { rows < upto ? (uint32_t)rows : upto, BYTES_MOST };
    bool supported = true;
    int e = 0;
    for (*ret_done = false; !*ret_done && supported && e == 0;) {
        e = service_local_columns_read(&local->from, &stretch->columns, &most, ret_done, reterr);
        if (e == 0)
            e = time_rows(stretch);
        const struct cep_history_mark end = { BASE_TIME_MAX_MS, stretch->columns.rows };
        if (e == 0 && *ret_done && !BASE_VEC_PUSH(&stretch->marks, end))
            e = BASE_E_NOMEM;
        if (e == 0)
            e = hand_over(stretch, &supported);
    }
    return e;
}

int service_local_history_run(const struct service_local_history *local, bool *ret_done, struct base_buf *reterr)
{
    const struct cep_program *program = cep_linked_program(local->from.config->linked);
    const struct cep_schema *schema = cep_program_schema(program, cep_program_node(program, local->from.node)->schema);
    struct stretch stretch = { .local = local, .told_ms = BASE_TIME_MIN_MS };
    struct cep_type types[CEP_COLUMNS_MAX];
    for (uint32_t i = 0; i < schema->columns.count && i < CEP_COLUMNS_MAX; i++)
        types[i] = cep_program_column(program, schema->columns.first + i)->type;
    int e = cep_columns_init(&stretch.columns, types, schema->columns.count, (uint16_t)service_input_table(local->from.input));
    cep_columns_set_timed(&stretch.columns);
    uint32_t rowtime = cep_program_table(program, service_input_table(local->from.input))->rowtime_field;
    if (rowtime < schema->columns.count)
        cep_columns_take_times(&stretch.columns, rowtime);
    if (e == 0)
        e = run(&stretch, ret_done, reterr);
    cep_columns_finish(&stretch.columns);
    base_free(stretch.left_out);
    BASE_VEC_FINISH(&stretch.marks);
    base_arena_finish(&stretch.arena);
    return e;
}
