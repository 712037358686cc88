#include "cep/func.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vec.h"
#include "cep/func_tables.h"

struct entries BASE_VEC(const struct cep_func *);

struct cep_funcs {
    struct entries entries;
    struct base_map names; /* upper case -> index */
};

#define NAME_MAX_BYTES 64

/* false: longer than any name. */
static bool upper_case(struct base_str name, char at[NAME_MAX_BYTES])
{
    if (name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++)
        at[i] = (char)(name.ptr[i] >= 'a' && name.ptr[i] <= 'z' ? name.ptr[i] - 32 : name.ptr[i]);
    return true;
}

int cep_funcs_add(struct cep_funcs *funcs, const struct cep_func *table, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct base_str name = base_str_of(table[i].name);
        if (name.len > NAME_MAX_BYTES || table[i].args_max > CEP_FUNC_ARGS_MAX)
            return BASE_E_LIMIT;
        if (base_map_find(&funcs->names, name))
            return BASE_E_EXISTS;
        if (!BASE_VEC_RESERVE(&funcs->entries, funcs->entries.len + 1))
            return BASE_E_NOMEM;
        uint64_t *index = base_map_put(&funcs->names, name, NULL);
        if (!index)
            return BASE_E_NOMEM;
        *index = funcs->entries.len;
        funcs->entries.at[funcs->entries.len++] = &table[i];
    }
    return 0;
}

struct cep_funcs *cep_funcs_create(void)
{
    const struct cep_func_table tables[] = { cep_func_table_string(), cep_func_table_search(), cep_func_table_number(),
                                             cep_func_table_time(),   cep_func_table_format(), cep_func_table_array(),
                                             cep_func_table_fraud(),  cep_func_table_json() };
    struct cep_funcs *funcs = base_calloc(1, sizeof *funcs);
    if (!funcs)
        return NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (cep_funcs_add(funcs, tables[i].at, tables[i].count) < 0) {
            cep_funcs_destroy(funcs);
            return NULL;
        }
    return funcs;
}

void cep_funcs_destroy(struct cep_funcs *funcs)
{
    if (!funcs)
        return;
    BASE_VEC_FINISH(&funcs->entries);
    base_map_finish(&funcs->names);
    base_free(funcs);
}

const struct cep_func *cep_funcs_find(const struct cep_funcs *funcs, struct base_str name, uint32_t *ret_index)
{
    char upper[NAME_MAX_BYTES];
    const uint64_t *index =
        upper_case(name, upper) ? base_map_find(&funcs->names, (struct base_str){ upper, name.len }) : NULL;
    if (!index)
        return NULL;
    if (ret_index)
        *ret_index = (uint32_t)*index;
    return funcs->entries.at[*index];
}

const struct cep_func *cep_funcs_at(const struct cep_funcs *funcs, uint32_t index)
{
    return index < funcs->entries.len ? funcs->entries.at[index] : NULL;
}

uint32_t cep_funcs_count(const struct cep_funcs *funcs)
{
    return (uint32_t)funcs->entries.len;
}
