#include "cep/program.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "cep/sections.h"

size_t cep_section_size(enum cep_section section)
{
    static const size_t sizes[] = {
#define X(name, type) sizeof(type),
        CEP_SECTIONS(X)
#undef X
    };
    _Static_assert(sizeof sizes / sizeof *sizes == CEP_SEC_COUNT_, "ORDER SEC");
    return sizes[section];
}

const char *cep_section_name(enum cep_section section)
{
    static const char *const names[] = {
#define X(name, type) #name,
        CEP_SECTIONS(X)
#undef X
    };
    return names[section];
}

/* No padding inside the elements that mix sizes: their bytes are hashed and compared. (Structs of 32-bit fields alone
 * have none.) */
_Static_assert(sizeof(struct cep_type) == 8 && sizeof(struct cep_const) == 32 && sizeof(struct cep_insn) == 16,
               "padding");
_Static_assert(sizeof(struct cep_code) == 36 && sizeof(struct cep_callsite) == 32 && sizeof(struct cep_field) == 32,
               "padding");
_Static_assert(sizeof(struct cep_table) == 56 && sizeof(struct cep_node) == 72 && sizeof(struct cep_sort) == 32,
               "padding");
_Static_assert(sizeof(struct cep_topn) == 48 && sizeof(struct cep_join) == 40, "padding");
_Static_assert(sizeof(struct cep_rule) == 112 && sizeof(struct cep_match) == 152 && sizeof(struct cep_nfa) == 40,
               "padding");

struct opcode {
    const char *name, *operands;
};
static const struct opcode opcodes[] = {
#define X(name, operands, meaning) { #name, operands },
#include "cep/opcodes.def"
#undef X
};

const char *cep_opcode_name(uint16_t op)
{
    return opcodes[op].name;
}

const char *cep_opcode_operands(uint16_t op)
{
    return opcodes[op].operands;
}

bool cep_opcode_jumps(uint16_t op)
{
    return op >= CEP_OP_JUMP && op <= CEP_OP_JUMP_NOT_NULL;
}

struct base_str cep_program_setting(const struct cep_program *p, struct cep_list options, const char *key)
{
    struct base_str wanted = base_str_of(key);
    for (uint32_t i = 0; i < options.count; i++) {
        const struct cep_option *option = cep_program_option(p, options.first + i);
        if (base_str_equal(cep_program_text(p, option->key), wanted))
            return cep_program_text(p, option->value);
    }
    return (struct base_str){ NULL, 0 };
}

struct cep_value cep_program_value(const struct cep_program *p, uint32_t index)
{
    const struct cep_const *c = cep_program_const(p, index);
    if (c->null)
        return cep_null();
    if (cep_kind_is_text(c->type.kind)) {
        struct base_str text = cep_program_text(p, (struct cep_text){ (uint32_t)c->lo, (uint32_t)c->hi });
        return cep_string(text.ptr, text.len);
    }
    return (struct cep_value){ .dec = { c->lo, c->hi } }; /* the integer or the bits of the double as well */
}

void cep_program_free(struct cep_program *program)
{
    base_free(program);
}

uint64_t cep_program_hash(const struct cep_program *program)
{
    return base_hash64(program, program->size_bytes, 0);
}
