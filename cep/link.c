#include "cep/linked.h"

#include "base/alloc.h"
#include "base/error.h"

static void decode_consts(struct cep_linked *l)
{
    for (uint32_t i = 0; i < cep_program_const_count(l->program); i++)
        l->consts[i] = cep_program_value(l->program, i);
}

/* The types of the call must be exactly those that the function asked for when it was bound: its code relies on them.
 */
static int check_types(const struct cep_linked_call *call, struct base_arena *arena, struct base_str name,
                       const char **ret_error)
{
    struct cep_type want[CEP_FUNC_ARGS_MAX] = { { 0 } }, ret = { 0 };
    bool good = call->args >= call->func->args_min && call->args <= call->func->args_max &&
                call->args <= CEP_FUNC_ARGS_MAX && call->func->resolve(call->arg_types, call->args, want, &ret);
    for (uint32_t i = 0; good && i < call->args; i++)
        good = cep_type_equal(want[i], call->arg_types[i]);
    if (good && cep_type_equal(ret, call->ret_type))
        return 0;
    *ret_error =
        base_arena_printf(arena, "function %.*s has no signature with these argument types", (int)name.len, name.ptr);
    return BASE_E_INVALID;
}

static int prepare(struct cep_linked *l, const struct cep_callsite *site, struct cep_linked_call *call,
                   struct base_arena *arena, const char **ret_error)
{
    struct cep_value constants[CEP_FUNC_ARGS_MAX];
    bool constant[CEP_FUNC_ARGS_MAX];
    if (!call->func->prepare)
        return 0;
    for (uint32_t i = 0; i < call->args; i++) {
        uint32_t index = *cep_program_u32(l->program, site->arg_consts.first + i);
        constant[i] = index != CEP_NONE;
        constants[i] = constant[i] ? l->consts[index] : cep_null();
    }
    const char *error = NULL;
    int e = call->func->prepare(constants, constant, call->args, arena, &error, &call->prepared);
    if (e < 0)
        *ret_error = base_arena_printf(arena, "function %s: %s", call->func->name, error ? error : base_error_text(e));
    return e;
}

static int link_call(struct cep_linked *l, uint32_t index, const struct cep_funcs *funcs, struct base_arena *arena,
                     const char **ret_error)
{
    const struct cep_callsite *site = cep_program_callsite(l->program, index);
    struct base_str name = cep_program_text(l->program, site->name);
    struct cep_linked_call *call = &l->calls[index];
    *call = (struct cep_linked_call){ .func = cep_funcs_find(funcs, name, NULL),
                                      .arg_types = cep_program_type(l->program, site->arg_types.first),
                                      .args = site->arg_types.count,
                                      .ret_type = site->ret };
    if (!call->func) {
        *ret_error = base_arena_printf(arena, "unknown function %.*s", (int)name.len, name.ptr);
        return BASE_E_NOTFOUND;
    }
    call->strict = !(call->func->flags & CEP_FUNC_SEES_NULL);
    int e = check_types(call, arena, name, ret_error);
    if (e < 0)
        return e;
    e = prepare(l, site, call, arena, ret_error);
    if (e == 0)
        l->call_count++;
    return e;
}

int cep_link(const struct cep_program *program, const struct cep_funcs *funcs, struct base_arena *arena,
             const char **ret_error, struct cep_linked **ret)
{
    const char *error = NULL;
    int e = BASE_E_NOMEM;
    struct cep_linked *l = base_calloc(1, sizeof *l);
    if (!l)
        goto out;
    l->program = program;
    l->consts = base_calloc(cep_program_const_count(program) + 1u, sizeof *l->consts);
    l->calls = base_calloc(cep_program_callsite_count(program) + 1u, sizeof *l->calls);
    l->codes = base_calloc(cep_program_code_count(program) + 1u, sizeof *l->codes);
    if (!l->consts || !l->calls || !l->codes)
        goto out;
    decode_consts(l);
    for (uint32_t i = 0; i < cep_program_code_count(program); i++) {
        const struct cep_code *code = cep_program_code(program, i);
        l->codes[i] = cep_program_insn(program, code->first);
        l->slots = code->slots > l->slots ? code->slots : l->slots;
    }
    e = 0;
    for (uint32_t i = 0; e == 0 && i < cep_program_callsite_count(program); i++)
        e = link_call(l, i, funcs, arena, &error);
out:
    if (e < 0) {
        cep_unlink(l);
        *ret_error = error ? error : base_error_text(e);
        return e;
    }
    *ret = l;
    return 0;
}

void cep_unlink(struct cep_linked *l)
{
    if (!l)
        return;
    for (uint32_t i = 0; i < l->call_count; i++)
        if (l->calls[i].func->unprepare)
            l->calls[i].func->unprepare(l->calls[i].prepared);
    base_free(l->codes);
    base_free(l->calls);
    base_free(l->consts);
    base_free(l);
}

const struct cep_program *cep_linked_program(const struct cep_linked *l)
{
    return l->program;
}
