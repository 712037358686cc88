#include "service/local_columns.h"

#include "base/error.h"
#include "cep/columns.h"

#define BATCH 1000
#define WAIT_MS 20

bool service_local_takes_columns(const struct service_local_columns *local)
{
    const struct cep_program *program = cep_linked_program(local->config->linked);
    const struct cep_table *table = cep_program_table(program, service_input_table(local->input));
    return table->rowtime_field == CEP_NONE && table->key_fields.count == 0 && service_input_bounded(local->input) && !service_input_kafka(local->input) &&
           cep_flow_takes_columns(local->flow, local->node);
}

static int add_rows(struct cep_columns *columns, const struct service_input_batch *batch)
{
    int e = 0;
    for (size_t i = 0; i < batch->count && e == 0; i++) {
        const struct cep_row *row = batch->rows[i];
        if (!row)
            continue;
        e = cep_columns_place(columns, row->at.partition, row->at.offset);
        for (uint32_t c = 0; c < columns->count; c++)
            columns->values[c] = cep_tuple_get(&row->tuple, c, columns->types[c]);
        if (e == 0)
            e = cep_columns_add(columns, row->time_ms, columns->values);
    }
    return e;
}

int service_local_columns_read(const struct service_local_columns *local, struct cep_columns *columns, const struct service_local_most *limit, bool *ret_finished,
                               struct base_buf *reterr)
{
    bool blocks = service_input_takes_blocks(local->input);
    size_t most = blocks ? 1 : BATCH; /* what a block cannot hold is one record, mostly */
    *ret_finished = false;
    while (columns->rows < limit->rows && cep_columns_bytes(columns) < limit->bytes) {
        if (local->config->calls.stop && local->config->calls.stop(local->config->calls.ctx))
            return BASE_E_CLOSED;
        uint32_t records = 0;
        int e = blocks ? service_input_block(local->input, columns, &records) : 0;
        if (e < 0)
            return e;
        if (records > 0) {
            most = 1;
            continue;
        }
        struct service_input_batch batch;
        e = service_input_poll(local->input, most, WAIT_MS, &batch);
        if (e < 0) {
            const char *trouble = service_input_trouble(local->input, NULL);
            base_buf_printf(reterr, "table \"%s\": %s", service_input_name(local->input), *trouble ? trouble : base_error_text(e));
            return e;
        }
        most = most < BATCH ? most * 2 : BATCH;
        e = add_rows(columns, &batch);
        *ret_finished = batch.finished;
        if (e < 0 || batch.finished)
            return e;
    }
    return 0;
}

int service_local_columns_run(const struct service_local_columns *local, struct base_buf *reterr)
{
    const struct cep_program *program = cep_linked_program(local->config->linked);
    const struct cep_schema *schema = cep_program_schema(program, cep_program_node(program, local->node)->schema);
    struct cep_columns columns = { 0 };
    struct cep_type types[CEP_COLUMNS_MAX];
    for (uint32_t i = 0; i < schema->columns.count && i < CEP_COLUMNS_MAX; i++)
        types[i] = cep_program_column(program, schema->columns.first + i)->type;
    const struct service_local_most all = { UINT32_MAX, UINT64_MAX };
    bool finished;
    int e = cep_columns_init(&columns, types, schema->columns.count, (uint16_t)service_input_table(local->input));
    if (e == 0)
        e = service_local_columns_read(local, &columns, &all, &finished, reterr);
    if (e == 0)
        e = cep_flow_columns(local->flow, local->node, &columns);
    cep_columns_finish(&columns);
    return e;
}
