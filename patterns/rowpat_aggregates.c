/* Aggregates over the rows of a match, as expressions over registers. Types follow Flink SQL, but for AVG of integers,
 * which is DOUBLE as in the standard's other engines. */
#include "patterns/rowpat.h"

#include <string.h>
#include "base/error.h"
#include "base/hash.h"

enum aggregate {
    AGG_COUNT,
    AGG_COUNT_IF,
    AGG_SUM,
    AGG_AVG,
    AGG_MIN,
    AGG_MAX,
    AGG_VAR_POP,
    AGG_VAR_SAMP,
    AGG_STDDEV_POP,
    AGG_STDDEV_SAMP,
    AGG_ARRAY,
    AGG_LIST,
    AGG_MAX_BY,
    AGG_MIN_BY,
    AGG_ANY,
    AGG_LAST,
    AGG_ALL_TRUE,
    AGG_SOME_TRUE
};
static const struct aggregate_name {
    const char *name;
    enum aggregate what;
    uint32_t min, max; /* arguments */
} names[] = {
    { "COUNT", AGG_COUNT, 0, 1 },
    { "COUNT_IF", AGG_COUNT_IF, 1, 1 },
    { "SUM", AGG_SUM, 1, 1 },
    { "AVG", AGG_AVG, 1, 1 },
    { "MIN", AGG_MIN, 1, 2 },
    { "MAX", AGG_MAX, 1, 2 },
    { "VAR_POP", AGG_VAR_POP, 1, 1 },
    { "VAR_SAMP", AGG_VAR_SAMP, 1, 1 },
    { "VARIANCE", AGG_VAR_SAMP, 1, 1 },
    { "STDDEV_POP", AGG_STDDEV_POP, 1, 1 },
    { "STDDEV_SAMP", AGG_STDDEV_SAMP, 1, 1 },
    { "STDDEV", AGG_STDDEV_SAMP, 1, 1 },
    { "ARRAY_AGG", AGG_ARRAY, 1, 1 },
    { "COLLECT", AGG_ARRAY, 1, 1 },
    { "LISTAGG", AGG_LIST, 1, 2 },
    { "STRING_AGG", AGG_LIST, 1, 2 },
    { "MAX_BY", AGG_MAX_BY, 2, 3 },
    { "MIN_BY", AGG_MIN_BY, 2, 3 },
    { "ARBITRARY", AGG_ANY, 1, 1 },
    { "ANY_VALUE", AGG_ANY, 1, 1 },
    { "FIRST_VALUE", AGG_ANY, 1, 1 },
    { "LAST_VALUE", AGG_LAST, 1, 1 },
    { "BOOL_AND", AGG_ALL_TRUE, 1, 1 },
    { "EVERY", AGG_ALL_TRUE, 1, 1 },
    { "BOOL_OR", AGG_SOME_TRUE, 1, 1 },
    { "SOME", AGG_SOME_TRUE, 1, 1 },
};

static const struct aggregate_name *find(struct base_str name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (base_str_equal_fold(name, base_str_of(names[i].name)))
            return &names[i];
    }
    return NULL;
}

bool patterns_rp_is_aggregate(struct base_str name)
{
    return find(name) != NULL;
}

struct call {
    const struct patterns_rp_read *read;
    const struct patterns_rp_rows *rows;
    const char *name;
};

static const struct patterns_bound *reg(const struct call *call, enum patterns_rp_kind kind,
                                        const struct patterns_bound *x, const struct patterns_bound *y,
                                        struct cep_type type)
{
    struct patterns_rp_request want = { .kind = kind, .rows = call->rows, .args = { x, y }, .type = type };
    want.is_counter = kind == PATTERNS_RP_ROWS || kind == PATTERNS_RP_COUNT || kind == PATTERNS_RP_COUNT_TRUE;
    return patterns_rp_read_reg(call->read, &want);
}

static const struct patterns_bound *op(const struct call *call, enum patterns_bound_kind kind, struct cep_type type,
                                       const struct patterns_bound *a, const struct patterns_bound *b)
{
    const struct patterns_bound *args[2] = { a, b };
    return a && b ? patterns_bound_op(call->read->rp->binder, call->read->place, kind, type, args, 2) : NULL;
}

static const struct patterns_bound *cast(const struct call *call, const struct patterns_bound *x, struct cep_type to)
{
    return x ? patterns_bound_cast(call->read->rp->binder, x, to) : NULL;
}

static int refuse_type(const struct call *call, struct cep_type type, const char *wants)
{
    struct patterns_binder *binder = call->read->rp->binder;
    return patterns_refuse(binder, call->read->place, "type-mismatch", "CAST the argument", "%s takes %s, not %s",
                           call->name, wants, patterns_type_text(binder, type));
}

/* Type of a sum; kind NULL if there is none. */
static struct cep_type sum_type(struct cep_type type)
{
    if (type.kind == CEP_KIND_INT || type.kind == CEP_KIND_BIGINT || type.kind == CEP_KIND_NULL)
        return CEP_TYPE(BIGINT);
    if (type.kind == CEP_KIND_DOUBLE || type.kind == CEP_KIND_INTERVAL_DAY || type.kind == CEP_KIND_INTERVAL_MONTH)
        return type;
    if (type.kind == CEP_KIND_DECIMAL)
        return CEP_DECIMAL_TYPE(38, type.scale);
    return CEP_TYPE(NULL);
}

static int sum_or_avg(const struct call *call, bool average, const struct patterns_bound *x,
                      const struct patterns_bound **ret)
{
    struct cep_type type = sum_type(x->type);
    if (type.kind == CEP_KIND_NULL)
        return refuse_type(call, x->type, "a number");
    x = cast(call, x, type);
    const struct patterns_bound *sum = x ? reg(call, PATTERNS_RP_SUM, x, NULL, type) : NULL;
    if (!average || !sum) {
        *ret = sum;
        return sum ? 0 : BASE_E_NOMEM;
    }
    if (type.kind == CEP_KIND_BIGINT)
        call->read->rp->uses |= PATTERNS_RP_USES_AVG_INT;
    const struct patterns_bound *count = reg(call, PATTERNS_RP_COUNT, x, NULL, CEP_TYPE(BIGINT));
    if (type.kind == CEP_KIND_DECIMAL) {
        struct cep_type to = CEP_DECIMAL_TYPE(38, type.scale > 6 ? type.scale : 6);
        *ret = op(call, PATTERNS_BOUND_DIV, to, sum, cast(call, count, CEP_DECIMAL_TYPE(19, 0)));
    } else if (type.kind == CEP_KIND_INTERVAL_DAY || type.kind == CEP_KIND_INTERVAL_MONTH) {
        return refuse_type(call, type, "a number");
    } else {
        *ret = op(call, PATTERNS_BOUND_DIV, CEP_TYPE(DOUBLE), cast(call, sum, CEP_TYPE(DOUBLE)),
                  cast(call, count, CEP_TYPE(DOUBLE)));
    }
    return *ret ? 0 : BASE_E_NOMEM;
}

/* m2 / n or m2 / (n - 1), NULL where there are too few values; SQRT of it for the deviations. */
static int spread(const struct call *call, enum aggregate what, const struct patterns_bound *x,
                  const struct patterns_bound **ret)
{
    struct patterns_binder *binder = call->read->rp->binder;
    struct cep_type d = CEP_TYPE(DOUBLE), bigint = CEP_TYPE(BIGINT);
    if (!cep_kind_is_number(x->type.kind))
        return refuse_type(call, x->type, "a number");
    bool sample = what == AGG_VAR_SAMP || what == AGG_STDDEV_SAMP;
    x = cast(call, x, d);
    const struct patterns_bound *m2 = x ? reg(call, PATTERNS_RP_M2, x, NULL, d) : NULL,
                                *n = x ? reg(call, PATTERNS_RP_COUNT, x, NULL, bigint) : NULL;
    const struct patterns_bound *less = patterns_bound_const(binder, NULL, bigint, cep_int(sample ? 1 : 0));
    const struct patterns_bound *enough = op(call, PATTERNS_BOUND_GT, CEP_TYPE(BOOLEAN), n, less);
    const struct patterns_bound *by = cast(call, op(call, PATTERNS_BOUND_SUB, bigint, n, less), d);
    const struct patterns_bound *args[3] = { enough, op(call, PATTERNS_BOUND_DIV, d, m2, by),
                                             patterns_bound_const(binder, NULL, d, cep_null()) };
    *ret = patterns_bound_op(binder, call->read->place, PATTERNS_BOUND_CASE, d, args, 3);
    if (*ret && (what == AGG_STDDEV_POP || what == AGG_STDDEV_SAMP)) {
        const struct cep_func *root = cep_funcs_find(binder->funcs, BASE_STR("SQRT"), NULL);
        if (!root)
            return patterns_refuse(binder, call->read->place, "unknown-function", NULL, "%s needs the function SQRT",
                                   call->name);
        *ret = patterns_bound_call(binder, call->read->place, root, d, ret, 1);
    }
    return *ret ? 0 : BASE_E_NOMEM;
}

static int array_type(const struct call *call, struct cep_type element, struct cep_type *ret)
{
    if (element.kind == CEP_KIND_ARRAY || element.kind == CEP_KIND_ROW)
        return refuse_type(call, element, "a plain value");
    *ret = (struct cep_type){ .kind = CEP_KIND_ARRAY,
                              .element = element.kind,
                              .element_precision = element.precision,
                              .element_scale = element.scale };
    return 0;
}

/* The n best, best first: an array of the values whose keys are there. */
static int top_n(const struct call *call, struct patterns_rp_request want, struct cep_type element, uint32_t n,
                 const struct patterns_bound **ret)
{
    struct patterns_match_detail *rp = call->read->rp;
    struct cep_type type;
    int r = array_type(call, element, &type);
    if (r)
        return r;
    const struct patterns_bound *result = patterns_bound_const(rp->binder, NULL, type, cep_null());
    for (uint32_t i = 0; i < n && result; i++) {
        want.n = i;
        want.kind = PATTERNS_RP_TOP_KEY;
        want.type = want.args[1]->type;
        const struct patterns_bound *key = patterns_rp_read_reg(call->read, &want);
        want.kind = PATTERNS_RP_TOP_VALUE;
        want.type = element;
        const struct patterns_bound *value = patterns_rp_read_reg(call->read, &want);
        if (!key || !value)
            return BASE_E_NOMEM;
        const struct patterns_bound *there =
            patterns_bound_op(rp->binder, NULL, PATTERNS_BOUND_IS_NOT_NULL, CEP_TYPE(BOOLEAN), &key, 1);
        const struct patterns_bound *args[3] = { there, patterns_rp_append(rp, result, value), result };
        result = patterns_bound_op(rp->binder, NULL, PATTERNS_BOUND_CASE, type, args, 3);
    }
    *ret = result;
    return result ? 0 : BASE_E_NOMEM;
}

static int by_key(const struct call *call, bool greatest, const struct patterns_bound *const *args, uint32_t count,
                  const struct patterns_bound **ret)
{
    struct patterns_rp_request want = { .kind = PATTERNS_RP_TOP_VALUE,
                                        .descending = greatest,
                                        .rows = call->rows,
                                        .args = { args[0], args[1] },
                                        .type = args[0]->type };
    struct patterns_binder *binder = call->read->rp->binder;
    if (args[1]->type.kind == CEP_KIND_ARRAY || args[1]->type.kind == CEP_KIND_ROW)
        return refuse_type(call, args[1]->type, "a key that has an order");
    if (count == 3) {
        const struct patterns_bound *n = args[2];
        if (n->kind != PATTERNS_BOUND_CONST || n->value.null ||
            (n->type.kind != CEP_KIND_INT && n->type.kind != CEP_KIND_BIGINT) || n->value.i < 1 ||
            n->value.i > PATTERNS_TOP_MAX)
            return patterns_refuse(binder, call->read->place, "bad-argument", NULL,
                                   "the last argument of %s is a constant from 1 to %d", call->name, PATTERNS_TOP_MAX);
        return top_n(call, want, args[0]->type, (uint32_t)n->value.i, ret);
    }
    *ret = patterns_rp_read_reg(call->read, &want);
    return *ret ? 0 : BASE_E_NOMEM;
}

static int list(const struct call *call, const struct patterns_bound *const *args, uint32_t count,
                const struct patterns_bound **ret)
{
    struct patterns_binder *binder = call->read->rp->binder;
    const struct patterns_bound *separator =
        count == 2 ? args[1] : patterns_bound_const(binder, NULL, CEP_TYPE(STRING), cep_string(",", 1));
    if (args[0]->type.kind != CEP_KIND_STRING)
        return refuse_type(call, args[0]->type, "a STRING");
    if (separator &&
        (separator->kind != PATTERNS_BOUND_CONST || separator->type.kind != CEP_KIND_STRING || separator->value.null))
        return patterns_refuse(binder, call->read->place, "bad-argument", NULL, "the separator of %s is a text literal",
                               call->name);
    *ret = separator ? reg(call, PATTERNS_RP_LIST, args[0], separator, CEP_TYPE(STRING)) : NULL;
    return *ret ? 0 : BASE_E_NOMEM;
}

/* A bare NULL has no type, but a register needs one: any will do. */
static const struct patterns_bound *typed(const struct call *call, const struct patterns_bound *x)
{
    return x->type.kind == CEP_KIND_NULL ? cast(call, x, CEP_TYPE(BOOLEAN)) : x;
}

static int plain(const struct call *call, enum patterns_rp_kind kind, const struct patterns_bound *x,
                 struct cep_type type, const struct patterns_bound **ret)
{
    *ret = reg(call, kind, x, NULL, type);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* DISTINCT: what the aggregate sees of a value that was there before is NULL. ARRAY_AGG, which collects NULLs too, is the
 * register of different values itself (*ret set). */
static int only_different(const struct call *call, enum aggregate what, const struct patterns_bound **x,
                          const struct patterns_bound **ret)
{
    struct cep_type type;
    if (what == AGG_MIN || what == AGG_MAX || what == AGG_ANY || what == AGG_ALL_TRUE || what == AGG_SOME_TRUE)
        return 0; /* the same with and without */
    if (!*x || what == AGG_MAX_BY || what == AGG_MIN_BY || what == AGG_LAST)
        return patterns_refuse(call->read->rp->binder, call->read->place, "bad-argument", "leave DISTINCT out",
                               "%s has no form with DISTINCT", *x ? call->name : "COUNT(*)");
    int r = array_type(call, (*x)->type, &type);
    if (r)
        return r;
    struct patterns_rp_request want = {
        .kind = PATTERNS_RP_DIFFERENT, .rows = call->rows, .args = { *x, call->read->filter }, .type = type
    };
    if (what == AGG_ARRAY)
        *ret = patterns_rp_read_reg(call->read, &want);
    else
        *x = patterns_rp_new_value(call->read, &want);
    return *x && (what != AGG_ARRAY || *ret) ? 0 : BASE_E_NOMEM;
}

static int aggregate(const struct patterns_rp_read *read, struct base_str name, const struct patterns_rp_rows *rows,
                     const struct patterns_bound *const *args, uint32_t count, const struct patterns_bound **ret)
{
    const struct aggregate_name *found = find(name);
    struct call call = { read, rows, found ? found->name : "" };
    struct patterns_binder *binder = read->rp->binder;
    struct cep_type type;
    if (!found)
        return BASE_E_INVALID;
    if (count < found->min || count > found->max)
        return patterns_refuse(binder, read->place, "bad-argument", NULL, "%s takes %s argument%s, not %u", found->name,
                               found->max == 3   ? "2 or 3"
                               : found->max == 2 ? "1 or 2"
                               : found->min == 0 ? "at most 1"
                                                 : "1",
                               found->max == 1 ? "" : "s", count);
    const struct patterns_bound *known[3] = { NULL };
    bool keeps = found->what != AGG_SUM && found->what != AGG_AVG && found->what != AGG_LIST; /* those say what they take */
    for (uint32_t i = 0; i < count && i < 3; i++) {
        known[i] = keeps ? typed(&call, args[i]) : args[i];
        if (!known[i])
            return BASE_E_NOMEM;
    }
    args = known;
    const struct patterns_bound *x = args[0], *first[2] = { x, count > 1 ? args[1] : NULL };
    *ret = NULL;
    if (read->distinct) {
        int r = only_different(&call, found->what, &x, ret);
        if (r || *ret)
            return r;
        first[0] = x;
    }
    bool boolean = x && (x->type.kind == CEP_KIND_BOOLEAN || x->type.kind == CEP_KIND_NULL);
    switch (found->what) {
    case AGG_COUNT: return plain(&call, x ? PATTERNS_RP_COUNT : PATTERNS_RP_ROWS, x, CEP_TYPE(BIGINT), ret);
    case AGG_COUNT_IF:
        return boolean ? plain(&call, PATTERNS_RP_COUNT_TRUE, x, CEP_TYPE(BIGINT), ret)
                       : refuse_type(&call, x->type, "a condition");
    case AGG_SUM:
    case AGG_AVG: return sum_or_avg(&call, found->what == AGG_AVG, x, ret);
    case AGG_MIN:
    case AGG_MAX:
        if (x->type.kind == CEP_KIND_ARRAY || x->type.kind == CEP_KIND_ROW)
            return refuse_type(&call, x->type, "values that have an order");
        if (count == 2) /* the n greatest */
            return by_key(&call, found->what == AGG_MAX, (const struct patterns_bound *[3]){ x, x, args[1] }, 3, ret);
        return plain(&call, found->what == AGG_MIN ? PATTERNS_RP_MIN : PATTERNS_RP_MAX, x, x->type, ret);
    case AGG_VAR_POP:
    case AGG_VAR_SAMP:
    case AGG_STDDEV_POP:
    case AGG_STDDEV_SAMP: return spread(&call, found->what, x, ret);
    case AGG_ARRAY:
        if (array_type(&call, x->type, &type))
            return BASE_E_SYNTAX;
        *ret = reg(&call, PATTERNS_RP_ARRAY, x, read->filter, type);
        return *ret ? 0 : BASE_E_NOMEM;
    case AGG_LIST: return list(&call, first, count, ret);
    case AGG_MAX_BY:
    case AGG_MIN_BY: return by_key(&call, found->what == AGG_MAX_BY, args, count, ret);
    case AGG_ANY: return plain(&call, PATTERNS_RP_ANY, x, x->type, ret);
    case AGG_LAST: return plain(&call, PATTERNS_RP_NEWEST, x, x->type, ret);
    case AGG_ALL_TRUE:
    case AGG_SOME_TRUE:
        if (!boolean)
            return refuse_type(&call, x->type, "a condition");
        return plain(&call, found->what == AGG_ALL_TRUE ? PATTERNS_RP_ALL_TRUE : PATTERNS_RP_SOME_TRUE, x,
                     CEP_TYPE(BOOLEAN), ret);
    }
    return BASE_E_INVALID;
}

int patterns_rp_aggregate(const struct patterns_rp_read *read, struct base_str name,
                          const struct patterns_rp_rows *rows, const struct patterns_bound *const *args, uint32_t count,
                          const struct patterns_bound **ret)
{
    const struct aggregate_name *found = find(name);
    uint64_t parts[6] = { count };
    int r = aggregate(read, name, rows, args, count, ret);
    if (r)
        return r;
    parts[1] = base_hash64(found->name, strlen(found->name), read->distinct);
    for (uint32_t i = 0; i < count && i < 3; i++)
        parts[2 + i] = args[i]->hash;
    parts[5] = read->filter ? read->filter->hash : 0;
    size_t hashed = read->filter ? sizeof parts : sizeof parts - sizeof *parts; /* without one as before there were any: it is part of stored formats */
    *ret = patterns_rp_named(read, rows, base_hash64(parts, hashed, 0), *ret);
    return *ret ? 0 : BASE_E_NOMEM;
}
