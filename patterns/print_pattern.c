#include "patterns/print.h"

/* Levels of binding in a pattern; a weaker part gets parentheses. */
enum level { LEVEL_CHOICE, LEVEL_SEQUENCE, LEVEL_ELEMENT, LEVEL_REPEAT, LEVEL_PRIMARY };

static enum level level_of(const struct patterns_pattern *pattern)
{
    switch (pattern->kind) {
    case PATTERNS_PATTERN_CHOICE: return LEVEL_CHOICE;
    case PATTERNS_PATTERN_SEQUENCE: return LEVEL_SEQUENCE;
    case PATTERNS_PATTERN_FOLLOW:
    case PATTERNS_PATTERN_NOT: return LEVEL_ELEMENT;
    case PATTERNS_PATTERN_REPEAT: return LEVEL_REPEAT;
    case PATTERNS_PATTERN_VARIABLE:
    case PATTERNS_PATTERN_EMPTY:
    case PATTERNS_PATTERN_START:
    case PATTERNS_PATTERN_END:
    case PATTERNS_PATTERN_PERMUTE:
    case PATTERNS_PATTERN_EXCLUDE: return LEVEL_PRIMARY;
    }
    return LEVEL_PRIMARY;
}

static void print_at(const struct patterns_pattern *pattern, enum level level, struct base_buf *out);

static void print_items(const struct patterns_pattern *pattern, const char *between, enum level level,
                        struct base_buf *out)
{
    for (uint32_t i = 0; i < pattern->item_count; i++) {
        if (i > 0)
            base_buf_puts(out, between);
        print_at(pattern->items[i], level, out);
    }
}

static void print_quantifier(const struct patterns_pattern *pattern, struct base_buf *out)
{
    uint32_t min = pattern->min;
    uint32_t max = pattern->max;
    if (min == 0 && max == PATTERNS_UNBOUNDED)
        base_buf_putc(out, '*');
    else if (min == 1 && max == PATTERNS_UNBOUNDED)
        base_buf_putc(out, '+');
    else if (min == 0 && max == 1)
        base_buf_putc(out, '?');
    else if (max == PATTERNS_UNBOUNDED)
        base_buf_printf(out, "{%u,}", min);
    else if (min == max)
        base_buf_printf(out, "{%u}", min);
    else
        base_buf_printf(out, "{%u,%u}", min, max);
    if (pattern->greed == PATTERNS_RELUCTANT)
        base_buf_putc(out, '?');
    else if (pattern->greed == PATTERNS_POSSESSIVE)
        base_buf_putc(out, '+');
}

static void print_not(const struct patterns_pattern *pattern, struct base_buf *out)
{
    if (pattern->arrow != PATTERNS_ARROW_NONE)
        base_buf_puts(out, pattern->arrow == PATTERNS_ARROW_NEXT ? "-> " : "->> ");
    base_buf_puts(out, "NOT ");
    print_at(pattern->items[0], LEVEL_PRIMARY, out);
    if (pattern->hold) {
        base_buf_puts(out, " FOR ");
        patterns_print_expr(pattern->hold, out);
    }
}

static void print_node(const struct patterns_pattern *pattern, struct base_buf *out)
{
    switch (pattern->kind) {
    case PATTERNS_PATTERN_VARIABLE: patterns_print_ident(&pattern->name, out); return;
    case PATTERNS_PATTERN_EMPTY: base_buf_puts(out, "()"); return;
    case PATTERNS_PATTERN_START: base_buf_putc(out, '^'); return;
    case PATTERNS_PATTERN_END: base_buf_putc(out, '$'); return;
    case PATTERNS_PATTERN_SEQUENCE: print_items(pattern, " ", LEVEL_ELEMENT, out); return;
    case PATTERNS_PATTERN_CHOICE: print_items(pattern, " | ", LEVEL_SEQUENCE, out); return;
    case PATTERNS_PATTERN_PERMUTE:
        base_buf_puts(out, "PERMUTE(");
        print_items(pattern, ", ", LEVEL_CHOICE, out);
        base_buf_putc(out, ')');
        return;
    case PATTERNS_PATTERN_EXCLUDE:
        base_buf_puts(out, "{- ");
        print_items(pattern, "", LEVEL_CHOICE, out);
        base_buf_puts(out, " -}");
        return;
    case PATTERNS_PATTERN_REPEAT:
        print_items(pattern, "", LEVEL_PRIMARY, out);
        print_quantifier(pattern, out);
        return;
    case PATTERNS_PATTERN_FOLLOW:
        base_buf_puts(out, pattern->arrow == PATTERNS_ARROW_NEXT ? "-> " : "->> ");
        print_items(pattern, "", LEVEL_REPEAT, out);
        return;
    case PATTERNS_PATTERN_NOT: print_not(pattern, out); return;
    }
}

static void print_at(const struct patterns_pattern *pattern, enum level level, struct base_buf *out)
{
    bool open = level_of(pattern) < level;
    if (open)
        base_buf_putc(out, '(');
    print_node(pattern, out);
    if (open)
        base_buf_putc(out, ')');
}

void patterns_print_pattern(const struct patterns_pattern *pattern, struct base_buf *out)
{
    print_at(pattern, LEVEL_CHOICE, out);
}
