/* What a condition demands of the row's columns: an equality of a column with a constant or a register without which the condition cannot be TRUE. Found by looking at its
 * code, never by running it. Used by care.c (which rules a row concerns), match/park.c (which waiting threads) and `explain`; any thread. */
#ifndef CEP_DEMAND_H
#define CEP_DEMAND_H

#include <stdbool.h>
#include <stdint.h>
#include "cep/program.h"

struct cep_demand {
    uint32_t column;  /* of the row under test */
    uint32_t operand; /* what it must equal: a constant of the program, or a register */
    bool calm;        /* nothing in the condition can end in an error: a NULL, with which what follows is evaluated too, leads to nothing either */
};
/* The first such equality in the condition's code, with a register or with a constant. Whatever stands before it ends in no error, and where it is FALSE nothing behind it is evaluated.
 * Doubles only with a register: equal ones may differ in bytes (-0.0). */
bool cep_demand_of(const struct cep_program *program, uint32_t code, bool with_register, struct cep_demand *ret);
/* Is the pattern's state pc a wait whose threads are found by value: does each condition that could end it demand one, some that of a register? */
bool cep_demand_waits(const struct cep_program *program, const struct cep_match *match, uint32_t pc);
/* Are there such waits, and are they found so? Not where conditions read MATCH_NUMBER(); where later starts could be absorbed only if a start has one thread at a time, for
 * then equal starts are one class anyway. absorbs: could they be? */
bool cep_demand_finds_waits(const struct cep_program *program, const struct cep_match *match, bool absorbs);

#endif
