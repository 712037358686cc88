#include "patterns/fold.h"

#include "base/error.h"
#include "cep/expr.h"
#include "patterns/bind_expr.h"

bool patterns_is_constant(const struct patterns_bound *bound)
{
    return !(bound->flags & (PATTERNS_BOUND_HAS_COLUMN | PATTERNS_BOUND_HAS_EXTERNAL | PATTERNS_BOUND_IS_VOLATILE |
                             PATTERNS_BOUND_HAS_ROW_TIME));
}

int patterns_fold_value(struct patterns_binder *binder, const struct patterns_bound *bound, struct cep_value *ret)
{
    if (bound->kind == PATTERNS_BOUND_CONST) {
        *ret = bound->value;
        return 0;
    }
    struct cep_builder *builder = cep_builder_create();
    if (!builder)
        return BASE_E_NOMEM;
    struct patterns_emit_env env = { .builder = builder, .arena = binder->arena };
    struct cep_program *program = NULL;
    uint32_t code = 0;
    int error = patterns_emit_expr(&env, bound, &code);
    if (!error)
        error = cep_builder_finish(builder, &program);
    if (!error)
        error = cep_expr_fold(program, code, binder->funcs, binder->arena, ret);
    /* A text may point into the program's constants. */
    if (!error && !ret->null && cep_kind_is_text(bound->type.kind)) {
        const char *copy = base_arena_strndup(binder->arena, ret->s.ptr ? ret->s.ptr : "", ret->s.len);
        if (!copy)
            error = BASE_E_NOMEM;
        else
            *ret = cep_string(copy, ret->s.len);
    }
    cep_program_free(program);
    cep_builder_destroy(builder);
    return error;
}

/* AND without its TRUE arms, OR without its FALSE arms; decided as a whole by one FALSE (TRUE) arm. */
static int fold_logic(struct patterns_binder *binder, const struct patterns_bound *bound,
                      const struct patterns_bound **ret)
{
    bool is_and = bound->kind == PATTERNS_BOUND_AND;
    const struct patterns_bound **kept = base_arena_zalloc(binder->arena, bound->arg_count, sizeof *kept);
    if (!kept)
        return BASE_E_NOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; i < bound->arg_count; i++) {
        const struct patterns_bound *arg = bound->args[i];
        if (arg->kind == PATTERNS_BOUND_CONST && !arg->value.null) {
            if ((arg->value.i == 0) == is_and) {
                *ret = patterns_bound_relabel(binder, bound, cep_int(is_and ? 0 : 1), CEP_TYPE(BOOLEAN));
                return *ret ? 0 : BASE_E_NOMEM;
            }
            continue;
        }
        kept[n++] = arg;
    }
    if (n == bound->arg_count)
        *ret = bound;
    else if (n == 0)
        *ret = patterns_bound_relabel(binder, bound, cep_int(is_and ? 1 : 0), CEP_TYPE(BOOLEAN));
    else if (n == 1)
        *ret = patterns_bound_with_hash(binder, kept[0], bound->hash);
    else {
        const struct patterns_bound *shorter = patterns_bound_op(binder, NULL, bound->kind, bound->type, kept, n);
        *ret = shorter ? patterns_bound_with_hash(binder, shorter, bound->hash) : NULL;
    }
    return *ret ? 0 : BASE_E_NOMEM;
}

/* CASE: arms that are never true go; an arm that is always true ends it. */
static int fold_case(struct patterns_binder *binder, const struct patterns_bound *bound,
                     const struct patterns_bound **ret)
{
    const struct patterns_bound **kept = base_arena_zalloc(binder->arena, bound->arg_count, sizeof *kept);
    if (!kept)
        return BASE_E_NOMEM;
    uint32_t n = 0, i = 0;
    for (; i + 1 < bound->arg_count; i += 2) {
        if (patterns_bound_is_never(bound->args[i]))
            continue;
        if (patterns_bound_is_true(bound->args[i]))
            break;
        kept[n++] = bound->args[i];
        kept[n++] = bound->args[i + 1];
    }
    kept[n++] = i + 1 < bound->arg_count ? bound->args[i + 1] : bound->args[bound->arg_count - 1];
    if (n == bound->arg_count) {
        *ret = bound;
        return 0;
    }
    const struct patterns_bound *shorter =
        n == 1 ? kept[0] : patterns_bound_op(binder, NULL, bound->kind, bound->type, kept, n);
    *ret = shorter ? patterns_bound_with_hash(binder, shorter, bound->hash) : NULL;
    return *ret ? 0 : BASE_E_NOMEM;
}

int patterns_fold(struct patterns_binder *binder, const struct patterns_bound *bound, const struct patterns_bound **ret)
{
    *ret = bound;
    if (binder->no_fold || bound->kind == PATTERNS_BOUND_CONST)
        return 0;
    if (!patterns_is_constant(bound)) {
        if (bound->kind == PATTERNS_BOUND_AND || bound->kind == PATTERNS_BOUND_OR)
            return fold_logic(binder, bound, ret);
        return bound->kind == PATTERNS_BOUND_CASE ? fold_case(binder, bound, ret) : 0;
    }
    struct cep_value value;
    int error = patterns_fold_value(binder, bound, &value);
    if (error == BASE_E_NOMEM)
        return error;
    if (error) {
        patterns_warn_at(binder, BASE_SEVERITY_WARNING, bound->source, bound->begin, bound->end, "always-fails", NULL,
                         "this constant expression fails for every row: %s", base_error_text(error));
        return 0;
    }
    *ret = patterns_bound_relabel(binder, bound, value, bound->type);
    return *ret ? 0 : BASE_E_NOMEM;
}
