#include "cep/plain_key.h"

static bool has_tail(struct cep_type type)
{
    return cep_kind_is_text(type.kind) || (type.kind == CEP_KIND_DECIMAL && type.precision > 18);
}

void cep_plain_key_init(struct cep_plain_key *key, const struct cep_program *program, struct cep_list codes, uint32_t row_columns)
{
    *key = (struct cep_plain_key){ .brief = codes.count == 0 ? CEP_PLAIN_NONE : CEP_PLAIN_LONG, .null_words = cep_tuple_null_words(row_columns) };
    if (codes.count == 0 || codes.count > CEP_PLAIN_KEY_MOST)
        return;
    for (uint32_t i = 0; i < codes.count; i++) {
        const struct cep_code *code = cep_program_code(program, *cep_program_u32(program, codes.first + i));
        const struct cep_insn *insns = cep_program_insn(program, code->first);
        if (code->count != 2 || insns[0].op != CEP_OP_COLUMN || insns[1].op != CEP_OP_RETURN || insns[1].a != insns[0].d || insns[0].c >= row_columns)
            return;
        key->columns[i] = insns[0].c;
        key->types[i] = code->type;
    }
    key->count = codes.count;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (codes.count == 1)
        key->brief = has_tail(key->types[0]) ? CEP_PLAIN_TEXT : CEP_PLAIN_SLOT;
#endif
}

size_t cep_plain_key_size(const struct cep_plain_key *key, const struct cep_tuple *row)
{
    size_t bytes = sizeof *row + ((size_t)1 + key->count) * 8;
    for (uint32_t i = 0; i < key->count; i++)
        if (has_tail(key->types[i]))
            bytes += cep_tuple_slot(row, key->columns[i]) >> 32; /* the slot of a NULL is zero */
    bytes = (bytes + 7) & ~(size_t)7;
    return bytes > CEP_ROW_BYTES_MAX ? 0 : bytes;
}

void cep_plain_key_write(const struct cep_plain_key *key, const struct cep_tuple *row, struct cep_tuple *at, size_t bytes)
{
    uint32_t tail = (uint32_t)(sizeof *row + ((size_t)1 + key->count) * 8);
    uint64_t nulls = 0;
    at->size_bytes = (uint32_t)bytes;
    at->columns = (uint16_t)key->count;
    at->reserved = 0;
    if (bytes > tail)
        memset((char *)at + bytes - 8, 0, 8);
    for (uint32_t i = 0; i < key->count; i++) {
        uint64_t slot = cep_tuple_slot(row, key->columns[i]);
        uint32_t len = (uint32_t)(slot >> 32);
        if (cep_tuple_is_null(row, key->columns[i])) {
            nulls |= UINT64_C(1) << i;
        } else if (has_tail(key->types[i])) {
            memcpy((char *)at + tail, (const char *)row + (uint32_t)slot, len);
            slot = (uint64_t)tail | (uint64_t)len << 32;
            tail += len;
        }
        at->data[1 + i] = slot;
    }
    at->data[0] = nulls;
}
