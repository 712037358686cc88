/* Parses a text, prints it, parses that again: both trees must be the same. For unit tests and the fuzz target. */
#ifndef TESTS_PATTERNS_ROUND_TRIP_H
#define TESTS_PATTERNS_ROUND_TRIP_H

#include <stddef.h>
#include <string.h>
#include "base/arena.h"
#include "base/diag.h"
#include "base/error.h"
#include "base/str.h"
#include "patterns/dump.h"
#include "patterns/parse.h"
#include "patterns/print.h"

struct round_trip {
    struct base_arena arena;
    struct base_diags diags, again_diags;
    struct base_source source, again_source;
    struct patterns_script *script, *again;
    struct base_buf printed, printed_again, dump, dump_again, said;
};

static inline void round_trip_finish(struct round_trip *t)
{
    base_diags_finish(&t->diags);
    base_diags_finish(&t->again_diags);
    base_buf_finish(&t->printed);
    base_buf_finish(&t->printed_again);
    base_buf_finish(&t->dump);
    base_buf_finish(&t->dump_again);
    base_buf_finish(&t->said);
    base_arena_finish(&t->arena);
}

static inline bool round_trip_same(const struct base_buf *a, const struct base_buf *b)
{
    return !a->failed && !b->failed && a->len == b->len && (a->len == 0 || memcmp(a->ptr, b->ptr, a->len) == 0);
}

/* What went wrong, NULL if all is well (diagnostics of the text itself are not wrong). The caller finishes *t always.
 */
static inline const char *round_trip(struct round_trip *t, const char *text, size_t len)
{
    *t = (struct round_trip){ .source = { "rule.sql", text, len } };
    base_diags_init(&t->diags, &t->arena);
    base_diags_init(&t->again_diags, &t->arena);
    if (patterns_parse(&t->source, &t->arena, &t->diags, &t->script) != 0)
        return "parse failed without memory being short";
    base_diags_render(&t->diags, &t->said);
    patterns_print_script(t->script, &t->printed);
    patterns_dump_script(t->script, &t->dump);
    t->again_source = (struct base_source){ "printed.sql", t->printed.ptr ? t->printed.ptr : "", t->printed.len };
    if (t->printed.len > PATTERNS_MAX_TEXT_BYTES)
        return NULL; /* indented it can outgrow the limit */
    if (patterns_parse(&t->again_source, &t->arena, &t->again_diags, &t->again) != 0)
        return "parse of the printed text failed";
    if (t->again_diags.errors > 0) {
        base_buf_clear(&t->said);
        base_diags_render(&t->again_diags, &t->said);
        return "the printed text does not parse";
    }
    patterns_print_script(t->again, &t->printed_again);
    patterns_dump_script(t->again, &t->dump_again);
    if (!round_trip_same(&t->dump, &t->dump_again))
        return "the printed text gives another tree";
    if (!round_trip_same(&t->printed, &t->printed_again))
        return "printing twice gives another text";
    return NULL;
}

#endif
