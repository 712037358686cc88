#include "patterns/dump.h"

#include <stdarg.h>
#include "base/attr.h"
#include "patterns/print.h"

#define INDENT_MAX 60

struct dump {
    struct base_buf *out;
    uint32_t indent;
};

/* Starts a line; texts that follow on it are put by the caller. */
static void begin(struct dump *d, const char *text)
{
    for (uint32_t i = 0; i < d->indent && i < INDENT_MAX; i++)
        base_buf_puts(d->out, "  ");
    base_buf_puts(d->out, text);
}

static void end(struct dump *d)
{
    base_buf_putc(d->out, '\n');
}

static void BASE_PRINTF(2, 3) word(struct dump *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    base_buf_vprintf(d->out, format, args);
    va_end(args);
}

static void flag(struct dump *d, bool set, const char *text)
{
    if (set)
        word(d, " %s", text);
}

static void put_ident(struct dump *d, const struct patterns_ident *ident)
{
    base_buf_putc(d->out, ' ');
    patterns_print_ident(ident, d->out);
}

static void put_idents(struct dump *d, const char *what, const struct patterns_ident *idents, uint32_t count)
{
    if (count == 0)
        return;
    word(d, " %s:", what);
    for (uint32_t i = 0; i < count; i++)
        put_ident(d, &idents[i]);
}

static void put_name(struct dump *d, const struct patterns_name *name)
{
    base_buf_putc(d->out, ' ');
    patterns_print_name(name, d->out);
}

static void put_string(struct dump *d, const char *what, struct base_str text)
{
    word(d, " %s", what);
    patterns_print_string(text, d->out);
}

static void dump_expr(struct dump *d, const struct patterns_expr *expr);
static void dump_query(struct dump *d, const struct patterns_query *query);

/* A labelled part: the label on a line, the part under it. */
static void part(struct dump *d, const char *label, const struct patterns_expr *expr)
{
    if (!expr)
        return;
    begin(d, label);
    end(d);
    d->indent++;
    dump_expr(d, expr);
    d->indent--;
}

static void parts(struct dump *d, const char *label, const struct patterns_expr *const *exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        part(d, label, exprs[i]);
}

static void dump_order(struct dump *d, const struct patterns_order_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        begin(d, "order");
        flag(d, items[i].descending, "descending");
        flag(d, items[i].nulls == PATTERNS_NULLS_FIRST, "nulls first");
        flag(d, items[i].nulls == PATTERNS_NULLS_LAST, "nulls last");
        end(d);
        d->indent++;
        dump_expr(d, items[i].expr);
        d->indent--;
    }
}

static void dump_window(struct dump *d, const struct patterns_window *window)
{
    begin(d, "window");
    flag(d, window->bare, "bare");
    if (window->base)
        put_ident(d, window->base);
    if (window->unit != PATTERNS_FRAME_NONE)
        word(d, " %s %d to %d", window->unit == PATTERNS_FRAME_ROWS ? "rows" : "range", window->from.kind,
             window->to.kind);
    end(d);
    d->indent++;
    parts(d, "partition", window->partition_by, window->partition_count);
    dump_order(d, window->order_by, window->order_count);
    part(d, "from", window->from.expr);
    part(d, "to", window->to.expr);
    d->indent--;
}

static void dump_call(struct dump *d, const struct patterns_call *call)
{
    put_ident(d, &call->name);
    word(d, " syntax %d mode %d", call->syntax, call->mode);
    flag(d, call->distinct, "distinct");
    if (call->unit != PATTERNS_UNIT_NONE)
        word(d, " %s", patterns_unit_name(call->unit));
    if (call->syntax == PATTERNS_CALL_TRIM)
        word(d, " side %d", call->trim);
    if (call->nulls != PATTERNS_CALL_NULLS_NONE)
        word(d, " nulls %d", call->nulls);
    end(d);
    d->indent++;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (call->arg_names && call->arg_names[i]) {
            begin(d, "named");
            put_ident(d, call->arg_names[i]);
            end(d);
        }
        dump_expr(d, call->args[i]);
    }
    if (call->within_count > 0) {
        begin(d, "within group");
        end(d);
        dump_order(d, call->within_group, call->within_count);
    }
    part(d, "filter", call->filter);
    if (call->over)
        dump_window(d, call->over);
    d->indent--;
}

static void dump_case(struct dump *d, const struct patterns_case *body)
{
    end(d);
    d->indent++;
    part(d, "operand", body->operand);
    for (uint32_t i = 0; i < body->when_count; i++) {
        part(d, "when", body->whens[i].condition);
        part(d, "then", body->whens[i].result);
    }
    part(d, "else", body->otherwise);
    d->indent--;
}

static void put_interval(struct dump *d, const struct patterns_interval *interval)
{
    put_string(d, interval->negative ? "-" : "", interval->text);
    word(d, " %s(%d) to %s(%d)", patterns_unit_name(interval->from), interval->precision,
         patterns_unit_name(interval->to), interval->fraction);
}

/* What the node's line says behind its kind. True if the node and all below has been written. */
static bool dump_details(struct dump *d, const struct patterns_expr *expr)
{
    switch (expr->kind) {
    case PATTERNS_EXPR_CALL: dump_call(d, expr->call); return true;
    case PATTERNS_EXPR_CASE: dump_case(d, expr->case_when); return true;
    case PATTERNS_EXPR_BOOLEAN: flag(d, true, expr->boolean ? "true" : "false"); break;
    case PATTERNS_EXPR_NUMBER:
        word(d, " %d ", expr->number.kind);
        base_buf_put_str(d->out, expr->number.text);
        break;
    case PATTERNS_EXPR_STRING:
    case PATTERNS_EXPR_DATE:
    case PATTERNS_EXPR_TIME:
    case PATTERNS_EXPR_TIMESTAMP:
    case PATTERNS_EXPR_TIMESTAMP_LTZ: put_string(d, "", expr->text); break;
    case PATTERNS_EXPR_INTERVAL: put_interval(d, &expr->interval); break;
    case PATTERNS_EXPR_NAME:
    case PATTERNS_EXPR_STAR: put_name(d, &expr->name); break;
    case PATTERNS_EXPR_FIELD: put_ident(d, &expr->field); break;
    case PATTERNS_EXPR_UNARY:
    case PATTERNS_EXPR_BINARY: word(d, " %s", patterns_op_text(expr->op)); break;
    case PATTERNS_EXPR_CAST:
        flag(d, expr->try_cast, "try");
        base_buf_putc(d->out, ' ');
        patterns_print_type(expr->type, d->out);
        break;
    case PATTERNS_EXPR_BETWEEN:
    case PATTERNS_EXPR_IN:
    case PATTERNS_EXPR_IN_QUERY:
    case PATTERNS_EXPR_LIKE:
    case PATTERNS_EXPR_SIMILAR:
        flag(d, expr->negated, "not");
        flag(d, expr->symmetric, "symmetric");
        break;
    case PATTERNS_EXPR_NULL:
    case PATTERNS_EXPR_INDEX:
    case PATTERNS_EXPR_ARRAY:
    case PATTERNS_EXPR_MAP:
    case PATTERNS_EXPR_ROW:
    case PATTERNS_EXPR_EXISTS:
    case PATTERNS_EXPR_SUBQUERY: break;
    }
    return false;
}

static void dump_expr(struct dump *d, const struct patterns_expr *expr)
{
    begin(d, patterns_expr_kind_name(expr->kind));
    if (dump_details(d, expr))
        return;
    end(d);
    d->indent++;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        dump_expr(d, expr->args[i]);
    if (expr->kind == PATTERNS_EXPR_IN_QUERY || expr->kind == PATTERNS_EXPR_EXISTS ||
        expr->kind == PATTERNS_EXPR_SUBQUERY)
        dump_query(d, expr->query);
    d->indent--;
}

/* ---- patterns ---- */

static void dump_pattern(struct dump *d, const struct patterns_pattern *pattern)
{
    static const char *const names[] = {
        [PATTERNS_PATTERN_VARIABLE] = "variable", [PATTERNS_PATTERN_EMPTY] = "empty",
        [PATTERNS_PATTERN_START] = "start",       [PATTERNS_PATTERN_END] = "end",
        [PATTERNS_PATTERN_SEQUENCE] = "sequence", [PATTERNS_PATTERN_CHOICE] = "choice",
        [PATTERNS_PATTERN_PERMUTE] = "permute",   [PATTERNS_PATTERN_EXCLUDE] = "exclude",
        [PATTERNS_PATTERN_REPEAT] = "repeat",     [PATTERNS_PATTERN_FOLLOW] = "follow",
        [PATTERNS_PATTERN_NOT] = "not",
    };
    begin(d, names[pattern->kind]);
    if (pattern->kind == PATTERNS_PATTERN_VARIABLE)
        put_ident(d, &pattern->name);
    if (pattern->kind == PATTERNS_PATTERN_REPEAT && pattern->max == PATTERNS_UNBOUNDED)
        word(d, " %u..", pattern->min);
    else if (pattern->kind == PATTERNS_PATTERN_REPEAT)
        word(d, " %u..%u", pattern->min, pattern->max);
    flag(d, pattern->greed == PATTERNS_RELUCTANT, "reluctant");
    flag(d, pattern->greed == PATTERNS_POSSESSIVE, "possessive");
    flag(d, pattern->arrow == PATTERNS_ARROW_NEXT, "->");
    flag(d, pattern->arrow == PATTERNS_ARROW_ANY, "->>");
    end(d);
    d->indent++;
    for (uint32_t i = 0; i < pattern->item_count; i++)
        dump_pattern(d, pattern->items[i]);
    part(d, "for", pattern->hold);
    d->indent--;
}

static void dump_match(struct dump *d, const struct patterns_match *match)
{
    begin(d, "match");
    word(d, " rows %d skip %d", match->rows, match->skip);
    flag(d, match->rows_written, "rows written");
    flag(d, match->skip_written, "skip written");
    flag(d, match->timeout_rows, "timeout rows");
    flag(d, match->all_matches, "all matches");
    flag(d, match->or_terminated, "or terminated");
    if (match->skip_target.text.len > 0)
        put_ident(d, &match->skip_target);
    end(d);
    d->indent++;
    parts(d, "partition", match->partition_by, match->partition_count);
    dump_order(d, match->order_by, match->order_count);
    for (uint32_t i = 0; i < match->measure_count; i++) {
        begin(d, "measure");
        put_ident(d, &match->measures[i].name);
        end(d);
        part(d, "value", match->measures[i].expr);
    }
    dump_pattern(d, match->pattern);
    part(d, "within", match->within);
    part(d, "delay", match->delay);
    for (uint32_t i = 0; i < match->subset_count; i++) {
        begin(d, "subset");
        put_ident(d, &match->subsets[i].name);
        put_idents(d, "of", match->subsets[i].members, match->subsets[i].member_count);
        end(d);
    }
    for (uint32_t i = 0; i < match->define_count; i++) {
        begin(d, "define");
        put_ident(d, &match->defines[i].name);
        end(d);
        part(d, "condition", match->defines[i].condition);
    }
    d->indent--;
}

/* ---- tables and queries ---- */

static void dump_table(struct dump *d, const struct patterns_table *table);

static void dump_window_tvf(struct dump *d, const struct patterns_window_tvf *window)
{
    dump_table(d, window->table);
    parts(d, "partition", window->partition_by, window->partition_count);
    part(d, "slide", window->slide);
    part(d, "size", window->size);
    part(d, "offset", window->offset);
}

static void dump_table(struct dump *d, const struct patterns_table *table)
{
    static const char *const names[] = {
        [PATTERNS_TABLE_NAME] = "table",          [PATTERNS_TABLE_QUERY] = "derived table",
        [PATTERNS_TABLE_JOIN] = "join",           [PATTERNS_TABLE_MATCH] = "match table",
        [PATTERNS_TABLE_WINDOW] = "window table",
    };
    begin(d, names[table->kind]);
    if (table->kind == PATTERNS_TABLE_NAME)
        put_name(d, &table->name);
    if (table->kind == PATTERNS_TABLE_JOIN) {
        word(d, " kind %d", table->join.kind);
        put_idents(d, "using", table->join.using_columns, table->join.using_count);
    }
    if (table->kind == PATTERNS_TABLE_WINDOW) {
        word(d, " kind %d time", table->window_tvf->kind);
        put_name(d, &table->window_tvf->time);
    }
    if (table->alias)
        put_idents(d, "as", table->alias, 1);
    put_idents(d, "columns", table->alias_columns, table->alias_column_count);
    end(d);
    d->indent++;
    switch (table->kind) {
    case PATTERNS_TABLE_NAME: part(d, "as of", table->as_of); break;
    case PATTERNS_TABLE_QUERY: dump_query(d, table->query); break;
    case PATTERNS_TABLE_JOIN:
        dump_table(d, table->join.left);
        dump_table(d, table->join.right);
        part(d, "on", table->join.on);
        break;
    case PATTERNS_TABLE_MATCH:
        dump_table(d, table->match.input);
        dump_match(d, table->match.match);
        break;
    case PATTERNS_TABLE_WINDOW: dump_window_tvf(d, table->window_tvf); break;
    }
    d->indent--;
}

static void dump_select(struct dump *d, const struct patterns_select *select)
{
    for (uint32_t i = 0; i < select->item_count; i++) {
        begin(d, "item");
        if (select->items[i].alias)
            put_idents(d, "as", select->items[i].alias, 1);
        end(d);
        part(d, "value", select->items[i].expr);
    }
    if (select->from)
        dump_table(d, select->from);
    part(d, "where", select->where);
    for (uint32_t i = 0, first = 0; i < select->set_count; first += select->set_sizes[i++]) {
        begin(d, "set");
        end(d);
        parts(d, "group", select->group_by + first, select->set_sizes[i]);
    }
    if (!select->set_count)
        parts(d, "group", select->group_by, select->group_count);
    part(d, "having", select->having);
    for (uint32_t i = 0; i < select->window_count; i++) {
        begin(d, "named window");
        put_ident(d, &select->windows[i].name);
        end(d);
        dump_window(d, select->windows[i].window);
    }
}

static void dump_body(struct dump *d, const struct patterns_query *query)
{
    switch (query->kind) {
    case PATTERNS_QUERY_SELECT: dump_select(d, query->select); break;
    case PATTERNS_QUERY_SET:
        for (uint32_t i = 0; i < query->set.input_count; i++)
            dump_query(d, query->set.inputs[i]);
        break;
    case PATTERNS_QUERY_VALUES: parts(d, "row", query->values.rows, query->values.row_count); break;
    }
}

static void dump_query(struct dump *d, const struct patterns_query *query)
{
    static const char *const names[] = {
        [PATTERNS_QUERY_SELECT] = "select", [PATTERNS_QUERY_SET] = "set", [PATTERNS_QUERY_VALUES] = "values"
    };
    begin(d, names[query->kind]);
    if (query->kind == PATTERNS_QUERY_SET)
        word(d, " op %d%s", query->set.op, query->set.all ? " all" : "");
    if (query->kind == PATTERNS_QUERY_SELECT)
        flag(d, query->select->distinct, "distinct");
    end(d);
    d->indent++;
    for (uint32_t i = 0; i < query->cte_count; i++) {
        begin(d, "with");
        put_ident(d, &query->ctes[i].name);
        put_idents(d, "columns", query->ctes[i].columns, query->ctes[i].column_count);
        end(d);
        dump_query(d, query->ctes[i].query);
    }
    dump_body(d, query);
    dump_order(d, query->order_by, query->order_count);
    part(d, "limit", query->limit);
    part(d, "offset", query->offset);
    d->indent--;
}

/* ---- statements ---- */

static void dump_options(struct dump *d, const struct patterns_option *options, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        begin(d, "option");
        put_string(d, "", options[i].key);
        put_string(d, "= ", options[i].value);
        end(d);
    }
}

static void dump_column(struct dump *d, const struct patterns_column_def *column)
{
    begin(d, "column");
    put_ident(d, &column->name);
    if (column->type) {
        base_buf_putc(d->out, ' ');
        patterns_print_type(column->type, d->out);
    }
    flag(d, column->kind == PATTERNS_COLUMN_METADATA, "metadata");
    if (column->metadata_key.len > 0)
        put_string(d, "from ", column->metadata_key);
    flag(d, column->is_virtual, "virtual");
    flag(d, column->primary_key, "key");
    if (column->comment.len > 0)
        put_string(d, "comment ", column->comment);
    end(d);
    part(d, "computed", column->expr);
}

static void dump_create_table(struct dump *d, const struct patterns_create_table *table)
{
    flag(d, table->temporary, "temporary");
    flag(d, table->if_not_exists, "if not exists");
    put_name(d, &table->name);
    put_idents(d, "key", table->primary_key, table->primary_key_count);
    put_idents(d, "partitioned", table->partitioned_by, table->partitioned_count);
    if (table->comment.len > 0)
        put_string(d, "comment ", table->comment);
    end(d);
    d->indent++;
    for (uint32_t i = 0; i < table->column_count; i++)
        dump_column(d, &table->columns[i]);
    if (table->watermark) {
        begin(d, "watermark");
        put_name(d, &table->watermark->column);
        end(d);
        part(d, "value", table->watermark->expr);
    }
    dump_options(d, table->options, table->option_count);
    d->indent--;
}

static void dump_create_view(struct dump *d, const struct patterns_create_view *view)
{
    flag(d, view->temporary, "temporary");
    flag(d, view->materialized, "materialized");
    flag(d, view->if_not_exists, "if not exists");
    put_name(d, &view->name);
    put_idents(d, "columns", view->columns, view->column_count);
    if (view->comment.len > 0)
        put_string(d, "comment ", view->comment);
    end(d);
    d->indent++;
    dump_options(d, view->options, view->option_count);
    dump_query(d, view->query);
    d->indent--;
}

static void dump_query_statement(struct dump *d, const struct patterns_query *query)
{
    end(d);
    d->indent++;
    dump_query(d, query);
    d->indent--;
}

static void dump_statement(struct dump *d, const struct patterns_statement *statement)
{
    begin(d, patterns_statement_kind_name(statement->kind));
    switch (statement->kind) {
    case PATTERNS_STATEMENT_CREATE_TABLE: dump_create_table(d, &statement->create_table); return;
    case PATTERNS_STATEMENT_CREATE_VIEW: dump_create_view(d, &statement->create_view); return;
    case PATTERNS_STATEMENT_CREATE_RULE:
        flag(d, statement->create_rule.if_not_exists, "if not exists");
        put_name(d, &statement->create_rule.name);
        end(d);
        d->indent++;
        dump_options(d, statement->create_rule.options, statement->create_rule.option_count);
        dump_query(d, statement->create_rule.query);
        d->indent--;
        return;
    case PATTERNS_STATEMENT_INSERT:
        put_name(d, &statement->insert.name);
        put_idents(d, "columns", statement->insert.columns, statement->insert.column_count);
        dump_query_statement(d, statement->insert.query);
        return;
    case PATTERNS_STATEMENT_DROP:
        word(d, " what %d", statement->drop.what);
        flag(d, statement->drop.if_exists, "if exists");
        put_name(d, &statement->drop.name);
        end(d);
        return;
    case PATTERNS_STATEMENT_EXPLAIN:
        end(d);
        d->indent++;
        dump_statement(d, statement->explained);
        d->indent--;
        return;
    case PATTERNS_STATEMENT_SET:
        end(d);
        dump_options(d, &statement->set, 1);
        return;
    case PATTERNS_STATEMENT_SELECT: dump_query_statement(d, statement->query); return;
    }
}

void patterns_dump_expr(const struct patterns_expr *expr, struct base_buf *out)
{
    struct dump d = { .out = out };
    dump_expr(&d, expr);
}

void patterns_dump_pattern(const struct patterns_pattern *pattern, struct base_buf *out)
{
    struct dump d = { .out = out };
    dump_pattern(&d, pattern);
}

void patterns_dump_script(const struct patterns_script *script, struct base_buf *out)
{
    struct dump d = { .out = out };
    for (uint32_t i = 0; i < script->statement_count; i++)
        dump_statement(&d, script->statements[i]);
}
