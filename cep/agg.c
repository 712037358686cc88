#include "cep/agg.h"

#include <math.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "cep/agg_exact.h"
#include "cep/agg_sketch.h"

/* Values that an EWMA keeps: with a weight of 0.01, the least, those before count for less than the last bit of a double. */
#define EWMA_KEEP 4096

/* What a cell keeps. */
enum how { HOW_COUNT, HOW_SUM, HOW_EXACT, HOW_SQUARES, HOW_EXTREME, HOW_EDGE, HOW_LIST, HOW_BAG, HOW_HLL, HOW_DD };

static enum how how_of(const struct cep_agg *agg)
{
    switch ((enum cep_agg_kind)agg->kind) {
    case CEP_AGG_COUNT:
    case CEP_AGG_LAG: return HOW_COUNT;
    case CEP_AGG_SUM:
    case CEP_AGG_AVG: return agg->arg_type.kind == CEP_KIND_DOUBLE ? HOW_EXACT : HOW_SUM;
    case CEP_AGG_MIN:
    case CEP_AGG_MAX: return agg->retracts ? HOW_BAG : HOW_EXTREME;
    case CEP_AGG_VAR_POP:
    case CEP_AGG_VAR_SAMP:
    case CEP_AGG_STDDEV_POP:
    case CEP_AGG_STDDEV_SAMP:
    case CEP_AGG_ZSCORE: return HOW_SQUARES;
    case CEP_AGG_FIRST:
    case CEP_AGG_LAST: return agg->retracts ? HOW_LIST : HOW_EDGE;
    case CEP_AGG_LISTAGG:
    case CEP_AGG_ARRAY:
    case CEP_AGG_EWMA: return HOW_LIST;
    case CEP_AGG_PERCENTILE: return HOW_BAG;
    case CEP_AGG_APPROX_PERCENTILE: return HOW_DD;
    case CEP_AGG_APPROX_DISTINCT: return agg->retracts ? HOW_BAG : HOW_HLL;
    }
    return HOW_COUNT;
}

static size_t more_bytes(enum how how)
{
    switch (how) {
    case HOW_EXACT: return sizeof(struct cep_exact);
    case HOW_SQUARES: return 2 * sizeof(struct cep_exact);
    case HOW_EDGE: return sizeof(struct cep_agg_order);
    case HOW_LIST: return sizeof(struct cep_agg_list);
    case HOW_HLL: return sizeof(struct cep_hll);
    case HOW_DD: return sizeof(struct cep_dd);
    case HOW_COUNT:
    case HOW_SUM:
    case HOW_EXTREME:
    case HOW_BAG: return 0;
    }
    return 0;
}

/* Collections that the aggregate needs; made when the first value comes. */
static int prepare(const struct cep_agg *agg, enum how how, struct cep_agg_cell *cell)
{
    size_t bytes = more_bytes(how);
    if (bytes && !cell->more && !(cell->more = base_calloc(1, bytes)))
        return BASE_E_NOMEM;
    if ((agg->distinct || how == HOW_BAG) && !cell->bag) {
        if (!(cell->bag = base_calloc(1, sizeof *cell->bag)))
            return BASE_E_NOMEM;
        cell->bag->ordered = how == HOW_BAG && agg->kind != CEP_AGG_APPROX_DISTINCT; /* MIN, MAX, PERCENTILE */
    }
    return 0;
}

void cep_agg_clear(const struct cep_agg *agg, struct cep_agg_cell *cell)
{
    enum how how = how_of(agg);
    if (cell->bag)
        cep_bag_finish(cell->bag, agg->arg_type);
    base_free(cell->bag);
    if (cell->more && how == HOW_LIST)
        cep_agg_list_finish(cell->more, agg->arg_type);
    if (cell->more && how == HOW_HLL)
        cep_hll_finish(cell->more);
    if (cell->more && how == HOW_DD)
        cep_dd_finish(cell->more);
    base_free(cell->more);
    if ((how == HOW_EXTREME || how == HOW_EDGE) && cell->count)
        cep_agg_disown(agg->arg_type, &cell->value);
    memset(cell, 0, sizeof *cell);
}

bool cep_agg_invertible(const struct cep_agg *agg)
{
    enum how how = how_of(agg);
    return how != HOW_EXTREME && how != HOW_EDGE && how != HOW_HLL;
}

/* ---- adding ---- */

static void add_sum(struct cep_agg_cell *cell, cep_int128 n)
{
    uint64_t words[3] = { (uint64_t)n, (uint64_t)((unsigned __int128)n >> 64), n < 0 ? UINT64_MAX : 0 };
    unsigned __int128 carry = 0;
    for (int i = 0; i < 3; i++) {
        carry += (unsigned __int128)cell->sum[i] + words[i];
        cell->sum[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static cep_int128 number_of(struct cep_type type, struct cep_value value)
{
    return type.kind == CEP_KIND_DECIMAL ? cep_dec_get(value) : value.i;
}

/* Sum and sum of squares, both exact (but for squares below 2^-1022). */
static void add_squares(struct cep_exact *sums, double x, int sign)
{
    double square = x * x;
    cep_exact_add(&sums[0], x, sign);
    cep_exact_add(&sums[1], square, sign);
    if (isfinite(square))
        cep_exact_add(&sums[1], fma(x, x, -square), sign);
}

static int keep_value(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value)
{
    struct cep_value own;
    int rc = cep_agg_own(agg->arg_type, value, &own);
    if (rc)
        return rc;
    if (cell->count)
        cep_agg_disown(agg->arg_type, &cell->value);
    cell->value = own;
    return 0;
}

static int add_extreme(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value)
{
    int c = cell->count ? cep_value_compare(agg->arg_type, value, cell->value) : 0;
    return !cell->count || (agg->kind == CEP_AGG_MIN ? c < 0 : c > 0) ? keep_value(agg, cell, value) : 0;
}

static int add_edge(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order)
{
    struct cep_agg_order *kept = cell->more;
    int c = cell->count ? cep_agg_order_compare(order, kept) : 0;
    if (cell->count && (agg->kind == CEP_AGG_FIRST ? c >= 0 : c < 0))
        return 0;
    int rc = keep_value(agg, cell, value);
    if (!rc)
        *kept = *order;
    return rc;
}

static uint64_t hash_of(struct cep_type type, struct cep_value value)
{
    if (cep_kind_is_text(type.kind))
        return base_hash64(value.s.ptr ? value.s.ptr : "", value.s.len, 7);
    uint64_t room[2] = { value.dec.lo, type.kind == CEP_KIND_DECIMAL ? value.dec.hi : 0 };
    return base_hash64(room, sizeof room, 7);
}

static int add_listed(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order)
{
    struct cep_agg_list *list = cell->more;
    int rc = cep_agg_list_add(list, agg->arg_type, order, value);
    if (rc || agg->kind != CEP_AGG_EWMA || list->items.len - list->head <= EWMA_KEEP)
        return rc;
    struct cep_agg_item oldest = list->items.at[list->head];
    cell->count -= cep_agg_list_take(list, agg->arg_type, &oldest.order, oldest.value);
    return 0;
}

/* The value itself, once DISTINCT has let it through. */
static int add_inner(const struct cep_agg *agg, enum how how, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order)
{
    int rc = 0;
    bool first;
    switch (how) {
    case HOW_COUNT: break;
    case HOW_SUM: add_sum(cell, number_of(agg->arg_type, value)); break;
    case HOW_EXACT: cep_exact_add(cell->more, value.d, 1); break;
    case HOW_SQUARES: add_squares(cell->more, cep_agg_double(agg->arg_type, value), 1); break;
    case HOW_EXTREME: rc = add_extreme(agg, cell, value); break;
    case HOW_EDGE: rc = add_edge(agg, cell, value, order); break;
    case HOW_LIST: rc = add_listed(agg, cell, value, order); break;
    case HOW_BAG: rc = agg->distinct ? 0 : cep_bag_add(cell->bag, agg->arg_type, value, 1, &first); break;
    case HOW_HLL: rc = cep_hll_add(cell->more, hash_of(agg->arg_type, value)); break;
    case HOW_DD: rc = cep_dd_add(cell->more, cep_agg_double(agg->arg_type, value), 1); break;
    }
    if (!rc)
        cell->count++;
    return rc;
}

static bool left_out(const struct cep_agg *agg, enum how how, struct cep_value value)
{
    return value.null || (how == HOW_DD && agg->arg_type.kind == CEP_KIND_DOUBLE && isnan(value.d));
}

int cep_agg_add(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order)
{
    enum how how = how_of(agg);
    if (left_out(agg, how, value))
        return 0;
    int rc = prepare(agg, how, cell);
    bool first = true;
    if (!rc && agg->distinct)
        rc = cep_bag_add(cell->bag, agg->arg_type, value, 1, &first);
    return rc || !first ? rc : add_inner(agg, how, cell, value, order);
}

/* A value of a sliding frame that an EWMA let go of by itself: nothing to look for. */
static bool let_go(const struct cep_agg *agg, const struct cep_agg_cell *cell, const struct cep_agg_order *order)
{
    const struct cep_agg_list *list = cell->more;
    return agg->kind == CEP_AGG_EWMA && !agg->retracts && list->items.len > list->head && cep_agg_order_compare(order, &list->items.at[list->head].order) < 0;
}

static int take_inner(const struct cep_agg *agg, enum how how, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order)
{
    int rc = 0;
    bool found = true, last;
    switch (how) {
    case HOW_COUNT:
    case HOW_EXTREME:
    case HOW_EDGE:
    case HOW_HLL: break;
    case HOW_SUM: add_sum(cell, -number_of(agg->arg_type, value)); break;
    case HOW_EXACT: cep_exact_add(cell->more, value.d, -1); break;
    case HOW_SQUARES: add_squares(cell->more, cep_agg_double(agg->arg_type, value), -1); break;
    case HOW_LIST: found = !let_go(agg, cell, order) && cep_agg_list_take(cell->more, agg->arg_type, order, value); break;
    case HOW_BAG: rc = agg->distinct ? 0 : cep_bag_take(cell->bag, agg->arg_type, value, &found, &last); break;
    case HOW_DD: rc = cep_dd_add(cell->more, cep_agg_double(agg->arg_type, value), -1); break;
    }
    if (!rc && found)
        cell->count--;
    return rc;
}

int cep_agg_take(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order)
{
    enum how how = how_of(agg);
    if (left_out(agg, how, value) || cell->count == 0)
        return 0;
    int rc = prepare(agg, how, cell);
    bool found = true, last = true;
    if (!rc && agg->distinct)
        rc = cep_bag_take(cell->bag, agg->arg_type, value, &found, &last);
    return rc || !found || !last ? rc : take_inner(agg, how, cell, value, order);
}

/* ---- joining ---- */

static int merge_bag(const struct cep_agg *agg, enum how how, struct cep_agg_cell *to, const struct cep_agg_cell *from)
{
    const struct cep_agg_order none = { 0 };
    struct cep_value value;
    uint64_t times;
    int rc = 0;
    for (size_t at = 0; !rc && cep_bag_next(from->bag, agg->arg_type, &at, &value, &times);) {
        bool first = false;
        rc = cep_bag_add(to->bag, agg->arg_type, value, times, &first);
        if (!rc && agg->distinct && first)
            rc = add_inner(agg, how, to, value, &none);
        else if (!rc && !agg->distinct)
            to->count += (int64_t)times;
    }
    return rc;
}

int cep_agg_merge(const struct cep_agg *agg, struct cep_agg_cell *to, const struct cep_agg_cell *from)
{
    enum how how = how_of(agg);
    if (from->count == 0)
        return 0;
    int rc = prepare(agg, how, to);
    if (rc)
        return rc;
    if (from->bag && how != HOW_LIST)
        return merge_bag(agg, how, to, from);
    struct cep_exact *sums = to->more;
    const struct cep_exact *other = from->more;
    const struct cep_agg_list *list = from->more;
    switch (how) {
    case HOW_COUNT:
    case HOW_BAG: break;
    case HOW_SUM: {
        unsigned __int128 carry = 0;
        for (int i = 0; i < 3; i++) {
            carry += (unsigned __int128)to->sum[i] + from->sum[i];
            to->sum[i] = (uint64_t)carry;
            carry >>= 64;
        }
        break;
    }
    case HOW_SQUARES: cep_exact_merge(&sums[1], &other[1]); cep_exact_merge(&sums[0], &other[0]); break;
    case HOW_EXACT: cep_exact_merge(&sums[0], &other[0]); break;
    case HOW_EXTREME: rc = add_extreme(agg, to, from->value); break;
    case HOW_EDGE: rc = add_edge(agg, to, from->value, from->more); break;
    case HOW_LIST:
        for (size_t i = list->head; i < list->items.len && !rc; i++)
            rc = cep_agg_add(agg, to, list->items.at[i].value, &list->items.at[i].order);
        return rc;
    case HOW_HLL: rc = cep_hll_merge(to->more, from->more); break;
    case HOW_DD: rc = cep_dd_merge(to->more, from->more); break;
    }
    if (!rc)
        to->count += from->count;
    return rc;
}

/* ---- reading ---- */

static int sum_of(const struct cep_agg *agg, const struct cep_agg_cell *cell, struct cep_value *ret)
{
    cep_int128 n = (cep_int128)(((unsigned __int128)cell->sum[1] << 64) | cell->sum[0]);
    if (cell->sum[2] != (n < 0 ? UINT64_MAX : 0))
        return BASE_E_OVERFLOW;
    if (agg->arg_type.kind == CEP_KIND_DECIMAL) {
        int rc = cep_decimal_rescale(n, agg->arg_type.scale, agg->arg_type.scale, 38, &n);
        *ret = cep_dec(n);
        return rc;
    }
    if (n > INT64_MAX || n < INT64_MIN)
        return BASE_E_OVERFLOW;
    *ret = cep_int((int64_t)n);
    return 0;
}

static int average(const struct cep_agg *agg, const struct cep_agg_cell *cell, struct cep_value *ret)
{
    struct cep_value sum;
    if (agg->arg_type.kind == CEP_KIND_DOUBLE) {
        *ret = cep_double(cep_exact_get(cell->more) / (double)cell->count);
        return 0;
    }
    cep_int128 n = (cep_int128)(((unsigned __int128)cell->sum[1] << 64) | cell->sum[0]), quotient;
    if (agg->type.kind == CEP_KIND_DOUBLE) {
        *ret = cep_double((double)n / (double)cell->count);
        return 0;
    }
    int rc = sum_of(agg, cell, &sum);
    if (!rc)
        rc = cep_decimal_div(cep_dec_get(sum), agg->arg_type.scale, cell->count, 0, agg->type, &quotient);
    if (!rc)
        *ret = cep_dec(quotient);
    return rc;
}

/* (n * squares - sum^2) / (n * m), in twice the precision of a double: the difference of two nearly equal numbers. */
static double variance(const struct cep_agg *agg, const struct cep_agg_cell *cell)
{
    const struct cep_exact *sums = cell->more;
    bool sample = agg->kind == CEP_AGG_VAR_SAMP || agg->kind == CEP_AGG_STDDEV_SAMP;
    double n = (double)cell->count, s = cep_exact_get(&sums[0]), s_low = cep_exact_rest(&sums[0]);
    double q = cep_exact_get(&sums[1]), q_low = cep_exact_rest(&sums[1]);
    double a = n * q, a_low = fma(n, q, -a) + n * q_low, b = s * s, b_low = fma(s, s, -b) + 2 * s * s_low;
    double top = (a - b) + (a_low - b_low);
    double result = top / n / (sample ? n - 1 : n);
    if (!isfinite(a) || !isfinite(b))
        return NAN;
    result = result < 0 ? 0 : result;
    return agg->kind >= CEP_AGG_STDDEV_POP ? sqrt(result) : result;
}

static int join_texts(const struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *cell, struct base_arena *arena,
                      struct cep_value *ret)
{
    const struct cep_agg_list *list = cell->more;
    struct cep_value comma = agg->param == CEP_NONE ? cep_string(",", 1) : cep_program_value(program, agg->param);
    size_t bytes = list->text_bytes + comma.s.len * (list->items.len - list->head), len = 0;
    if (bytes > CEP_ROW_BYTES_MAX)
        return BASE_E_LIMIT;
    char *text = base_arena_alloc(arena, bytes + 1);
    if (!text)
        return BASE_E_NOMEM;
    for (size_t i = list->head; i < list->items.len; i++) {
        if (i > list->head && comma.s.len) {
            memcpy(text + len, comma.s.ptr, comma.s.len);
            len += comma.s.len;
        }
        memcpy(text + len, list->items.at[i].value.s.ptr, list->items.at[i].value.s.len);
        len += list->items.at[i].value.s.len;
    }
    *ret = cep_string(text, len);
    return 0;
}

static int join_arrays(const struct cep_agg *agg, const struct cep_agg_cell *cell, struct base_arena *arena, struct cep_value *ret)
{
    const struct cep_agg_list *list = cell->more;
    size_t count = list->items.len - list->head;
    struct cep_value *elements = base_arena_alloc(arena, (count + 1) * sizeof *elements);
    if (!elements)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        elements[i] = cep_array_get(agg->arg_type, list->items.at[list->head + i].value, 0);
    return cep_array_make(agg->type, elements, (uint32_t)count, arena, ret);
}

int cep_agg_zscore(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, struct cep_value *ret)
{
    const struct cep_agg_order none = { 0 };
    struct cep_agg sample = *agg;
    sample.kind = CEP_AGG_STDDEV_SAMP;
    *ret = cep_null();
    if (value.null || cell->count < 3)
        return 0;
    int rc = cep_agg_take(agg, cell, value, &none); /* the sums are exact: nothing is lost by it */
    if (rc)
        return rc;
    double deviation = variance(&sample, cell), mean = cep_exact_get(cell->more) / (double)cell->count;
    if (deviation > 0)
        *ret = cep_double((cep_agg_double(agg->arg_type, value) - mean) / deviation);
    return cep_agg_add(agg, cell, value, &none);
}

/* e = a * x + (1 - a) * e from the oldest value on that still counts. */
static struct cep_value moving_average(const struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *cell)
{
    const struct cep_agg_list *list = cell->more;
    double a = cep_program_value(program, agg->param).d, far = ceil(41 / a);
    size_t n = list->items.len - list->head, from = list->head;
    if ((double)n > far)
        from = list->items.len - (size_t)far;
    double e = list->items.at[from].value.d;
    for (size_t i = from + 1; i < list->items.len; i++)
        e = a * list->items.at[i].value.d + (1 - a) * e;
    return cep_double(e);
}

static struct cep_value edge_of(const struct cep_agg *agg, const struct cep_agg_cell *cell)
{
    const struct cep_agg_list *list = cell->more;
    if (!agg->retracts)
        return cell->value;
    return agg->kind == CEP_AGG_FIRST ? list->items.at[list->head].value : list->items.at[list->items.len - 1].value;
}

static struct cep_value percentile(const struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *cell)
{
    double fraction = agg->param == CEP_NONE ? 0.5 : cep_program_value(program, agg->param).d;
    return cep_double(agg->kind == CEP_AGG_APPROX_PERCENTILE ? cep_dd_percentile(cell->more, fraction) : cep_bag_percentile(cell->bag, agg->arg_type, fraction));
}

int cep_agg_result(const struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *cell, struct base_arena *arena,
                   struct cep_value *ret)
{
    bool sample = agg->kind == CEP_AGG_VAR_SAMP || agg->kind == CEP_AGG_STDDEV_SAMP;
    bool counts = agg->kind == CEP_AGG_COUNT || agg->kind == CEP_AGG_APPROX_DISTINCT;
    *ret = counts ? cep_int(0) : cep_null();
    if (cell->count == 0 || (sample && cell->count < 2))
        return 0;
    switch ((enum cep_agg_kind)agg->kind) {
    case CEP_AGG_COUNT: *ret = cep_int(cell->count); return 0;
    case CEP_AGG_SUM:
        if (agg->arg_type.kind != CEP_KIND_DOUBLE)
            return sum_of(agg, cell, ret);
        *ret = cep_double(cep_exact_get(cell->more));
        return 0;
    case CEP_AGG_AVG: return average(agg, cell, ret);
    case CEP_AGG_MIN:
    case CEP_AGG_MAX: *ret = agg->retracts ? cep_bag_extreme(cell->bag, agg->kind == CEP_AGG_MAX) : cell->value; return 0;
    case CEP_AGG_VAR_POP:
    case CEP_AGG_VAR_SAMP:
    case CEP_AGG_STDDEV_POP:
    case CEP_AGG_STDDEV_SAMP: *ret = cep_double(variance(agg, cell)); return 0;
    case CEP_AGG_FIRST:
    case CEP_AGG_LAST: *ret = edge_of(agg, cell); return 0;
    case CEP_AGG_LISTAGG: return join_texts(program, agg, cell, arena, ret);
    case CEP_AGG_ARRAY: return join_arrays(agg, cell, arena, ret);
    case CEP_AGG_LAG:
    case CEP_AGG_ZSCORE: *ret = cep_null(); return 0; /* asked by OVER, which knows the row */
    case CEP_AGG_EWMA: *ret = moving_average(program, agg, cell); return 0;
    case CEP_AGG_PERCENTILE:
    case CEP_AGG_APPROX_PERCENTILE: *ret = percentile(program, agg, cell); return 0;
    case CEP_AGG_APPROX_DISTINCT:
        *ret = cep_int(agg->retracts ? (int64_t)cep_bag_count(cell->bag) : (int64_t)cep_hll_count(cell->more));
        return 0;
    }
    return BASE_E_CORRUPT;
}

/* ---- storing ---- */

static void save_order(const struct cep_agg_order *order, struct base_buf *out)
{
    base_buf_put_u64(out, (uint64_t)order->time_ms);
    base_buf_put(out, &order->at, sizeof order->at);
}

static void load_order(struct base_reader *in, struct cep_agg_order *ret)
{
    ret->time_ms = (int64_t)base_read_u64(in);
    const void *at = base_read_raw(in, sizeof ret->at);
    if (at)
        memcpy(&ret->at, at, sizeof ret->at);
}

void cep_agg_save(const struct cep_agg *agg, const struct cep_agg_cell *cell, struct base_buf *out)
{
    enum how how = how_of(agg);
    const struct cep_exact *sums = cell->more;
    const struct cep_agg_list *list = cell->more;
    struct cep_value value;
    uint64_t times;
    base_buf_put_varint(out, (uint64_t)cell->count);
    if (cell->count == 0)
        return;
    if (cell->bag) {
        base_buf_put_varint(out, cep_bag_count(cell->bag));
        for (size_t at = 0; cep_bag_next(cell->bag, agg->arg_type, &at, &value, &times);) {
            cep_agg_put_value(out, agg->arg_type, value);
            base_buf_put_varint(out, times);
        }
    }
    switch (how) {
    case HOW_COUNT:
    case HOW_BAG: break;
    case HOW_SUM:
        for (int i = 0; i < 3; i++)
            base_buf_put_u64(out, cell->sum[i]);
        break;
    case HOW_SQUARES: cep_exact_save(&sums[0], out); cep_exact_save(&sums[1], out); break;
    case HOW_EXACT: cep_exact_save(&sums[0], out); break;
    case HOW_EXTREME: cep_agg_put_value(out, agg->arg_type, cell->value); break;
    case HOW_EDGE:
        cep_agg_put_value(out, agg->arg_type, cell->value);
        save_order(cell->more, out);
        break;
    case HOW_LIST:
        base_buf_put_varint(out, list->items.len - list->head);
        for (size_t i = list->head; i < list->items.len; i++) {
            save_order(&list->items.at[i].order, out);
            cep_agg_put_value(out, agg->arg_type, list->items.at[i].value);
        }
        break;
    case HOW_HLL: cep_hll_save(cell->more, out); break;
    case HOW_DD: cep_dd_save(cell->more, out); break;
    }
}

static int load_bag(const struct cep_agg *agg, struct base_reader *in, struct cep_bag *bag)
{
    uint64_t n = base_read_varint(in);
    if (in->failed || n > CEP_BAG_MAX || n > (uint64_t)(in->end - in->at))
        return BASE_E_CORRUPT;
    for (uint64_t i = 0; i < n; i++) {
        struct cep_value value = cep_agg_get_value(in, agg->arg_type);
        uint64_t times = base_read_varint(in);
        bool first = false;
        if (in->failed || times == 0 || times > INT64_MAX)
            return BASE_E_CORRUPT;
        int rc = cep_bag_add(bag, agg->arg_type, value, times, &first);
        if (rc || !first)
            return rc ? rc : BASE_E_CORRUPT;
    }
    return 0;
}

static int load_list(const struct cep_agg *agg, struct base_reader *in, struct cep_agg_list *list)
{
    uint64_t n = base_read_varint(in);
    if (in->failed || n > CEP_BAG_MAX || n > (uint64_t)(in->end - in->at))
        return BASE_E_CORRUPT;
    int rc = 0;
    for (uint64_t i = 0; i < n && !rc; i++) {
        struct cep_agg_order order = { 0 };
        load_order(in, &order);
        struct cep_value value = cep_agg_get_value(in, agg->arg_type);
        rc = in->failed ? BASE_E_CORRUPT : cep_agg_list_add(list, agg->arg_type, &order, value);
    }
    return rc;
}

static int load_inner(const struct cep_agg *agg, enum how how, struct base_reader *in, struct cep_agg_cell *cell)
{
    struct cep_exact *sums = cell->more;
    struct cep_value value;
    switch (how) {
    case HOW_COUNT: return 0;
    case HOW_BAG: return (uint64_t)cell->count == cell->bag->total ? 0 : BASE_E_CORRUPT;
    case HOW_SUM:
        for (int i = 0; i < 3; i++)
            cell->sum[i] = base_read_u64(in);
        return 0;
    case HOW_SQUARES: return cep_exact_load(in, &sums[0]) && cep_exact_load(in, &sums[1]) ? 0 : BASE_E_CORRUPT;
    case HOW_EXACT: return cep_exact_load(in, &sums[0]) ? 0 : BASE_E_CORRUPT;
    case HOW_EXTREME:
    case HOW_EDGE: {
        int64_t count = cell->count;
        value = cep_agg_get_value(in, agg->arg_type);
        if (how == HOW_EDGE)
            load_order(in, cell->more);
        cell->count = 0; /* nothing is owned yet */
        int rc = in->failed ? BASE_E_CORRUPT : keep_value(agg, cell, value);
        cell->count = rc ? 0 : count;
        return rc;
    }
    case HOW_LIST: {
        int rc = load_list(agg, in, cell->more);
        const struct cep_agg_list *list = cell->more;
        return !rc && (uint64_t)cell->count != list->items.len ? BASE_E_CORRUPT : rc;
    }
    case HOW_HLL: return cep_hll_load(in, cell->more);
    case HOW_DD: {
        int rc = cep_dd_load(in, cell->more);
        return !rc && ((struct cep_dd *)cell->more)->total != (uint64_t)cell->count ? BASE_E_CORRUPT : rc;
    }
    }
    return BASE_E_CORRUPT;
}

int cep_agg_load(const struct cep_agg *agg, struct base_reader *in, struct cep_agg_cell *ret)
{
    enum how how = how_of(agg);
    uint64_t count = base_read_varint(in);
    if (in->failed || count > INT64_MAX)
        return BASE_E_CORRUPT;
    if (count == 0)
        return 0;
    int rc = prepare(agg, how, ret);
    if (!rc && ret->bag)
        rc = load_bag(agg, in, ret->bag);
    if (!rc && agg->distinct && cep_bag_count(ret->bag) != count)
        rc = BASE_E_CORRUPT;
    if (rc)
        return rc;
    ret->count = how == HOW_EXTREME || how == HOW_EDGE ? 0 : (int64_t)count;
    if (how == HOW_EXTREME || how == HOW_EDGE) {
        struct cep_agg_cell probe = *ret;
        probe.count = (int64_t)count;
        rc = load_inner(agg, how, in, &probe);
        *ret = probe;
    } else {
        rc = load_inner(agg, how, in, ret);
    }
    return !rc && in->failed ? BASE_E_CORRUPT : rc;
}

size_t cep_agg_bytes(const struct cep_agg *agg, const struct cep_agg_cell *cell)
{
    enum how how = how_of(agg);
    size_t bytes = sizeof *cell + (cell->more ? more_bytes(how) : 0) + (cell->bag ? cep_bag_bytes(cell->bag) : 0);
    if (cell->more && how == HOW_LIST)
        bytes += cep_agg_list_bytes(cell->more);
    if (cell->more && how == HOW_HLL)
        bytes += ((struct cep_hll *)cell->more)->registers ? CEP_HLL_REGISTERS : ((struct cep_hll *)cell->more)->cap * sizeof(uint64_t);
    if (cell->more && how == HOW_DD)
        bytes += (((struct cep_dd *)cell->more)->positive.cap + ((struct cep_dd *)cell->more)->negative.cap) * sizeof(struct cep_dd_bucket);
    return bytes;
}

/* ---- arguments ---- */

int cep_agg_argument(const struct cep_agg *agg, struct cep_expr *expr, const struct cep_frame *frame, struct cep_value *ret)
{
    *ret = cep_null();
    if (agg->filter != CEP_NONE) {
        bool holds;
        int rc = cep_expr_test(expr, agg->filter, frame, &holds);
        if (rc || !holds)
            return rc;
    }
    if (agg->arg == CEP_NONE) {
        *ret = cep_int(1);
        return 0;
    }
    return cep_expr_run(expr, agg->arg, frame, ret);
}
