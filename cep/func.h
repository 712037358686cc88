/* Scalar functions: one table row and one C function each. cep/ ships the pure ones (func.def); the host adds those that need a library (regular
 * expressions, GeoIP, lists) by further tables in the registry. Read-only once built: any thread. */
#ifndef CEP_FUNC_H
#define CEP_FUNC_H

#include "base/attr.h"
#include "base/arena.h"
#include "cep/value.h"

#define CEP_FUNC_ARGS_MAX 256

/* What a call may use. */
struct cep_call {
    struct base_arena *arena;        /* for the result; lives until the row is done */
    const struct cep_type *arg_types;
    uint32_t args;
    struct cep_type ret_type;
    void *prepared;                  /* what prepare() made for this call site, or NULL */
};
/* 0 or BASE_E_*: an error of this row. Is not called with NULL arguments unless CEP_FUNC_SEES_NULL. */
typedef int cep_func_run(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret);

enum cep_func_flags {
    CEP_FUNC_SEES_NULL = 1,   /* called also with NULL arguments */
    CEP_FUNC_VOLATILE = 2,    /* depends on more than its arguments (lists, GeoIP, scores): its output is stored until settled, never folded */
};

struct cep_func {
    const char *name;         /* upper case, Flink SQL's name */
    uint16_t args_min, args_max;
    uint16_t flags;
    /* Type rule: given argument types, sets the result type and, in want[], the type each argument is cast to. false: no such signature. */
    bool (*resolve)(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret);
    cep_func_run *run;
    /* Optional: called once per call site when the program is linked, with constant arguments (null = true and constant[i] = false where not constant); what it returns goes to
     * call->prepared and is released by unprepare. BASE_E_* with a text in the arena for bad constants (a regex that does not compile). */
    int (*prepare)(const struct cep_value *constants, const bool *constant, uint32_t n, struct base_arena *arena, const char **ret_error,
                   void **ret);
    void (*unprepare)(void *prepared);
    const char *signature;    /* "SUBSTRING(text, from[, length])" */
    const char *doc;          /* one line */
};

struct cep_funcs; /* a registry: name -> functions */
struct cep_funcs *cep_funcs_create(void); /* holds the built-in ones; NULL: no memory */
void cep_funcs_destroy(struct cep_funcs *funcs);
/* table is static, borrowed. BASE_E_EXISTS, BASE_E_NOMEM. */
int cep_funcs_add(struct cep_funcs *funcs, const struct cep_func *table, uint32_t n) BASE_MUST_CHECK;
/* Case-insensitive; NULL if there is none. Index is stable within one registry. */
const struct cep_func *cep_funcs_find(const struct cep_funcs *funcs, struct base_str name, uint32_t *ret_index);
const struct cep_func *cep_funcs_at(const struct cep_funcs *funcs, uint32_t index); /* NULL behind the end */
uint32_t cep_funcs_count(const struct cep_funcs *funcs);

#endif
