/* Results that are columns of their match's rows as they stand (MEASURES A.id AS a, the key): such a match is told by naming its rows, and its result is made only when it goes out.
 * Used by lean_named.c and cep/flow_history.c, where rows stand in columns; never where a measure has to be computed, or a column is that of an earlier row than the last with its label. One thread. */
#ifndef CEP_MATCH_PICKS_H
#define CEP_MATCH_PICKS_H

#include "cep/columns.h"
#include "cep/match/match.h"

#define MATCH_PICK_NONE UINT16_MAX
#define MATCH_NAMED_MOST 8u /* rows of a match that is told so */

/* A match by the numbers of its rows; labels are places among the pattern's variables. */
struct match_named_item { uint32_t row; uint16_t var, excluded; };
struct match_named {
    const struct cep_tuple *key; /* NULL where nobody asks for it */
    uint32_t start, count;
    struct match_named_item items[];
};

struct match_picks {
    uint16_t *columns;       /* per column of the result and variable: the column of a row with that label which it is, as the last such row has it; MATCH_PICK_NONE: it says nothing of it. NULL: there are other results */
    uint32_t outs, vars;
    const struct cep_type *types; /* of the result */
    struct cep_value *values; /* scratch: one result */
};

/* Zeroed before. columns NULL afterwards: the operator's results are more than that. BASE_E_NOMEM. */
int cep_match_picks_init(const struct match_op *op, struct match_picks *ret) BASE_MUST_CHECK;
void cep_match_picks_finish(struct match_picks *picks);
/* The result, in the arena. BASE_E_LIMIT, BASE_E_NOMEM. */
int cep_match_picks_row(const struct match_picks *picks, const struct cep_columns *columns, const struct match_named *named, struct base_arena *arena, struct cep_row **ret) BASE_MUST_CHECK;
/* Brings near what a result is made of: where the values lie, then (texts) those. */
void cep_match_picks_near(const struct match_picks *picks, const struct cep_columns *columns, const struct match_named *named, bool texts);

#endif
