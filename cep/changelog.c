#include "cep/changelog.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"

/* One per sender at most: the halves of a pair leave a thread one behind the other. */
#define HALVES_MAX 65536u

struct cep_ident cep_ident_join(struct cep_ident a, struct cep_ident b)
{
    uint64_t both[4] = { a.hi, a.lo, b.hi, b.lo };
    return (struct cep_ident){ base_hash64(both, sizeof both, 5), base_hash64(both, sizeof both, 6) };
}

struct cep_ident cep_ident_rank(uint64_t key_hash, uint64_t rank)
{
    uint64_t all[2] = { key_hash, rank };
    return (struct cep_ident){ base_hash64(all, sizeof all, 7), base_hash64(all, sizeof all, 8) };
}

static void *copy_of(const void *bytes, size_t len)
{
    void *copy = base_alloc(len);
    if (copy)
        memcpy(copy, bytes, len);
    return copy;
}

int cep_halves_hold(struct cep_halves *halves, struct cep_ident ident, const struct cep_row *row, const struct cep_tuple *key)
{
    struct cep_half half = { .ident = ident };
    if (halves->len >= HALVES_MAX)
        return BASE_E_LIMIT;
    if (row)
        half.row = copy_of(row, cep_row_size(row));
    if (key)
        half.key = copy_of(key, key->size_bytes);
    if ((row && !half.row) || (key && !half.key) || !BASE_VEC_PUSH(halves, half)) {
        base_free(half.row);
        base_free(half.key);
        return BASE_E_NOMEM;
    }
    return 0;
}

bool cep_halves_take(struct cep_halves *halves, struct cep_ident ident, struct cep_half *ret)
{
    for (size_t i = halves->len; i-- > 0;) {
        if (!cep_ident_equal(halves->at[i].ident, ident))
            continue;
        *ret = halves->at[i];
        halves->at[i] = halves->at[--halves->len];
        return true;
    }
    return false;
}

void cep_halves_finish(struct cep_halves *halves)
{
    for (size_t i = 0; i < halves->len; i++) {
        base_free(halves->at[i].row);
        base_free(halves->at[i].key);
    }
    BASE_VEC_FINISH(halves);
}
