#include "patterns/relation.h"

#include <string.h>

bool patterns_name_equal(struct base_str a, bool a_quoted, struct base_str b, bool b_quoted)
{
    return a_quoted && b_quoted ? base_str_equal(a, b) : base_str_equal_fold(a, b);
}

uint32_t patterns_relation_add(struct patterns_relation *relation, struct base_arena *arena,
                               const struct patterns_column *column)
{
    uint32_t n = relation->count;
    /* Capacity is the next power of two of the count, so it need not be stored. */
    if (n == 0 || (n >= 8 && (n & (n - 1)) == 0)) {
        size_t cap = n < 8 ? 8 : (size_t)n * 2;
        struct patterns_column *grown = base_arena_zalloc(arena, cap, sizeof *grown);
        if (!grown)
            return PATTERNS_NO_COLUMN;
        if (n)
            memcpy(grown, relation->columns, n * sizeof *grown);
        relation->columns = grown;
    }
    relation->columns[n] = *column;
    relation->count = n + 1;
    return n;
}

/* Does the column's nested path equal the parts? */
static bool path_equal(struct base_str path, const struct patterns_name_part *parts, uint32_t count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t end = at;
        while (end < path.len && path.ptr[end] != PATTERNS_PATH_SEPARATOR)
            end++;
        if (at > path.len || !base_str_equal_fold((struct base_str){ path.ptr + at, end - at }, parts[i].text))
            return false;
        at = end + 1;
    }
    return count == 0 ? path.len == 0 : at == path.len + 1;
}

static enum patterns_found find_as(const struct patterns_relation *relation, const struct patterns_name_part *parts,
                                   uint32_t count, bool qualified, uint32_t *ret)
{
    uint32_t skip = qualified ? 1 : 0, found = 0;
    if (count <= skip)
        return PATTERNS_FOUND_NONE;
    for (uint32_t i = 0; i < relation->count; i++) {
        const struct patterns_column *c = &relation->columns[i];
        if (c->hidden != (count > skip + 1))
            continue;
        if (qualified && !patterns_name_equal(c->qualifier, false, parts[0].text, parts[0].quoted))
            continue;
        if (!patterns_name_equal(c->name, c->quoted, parts[skip].text, parts[skip].quoted) ||
            !path_equal(c->path, parts + skip + 1, count - skip - 1))
            continue;
        if (found++ == 0)
            *ret = i;
    }
    return found == 0 ? PATTERNS_FOUND_NONE : found == 1 ? PATTERNS_FOUND : PATTERNS_FOUND_MANY;
}

enum patterns_found patterns_relation_find(const struct patterns_relation *relation,
                                           const struct patterns_name_part *parts, uint32_t count, uint32_t *ret)
{
    enum patterns_found found = find_as(relation, parts, count, true, ret);
    return found != PATTERNS_FOUND_NONE ? found : find_as(relation, parts, count, false, ret);
}

struct base_str patterns_relation_nearest(const struct patterns_relation *relation, struct base_str name)
{
    struct base_str best = { NULL, 0 };
    size_t best_distance = name.len < 4 ? 2 : name.len / 2 + 1;
    for (uint32_t i = 0; i < relation->count; i++) {
        if (relation->columns[i].hidden)
            continue;
        size_t distance = base_str_distance(relation->columns[i].name, name);
        if (distance < best_distance) {
            best_distance = distance;
            best = relation->columns[i].name;
        }
    }
    return best;
}
