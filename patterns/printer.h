/* Private to the printers: what print.c (queries, statements) and print_expr.c (expressions, patterns) share. */
#ifndef PATTERNS_PRINTER_H
#define PATTERNS_PRINTER_H

#include "base/str.h"
#include "patterns/ast.h"

struct patterns_printer {
    struct base_buf *out;
    uint32_t indent; /* of the line that comes next */
};
/* Levels of binding, as the parser has them; a weaker expression gets parentheses. */
enum patterns_level {
    PATTERNS_LEVEL_ANY,
    PATTERNS_LEVEL_OR,
    PATTERNS_LEVEL_AND,
    PATTERNS_LEVEL_NOT,
    PATTERNS_LEVEL_PREDICATE,
    PATTERNS_LEVEL_VALUE,
    PATTERNS_LEVEL_SUM,
    PATTERNS_LEVEL_PRODUCT,
    PATTERNS_LEVEL_UNARY,
    PATTERNS_LEVEL_PRIMARY
};
void patterns_printer_expr(struct patterns_printer *p, const struct patterns_expr *expr, enum patterns_level level);
void patterns_printer_exprs(struct patterns_printer *p, const struct patterns_expr *const *exprs, uint32_t count);
void patterns_printer_order(struct patterns_printer *p, const struct patterns_order_item *items, uint32_t count);
void patterns_printer_window(struct patterns_printer *p, const struct patterns_window *window);
/* ( query ) over several lines. */
void patterns_printer_subquery(struct patterns_printer *p, const struct patterns_query *query);
void patterns_printer_line(struct patterns_printer *p);

#endif
