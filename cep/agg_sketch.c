#include "cep/agg_sketch.h"

#include <math.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

/* ---- HyperLogLog ---- */

void cep_hll_finish(struct cep_hll *hll)
{
    base_free(hll->registers);
    base_free(hll->hashes);
    memset(hll, 0, sizeof *hll);
}

static void put_register(uint8_t *registers, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> (64 - CEP_HLL_BITS));
    uint64_t rest = hash << CEP_HLL_BITS | UINT64_C(1) << (CEP_HLL_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (rank > registers[at])
        registers[at] = rank;
}

static int make_dense(struct cep_hll *hll)
{
    hll->registers = base_calloc(CEP_HLL_REGISTERS, 1);
    if (!hll->registers)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < hll->count; i++)
        put_register(hll->registers, hll->hashes[i]);
    base_free(hll->hashes);
    hll->hashes = NULL;
    hll->count = hll->cap = 0;
    return 0;
}

static bool room_for(struct cep_hll *hll, uint32_t need)
{
    uint32_t cap = hll->cap;
    while (cap < need)
        cap = cap ? cap * 2 : 8;
    uint64_t *grown = cap == hll->cap ? hll->hashes : base_realloc(hll->hashes, cap * sizeof *grown);
    if (!grown)
        return false;
    hll->hashes = grown;
    hll->cap = cap;
    return true;
}

int cep_hll_add(struct cep_hll *hll, uint64_t hash)
{
    if (!hll->registers) {
        uint32_t low = 0, high = hll->count;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (hll->hashes[middle] < hash)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < hll->count && hll->hashes[low] == hash)
            return 0;
        if (hll->count < CEP_HLL_SPARSE) {
            if (!room_for(hll, hll->count + 1))
                return BASE_E_NOMEM;
            memmove(&hll->hashes[low + 1], &hll->hashes[low], (hll->count - low) * sizeof *hll->hashes);
            hll->hashes[low] = hash;
            hll->count++;
            return 0;
        }
        int rc = make_dense(hll);
        if (rc)
            return rc;
    }
    put_register(hll->registers, hash);
    return 0;
}

int cep_hll_merge(struct cep_hll *to, const struct cep_hll *from)
{
    int rc = 0;
    if (!from->registers) {
        for (uint32_t i = 0; i < from->count && !rc; i++)
            rc = cep_hll_add(to, from->hashes[i]);
        return rc;
    }
    if (!to->registers)
        rc = make_dense(to);
    for (uint32_t i = 0; i < CEP_HLL_REGISTERS && !rc; i++)
        if (from->registers[i] > to->registers[i])
            to->registers[i] = from->registers[i];
    return rc;
}

static double sigma(double x)
{
    double y = 1, z = x, before;
    if (x >= 1)
        return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z > before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x <= 0 || x >= 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z < before);
    return z / 3;
}

uint64_t cep_hll_count(const struct cep_hll *hll)
{
    enum { Q = 64 - CEP_HLL_BITS };
    uint32_t ranks[Q + 2] = { 0 };
    const double m = CEP_HLL_REGISTERS;
    if (!hll->registers)
        return hll->count;
    for (uint32_t i = 0; i < CEP_HLL_REGISTERS; i++)
        ranks[hll->registers[i] <= Q + 1 ? hll->registers[i] : Q + 1]++;
    double z = m * tau(1 - ranks[Q + 1] / m);
    for (int k = Q; k >= 1; k--)
        z = 0.5 * (z + ranks[k]);
    z += m * sigma(ranks[0] / m);
    return (uint64_t)llround(m * m / (2 * log(2) * z));
}

void cep_hll_save(const struct cep_hll *hll, struct base_buf *out)
{
    base_buf_put_u8(out, hll->registers != NULL);
    if (hll->registers) {
        base_buf_put(out, hll->registers, CEP_HLL_REGISTERS);
        return;
    }
    base_buf_put_varint(out, hll->count);
    for (uint32_t i = 0; i < hll->count; i++)
        base_buf_put_u64(out, hll->hashes[i]);
}

int cep_hll_load(struct base_reader *in, struct cep_hll *ret)
{
    memset(ret, 0, sizeof *ret);
    if (base_read_u8(in)) {
        const void *registers = base_read_raw(in, CEP_HLL_REGISTERS);
        if (!registers)
            return BASE_E_CORRUPT;
        ret->registers = base_alloc(CEP_HLL_REGISTERS);
        if (!ret->registers)
            return BASE_E_NOMEM;
        memcpy(ret->registers, registers, CEP_HLL_REGISTERS);
        return 0;
    }
    uint64_t count = base_read_varint(in);
    if (in->failed || count == 0 || count > CEP_HLL_SPARSE)
        return BASE_E_CORRUPT;
    if (!room_for(ret, (uint32_t)count))
        return BASE_E_NOMEM;
    for (uint64_t i = 0; i < count; i++) {
        ret->hashes[i] = base_read_u64(in);
        if (i && ret->hashes[i] <= ret->hashes[i - 1])
            return BASE_E_CORRUPT;
    }
    ret->count = (uint32_t)count;
    return in->failed ? BASE_E_CORRUPT : 0;
}

/* ---- DDSketch ---- */

#define DD_GAMMA 1.02 /* buckets (gamma^(i-1), gamma^i]: their middle is within 1 % of all in it */

void cep_dd_finish(struct cep_dd *dd)
{
    base_free(dd->positive.at);
    base_free(dd->negative.at);
    memset(dd, 0, sizeof *dd);
}

static int side_add(struct cep_dd_side *side, int32_t index, uint64_t count)
{
    uint32_t low = 0, high = side->len;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (side->at[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < side->len && side->at[low].index == index) {
        side->at[low].count += count;
        return 0;
    }
    if (side->len == CEP_DD_BUCKETS && low == 0) { /* nearer to zero than all that are kept */
        side->at[0].count += count;
        return 0;
    }
    if (side->len == side->cap) {
        uint32_t cap = side->cap ? side->cap * 2 : 16;
        struct cep_dd_bucket *grown = base_realloc(side->at, cap * sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        side->at = grown;
        side->cap = cap;
    }
    memmove(&side->at[low + 1], &side->at[low], (side->len - low) * sizeof *side->at);
    side->at[low] = (struct cep_dd_bucket){ index, count };
    if (++side->len > CEP_DD_BUCKETS) {
        side->at[1].count += side->at[0].count;
        memmove(side->at, side->at + 1, --side->len * sizeof *side->at);
    }
    return 0;
}

static void side_take(struct cep_dd_side *side, int32_t index)
{
    uint32_t i = 0;
    while (i + 1 < side->len && side->at[i].index < index)
        i++;
    if (side->len && --side->at[i].count == 0)
        memmove(&side->at[i], &side->at[i + 1], (--side->len - i) * sizeof *side->at);
}

int cep_dd_add(struct cep_dd *dd, double x, int sign)
{
    double size = fabs(x);
    int rc = 0;
    if (size < 1e-300) {
        dd->zeros += (uint64_t)(int64_t)sign;
    } else {
        int32_t index = (int32_t)ceil(log(isinf(size) ? 1.7e308 : size) / log(DD_GAMMA));
        struct cep_dd_side *side = x > 0 ? &dd->positive : &dd->negative;
        if (sign > 0)
            rc = side_add(side, index, 1);
        else
            side_take(side, index);
    }
    if (!rc)
        dd->total += (uint64_t)(int64_t)sign;
    return rc;
}

int cep_dd_merge(struct cep_dd *to, const struct cep_dd *from)
{
    int rc = 0;
    for (uint32_t i = 0; i < from->positive.len && !rc; i++)
        rc = side_add(&to->positive, from->positive.at[i].index, from->positive.at[i].count);
    for (uint32_t i = 0; i < from->negative.len && !rc; i++)
        rc = side_add(&to->negative, from->negative.at[i].index, from->negative.at[i].count);
    to->zeros += from->zeros;
    to->total += from->total;
    return rc;
}

static double middle_of(int32_t index)
{
    return 2 * pow(DD_GAMMA, index) / (DD_GAMMA + 1);
}

double cep_dd_percentile(const struct cep_dd *dd, double fraction)
{
    uint64_t rank = (uint64_t)(fraction * (double)(dd->total - 1)), seen = 0;
    for (uint32_t i = dd->negative.len; i-- > 0;) {
        seen += dd->negative.at[i].count;
        if (seen > rank)
            return -middle_of(dd->negative.at[i].index);
    }
    seen += dd->zeros;
    if (seen > rank)
        return 0;
    for (uint32_t i = 0; i < dd->positive.len; i++) {
        seen += dd->positive.at[i].count;
        if (seen > rank)
            return middle_of(dd->positive.at[i].index);
    }
    return dd->positive.len ? middle_of(dd->positive.at[dd->positive.len - 1].index) : 0;
}

static void side_save(const struct cep_dd_side *side, struct base_buf *out)
{
    base_buf_put_varint(out, side->len);
    for (uint32_t i = 0; i < side->len; i++) {
        base_buf_put_u32(out, (uint32_t)side->at[i].index);
        base_buf_put_varint(out, side->at[i].count);
    }
}

static int side_load(struct base_reader *in, struct cep_dd_side *side)
{
    uint64_t n = base_read_varint(in);
    if (n > CEP_DD_BUCKETS || n > (uint64_t)(in->end - in->at))
        return BASE_E_CORRUPT;
    side->at = base_calloc(n + 1, sizeof *side->at);
    if (!side->at)
        return BASE_E_NOMEM;
    side->cap = (uint32_t)n + 1;
    for (uint64_t i = 0; i < n; i++) {
        side->at[i].index = (int32_t)base_read_u32(in);
        side->at[i].count = base_read_varint(in);
        if (in->failed || side->at[i].count == 0 || (i && side->at[i].index <= side->at[i - 1].index))
            return BASE_E_CORRUPT;
    }
    side->len = (uint32_t)n;
    return 0;
}

void cep_dd_save(const struct cep_dd *dd, struct base_buf *out)
{
    side_save(&dd->positive, out);
    side_save(&dd->negative, out);
    base_buf_put_varint(out, dd->zeros);
}

int cep_dd_load(struct base_reader *in, struct cep_dd *ret)
{
    memset(ret, 0, sizeof *ret);
    int rc = side_load(in, &ret->positive);
    if (!rc)
        rc = side_load(in, &ret->negative);
    ret->zeros = base_read_varint(in);
    ret->total = ret->zeros;
    for (uint32_t i = 0; i < ret->positive.len; i++)
        ret->total += ret->positive.at[i].count;
    for (uint32_t i = 0; i < ret->negative.len; i++)
        ret->total += ret->negative.at[i].count;
    return rc ? rc : in->failed ? BASE_E_CORRUPT : 0;
}
