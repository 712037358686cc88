/* Questions about normalised pattern trees: emptiness, first rows, least and greatest numbers of rows. */
#include "patterns/automaton.h"

bool patterns_varset_equal(const struct patterns_varset *a, const struct patterns_varset *b)
{
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++) {
        if (a->words[i] != b->words[i])
            return false;
    }
    return true;
}

bool patterns_varset_meets(const struct patterns_varset *a, const struct patterns_varset *b)
{
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++) {
        if (a->words[i] & b->words[i])
            return true;
    }
    return false;
}

void patterns_varset_join(struct patterns_varset *to, const struct patterns_varset *from)
{
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++)
        to->words[i] |= from->words[i];
}

uint32_t patterns_varset_count(const struct patterns_varset *set)
{
    uint32_t count = 0;
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64; i++)
        count += (uint32_t)__builtin_popcountll(set->words[i]);
    return count;
}

bool patterns_pat_nullable(const struct patterns_pat *pat)
{
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return true;
    case PATTERNS_PAT_VAR: return false;
    case PATTERNS_PAT_SEQ:
    case PATTERNS_PAT_PERMUTE:
        for (uint32_t i = 0; i < pat->count; i++) {
            if (!patterns_pat_nullable(pat->children[i]))
                return false;
        }
        return true;
    case PATTERNS_PAT_ALT:
        for (uint32_t i = 0; i < pat->count; i++) {
            if (patterns_pat_nullable(pat->children[i]))
                return true;
        }
        return false;
    case PATTERNS_PAT_LOOP: return pat->min == 0 || patterns_pat_nullable(pat->children[0]);
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX: return patterns_pat_nullable(pat->children[0]);
    }
    return false;
}

void patterns_pat_firsts(const struct patterns_pat *pat, struct patterns_varset *set)
{
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: break;
    case PATTERNS_PAT_VAR: patterns_varset_add(set, pat->var); break;
    case PATTERNS_PAT_SEQ:
        for (uint32_t i = 0; i < pat->count; i++) {
            patterns_pat_firsts(pat->children[i], set);
            if (!patterns_pat_nullable(pat->children[i]))
                break;
        }
        break;
    case PATTERNS_PAT_ALT:
    case PATTERNS_PAT_PERMUTE:
    case PATTERNS_PAT_LOOP:
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX:
        for (uint32_t i = 0; i < pat->count; i++)
            patterns_pat_firsts(pat->children[i], set);
        break;
    }
}

void patterns_pat_vars(const struct patterns_pat *pat, struct patterns_varset *set)
{
    if (pat->kind == PATTERNS_PAT_VAR)
        patterns_varset_add(set, pat->var);
    for (uint32_t i = 0; i < pat->count; i++)
        patterns_pat_vars(pat->children[i], set);
}

bool patterns_pat_contains(const struct patterns_pat *pat, enum patterns_pat_kind kind)
{
    if (pat->kind == kind)
        return true;
    for (uint32_t i = 0; i < pat->count; i++) {
        if (patterns_pat_contains(pat->children[i], kind))
            return true;
    }
    return false;
}

static uint32_t saturating_add(uint32_t a, uint32_t b)
{
    return a > PATTERNS_UNBOUNDED - b ? PATTERNS_UNBOUNDED : a + b;
}

static uint32_t saturating_mul(uint32_t a, uint32_t b)
{
    uint64_t product = (uint64_t)a * b;
    return product >= PATTERNS_UNBOUNDED ? PATTERNS_UNBOUNDED : (uint32_t)product;
}

uint32_t patterns_pat_min_rows(const struct patterns_pat *pat, const struct patterns_varset *set)
{
    uint32_t rows = 0;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return 0;
    case PATTERNS_PAT_VAR: return !set || patterns_varset_has(set, pat->var) ? 1 : 0;
    case PATTERNS_PAT_SEQ:
    case PATTERNS_PAT_PERMUTE:
        for (uint32_t i = 0; i < pat->count; i++)
            rows = saturating_add(rows, patterns_pat_min_rows(pat->children[i], set));
        return rows;
    case PATTERNS_PAT_ALT:
        rows = PATTERNS_UNBOUNDED;
        for (uint32_t i = 0; i < pat->count; i++) {
            uint32_t one = patterns_pat_min_rows(pat->children[i], set);
            if (one < rows)
                rows = one;
        }
        return rows;
    case PATTERNS_PAT_LOOP: return saturating_mul(pat->min, patterns_pat_min_rows(pat->children[0], set));
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX: return patterns_pat_min_rows(pat->children[0], set);
    }
    return 0;
}

uint32_t patterns_pat_max_rows(const struct patterns_pat *pat, const struct patterns_varset *set)
{
    uint32_t rows = 0;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return 0;
    case PATTERNS_PAT_VAR: return !set || patterns_varset_has(set, pat->var) ? 1 : 0;
    case PATTERNS_PAT_SEQ:
    case PATTERNS_PAT_PERMUTE:
        for (uint32_t i = 0; i < pat->count; i++)
            rows = saturating_add(rows, patterns_pat_max_rows(pat->children[i], set));
        return rows;
    case PATTERNS_PAT_ALT:
        for (uint32_t i = 0; i < pat->count; i++) {
            uint32_t one = patterns_pat_max_rows(pat->children[i], set);
            if (one > rows)
                rows = one;
        }
        return rows;
    case PATTERNS_PAT_LOOP:
        rows = patterns_pat_max_rows(pat->children[0], set);
        return rows == 0 ? 0 : pat->max == PATTERNS_UNBOUNDED ? PATTERNS_UNBOUNDED : saturating_mul(pat->max, rows);
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX: return patterns_pat_max_rows(pat->children[0], set);
    }
    return 0;
}
