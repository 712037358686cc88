#include "cep/match/batch_order.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"

struct arrange {
    struct cep_columns *columns;
    const struct match_batch_keys *keys;
    const struct match_batch_order *order;
    uint32_t order_count;
};

static bool same_key(const struct arrange *a, uint32_t x, uint32_t y)
{
    for (uint32_t i = 0; i < a->keys->count; i++)
        if (!cep_columns_same(a->columns, a->keys->columns[i], x, y))
            return false;
    return true;
}

static int compare(const struct arrange *a, uint32_t x, uint32_t y)
{
    for (uint32_t i = 0; i < a->order_count; i++) {
        const struct match_batch_order *by = &a->order[i];
        bool null = cep_columns_is_null(a->columns, by->column, x) || cep_columns_is_null(a->columns, by->column, y);
        int c = cep_columns_compare(a->columns, by->column, x, y, by->nulls_first);
        if (c)
            return by->descending && !null ? -c : c;
    }
    return 0;
}

/* ---- where partitions begin ---- */

/* changes[r] = 1 where a row's key is not that of the row before, a column at a time. */
static void mark_changes(const struct arrange *a, uint8_t *changes)
{
    const struct cep_columns *columns = a->columns;
    memset(changes, 0, columns->rows);
    for (uint32_t i = 0; i < a->keys->count; i++) {
        const struct cep_column_data *data = &columns->at[a->keys->columns[i]];
        if (data->nulls || cep_columns_in_text(data->type))
            for (uint32_t r = 1; r < columns->rows; r++)
                changes[r] |= (uint8_t)!cep_columns_same(columns, a->keys->columns[i], r - 1, r);
        else if (data->narrow)
            for (uint32_t r = 1; r < columns->rows; r++)
                changes[r] |= (uint8_t)(data->narrow[r - 1] != data->narrow[r]);
        else
            for (uint32_t r = 1; r < columns->rows; r++)
                changes[r] |= (uint8_t)(data->wide[r - 1] != data->wide[r]);
    }
}

static int find_runs(const struct arrange *a, struct match_batch_edges *runs)
{
    uint8_t *changes = NULL;
    if (a->keys->count == 0)
        return BASE_VEC_PUSH(runs, 0) && BASE_VEC_PUSH(runs, a->columns->rows) ? 0 : BASE_E_NOMEM;
    changes = base_alloc(a->columns->rows ? a->columns->rows : 1);
    if (!changes)
        return BASE_E_NOMEM;
    mark_changes(a, changes);
    bool good = a->columns->rows == 0 || BASE_VEC_PUSH(runs, 0);
    const uint8_t *end = changes + a->columns->rows;
    for (const uint8_t *at = changes; good && at < end && (at = memchr(at, 1, (size_t)(end - at))) != NULL; at++)
        good = BASE_VEC_PUSH(runs, (uint32_t)(at - changes));
    base_free(changes);
    return good && BASE_VEC_PUSH(runs, a->columns->rows) ? 0 : BASE_E_NOMEM;
}

static uint64_t hash_key(const struct arrange *a, uint32_t row)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < a->keys->count; i++) {
        uint32_t column = a->keys->columns[i];
        int64_t slot = cep_columns_slot(a->columns, column, row);
        if (cep_columns_is_null(a->columns, column, row)) {
            hash = base_hash64("", 0, hash + 1);
        } else if (cep_columns_in_text(a->columns->at[column].type)) {
            struct base_str text = cep_columns_text(a->columns, slot);
            hash = base_hash64(text.ptr, text.len, hash);
        } else {
            hash = ((uint64_t)slot + hash) * UINT64_C(0x9E3779B97F4A7C15);
            hash ^= hash >> 29;
        }
    }
    return hash;
}

/* Runs whose keys only rise or only fall, and so never come again: the usual case, told without a table. */
static bool keys_rise(const struct arrange *a, const struct match_batch_edges *runs)
{
    if (a->keys->count != 1 || cep_columns_in_text(a->columns->at[a->keys->columns[0]].type) || a->columns->at[a->keys->columns[0]].nulls)
        return false;
    bool rise = true, fall = true;
    for (size_t i = 1; i + 1 < runs->len && (rise || fall); i++) {
        int64_t x = cep_columns_slot(a->columns, a->keys->columns[0], runs->at[i - 1]), y = cep_columns_slot(a->columns, a->keys->columns[0], runs->at[i]);
        rise = rise && x < y;
        fall = fall && x > y;
    }
    return rise || fall;
}

/* groups[i]: number of the partition that run i belongs to, in order of first sight. */
static int group_runs(const struct arrange *a, const struct match_batch_edges *runs, uint32_t *groups, uint32_t *ret_count)
{
    size_t count = runs->len - 1, cap = 64;
    *ret_count = 0;
    while (cap < count * 2)
        cap *= 2;
    uint32_t *table = base_calloc(cap, sizeof *table); /* 1 + run */
    if (!table)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = hash_key(a, runs->at[i]) & (cap - 1);
        while (table[at] && !same_key(a, runs->at[table[at] - 1], runs->at[i]))
            at = (at + 1) & (cap - 1);
        groups[i] = table[at] ? groups[table[at] - 1] : (*ret_count)++;
        if (!table[at])
            table[at] = (uint32_t)i + 1;
    }
    base_free(table);
    return 0;
}

/* Rows of partitions together: order[] and the partitions' edges. */
static int gather(const struct match_batch_edges *runs, const uint32_t *groups, uint32_t group_count, uint32_t *order, struct match_batch_edges *ret)
{
    uint32_t *place = base_calloc((size_t)group_count + 1, sizeof *place);
    if (!place)
        return BASE_E_NOMEM;
    for (size_t i = 0; i + 1 < runs->len; i++)
        place[groups[i] + 1] += runs->at[i + 1] - runs->at[i];
    for (uint32_t g = 0; g < group_count; g++)
        place[g + 1] += place[g];
    bool good = true;
    ret->len = 0;
    for (uint32_t g = 0; g <= group_count && good; g++)
        good = BASE_VEC_PUSH(ret, place[g]);
    for (size_t i = 0; i + 1 < runs->len && good; i++)
        for (uint32_t r = runs->at[i]; r < runs->at[i + 1]; r++)
            order[place[groups[i]]++] = r;
    base_free(place);
    return good ? 0 : BASE_E_NOMEM;
}

static int part(const struct arrange *a, struct match_batch_edges *edges)
{
    struct match_batch_edges runs = { 0 };
    uint32_t *groups = NULL, *order = NULL, count = 0;
    int rc = find_runs(a, edges);
    if (rc || edges->len < 3 || keys_rise(a, edges))
        return rc;
    groups = base_calloc(edges->len, sizeof *groups);
    rc = groups ? group_runs(a, edges, groups, &count) : BASE_E_NOMEM;
    if (!rc && count < edges->len - 1) {
        runs = *edges;
        *edges = (struct match_batch_edges){ 0 };
        order = base_calloc((size_t)a->columns->rows + 1, sizeof *order);
        rc = order ? gather(&runs, groups, count, order, edges) : BASE_E_NOMEM;
        if (!rc)
            rc = cep_columns_permute(a->columns, order);
    }
    BASE_VEC_FINISH(&runs);
    base_free(groups);
    base_free(order);
    return rc;
}

/* ---- order within a partition ---- */

static bool in_order(const struct arrange *a, uint32_t first, uint32_t end)
{
    const struct cep_column_data *data = a->order_count ? &a->columns->at[a->order[0].column] : NULL;
    uint32_t r = first + 1;
    if (!data)
        return true;
    bool plain = !data->nulls && !a->order[0].descending && data->type.kind != CEP_KIND_DOUBLE && !cep_columns_in_text(data->type);
    if (plain && data->narrow)
        while (r < end && data->narrow[r - 1] < data->narrow[r])
            r++;
    else if (plain)
        while (r < end && data->wide[r - 1] < data->wide[r])
            r++;
    while (r < end && compare(a, r - 1, r) <= 0)
        r++;
    return r >= end;
}

/* Merge sort, from the bottom: stable. */
static void sort(const struct arrange *a, uint32_t *rows, uint32_t *other, uint32_t count)
{
    uint32_t *from = rows, *to = other;
    for (uint32_t width = 1; width < count; width = width > count / 2 ? count : width * 2) {
        for (uint32_t left = 0; left < count;) {
            uint32_t mid = count - left > width ? left + width : count, end = count - mid > width ? mid + width : count;
            uint32_t i = left, k = mid, out = left;
            while (i < mid && k < end)
                to[out++] = compare(a, from[k], from[i]) < 0 ? from[k++] : from[i++];
            while (i < mid)
                to[out++] = from[i++];
            while (k < end)
                to[out++] = from[k++];
            left = end;
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != rows)
        memcpy(rows, from, count * sizeof *rows);
}

int cep_match_batch_arrange(struct cep_columns *columns, const struct match_batch_keys *keys, const struct match_batch_order *order, uint32_t order_count,
                            struct match_batch_edges *ret)
{
    const struct arrange a = { columns, keys, order, order_count };
    uint32_t *rows = NULL, *other = NULL;
    *ret = (struct match_batch_edges){ 0 };
    int rc = part(&a, ret);
    for (size_t p = 0; p + 1 < ret->len && !rc; p++) {
        if (in_order(&a, ret->at[p], ret->at[p + 1]))
            continue;
        if (!rows) {
            rows = base_calloc((size_t)columns->rows + 1, sizeof *rows);
            other = base_calloc((size_t)columns->rows + 1, sizeof *other);
            rc = rows && other ? 0 : BASE_E_NOMEM;
            for (uint32_t r = 0; r < columns->rows && !rc; r++)
                rows[r] = r;
        }
        if (!rc)
            sort(&a, rows + ret->at[p], other + ret->at[p], ret->at[p + 1] - ret->at[p]);
    }
    if (rows && !rc)
        rc = cep_columns_permute(columns, rows);
    base_free(rows);
    base_free(other);
    return rc;
}
