#include "base/error.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/text.h"

/* Conditions over any type, and arrays. */

#define DISTINCT_MAX 4096u

CEP_RULE(array_int, "A", 'I')
CEP_RULE(array_same, "A", '=')
CEP_RULE(strings_string, "ASS", 'S')

static bool rule_common(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return cep_func_common(args, 0, n, want, ret);
}

static bool rule_if(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    want[0] = CEP_TYPE(BOOLEAN);
    return cep_cast_exists(args[0], want[0], true) && cep_func_common(args, 1, n, want, ret);
}

/* The result has the type of the first argument; both are compared in their common type. */
static bool rule_nullif(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return cep_func_common(args, 0, n, want, ret);
}

static bool rule_array(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    struct cep_type element;
    if (!cep_func_common(args, 0, n, want, &element) || element.kind == CEP_KIND_ARRAY)
        return false;
    *ret = cep_type_array(element);
    return true;
}

/* (ARRAY<T>, T) */
static bool array_and_element(const struct cep_type *args, struct cep_type *want)
{
    struct cep_type common;
    if (args[0].kind != CEP_KIND_ARRAY || !cep_type_common(cep_type_element(args[0]), args[1], &common) ||
        common.kind == CEP_KIND_ARRAY)
        return false;
    want[0] = cep_type_array(common);
    want[1] = common;
    return true;
}

static bool rule_contains(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(BOOLEAN);
    return array_and_element(args, want);
}

static bool rule_position(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(INT);
    return array_and_element(args, want);
}

static bool rule_append(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    if (!array_and_element(args, want))
        return false;
    *ret = want[0];
    return true;
}

static bool rule_element(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    if (args[0].kind != CEP_KIND_ARRAY)
        return false;
    want[0] = args[0];
    *ret = cep_type_element(args[0]);
    return true;
}

static int run_coalesce(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_null();
    for (uint32_t i = 0; i < call->args && ret->null; i++)
        *ret = args[i];
    return 0;
}

static int run_nullif(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    bool equal = !args[0].null && !args[1].null && cep_value_compare(call->arg_types[0], args[0], args[1]) == 0;
    *ret = equal ? cep_null() : args[0];
    return 0;
}

static int run_if(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = !args[0].null && args[0].i ? args[1] : args[2];
    return 0;
}

static int extreme(const struct cep_call *call, const struct cep_value *args, int sign, struct cep_value *ret)
{
    *ret = args[0];
    for (uint32_t i = 1; i < call->args; i++)
        if (cep_value_compare(call->ret_type, args[i], *ret) * sign > 0)
            *ret = args[i];
    return 0;
}

static int run_greatest(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return extreme(call, args, 1, ret);
}

static int run_least(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return extreme(call, args, -1, ret);
}

static int run_array(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return cep_array_make(call->ret_type, args, call->args, call->arena, ret);
}

static int run_cardinality(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(cep_array_count(args[0]));
    return 0;
}

/* 1-based place of the first element that is the value (NULL is NULL), 0 if none. */
static uint32_t place_of(const struct cep_call *call, const struct cep_value *args)
{
    struct cep_array_reader reader;
    struct cep_value v;
    cep_array_read(args[0], &reader);
    for (uint32_t i = 1; cep_array_next(call->arg_types[0], &reader, &v); i++)
        if (cep_value_same(call->arg_types[1], v, args[1]))
            return i;
    return 0;
}

static int run_contains(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = args[0].null ? cep_null() : cep_int(place_of(call, args) != 0);
    return 0;
}

static int run_position(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(place_of(call, args));
    return 0;
}

static int run_append(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_null();
    return args[0].null ? 0 : cep_array_append(call->ret_type, args[0], args[1], call->arena, ret);
}

/* ELEMENT: of an array with exactly one. */
static int run_element(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    uint32_t count = cep_array_count(args[0]);
    if (count > 1)
        return BASE_E_RANGE;
    *ret = count ? cep_array_get(call->arg_types[0], args[0], 0) : cep_null();
    return 0;
}

static int run_join(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_null();
    if (args[0].null || args[1].null)
        return 0;
    return cep_text_join(call->arg_types[0], args[0], args[1], call->args < 3 ? cep_null() : args[2], call->arena, ret);
}

static int extreme_element(const struct cep_call *call, const struct cep_value *args, int sign, struct cep_value *ret)
{
    struct cep_array_reader reader;
    struct cep_value v;
    *ret = cep_null();
    cep_array_read(args[0], &reader);
    while (cep_array_next(call->arg_types[0], &reader, &v))
        if (!v.null && (ret->null || cep_value_compare(call->ret_type, v, *ret) * sign > 0))
            *ret = v;
    return 0;
}

static int run_array_max(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return extreme_element(call, args, 1, ret);
}

static int run_array_min(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return extreme_element(call, args, -1, ret);
}

/* Keeps the first of equal elements. The work is the square of the number of different ones, which is therefore
 * limited. */
static int run_distinct(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_type element = cep_type_element(call->ret_type);
    uint32_t count = cep_array_count(args[0]), kept = 0;
    struct cep_value *values =
                         base_arena_alloc(call->arena,
                                          ((size_t)(count < DISTINCT_MAX ? count : DISTINCT_MAX) + 1) * sizeof *values),
                     v;
    struct cep_array_reader reader;
    if (!values)
        return BASE_E_NOMEM;
    cep_array_read(args[0], &reader);
    while (cep_array_next(call->arg_types[0], &reader, &v)) {
        uint32_t i = 0;
        while (i < kept && !cep_value_same(element, values[i], v))
            i++;
        if (i < kept)
            continue;
        if (kept == DISTINCT_MAX)
            return BASE_E_LIMIT;
        values[kept++] = v;
    }
    return cep_array_make(call->ret_type, values, kept, call->arena, ret);
}

static const struct cep_func table[] = {
    { "COALESCE", 1, CEP_FUNC_ARGS_MAX, CEP_FUNC_SEES_NULL, rule_common, run_coalesce, NULL, NULL,
      "COALESCE(a, b, ...)", "The first argument that is not NULL." },
    { "IFNULL", 2, 2, CEP_FUNC_SEES_NULL, rule_common, run_coalesce, NULL, NULL, "IFNULL(a, b)",
      "a, or b where a is NULL." },
    { "NULLIF", 2, 2, CEP_FUNC_SEES_NULL, rule_nullif, run_nullif, NULL, NULL, "NULLIF(a, b)",
      "NULL where a = b, else a." },
    { "IF", 3, 3, CEP_FUNC_SEES_NULL, rule_if, run_if, NULL, NULL, "IF(condition, a, b)",
      "a where the condition is TRUE, else b." },
    { "GREATEST", 1, CEP_FUNC_ARGS_MAX, 0, rule_common, run_greatest, NULL, NULL, "GREATEST(a, b, ...)",
      "The greatest argument; NULL if any is NULL." },
    { "LEAST", 1, CEP_FUNC_ARGS_MAX, 0, rule_common, run_least, NULL, NULL, "LEAST(a, b, ...)",
      "The least argument; NULL if any is NULL." },
    { "ARRAY", 0, CEP_FUNC_ARGS_MAX, CEP_FUNC_SEES_NULL, rule_array, run_array, NULL, NULL, "ARRAY(a, b, ...)",
      "An array of the arguments; also written ARRAY[a, b]." },
    { "CARDINALITY", 1, 1, 0, array_int, run_cardinality, NULL, NULL, "CARDINALITY(array)",
      "Number of elements, NULLs included." },
    { "ELEMENT", 1, 1, 0, rule_element, run_element, NULL, NULL, "ELEMENT(array)",
      "The only element; NULL if the array is empty, an error if it has more than one." },
    { "ARRAY_CONTAINS", 2, 2, CEP_FUNC_SEES_NULL, rule_contains, run_contains, NULL, NULL,
      "ARRAY_CONTAINS(array, value)", "Is the value among the elements? NULL is looked for like any other value." },
    { "ARRAY_POSITION", 2, 2, 0, rule_position, run_position, NULL, NULL, "ARRAY_POSITION(array, value)",
      "Place of the first such element, from 1; 0 if there is none." },
    { "ARRAY_APPEND", 2, 2, CEP_FUNC_SEES_NULL, rule_append, run_append, NULL, NULL, "ARRAY_APPEND(array, value)",
      "The array with the value behind its last element." },
    { "ARRAY_MAX", 1, 1, 0, rule_element, run_array_max, NULL, NULL, "ARRAY_MAX(array)",
      "The greatest element; NULLs are passed over." },
    { "ARRAY_MIN", 1, 1, 0, rule_element, run_array_min, NULL, NULL, "ARRAY_MIN(array)",
      "The least element; NULLs are passed over." },
    { "ARRAY_DISTINCT", 1, 1, 0, array_same, run_distinct, NULL, NULL, "ARRAY_DISTINCT(array)",
      "The elements without repetitions, in order of their first occurrence; at most 4,096 different ones." },
    { "ARRAY_JOIN", 2, 3, CEP_FUNC_SEES_NULL, strings_string, run_join, NULL, NULL,
      "ARRAY_JOIN(array, delimiter[, null_text])",
      "The elements as one text; NULL elements are left out unless null_text stands for them." },
};

struct cep_func_table cep_func_table_array(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
