#include "patterns/printer.h"

#include <string.h>
#include "patterns/print.h"

static void put(struct patterns_printer *p, const char *text)
{
    base_buf_puts(p->out, text);
}

/* ---- names and texts ---- */

static void print_quoted(struct base_str text, char quote, struct base_buf *out)
{
    base_buf_putc(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote)
            base_buf_putc(out, quote);
        base_buf_putc(out, text.ptr[i]);
    }
    base_buf_putc(out, quote);
}

void patterns_print_string(struct base_str text, struct base_buf *out)
{
    print_quoted(text, '\'', out);
}

void patterns_print_ident(const struct patterns_ident *ident, struct base_buf *out)
{
    if (ident->quoted)
        print_quoted(ident->text, '"', out);
    else
        base_buf_put_str(out, ident->text);
}

void patterns_print_name(const struct patterns_name *name, struct base_buf *out)
{
    for (uint32_t i = 0; i < name->count; i++) {
        if (i > 0)
            base_buf_putc(out, '.');
        patterns_print_ident(&name->parts[i], out);
    }
}

/* ---- types ---- */

static void print_precision(int32_t precision, int32_t scale, struct base_buf *out)
{
    if (precision >= 0 && scale >= 0)
        base_buf_printf(out, "(%d, %d)", precision, scale);
    else if (precision >= 0)
        base_buf_printf(out, "(%d)", precision);
}

/* DAY(2) TO SECOND(3) */
static void print_units(enum patterns_unit from, enum patterns_unit to, int32_t precision, int32_t fraction,
                        struct base_buf *out)
{
    base_buf_puts(out, patterns_unit_name(from));
    print_precision(precision, to == PATTERNS_UNIT_NONE ? fraction : -1, out);
    if (to == PATTERNS_UNIT_NONE)
        return;
    base_buf_printf(out, " TO %s", patterns_unit_name(to));
    print_precision(fraction, -1, out);
}

static void print_fields(const struct patterns_type *type, struct base_buf *out)
{
    base_buf_putc(out, '<');
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (i > 0)
            base_buf_puts(out, ", ");
        patterns_print_ident(&type->fields[i].name, out);
        base_buf_putc(out, ' ');
        patterns_print_type(type->fields[i].type, out);
    }
    base_buf_putc(out, '>');
}

void patterns_print_type(const struct patterns_type *type, struct base_buf *out)
{
    base_buf_puts(out, type->kind == PATTERNS_TYPE_BYTES && type->precision >= 0 ? "VARBINARY"
                                                                                 : patterns_type_kind_name(type->kind));
    if (type->kind == PATTERNS_TYPE_INTERVAL) {
        base_buf_putc(out, ' ');
        print_units(type->from, type->to, type->precision, type->scale, out);
    } else {
        print_precision(type->precision, type->scale, out);
    }
    if (type->kind == PATTERNS_TYPE_ROW)
        print_fields(type, out);
    if (type->element) {
        base_buf_putc(out, '<');
        if (type->key) {
            patterns_print_type(type->key, out);
            base_buf_puts(out, ", ");
        }
        patterns_print_type(type->element, out);
        base_buf_putc(out, '>');
    }
    if (type->not_null)
        base_buf_puts(out, " NOT NULL");
}

/* ---- lists ---- */

void patterns_printer_exprs(struct patterns_printer *p, const struct patterns_expr *const *exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(p, ", ");
        patterns_printer_expr(p, exprs[i], PATTERNS_LEVEL_ANY);
    }
}

void patterns_printer_order(struct patterns_printer *p, const struct patterns_order_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(p, ", ");
        patterns_printer_expr(p, items[i].expr, PATTERNS_LEVEL_ANY);
        if (items[i].descending)
            put(p, " DESC");
        if (items[i].nulls != PATTERNS_NULLS_DEFAULT)
            put(p, items[i].nulls == PATTERNS_NULLS_FIRST ? " NULLS FIRST" : " NULLS LAST");
    }
}

/* ---- calls ---- */

static void print_bound(struct patterns_printer *p, const struct patterns_frame_bound *bound)
{
    switch (bound->kind) {
    case PATTERNS_BOUND_AT_UNBOUNDED_PRECEDING: put(p, "UNBOUNDED PRECEDING"); return;
    case PATTERNS_BOUND_AT_UNBOUNDED_FOLLOWING: put(p, "UNBOUNDED FOLLOWING"); return;
    case PATTERNS_BOUND_AT_CURRENT_ROW: put(p, "CURRENT ROW"); return;
    case PATTERNS_BOUND_AT_PRECEDING:
    case PATTERNS_BOUND_AT_FOLLOWING:
        patterns_printer_expr(p, bound->expr, PATTERNS_LEVEL_VALUE);
        put(p, bound->kind == PATTERNS_BOUND_AT_PRECEDING ? " PRECEDING" : " FOLLOWING");
        return;
    }
}

void patterns_printer_window(struct patterns_printer *p, const struct patterns_window *window)
{
    if (window->bare) {
        patterns_print_ident(window->base, p->out);
        return;
    }
    const char *blank = "";
    put(p, "(");
    if (window->base) {
        patterns_print_ident(window->base, p->out);
        blank = " ";
    }
    if (window->partition_count > 0) {
        base_buf_printf(p->out, "%sPARTITION BY ", blank);
        patterns_printer_exprs(p, window->partition_by, window->partition_count);
        blank = " ";
    }
    if (window->order_count > 0) {
        base_buf_printf(p->out, "%sORDER BY ", blank);
        patterns_printer_order(p, window->order_by, window->order_count);
        blank = " ";
    }
    if (window->unit != PATTERNS_FRAME_NONE) {
        base_buf_printf(p->out, "%s%s BETWEEN ", blank, window->unit == PATTERNS_FRAME_ROWS ? "ROWS" : "RANGE");
        print_bound(p, &window->from);
        put(p, " AND ");
        print_bound(p, &window->to);
    }
    put(p, ")");
}

static void print_plain_args(struct patterns_printer *p, const struct patterns_call *call)
{
    if (call->distinct)
        put(p, "DISTINCT ");
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (i > 0)
            put(p, ", ");
        if (call->arg_names && call->arg_names[i]) {
            patterns_print_ident(call->arg_names[i], p->out);
            put(p, " => ");
        }
        patterns_printer_expr(p, call->args[i], PATTERNS_LEVEL_ANY);
    }
}

/* args[0] word args[1] word args[2] ...; missing ones are left out with their words. */
static void print_words(struct patterns_printer *p, const struct patterns_call *call, const char *const *words)
{
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (i > 0)
            put(p, words[i - 1]);
        patterns_printer_expr(p, call->args[i], i == 0 ? PATTERNS_LEVEL_VALUE : PATTERNS_LEVEL_ANY);
    }
}

static void print_trim(struct patterns_printer *p, const struct patterns_call *call)
{
    put(p, call->trim == PATTERNS_TRIM_BOTH ? "BOTH " : call->trim == PATTERNS_TRIM_LEADING ? "LEADING " : "TRAILING ");
    if (call->arg_count > 1) {
        patterns_printer_expr(p, call->args[1], PATTERNS_LEVEL_ANY);
        put(p, " ");
    }
    put(p, "FROM ");
    patterns_printer_expr(p, call->args[0], PATTERNS_LEVEL_ANY);
}

static void print_args(struct patterns_printer *p, const struct patterns_call *call)
{
    static const char *const position[] = { " IN " };
    static const char *const substring[] = { " FROM ", " FOR " };
    static const char *const overlay[] = { " PLACING ", " FROM ", " FOR " };
    bool interval = false;
    switch (call->syntax) {
    case PATTERNS_CALL_BARE: return;
    case PATTERNS_CALL_PLAIN: print_plain_args(p, call); return;
    case PATTERNS_CALL_EXTRACT:
        base_buf_printf(p->out, "%s FROM ", patterns_unit_name(call->unit));
        patterns_printer_expr(p, call->args[0], PATTERNS_LEVEL_ANY);
        return;
    case PATTERNS_CALL_TO_UNIT:
        /* an interval's own TO would be nearer */
        interval = call->args[0]->kind == PATTERNS_EXPR_INTERVAL;
        put(p, interval ? "(" : "");
        patterns_printer_expr(p, call->args[0], PATTERNS_LEVEL_PRIMARY);
        base_buf_printf(p->out, "%s TO %s", interval ? ")" : "", patterns_unit_name(call->unit));
        return;
    case PATTERNS_CALL_UNIT_ARG:
        base_buf_printf(p->out, "%s, ", patterns_unit_name(call->unit));
        print_plain_args(p, call);
        return;
    case PATTERNS_CALL_POSITION: print_words(p, call, position); return;
    case PATTERNS_CALL_SUBSTRING: print_words(p, call, substring); return;
    case PATTERNS_CALL_OVERLAY: print_words(p, call, overlay); return;
    case PATTERNS_CALL_TRIM: print_trim(p, call); return;
    }
}

static void print_call(struct patterns_printer *p, const struct patterns_call *call)
{
    if (call->mode != PATTERNS_MODE_NONE)
        put(p, call->mode == PATTERNS_MODE_FINAL ? "FINAL " : "RUNNING ");
    patterns_print_ident(&call->name, p->out);
    if (call->syntax == PATTERNS_CALL_BARE)
        return;
    put(p, "(");
    print_args(p, call);
    put(p, ")");
    if (call->within_count > 0) {
        put(p, " WITHIN GROUP (ORDER BY ");
        patterns_printer_order(p, call->within_group, call->within_count);
        put(p, ")");
    }
    if (call->nulls != PATTERNS_CALL_NULLS_NONE)
        put(p, call->nulls == PATTERNS_CALL_NULLS_IGNORE ? " IGNORE NULLS" : " RESPECT NULLS");
    if (call->filter) {
        put(p, " FILTER (WHERE ");
        patterns_printer_expr(p, call->filter, PATTERNS_LEVEL_ANY);
        put(p, ")");
    }
    if (call->over) {
        put(p, " OVER ");
        patterns_printer_window(p, call->over);
    }
}

/* ---- expressions ---- */

static enum patterns_level op_level(const struct patterns_expr *expr)
{
    switch (expr->op) {
    case PATTERNS_OP_NEG:
    case PATTERNS_OP_PLUS: return PATTERNS_LEVEL_UNARY;
    case PATTERNS_OP_NOT: return PATTERNS_LEVEL_NOT;
    case PATTERNS_OP_OR: return PATTERNS_LEVEL_OR;
    case PATTERNS_OP_AND: return PATTERNS_LEVEL_AND;
    case PATTERNS_OP_CONCAT: return PATTERNS_LEVEL_VALUE;
    case PATTERNS_OP_ADD:
    case PATTERNS_OP_SUB: return PATTERNS_LEVEL_SUM;
    case PATTERNS_OP_MUL:
    case PATTERNS_OP_DIV:
    case PATTERNS_OP_MOD: return PATTERNS_LEVEL_PRODUCT;
    case PATTERNS_OP_IS_NULL:
    case PATTERNS_OP_IS_NOT_NULL:
    case PATTERNS_OP_IS_TRUE:
    case PATTERNS_OP_IS_NOT_TRUE:
    case PATTERNS_OP_IS_FALSE:
    case PATTERNS_OP_IS_NOT_FALSE:
    case PATTERNS_OP_IS_UNKNOWN:
    case PATTERNS_OP_IS_NOT_UNKNOWN:
    case PATTERNS_OP_EQ:
    case PATTERNS_OP_NE:
    case PATTERNS_OP_LT:
    case PATTERNS_OP_LE:
    case PATTERNS_OP_GT:
    case PATTERNS_OP_GE:
    case PATTERNS_OP_IS_DISTINCT:
    case PATTERNS_OP_IS_NOT_DISTINCT: return PATTERNS_LEVEL_PREDICATE;
    }
    return PATTERNS_LEVEL_PREDICATE;
}

static enum patterns_level level_of(const struct patterns_expr *expr)
{
    switch (expr->kind) {
    case PATTERNS_EXPR_UNARY:
    case PATTERNS_EXPR_BINARY: return op_level(expr);
    case PATTERNS_EXPR_BETWEEN:
    case PATTERNS_EXPR_IN:
    case PATTERNS_EXPR_IN_QUERY:
    case PATTERNS_EXPR_LIKE:
    case PATTERNS_EXPR_SIMILAR: return PATTERNS_LEVEL_PREDICATE;
    case PATTERNS_EXPR_NULL:
    case PATTERNS_EXPR_BOOLEAN:
    case PATTERNS_EXPR_NUMBER:
    case PATTERNS_EXPR_STRING:
    case PATTERNS_EXPR_DATE:
    case PATTERNS_EXPR_TIME:
    case PATTERNS_EXPR_TIMESTAMP:
    case PATTERNS_EXPR_TIMESTAMP_LTZ:
    case PATTERNS_EXPR_INTERVAL:
    case PATTERNS_EXPR_NAME:
    case PATTERNS_EXPR_STAR:
    case PATTERNS_EXPR_FIELD:
    case PATTERNS_EXPR_INDEX:
    case PATTERNS_EXPR_CALL:
    case PATTERNS_EXPR_CAST:
    case PATTERNS_EXPR_CASE:
    case PATTERNS_EXPR_ARRAY:
    case PATTERNS_EXPR_MAP:
    case PATTERNS_EXPR_ROW:
    case PATTERNS_EXPR_EXISTS:
    case PATTERNS_EXPR_SUBQUERY: return PATTERNS_LEVEL_PRIMARY;
    }
    return PATTERNS_LEVEL_PRIMARY;
}

static void print_unary(struct patterns_printer *p, const struct patterns_expr *expr)
{
    const struct patterns_expr *operand = expr->args[0];
    if (op_level(expr) == PATTERNS_LEVEL_PREDICATE) {
        patterns_printer_expr(p, operand, PATTERNS_LEVEL_VALUE);
        base_buf_printf(p->out, " %s", patterns_op_text(expr->op));
    } else if (expr->op == PATTERNS_OP_NOT) {
        put(p, "NOT ");
        patterns_printer_expr(p, operand, PATTERNS_LEVEL_NOT);
    } else {
        /* "--" would start a comment */
        bool sign = operand->kind == PATTERNS_EXPR_UNARY && op_level(operand) == PATTERNS_LEVEL_UNARY;
        put(p, patterns_op_text(expr->op));
        patterns_printer_expr(p, operand, sign ? PATTERNS_LEVEL_PRIMARY : PATTERNS_LEVEL_UNARY);
    }
}

static void print_binary(struct patterns_printer *p, const struct patterns_expr *expr)
{
    enum patterns_level level = op_level(expr);
    bool flat = level == PATTERNS_LEVEL_OR || level == PATTERNS_LEVEL_AND || level == PATTERNS_LEVEL_VALUE;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        enum patterns_level inner = (enum patterns_level)(level + 1);
        if (!flat && level != PATTERNS_LEVEL_PREDICATE && i == 0)
            inner = level;
        if (i > 0)
            base_buf_printf(p->out, " %s ", patterns_op_text(expr->op));
        patterns_printer_expr(p, expr->args[i], inner);
    }
}

static void print_predicate(struct patterns_printer *p, const struct patterns_expr *expr)
{
    patterns_printer_expr(p, expr->args[0], PATTERNS_LEVEL_VALUE);
    put(p, expr->negated ? " NOT " : " ");
    if (expr->kind == PATTERNS_EXPR_BETWEEN) {
        put(p, expr->symmetric ? "BETWEEN SYMMETRIC " : "BETWEEN ");
        patterns_printer_expr(p, expr->args[1], PATTERNS_LEVEL_VALUE);
        put(p, " AND ");
        patterns_printer_expr(p, expr->args[2], PATTERNS_LEVEL_VALUE);
    } else if (expr->kind == PATTERNS_EXPR_IN) {
        put(p, "IN (");
        patterns_printer_exprs(p, expr->args + 1, expr->arg_count - 1);
        put(p, ")");
    } else if (expr->kind == PATTERNS_EXPR_IN_QUERY) {
        put(p, "IN ");
        patterns_printer_subquery(p, expr->query);
    } else {
        put(p, expr->kind == PATTERNS_EXPR_LIKE ? "LIKE " : "SIMILAR TO ");
        patterns_printer_expr(p, expr->args[1], PATTERNS_LEVEL_VALUE);
        if (expr->arg_count > 2) {
            put(p, " ESCAPE ");
            patterns_printer_expr(p, expr->args[2], PATTERNS_LEVEL_VALUE);
        }
    }
}

static void print_case(struct patterns_printer *p, const struct patterns_case *body)
{
    put(p, "CASE");
    if (body->operand) {
        put(p, " ");
        patterns_printer_expr(p, body->operand, PATTERNS_LEVEL_ANY);
    }
    for (uint32_t i = 0; i < body->when_count; i++) {
        put(p, " WHEN ");
        patterns_printer_expr(p, body->whens[i].condition, PATTERNS_LEVEL_ANY);
        put(p, " THEN ");
        patterns_printer_expr(p, body->whens[i].result, PATTERNS_LEVEL_ANY);
    }
    if (body->otherwise) {
        put(p, " ELSE ");
        patterns_printer_expr(p, body->otherwise, PATTERNS_LEVEL_ANY);
    }
    put(p, " END");
}

static void print_list(struct patterns_printer *p, const char *open, const struct patterns_expr *expr,
                       const char *close)
{
    put(p, open);
    patterns_printer_exprs(p, expr->args, expr->arg_count);
    put(p, close);
}

static void print_interval(struct patterns_printer *p, const struct patterns_interval *interval)
{
    put(p, interval->negative ? "INTERVAL -" : "INTERVAL ");
    patterns_print_string(interval->text, p->out);
    put(p, " ");
    print_units(interval->from, interval->to, interval->precision, interval->fraction, p->out);
}

static void print_field(struct patterns_printer *p, const struct patterns_expr *expr)
{
    const struct patterns_expr *of = expr->args[0];
    bool open = of->kind == PATTERNS_EXPR_INDEX || of->kind == PATTERNS_EXPR_FIELD ||
                (of->kind == PATTERNS_EXPR_CALL && of->call->syntax != PATTERNS_CALL_BARE && !of->call->over);
    put(p, open ? "" : "(");
    patterns_printer_expr(p, of, PATTERNS_LEVEL_ANY);
    put(p, open ? "." : ").");
    patterns_print_ident(&expr->field, p->out);
}

static void print_text(struct patterns_printer *p, const char *word, struct base_str text)
{
    put(p, word);
    patterns_print_string(text, p->out);
}

static void print_node(struct patterns_printer *p, const struct patterns_expr *expr)
{
    switch (expr->kind) {
    case PATTERNS_EXPR_NULL: put(p, "NULL"); return;
    case PATTERNS_EXPR_BOOLEAN: put(p, expr->boolean ? "TRUE" : "FALSE"); return;
    case PATTERNS_EXPR_NUMBER: base_buf_put_str(p->out, expr->number.text); return;
    case PATTERNS_EXPR_STRING: print_text(p, "", expr->text); return;
    case PATTERNS_EXPR_DATE: print_text(p, "DATE ", expr->text); return;
    case PATTERNS_EXPR_TIME: print_text(p, "TIME ", expr->text); return;
    case PATTERNS_EXPR_TIMESTAMP: print_text(p, "TIMESTAMP ", expr->text); return;
    case PATTERNS_EXPR_TIMESTAMP_LTZ: print_text(p, "TIMESTAMP_LTZ ", expr->text); return;
    case PATTERNS_EXPR_INTERVAL: print_interval(p, &expr->interval); return;
    case PATTERNS_EXPR_NAME: patterns_print_name(&expr->name, p->out); return;
    case PATTERNS_EXPR_STAR:
        patterns_print_name(&expr->name, p->out);
        put(p, expr->name.count > 0 ? ".*" : "*");
        return;
    case PATTERNS_EXPR_FIELD: print_field(p, expr); return;
    case PATTERNS_EXPR_INDEX:
        patterns_printer_expr(p, expr->args[0], PATTERNS_LEVEL_PRIMARY);
        put(p, "[");
        patterns_printer_expr(p, expr->args[1], PATTERNS_LEVEL_ANY);
        put(p, "]");
        return;
    case PATTERNS_EXPR_CALL: print_call(p, expr->call); return;
    case PATTERNS_EXPR_UNARY: print_unary(p, expr); return;
    case PATTERNS_EXPR_BINARY: print_binary(p, expr); return;
    case PATTERNS_EXPR_BETWEEN:
    case PATTERNS_EXPR_IN:
    case PATTERNS_EXPR_IN_QUERY:
    case PATTERNS_EXPR_LIKE:
    case PATTERNS_EXPR_SIMILAR: print_predicate(p, expr); return;
    case PATTERNS_EXPR_CAST:
        put(p, expr->try_cast ? "TRY_CAST(" : "CAST(");
        patterns_printer_expr(p, expr->args[0], PATTERNS_LEVEL_ANY);
        put(p, " AS ");
        patterns_print_type(expr->type, p->out);
        put(p, ")");
        return;
    case PATTERNS_EXPR_CASE: print_case(p, expr->case_when); return;
    case PATTERNS_EXPR_ARRAY: print_list(p, "ARRAY[", expr, "]"); return;
    case PATTERNS_EXPR_MAP: print_list(p, "MAP[", expr, "]"); return;
    case PATTERNS_EXPR_ROW: print_list(p, "ROW(", expr, ")"); return;
    case PATTERNS_EXPR_EXISTS:
        put(p, "EXISTS ");
        patterns_printer_subquery(p, expr->query);
        return;
    case PATTERNS_EXPR_SUBQUERY: patterns_printer_subquery(p, expr->query); return;
    }
}

void patterns_printer_expr(struct patterns_printer *p, const struct patterns_expr *expr, enum patterns_level level)
{
    bool open = level_of(expr) < level;
    if (open)
        put(p, "(");
    print_node(p, expr);
    if (open)
        put(p, ")");
}

void patterns_print_expr(const struct patterns_expr *expr, struct base_buf *out)
{
    struct patterns_printer p = { .out = out };
    patterns_printer_expr(&p, expr, PATTERNS_LEVEL_ANY);
}
