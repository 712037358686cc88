/* What a user most likely meant: the remedy for a name that is not known. Called by the binding (bind_expr.c, bind_call.c, rowpat_scope.c); decides nothing. */
#ifndef PATTERNS_HINTS_H
#define PATTERNS_HINTS_H

#include "base/arena.h"
#include "patterns/ast.h"
#include "patterns/relation.h"

/* For a column that the relation lacks: a near name, quotes of the wrong kind, or the names that there are. In the arena; NULL: nothing to say. */
const char *patterns_hint_column(struct base_arena *arena, const struct patterns_relation *relation, const struct patterns_ident *part);
/* For a function that other systems have under that name; NULL: none that we know of. */
const char *patterns_hint_function(struct base_str name);

#endif
