/* A small assembler for tests: programs of hand-written codes, run against hand-made rows. Include in one .c per test.
 */
#ifndef TESTS_CEP_ASM_H
#define TESTS_CEP_ASM_H

#include "base/error.h"
#include "cep/expr.h"
#include "cep/program.h"

#define I_(opcode, ...) ((struct cep_insn){ .op = CEP_OP_##opcode, __VA_ARGS__ })

/* A code of its own instructions; the result type NULL: no result. */
static inline uint32_t asm_code(struct cep_builder *b, struct cep_type type, uint32_t slots,
                                const struct cep_insn *insns, uint32_t count)
{
    struct cep_code code = { .count = count, .slots = slots, .type = type, .nav_min = -8, .nav_max = 8 };
    code.first = cep_builder_add(b, CEP_SEC_INSNS, insns, count);
    return cep_builder_add(b, CEP_SEC_CODES, &code, 1);
}
#define ASM(b, type, slots, ...) \
    asm_code((b), (type), (slots), (const struct cep_insn[]){ __VA_ARGS__ }, \
             sizeof((const struct cep_insn[]){ __VA_ARGS__ }) / sizeof(struct cep_insn))

static inline uint32_t asm_call(struct cep_builder *b, const char *name, const struct cep_type *types,
                                const uint32_t *consts, uint32_t n, struct cep_type ret)
{
    uint32_t none[CEP_FUNC_ARGS_MAX];
    for (uint32_t i = 0; i < CEP_FUNC_ARGS_MAX; i++)
        none[i] = CEP_NONE;
    struct cep_callsite site = { .name = cep_builder_text(b, base_str_of(name)),
                                 .arg_types = { cep_builder_add(b, CEP_SEC_TYPES, types, n), n },
                                 .arg_consts = cep_builder_u32s(b, consts ? consts : none, n),
                                 .ret = ret };
    return cep_builder_add(b, CEP_SEC_CALLSITES, &site, 1);
}

/* A program with what runs it. */
struct asm_machine {
    struct cep_program *program;
    struct cep_funcs *funcs;
    struct cep_linked *linked;
    struct cep_expr *expr;
    struct base_arena arena;
    const char *error;
};
static inline void asm_finish(struct asm_machine *m)
{
    cep_expr_destroy(m->expr);
    cep_unlink(m->linked);
    cep_funcs_destroy(m->funcs);
    cep_program_free(m->program);
    base_arena_finish(&m->arena);
    *m = (struct asm_machine){ 0 };
}
/* The builder is destroyed. */
static inline int asm_start(struct asm_machine *m, struct cep_builder *b)
{
    *m = (struct asm_machine){ .funcs = cep_funcs_create() };
    int e = cep_builder_finish(b, &m->program);
    cep_builder_destroy(b);
    if (e == 0)
        e = cep_link(m->program, m->funcs, &m->arena, &m->error, &m->linked);
    if (e == 0) {
        m->expr = cep_expr_create(m->linked);
        e = m->expr ? 0 : BASE_E_NOMEM;
    }
    return e;
}

#endif
