#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vec.h"
#include "cep/sections.h"

struct bytes BASE_VEC(char);

struct cep_builder {
    struct bytes sections[CEP_SEC_COUNT_]; /* elements side by side */
    struct base_map texts;                 /* text -> offset */
    struct base_map consts;                /* type, NULL and value as bytes -> index */
    struct base_map types;                 /* type -> index */
    bool failed;                           /* an allocation was refused, or a section is full */
};

struct cep_builder *cep_builder_create(void)
{
    return base_calloc(1, sizeof(struct cep_builder));
}

void cep_builder_destroy(struct cep_builder *b)
{
    if (!b)
        return;
    for (int i = 0; i < CEP_SEC_COUNT_; i++)
        BASE_VEC_FINISH(&b->sections[i]);
    base_map_finish(&b->texts);
    base_map_finish(&b->consts);
    base_map_finish(&b->types);
    base_free(b);
}

uint32_t cep_builder_count(const struct cep_builder *b, enum cep_section section)
{
    return (uint32_t)(b->sections[section].len / cep_section_size(section));
}

uint32_t cep_builder_add(struct cep_builder *b, enum cep_section section, const void *elements, uint32_t count)
{
    struct bytes *s = &b->sections[section];
    uint32_t first = cep_builder_count(b, section);
    size_t size = cep_section_size(section);
    if (count > CEP_SECTION_MAX || first + count > CEP_SECTION_MAX || !BASE_VEC_RESERVE(s, s->len + count * size)) {
        b->failed = true;
        return CEP_NONE;
    }
    if (count)
        memcpy(s->at + s->len, elements, count * size);
    s->len += count * size;
    return first;
}

void *cep_builder_at(struct cep_builder *b, enum cep_section section, uint32_t index)
{
    return b->sections[section].at + index * cep_section_size(section);
}

struct cep_text cep_builder_text(struct cep_builder *b, struct base_str text)
{
    bool added = false;
    if (text.len == 0)
        return (struct cep_text){ 0, 0 };
    uint64_t *at = text.len > CEP_SECTION_MAX ? NULL : base_map_put(&b->texts, text, &added);
    if (!at) {
        b->failed = true;
        return (struct cep_text){ 0, 0 };
    }
    if (added)
        *at = cep_builder_add(b, CEP_SEC_STRINGS, text.ptr, (uint32_t)text.len);
    return (struct cep_text){ (uint32_t)*at, (uint32_t)text.len };
}

/* Index of an element that stands in the section once; its bytes are the key. */
static uint32_t interned(struct cep_builder *b, struct base_map *map, enum cep_section section, const void *element)
{
    bool added = false;
    uint64_t *at = base_map_put(map, (struct base_str){ element, cep_section_size(section) }, &added);
    if (!at) {
        b->failed = true;
        return CEP_NONE;
    }
    if (added)
        *at = cep_builder_add(b, section, element, 1);
    return (uint32_t)*at;
}

uint32_t cep_builder_const(struct cep_builder *b, struct cep_type type, struct cep_value value)
{
    struct cep_const c = { .type = type, .null = value.null };
    if (!value.null && cep_kind_is_text(type.kind)) {
        struct cep_text text = cep_builder_text(b, (struct base_str){ value.s.ptr, value.s.len });
        c.lo = text.off;
        c.hi = text.len;
    } else if (!value.null && type.kind == CEP_KIND_DECIMAL) {
        c.lo = value.dec.lo;
        c.hi = value.dec.hi;
    } else if (!value.null) {
        c.lo = (uint64_t)value.i; /* the bits of a DOUBLE as well */
    }
    return interned(b, &b->consts, CEP_SEC_CONSTS, &c);
}

uint32_t cep_builder_type(struct cep_builder *b, struct cep_type type)
{
    return interned(b, &b->types, CEP_SEC_TYPES, &type);
}

struct cep_list cep_builder_u32s(struct cep_builder *b, const uint32_t *values, uint32_t count)
{
    uint32_t first = cep_builder_add(b, CEP_SEC_U32S, values, count);
    return first == CEP_NONE ? (struct cep_list){ 0, 0 } : (struct cep_list){ first, count };
}

/* ---- finish ---- */

/* The builder's input is a compiler's: indexes are checked as far as this function follows them; the verifier does the
 * rest. */
static int input_of(const struct cep_builder *b, uint32_t node, struct cep_list inputs, uint32_t i, uint32_t *ret)
{
    const uint32_t *u32s = (const uint32_t *)(const void *)b->sections[CEP_SEC_U32S].at;
    if (inputs.first + (uint64_t)i >= cep_builder_count(b, CEP_SEC_U32S) || u32s[inputs.first + i] >= node)
        return BASE_E_CORRUPT;
    *ret = u32s[inputs.first + i];
    return 0;
}

static int fill_stages(struct cep_builder *b, uint32_t *counts)
{
    for (uint32_t i = 0; i < cep_builder_count(b, CEP_SEC_NODES); i++) {
        struct cep_node *n = cep_builder_at(b, CEP_SEC_NODES, i);
        n->stage = 0;
        for (uint32_t k = 0; k < n->inputs.count; k++) {
            uint32_t input = 0;
            int e = input_of(b, i, n->inputs, k, &input);
            if (e < 0)
                return e;
            const struct cep_node *from = cep_builder_at(b, CEP_SEC_NODES, input);
            uint32_t stage = from->stage + (from->kind == CEP_NODE_EXCHANGE);
            n->stage = stage > n->stage ? stage : n->stage;
            counts[input]++;
        }
    }
    return 0;
}

static int fill_outputs(struct cep_builder *b, uint32_t *counts)
{
    uint32_t nodes = cep_builder_count(b, CEP_SEC_NODES);
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t first = cep_builder_count(b, CEP_SEC_U32S);
        for (uint32_t k = 0; k < counts[i]; k++)
            (void)cep_builder_add(b, CEP_SEC_U32S, &i, 1); /* room; failure is sticky */
        if (b->failed)
            return BASE_E_NOMEM;
        ((struct cep_node *)cep_builder_at(b, CEP_SEC_NODES, i))->outputs = (struct cep_list){ first, 0 };
    }
    for (uint32_t i = 0; i < nodes; i++) {
        struct cep_list inputs = ((struct cep_node *)cep_builder_at(b, CEP_SEC_NODES, i))->inputs;
        for (uint32_t k = 0; k < inputs.count; k++) {
            uint32_t input = 0;
            int e = input_of(b, i, inputs, k, &input);
            if (e < 0)
                return e;
            struct cep_list *outputs = &((struct cep_node *)cep_builder_at(b, CEP_SEC_NODES, input))->outputs;
            *(uint32_t *)cep_builder_at(b, CEP_SEC_U32S, outputs->first + outputs->count++) = i;
        }
    }
    return 0;
}

static int link_nodes(struct cep_builder *b)
{
    uint32_t *counts = base_calloc(cep_builder_count(b, CEP_SEC_NODES) + 1, sizeof *counts);
    if (!counts)
        return BASE_E_NOMEM;
    int e = fill_stages(b, counts);
    if (e == 0)
        e = fill_outputs(b, counts);
    base_free(counts);
    return e;
}

int cep_builder_finish(struct cep_builder *b, struct cep_program **ret)
{
    if (b->failed)
        return BASE_E_NOMEM;
    int e = link_nodes(b);
    if (e < 0)
        return e;
    size_t bytes = sizeof(struct cep_program);
    for (int i = 0; i < CEP_SEC_COUNT_; i++)
        bytes = ((bytes + 7) & ~(size_t)7) + b->sections[i].len;
    bytes = (bytes + 7) & ~(size_t)7;
    struct cep_program *p = base_calloc(1, bytes);
    if (!p)
        return BASE_E_NOMEM;
    p->magic = CEP_PROGRAM_MAGIC;
    p->version = CEP_PROGRAM_VERSION;
    p->size_bytes = bytes;
    size_t at = sizeof *p;
    for (int i = 0; i < CEP_SEC_COUNT_; i++) {
        at = (at + 7) & ~(size_t)7;
        p->sections[i].off = at;
        p->sections[i].count = cep_builder_count(b, (enum cep_section)i);
        if (b->sections[i].len)
            memcpy((char *)p + at, b->sections[i].at, b->sections[i].len);
        at += b->sections[i].len;
    }
    e = cep_program_verify(p, bytes);
    if (e < 0) {
        cep_program_free(p);
        return e;
    }
    *ret = p;
    return 0;
}
