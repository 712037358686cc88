/* Inside of struct cep_linked: what link.c makes of a program and expr.c runs. Internal to cep/. Read-only after link:
 * any thread. */
#ifndef CEP_LINKED_H
#define CEP_LINKED_H

#include "cep/expr.h"
#include "cep/func.h"

struct cep_linked_call {
    const struct cep_func *func;
    const struct cep_type *arg_types; /* in the program */
    uint32_t args;
    struct cep_type ret_type;
    void *prepared; /* owned through func->unprepare */
    bool strict;    /* a NULL argument gives NULL without a call */
};
struct cep_linked {
    const struct cep_program *program; /* borrowed */
    struct cep_value *consts;          /* decoded; texts point into the program */
    const struct cep_insn **codes;     /* first instruction of each code, in the program */
    struct cep_linked_call *calls;
    uint32_t call_count; /* calls that were linked so far */
    uint32_t slots;      /* the most that any code needs */
};

#endif
