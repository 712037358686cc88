/* The columns that an expression may name: what a table, a view, a subquery or a row pattern gives, with the qualifiers
 * they have in the text. Made and read by the binder; holds no rows and no code. Single-threaded; memory belongs to the
 * compile arena. */
#ifndef PATTERNS_RELATION_H
#define PATTERNS_RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cep/value.h"

#define PATTERNS_NO_COLUMN UINT32_MAX
#define PATTERNS_PATH_SEPARATOR '\x1f'

/* One column. Its place in the relation is its index in bound expressions and in the row (before unread columns are
 * pruned). */
struct patterns_column {
    struct base_str name;      /* as the column is called in the result */
    struct base_str qualifier; /* alias or name of the table it came through; empty: none */
    struct base_str path; /* of a hidden column: the nested field below `name`, segments joined by 0x1F; else empty */
    struct cep_type type;
    uint64_t hash;     /* what it is computed from, names aside: equal hashes mean equal values; never 0 in a finished
                          relation */
    bool quoted;       /* name was quoted: compared exactly, else case-insensitively */
    bool hidden;       /* not part of `*`: a field of a ROW column, reached by `a.b` */
    bool not_null;     /* declared so; informational */
    uint32_t decimals; /* reserved, 0 */
};

struct patterns_relation {
    struct patterns_column *columns;
    uint32_t count;
    uint32_t rowtime;  /* column with the event time (a declared watermark lies behind it) or PATTERNS_NO_COLUMN */
    bool bounded;      /* all sources below end by themselves (files): batch order is possible */
    bool has_proctime; /* reserved, false */
};

/* Names equal as SQL identifiers: case-insensitively, unless both were quoted. */
bool patterns_name_equal(struct base_str a, bool a_quoted, struct base_str b, bool b_quoted);
/* Appends a copy of the column (grown in the arena). Returns its index, or PATTERNS_NO_COLUMN without memory. */
uint32_t patterns_relation_add(struct patterns_relation *relation, struct base_arena *arena,
                               const struct patterns_column *column);

enum patterns_found { PATTERNS_FOUND, PATTERNS_FOUND_NONE, PATTERNS_FOUND_MANY };
/* Finds the column that the parts of a name mean: `c`, `t.c`, `c.field`, `t.c.field.field`. Qualified readings come
 * first, then nested ones. Hidden columns are found only by their path. NONE: *ret unchanged; MANY: the name is
 * ambiguous, *ret is the first of them. */
struct patterns_name_part {
    struct base_str text;
    bool quoted;
};
enum patterns_found patterns_relation_find(const struct patterns_relation *relation,
                                           const struct patterns_name_part *parts, uint32_t count, uint32_t *ret);
/* The visible column whose name is nearest to `name` ("did you mean"); empty slice if none is near. */
struct base_str patterns_relation_nearest(const struct patterns_relation *relation, struct base_str name);

#endif
