#include "patterns/values.h"

#include <string.h>
#include "base/error.h"
#include "patterns/parse.h"

/* The table that counts so many rows; one for each number in a compile run, so that readers share it. */
struct patterns_counter {
    uint32_t rows;
    struct patterns_object object;
    struct patterns_counter *next;
};

static int make_counter(const struct patterns_query_scope *scope, uint32_t rows, struct patterns_counter **ret)
{
    struct patterns_binder *binder = scope->binder;
    struct patterns_counter *counter = base_arena_zalloc(binder->arena, 1, sizeof *counter);
    struct base_source *source = base_arena_zalloc(binder->arena, 1, sizeof *source);
    const char *text = base_arena_printf(binder->arena,
                                         "CREATE TABLE `VALUES of %u row%s` (row_number BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '%u', "
                                         "'rows-per-second' = '0', 'fields.row_number.kind' = 'sequence', 'fields.row_number.start' = '0')",
                                         rows, rows == 1 ? "" : "s", rows);
    struct patterns_script *script = NULL;
    if (!counter || !source || !text)
        return BASE_E_NOMEM;
    *source = (struct base_source){ .name = "VALUES", .text = text, .len = strlen(text) };
    int error = patterns_parse(source, binder->arena, binder->diags, &script);
    if (error)
        return error;
    if (script->statement_count != 1)
        return BASE_E_INVALID;
    const struct patterns_statement *statement = script->statements[0];
    counter->rows = rows;
    counter->object = (struct patterns_object){ .kind = PATTERNS_OBJECT_TABLE, .statement = statement, .name = &statement->create_table.name };
    counter->next = scope->catalog->counters;
    scope->catalog->counters = counter;
    *ret = counter;
    return 0;
}

static int bind_counter(const struct patterns_query_scope *scope, uint32_t rows, const struct patterns_plan **ret)
{
    struct patterns_counter *counter = scope->catalog->counters;
    while (counter && counter->rows != rows)
        counter = counter->next;
    int error = counter ? 0 : make_counter(scope, rows, &counter);
    if (!error)
        error = patterns_catalog_table(scope->catalog, scope->binder, &counter->object);
    return error ? error : patterns_bind_source(scope->binder, counter->object.table, ret);
}

int patterns_values_one(const struct patterns_query_scope *scope, struct patterns_from *ret)
{
    int error = bind_counter(scope, 1, &ret->plan);
    if (error)
        return error;
    ret->relation = patterns_relation_named(scope->binder, &ret->plan->out, (struct base_str){ "", 0 });
    if (!ret->relation)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < ret->relation->count; i++)
        ret->relation->columns[i] = (struct patterns_column){ .name = { "", 0 }, .path = { "", 0 }, .type = ret->relation->columns[i].type,
                                                              .hash = ret->relation->columns[i].hash, .quoted = true, .hidden = true };
    return 0;
}

static int check_rows(struct patterns_binder *binder, const struct patterns_query *query)
{
    uint32_t rows = query->values.row_count, columns = query->values.rows[0]->arg_count;
    if (rows > PATTERNS_VALUES_ROWS_MAX)
        return patterns_refuse_at(binder, query->source, query->begin, query->end, "limit", "put the rows into a file and read it",
                                  "VALUES has %u rows; the limit is %u", rows, PATTERNS_VALUES_ROWS_MAX);
    if (columns > CEP_COLUMNS_MAX)
        return patterns_refuse(binder, query->values.rows[0], "limit", NULL, "a query gives at most %u columns", CEP_COLUMNS_MAX);
    for (uint32_t i = 1; i < rows; i++)
        if (query->values.rows[i]->arg_count != columns)
            return patterns_refuse(binder, query->values.rows[i], "type-mismatch", NULL, "row %u of VALUES has %u values, the first one has %u", i + 1,
                                   query->values.rows[i]->arg_count, columns);
    return 0;
}

/* Of each row its value, all of one type: CASE row_number WHEN 0 THEN ... ELSE the last one's END. */
static int bind_column(struct patterns_binder *binder, const struct patterns_query *query, const struct patterns_relation *counter, uint32_t column,
                       const struct patterns_bound **ret)
{
    const struct patterns_scope constants = { .where = "VALUES" };
    uint32_t rows = query->values.row_count;
    const struct patterns_expr *place = query->values.rows[0]->args[column];
    const struct patterns_bound **values = base_arena_zalloc(binder->arena, rows, sizeof *values);
    const struct patterns_bound **args = base_arena_zalloc(binder->arena, 2 * (size_t)rows, sizeof *args);
    const struct patterns_bound *number = patterns_bound_column(binder, NULL, counter, 0);
    struct cep_type type;
    int first = 0;
    if (!values || !args || !number)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < rows; i++) {
        int error = patterns_bind_expr(binder, &constants, query->values.rows[i]->args[column], &values[i]);
        first = first ? first : error;
    }
    if (!first)
        first = patterns_common_type(binder, place, "VALUES", values, rows, 1, &type);
    if (first)
        return first;
    if (type.kind == CEP_KIND_NULL) /* no row says of which type it is */
        for (uint32_t i = 0; i < rows; i++)
            if (!(values[i] = patterns_bound_const(binder, place, type = CEP_TYPE(STRING), cep_null())))
                return BASE_E_NOMEM;
    for (uint32_t i = 0; i + 1 < rows; i++) {
        const struct patterns_bound *pair[2] = { number, patterns_bound_const(binder, NULL, CEP_TYPE(BIGINT), cep_int(i)) };
        if (!pair[1] || !(args[2 * i] = patterns_bound_op(binder, NULL, PATTERNS_BOUND_EQ, CEP_TYPE(BOOLEAN), pair, 2)))
            return BASE_E_NOMEM;
        args[2 * i + 1] = values[i];
    }
    args[2 * (rows - 1)] = values[rows - 1];
    *ret = rows == 1 ? values[0] : patterns_bound_op(binder, place, PATTERNS_BOUND_CASE, type, args, 2 * rows - 1);
    return *ret ? 0 : BASE_E_NOMEM;
}

int patterns_values_bind(const struct patterns_query_scope *scope, const struct patterns_query *query, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    const struct patterns_plan *source;
    int error = check_rows(binder, query);
    if (!error)
        error = bind_counter(scope, query->values.row_count, &source);
    if (error)
        return error;
    uint32_t columns = query->values.rows[0]->arg_count;
    struct patterns_plan *calc = patterns_plan_make(binder, PATTERNS_PLAN_CALC, source);
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, columns, sizeof *outputs);
    if (!calc || !outputs)
        return BASE_E_NOMEM;
    calc->source = query->source;
    calc->begin = query->begin;
    calc->end = query->end;
    calc->out = (struct patterns_relation){ .rowtime = PATTERNS_NO_COLUMN, .bounded = source->out.bounded };
    calc->outputs = outputs;
    int first = 0;
    for (uint32_t i = 0; i < columns; i++) {
        const char *name = base_arena_printf(binder->arena, "EXPR$%u", i);
        if (!name)
            return BASE_E_NOMEM;
        error = bind_column(binder, query, &source->out, i, &outputs[i]);
        first = first ? first : error;
        if (error == BASE_E_NOMEM)
            return error;
        if (error)
            continue;
        const struct patterns_column column = { .name = base_str_of(name), .path = { "", 0 }, .type = outputs[i]->type, .hash = outputs[i]->hash };
        if (patterns_relation_add(&calc->out, binder->arena, &column) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    }
    *ret = calc;
    return first;
}
