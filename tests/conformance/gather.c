#include "tests/conformance/gather.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"

static uint64_t next_chance(struct gather *gather)
{
    gather->chance += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t x = gather->chance;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

bool gather_by_chance(struct gather *gather, uint32_t of) { return next_chance(gather) % of == 0; }

/* Short stretches, so that keys live on from one to the next, and such as take all that comes. */
static void begin_stretch(struct gather *gather)
{
    static const uint32_t most[] = { 1, 3, 10, 40, 300, 5000, 1000000 };
    uint32_t up_to = most[next_chance(gather) % (sizeof most / sizeof *most)];
    gather->stretch = 1 + (uint32_t)(next_chance(gather) % up_to);
}

int gather_open(struct gather *gather, const struct cep_program *program, struct cep_flow *flow, uint64_t seed)
{
    uint32_t sources = 0, node = CEP_NONE;
    struct cep_type types[CEP_COLUMNS_MAX];
    gather->node = CEP_NONE;
    gather->flow = flow;
    gather->chance = seed;
    gather->mark_ms = BASE_TIME_MIN_MS;
    for (uint32_t n = 0; n < cep_program_node_count(program); n++) {
        if (cep_program_node(program, n)->kind != CEP_NODE_SOURCE)
            continue;
        sources++;
        node = n;
    }
    if (sources != 1)
        return 0;
    const struct cep_node *source = cep_program_node(program, node);
    const struct cep_table *table = cep_program_table(program, source->detail);
    if (table->rowtime_field == CEP_NONE || table->changes || table->key_fields.count || !cep_flow_takes_history(flow, node))
        return 0;
    const struct cep_list columns = cep_program_schema(program, source->schema)->columns;
    for (uint32_t i = 0; i < columns.count; i++)
        types[i] = cep_program_column(program, columns.first + i)->type;
    gather->node = node;
    begin_stretch(gather);
    int e = cep_columns_init(&gather->columns, types, columns.count, (uint16_t)source->detail);
    cep_columns_set_timed(&gather->columns);
    return e;
}

/* As the flow would have had them without columns. */
static int one_by_one(struct gather *gather)
{
    struct base_arena arena = { 0 };
    size_t mark = 0;
    int e = 0;
    for (uint32_t i = 0; i <= gather->columns.rows && e == 0; i++) {
        struct cep_row *row;
        for (; e == 0 && mark < gather->marks.len && gather->marks.at[mark].end == i; mark++)
            e = cep_flow_source_watermark(gather->flow, gather->node, gather->marks.at[mark].watermark_ms);
        if (e < 0 || i == gather->columns.rows || gather->left_out.at[i])
            continue;
        base_arena_reset(&arena);
        e = cep_columns_row(&gather->columns, i, &arena, &row);
        if (e == 0)
            e = cep_flow_source(gather->flow, gather->node, row);
    }
    base_arena_finish(&arena);
    return e;
}

int gather_flush(struct gather *gather)
{
    const struct cep_history history = { &gather->columns, gather->any_left_out ? gather->left_out.at : NULL, gather->marks.at, (uint32_t)gather->marks.len };
    if (gather->node == CEP_NONE || (gather->columns.rows == 0 && gather->marks.len == 0))
        return 0;
    int e = cep_flow_history(gather->flow, gather->node, &history);
    if (e == BASE_E_UNSUPPORTED) {
        gather->told.refused++;
        e = one_by_one(gather);
    } else if (e == 0) {
        gather->told.rows += gather->columns.rows;
        gather->told.stretches++;
        if (gather->marks.len)
            e = cep_flow_source_watermark(gather->flow, gather->node, gather->marks.at[gather->marks.len - 1].watermark_ms);
    }
    cep_columns_clear(&gather->columns);
    gather->marks.len = gather->left_out.len = 0;
    gather->any_left_out = false;
    begin_stretch(gather);
    return e;
}

int gather_row(struct gather *gather, const struct cep_row *row, bool late)
{
    struct cep_columns *columns = &gather->columns;
    int e = columns->rows >= gather->stretch ? gather_flush(gather) : 0;
    for (uint32_t i = 0; i < columns->count; i++)
        columns->values[i] = cep_tuple_get(&row->tuple, i, columns->types[i]);
    if (e == 0)
        e = cep_columns_place(columns, row->at.partition, row->at.offset);
    if (e == 0)
        e = cep_columns_add(columns, row->time_ms, columns->values);
    gather->any_left_out |= late;
    return e == 0 && !BASE_VEC_PUSH(&gather->left_out, late) ? BASE_E_NOMEM : e;
}

int gather_mark(struct gather *gather, int64_t ms)
{
    const struct cep_history_mark mark = { ms, gather->columns.rows };
    if (ms <= gather->mark_ms)
        return 0;
    gather->mark_ms = ms;
    return BASE_VEC_PUSH(&gather->marks, mark) ? 0 : BASE_E_NOMEM;
}

void gather_finish(struct gather *gather)
{
    cep_columns_finish(&gather->columns);
    BASE_VEC_FINISH(&gather->marks);
    BASE_VEC_FINISH(&gather->left_out);
    *gather = (struct gather){ .node = CEP_NONE };
}
