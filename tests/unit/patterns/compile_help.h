/* What the tests of the compiler share: compile a text, give back plan, diagnostics or fingerprints as text. */
#ifndef TESTS_PATTERNS_COMPILE_HELP_H
#define TESTS_PATTERNS_COMPILE_HELP_H

#include <string.h>
#include "base/alloc.h"
#include "patterns/compile.h"
#include "patterns/explain.h"

struct compiled_text {
    struct base_arena arena;
    struct base_diags diags;
    struct cep_funcs *funcs;
    struct patterns_result *result;
    int error;
    struct base_buf text; /* scratch for what the functions below return */
};

static inline bool help_variable(void *ctx, struct base_str name, struct base_str *ret)
{
    (void)ctx;
    *ret = BASE_STR("broker:9092");
    return base_str_equal(name, BASE_STR("KAFKA"));
}

static inline void help_compile_sources(struct compiled_text *c, const struct base_source *sources, uint32_t count,
                                        bool queries, bool no_optimiser)
{
    const struct patterns_options options = { .queries = queries,
                                              .no_optimiser = no_optimiser,
                                              .variable = help_variable };
    *c = (struct compiled_text){ .error = 0 };
    base_diags_init(&c->diags, &c->arena);
    c->funcs = cep_funcs_create();
    c->error = c->funcs ? patterns_compile(sources, count, c->funcs, &options, &c->arena, &c->diags, &c->result) : -1;
}

/* The source must live in the caller: results point into it. */
static inline void help_compile(struct compiled_text *c, struct base_source *source, const char *text)
{
    *source = (struct base_source){ "rules.sql", text, strlen(text) };
    help_compile_sources(c, source, 1, true, false);
}

static inline void help_finish(struct compiled_text *c)
{
    patterns_result_finish(c->result);
    base_buf_finish(&c->text);
    base_diags_finish(&c->diags);
    cep_funcs_destroy(c->funcs);
    base_arena_finish(&c->arena);
}

/* The plan, columns left out; diagnostics if it did not compile. */
static inline const char *help_plan(struct compiled_text *c)
{
    base_buf_clear(&c->text);
    if (!c->error) {
        struct base_buf plan = { 0 };
        patterns_explain_plan(c->result, &plan);
        /* "  (columns)" at the end of a line is cut: the greatest pair of blanks and parenthesis. */
        for (size_t at = 0; at < plan.len;) {
            size_t end = at, cut = 0;
            while (end < plan.len && plan.ptr[end] != '\n')
                end++;
            for (size_t i = at; i + 2 < end; i++)
                if (plan.ptr[i] == ' ' && plan.ptr[i + 1] == ' ' && plan.ptr[i + 2] == '(')
                    cut = i;
            size_t begin = at;
            while (begin < end && plan.ptr[begin] == ' ')
                begin++;
            base_buf_put(&c->text, plan.ptr + begin, (cut ? cut : end) - begin);
            while (c->text.len && c->text.ptr[c->text.len - 1] == ' ')
                c->text.len--;
            base_buf_putc(&c->text, '\n');
            at = end + 1;
        }
        base_buf_finish(&plan);
    } else {
        base_diags_render(&c->diags, &c->text);
    }
    return c->text.ptr ? c->text.ptr : "";
}

/* "code line:column message | hint" for each diagnostic. */
static inline const char *help_diags(struct compiled_text *c)
{
    base_buf_clear(&c->text);
    for (size_t i = 0; i < c->diags.len; i++) {
        const struct base_diag *d = &c->diags.at[i];
        uint32_t line = 0, column = 0;
        if (d->source)
            base_source_place(d->source, d->begin, &line, &column);
        base_buf_printf(&c->text, "%s %u:%u %s%s%s\n", d->code, line, column, d->message, d->hint ? " | " : "",
                        d->hint ? d->hint : "");
    }
    return c->text.ptr ? c->text.ptr : "";
}

#endif
