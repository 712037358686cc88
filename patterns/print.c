#include "patterns/print.h"

#include "patterns/printer.h"

#define INDENT_MAX 40 /* deeper nesting is not shown further in */

static void put(struct patterns_printer *p, const char *text)
{
    base_buf_puts(p->out, text);
}

void patterns_printer_line(struct patterns_printer *p)
{
    base_buf_putc(p->out, '\n');
    for (uint32_t i = 0; i < p->indent && i < INDENT_MAX; i++)
        base_buf_puts(p->out, "  ");
}

static void line(struct patterns_printer *p, const char *text)
{
    patterns_printer_line(p);
    put(p, text);
}

static void print_idents(struct patterns_printer *p, const struct patterns_ident *idents, uint32_t count)
{
    put(p, "(");
    for (uint32_t i = 0; i < count; i++) {
        put(p, i > 0 ? ", " : "");
        patterns_print_ident(&idents[i], p->out);
    }
    put(p, ")");
}

static void print_query(struct patterns_printer *p, const struct patterns_query *query);

void patterns_printer_subquery(struct patterns_printer *p, const struct patterns_query *query)
{
    put(p, "(");
    p->indent++;
    patterns_printer_line(p);
    print_query(p, query);
    p->indent--;
    line(p, ")");
}

/* ---- MATCH_RECOGNIZE ---- */

static void print_measures(struct patterns_printer *p, const struct patterns_match *match)
{
    line(p, "MEASURES");
    p->indent++;
    for (uint32_t i = 0; i < match->measure_count; i++) {
        patterns_printer_line(p);
        patterns_printer_expr(p, match->measures[i].expr, PATTERNS_LEVEL_ANY);
        put(p, " AS ");
        patterns_print_ident(&match->measures[i].name, p->out);
        put(p, i + 1 < match->measure_count ? "," : "");
    }
    p->indent--;
}

static void print_rows(struct patterns_printer *p, const struct patterns_match *match)
{
    if (match->rows_written) {
        switch (match->rows) {
        case PATTERNS_ROWS_ONE: line(p, "ONE ROW PER MATCH"); break;
        case PATTERNS_ROWS_ALL_SHOW: line(p, "ALL ROWS PER MATCH"); break;
        case PATTERNS_ROWS_ALL_OMIT: line(p, "ALL ROWS PER MATCH OMIT EMPTY MATCHES"); break;
        case PATTERNS_ROWS_ALL_UNMATCHED: line(p, "ALL ROWS PER MATCH WITH UNMATCHED ROWS"); break;
        }
        put(p, match->timeout_rows ? " WITH TIMEOUT ROWS" : "");
    }
    if (match->all_matches)
        line(p, "ALL MATCHES");
}

static void print_skip(struct patterns_printer *p, const struct patterns_match *match)
{
    if (!match->skip_written)
        return;
    switch (match->skip) {
    case PATTERNS_SKIP_PAST_LAST_ROW: line(p, "AFTER MATCH SKIP PAST LAST ROW"); return;
    case PATTERNS_SKIP_TO_NEXT_ROW: line(p, "AFTER MATCH SKIP TO NEXT ROW"); return;
    case PATTERNS_SKIP_TO_CURRENT_ROW: line(p, "AFTER MATCH SKIP TO CURRENT ROW"); return;
    case PATTERNS_SKIP_TO_FIRST: line(p, "AFTER MATCH SKIP TO FIRST "); break;
    case PATTERNS_SKIP_TO_LAST: line(p, "AFTER MATCH SKIP TO LAST "); break;
    }
    patterns_print_ident(&match->skip_target, p->out);
}

static void print_definitions(struct patterns_printer *p, const struct patterns_match *match)
{
    for (uint32_t i = 0; i < match->subset_count; i++) {
        if (i == 0)
            line(p, "SUBSET ");
        else
            put(p, ", ");
        patterns_print_ident(&match->subsets[i].name, p->out);
        put(p, " = ");
        print_idents(p, match->subsets[i].members, match->subsets[i].member_count);
    }
    if (match->define_count == 0)
        return;
    line(p, "DEFINE");
    p->indent++;
    for (uint32_t i = 0; i < match->define_count; i++) {
        patterns_printer_line(p);
        patterns_print_ident(&match->defines[i].name, p->out);
        put(p, " AS ");
        patterns_printer_expr(p, match->defines[i].condition, PATTERNS_LEVEL_ANY);
        put(p, i + 1 < match->define_count ? "," : "");
    }
    p->indent--;
}

static void print_match(struct patterns_printer *p, const struct patterns_match *match)
{
    put(p, "MATCH_RECOGNIZE (");
    p->indent++;
    if (match->partition_count > 0) {
        line(p, "PARTITION BY ");
        patterns_printer_exprs(p, match->partition_by, match->partition_count);
    }
    if (match->order_count > 0) {
        line(p, "ORDER BY ");
        patterns_printer_order(p, match->order_by, match->order_count);
    }
    if (match->measure_count > 0)
        print_measures(p, match);
    print_rows(p, match);
    print_skip(p, match);
    line(p, "PATTERN (");
    patterns_print_pattern(match->pattern, p->out);
    put(p, ")");
    if (match->within) {
        put(p, " WITHIN ");
        patterns_printer_expr(p, match->within, PATTERNS_LEVEL_VALUE);
    }
    if (match->delay) {
        put(p, " ");
        patterns_printer_expr(p, match->delay, PATTERNS_LEVEL_PRIMARY);
        put(p, match->or_terminated ? " OR TERMINATED" : "");
    }
    print_definitions(p, match);
    p->indent--;
    line(p, ")");
}

void patterns_print_match(const struct patterns_match *match, struct base_buf *out)
{
    struct patterns_printer p = { .out = out };
    print_match(&p, match);
}

/* ---- tables ---- */

static void print_table(struct patterns_printer *p, const struct patterns_table *table);

static void print_window(struct patterns_printer *p, const struct patterns_window_tvf *window)
{
    static const char *const names[] = { [PATTERNS_WINDOW_TUMBLE] = "TUMBLE",
                                         [PATTERNS_WINDOW_HOP] = "HOP",
                                         [PATTERNS_WINDOW_CUMULATE] = "CUMULATE",
                                         [PATTERNS_WINDOW_SESSION] = "SESSION" };
    base_buf_printf(p->out, "TABLE(%s(%s", names[window->kind],
                    window->table->kind == PATTERNS_TABLE_NAME ? "TABLE " : "");
    print_table(p, window->table);
    if (window->partition_count > 0) {
        put(p, " PARTITION BY (");
        patterns_printer_exprs(p, window->partition_by, window->partition_count);
        put(p, ")");
    }
    put(p, ", DESCRIPTOR(");
    patterns_print_name(&window->time, p->out);
    put(p, ")");
    const struct patterns_expr *const args[] = { window->slide, window->size, window->offset };
    for (size_t i = 0; i < sizeof args / sizeof args[0]; i++) {
        if (!args[i])
            continue;
        put(p, ", ");
        patterns_printer_expr(p, args[i], PATTERNS_LEVEL_ANY);
    }
    put(p, "))");
}

static void print_join(struct patterns_printer *p, const struct patterns_join *join)
{
    static const char *const names[] = { [PATTERNS_JOIN_INNER] = "JOIN ",
                                         [PATTERNS_JOIN_LEFT] = "LEFT JOIN ",
                                         [PATTERNS_JOIN_RIGHT] = "RIGHT JOIN ",
                                         [PATTERNS_JOIN_FULL] = "FULL JOIN ",
                                         [PATTERNS_JOIN_CROSS] = "CROSS JOIN " };
    bool open = join->right->kind == PATTERNS_TABLE_JOIN;
    print_table(p, join->left);
    line(p, names[join->kind]);
    put(p, open ? "(" : "");
    print_table(p, join->right);
    put(p, open ? ")" : "");
    if (join->on) {
        put(p, " ON ");
        patterns_printer_expr(p, join->on, PATTERNS_LEVEL_ANY);
    }
    if (join->using_count > 0) {
        put(p, " USING ");
        print_idents(p, join->using_columns, join->using_count);
    }
}

static void print_table(struct patterns_printer *p, const struct patterns_table *table)
{
    switch (table->kind) {
    case PATTERNS_TABLE_NAME: patterns_print_name(&table->name, p->out); break;
    case PATTERNS_TABLE_QUERY: patterns_printer_subquery(p, table->query); break;
    case PATTERNS_TABLE_JOIN: print_join(p, &table->join); break;
    case PATTERNS_TABLE_MATCH:
        print_table(p, table->match.input);
        put(p, " ");
        print_match(p, table->match.match);
        break;
    case PATTERNS_TABLE_WINDOW: print_window(p, table->window_tvf); break;
    }
    if (table->as_of) {
        put(p, " FOR SYSTEM_TIME AS OF ");
        patterns_printer_expr(p, table->as_of, PATTERNS_LEVEL_VALUE);
    }
    if (table->alias) {
        put(p, " AS ");
        patterns_print_ident(table->alias, p->out);
    }
    if (table->alias_column_count > 0) {
        put(p, " ");
        print_idents(p, table->alias_columns, table->alias_column_count);
    }
}

/* ---- queries ---- */

static void print_select_list(struct patterns_printer *p, const struct patterns_select *select)
{
    put(p, select->distinct ? "SELECT DISTINCT " : "SELECT ");
    for (uint32_t i = 0; i < select->item_count; i++) {
        put(p, i > 0 ? ", " : "");
        patterns_printer_expr(p, select->items[i].expr, PATTERNS_LEVEL_ANY);
        if (select->items[i].alias) {
            put(p, " AS ");
            patterns_print_ident(select->items[i].alias, p->out);
        }
    }
}

static void print_select(struct patterns_printer *p, const struct patterns_select *select)
{
    print_select_list(p, select);
    if (select->from) {
        line(p, "FROM ");
        print_table(p, select->from);
    }
    if (select->where) {
        line(p, "WHERE ");
        patterns_printer_expr(p, select->where, PATTERNS_LEVEL_ANY);
    }
    if (select->set_count > 0) {
        line(p, "GROUP BY GROUPING SETS (");
        for (uint32_t i = 0, first = 0; i < select->set_count; first += select->set_sizes[i++]) {
            put(p, i ? ", (" : "(");
            patterns_printer_exprs(p, select->group_by + first, select->set_sizes[i]);
            put(p, ")");
        }
        put(p, ")");
    } else if (select->group_count > 0) {
        line(p, "GROUP BY ");
        patterns_printer_exprs(p, select->group_by, select->group_count);
    }
    if (select->having) {
        line(p, "HAVING ");
        patterns_printer_expr(p, select->having, PATTERNS_LEVEL_ANY);
    }
    for (uint32_t i = 0; i < select->window_count; i++) {
        if (i == 0)
            line(p, "WINDOW ");
        else
            put(p, ", ");
        patterns_print_ident(&select->windows[i].name, p->out);
        put(p, " AS ");
        patterns_printer_window(p, select->windows[i].window);
    }
}

static void print_values(struct patterns_printer *p, const struct patterns_query *query)
{
    put(p, "VALUES ");
    for (uint32_t i = 0; i < query->values.row_count; i++) {
        const struct patterns_expr *row = query->values.rows[i];
        put(p, i > 0 ? ", (" : "(");
        patterns_printer_exprs(p, row->args, row->arg_count);
        put(p, ")");
    }
}

static void print_set(struct patterns_printer *p, const struct patterns_set *set)
{
    static const char *const names[] = {
        [PATTERNS_SET_UNION] = "UNION", [PATTERNS_SET_INTERSECT] = "INTERSECT", [PATTERNS_SET_EXCEPT] = "EXCEPT"
    };
    for (uint32_t i = 0; i < set->input_count; i++) {
        const struct patterns_query *input = set->inputs[i];
        bool open = input->kind == PATTERNS_QUERY_SET || input->order_count > 0 || input->limit || input->offset ||
                    input->cte_count > 0;
        if (i > 0) {
            line(p, names[set->op]);
            put(p, set->all ? " ALL" : "");
            patterns_printer_line(p);
        }
        if (open)
            patterns_printer_subquery(p, input);
        else
            print_query(p, input);
    }
}

static void print_ctes(struct patterns_printer *p, const struct patterns_query *query)
{
    for (uint32_t i = 0; i < query->cte_count; i++) {
        const struct patterns_cte *cte = &query->ctes[i];
        put(p, i == 0 ? "WITH " : ", ");
        patterns_print_ident(&cte->name, p->out);
        if (cte->column_count > 0) {
            put(p, " ");
            print_idents(p, cte->columns, cte->column_count);
        }
        put(p, " AS ");
        patterns_printer_subquery(p, cte->query);
    }
    if (query->cte_count > 0)
        patterns_printer_line(p);
}

static void print_query(struct patterns_printer *p, const struct patterns_query *query)
{
    print_ctes(p, query);
    switch (query->kind) {
    case PATTERNS_QUERY_SELECT: print_select(p, query->select); break;
    case PATTERNS_QUERY_SET: print_set(p, &query->set); break;
    case PATTERNS_QUERY_VALUES: print_values(p, query); break;
    }
    if (query->order_count > 0) {
        line(p, "ORDER BY ");
        patterns_printer_order(p, query->order_by, query->order_count);
    }
    if (query->limit) {
        line(p, "LIMIT ");
        patterns_printer_expr(p, query->limit, PATTERNS_LEVEL_VALUE);
    }
    if (query->offset) {
        line(p, "OFFSET ");
        patterns_printer_expr(p, query->offset, PATTERNS_LEVEL_VALUE);
    }
}

void patterns_print_query(const struct patterns_query *query, struct base_buf *out)
{
    struct patterns_printer p = { .out = out };
    print_query(&p, query);
}

/* ---- statements ---- */

static void print_option(struct patterns_printer *p, const struct patterns_option *option)
{
    patterns_print_string(option->key, p->out);
    put(p, " = ");
    patterns_print_string(option->value, p->out);
}

static void print_options(struct patterns_printer *p, const struct patterns_option *options, uint32_t count)
{
    if (count == 0)
        return;
    line(p, "WITH (");
    p->indent++;
    for (uint32_t i = 0; i < count; i++) {
        patterns_printer_line(p);
        print_option(p, &options[i]);
        put(p, i + 1 < count ? "," : "");
    }
    p->indent--;
    line(p, ")");
}

static void print_comment(struct patterns_printer *p, struct base_str comment)
{
    if (comment.len == 0)
        return;
    put(p, " COMMENT ");
    patterns_print_string(comment, p->out);
}

static void print_column(struct patterns_printer *p, const struct patterns_column_def *column)
{
    patterns_print_ident(&column->name, p->out);
    if (column->kind == PATTERNS_COLUMN_COMPUTED) {
        put(p, " AS ");
        patterns_printer_expr(p, column->expr, PATTERNS_LEVEL_ANY);
    } else {
        put(p, " ");
        patterns_print_type(column->type, p->out);
    }
    if (column->kind == PATTERNS_COLUMN_METADATA) {
        put(p, " METADATA");
        if (column->metadata_key.len > 0) {
            put(p, " FROM ");
            patterns_print_string(column->metadata_key, p->out);
        }
        put(p, column->is_virtual ? " VIRTUAL" : "");
    }
    print_comment(p, column->comment);
}

static void print_create_table(struct patterns_printer *p, const struct patterns_create_table *table)
{
    base_buf_printf(p->out, "CREATE %sTABLE %s", table->temporary ? "TEMPORARY " : "",
                    table->if_not_exists ? "IF NOT EXISTS " : "");
    patterns_print_name(&table->name, p->out);
    put(p, " (");
    p->indent++;
    for (uint32_t i = 0; i < table->column_count; i++) {
        put(p, i > 0 ? "," : "");
        patterns_printer_line(p);
        print_column(p, &table->columns[i]);
    }
    const char *comma = table->column_count > 0 ? "," : "";
    if (table->watermark) {
        put(p, comma);
        comma = ",";
        line(p, "WATERMARK FOR ");
        patterns_print_name(&table->watermark->column, p->out);
        put(p, " AS ");
        patterns_printer_expr(p, table->watermark->expr, PATTERNS_LEVEL_ANY);
    }
    if (table->primary_key_count > 0) {
        put(p, comma);
        line(p, "PRIMARY KEY ");
        print_idents(p, table->primary_key, table->primary_key_count);
        put(p, " NOT ENFORCED");
    }
    p->indent--;
    line(p, ")");
    print_comment(p, table->comment);
    if (table->partitioned_count > 0) {
        put(p, " PARTITIONED BY ");
        print_idents(p, table->partitioned_by, table->partitioned_count);
    }
    print_options(p, table->options, table->option_count);
}

static void print_create_view(struct patterns_printer *p, const struct patterns_create_view *view)
{
    base_buf_printf(p->out, "CREATE %s%sVIEW %s", view->temporary ? "TEMPORARY " : "",
                    view->materialized ? "MATERIALIZED " : "", view->if_not_exists ? "IF NOT EXISTS " : "");
    patterns_print_name(&view->name, p->out);
    if (view->column_count > 0) {
        put(p, " ");
        print_idents(p, view->columns, view->column_count);
    }
    print_comment(p, view->comment);
    print_options(p, view->options, view->option_count);
    put(p, " AS");
    patterns_printer_line(p);
    print_query(p, view->query);
}

static void print_create_rule(struct patterns_printer *p, const struct patterns_create_rule *rule)
{
    base_buf_printf(p->out, "CREATE RULE %s", rule->if_not_exists ? "IF NOT EXISTS " : "");
    patterns_print_name(&rule->name, p->out);
    print_options(p, rule->options, rule->option_count);
    put(p, " AS");
    patterns_printer_line(p);
    print_query(p, rule->query);
}

static void print_insert(struct patterns_printer *p, const struct patterns_insert *insert)
{
    put(p, "INSERT INTO ");
    patterns_print_name(&insert->name, p->out);
    if (insert->column_count > 0) {
        put(p, " ");
        print_idents(p, insert->columns, insert->column_count);
    }
    patterns_printer_line(p);
    print_query(p, insert->query);
}

static void print_drop(struct patterns_printer *p, const struct patterns_drop *drop)
{
    static const char *const names[] = {
        [PATTERNS_DROP_TABLE] = "TABLE", [PATTERNS_DROP_VIEW] = "VIEW", [PATTERNS_DROP_RULE] = "RULE"
    };
    base_buf_printf(p->out, "DROP %s %s", names[drop->what], drop->if_exists ? "IF EXISTS " : "");
    patterns_print_name(&drop->name, p->out);
}

void patterns_print_statement(const struct patterns_statement *statement, struct base_buf *out)
{
    struct patterns_printer p = { .out = out };
    switch (statement->kind) {
    case PATTERNS_STATEMENT_CREATE_TABLE: print_create_table(&p, &statement->create_table); return;
    case PATTERNS_STATEMENT_CREATE_VIEW: print_create_view(&p, &statement->create_view); return;
    case PATTERNS_STATEMENT_CREATE_RULE: print_create_rule(&p, &statement->create_rule); return;
    case PATTERNS_STATEMENT_INSERT: print_insert(&p, &statement->insert); return;
    case PATTERNS_STATEMENT_DROP: print_drop(&p, &statement->drop); return;
    case PATTERNS_STATEMENT_EXPLAIN:
        put(&p, "EXPLAIN ");
        patterns_print_statement(statement->explained, out);
        return;
    case PATTERNS_STATEMENT_SET:
        put(&p, "SET ");
        print_option(&p, &statement->set);
        return;
    case PATTERNS_STATEMENT_SELECT: print_query(&p, statement->query); return;
    }
}

void patterns_print_script(const struct patterns_script *script, struct base_buf *out)
{
    for (uint32_t i = 0; i < script->statement_count; i++) {
        patterns_print_statement(script->statements[i], out);
        base_buf_puts(out, ";\n");
    }
}
