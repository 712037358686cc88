/* A rule text compiled and linked, for tests that run it: says why as a TAP comment where it does not compile. */
#ifndef TESTS_UNIT_RULED_H
#define TESTS_UNIT_RULED_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cep/expr.h"
#include "patterns/compile.h"

struct ruled {
    struct base_arena arena;
    struct base_diags diags;
    struct patterns_result *result;
    struct cep_linked *linked;
    struct cep_funcs *funcs;
};

/* The text must outlive what is made. False: ruled_finish is needed all the same. */
static inline bool ruled_compile(struct ruled *ruled, const char *text, const struct patterns_options *options)
{
    *ruled = (struct ruled){ 0 };
    base_diags_init(&ruled->diags, &ruled->arena);
    struct base_source *source = base_arena_zalloc(&ruled->arena, 1, sizeof *source);
    *source = (struct base_source){ .name = "rules.sql", .text = text, .len = strlen(text) };
    const char *why = NULL;
    ruled->funcs = cep_funcs_create();
    int e = patterns_compile(source, 1, ruled->funcs, options, &ruled->arena, &ruled->diags, &ruled->result);
    if (e == 0)
        e = cep_link(ruled->result->program, ruled->funcs, &ruled->arena, &why, &ruled->linked);
    if (e < 0) {
        struct base_buf out = { 0 };
        base_diags_render(&ruled->diags, &out);
        printf("# %s\n", why ? why : out.ptr ? out.ptr : base_error_text(e));
        base_buf_finish(&out);
    }
    return e == 0;
}

static inline void ruled_finish(struct ruled *ruled)
{
    cep_unlink(ruled->linked);
    patterns_result_finish(ruled->result);
    cep_funcs_destroy(ruled->funcs);
    base_diags_finish(&ruled->diags);
    base_arena_finish(&ruled->arena);
}

#endif
