#include "cep/agg_bag.h"

#include <math.h>
#include <string.h>
#include "base/error.h"

/* ---- values ---- */

void cep_agg_put_value(struct base_buf *out, struct cep_type type, struct cep_value value)
{
    if (cep_kind_is_text(type.kind)) {
        base_buf_put_bytes(out, value.s.ptr, value.s.len);
    } else if (type.kind == CEP_KIND_DECIMAL) {
        base_buf_put_u64(out, value.dec.lo);
        base_buf_put_u64(out, value.dec.hi);
    } else {
        base_buf_put_u64(out, (uint64_t)value.i);
    }
}

struct cep_value cep_agg_get_value(struct base_reader *in, struct cep_type type)
{
    struct cep_value v = { .i = 0, .null = false };
    if (cep_kind_is_text(type.kind)) {
        struct base_str text = base_read_bytes(in);
        return cep_string(text.ptr ? text.ptr : "", text.len);
    }
    v.dec.lo = base_read_u64(in);
    v.dec.hi = type.kind == CEP_KIND_DECIMAL ? base_read_u64(in) : 0;
    return v;
}

int cep_agg_own(struct cep_type type, struct cep_value value, struct cep_value *ret)
{
    *ret = value;
    if (value.null || !cep_kind_is_text(type.kind))
        return 0;
    ret->s.ptr = base_strndup(value.s.ptr ? value.s.ptr : "", value.s.len);
    return ret->s.ptr ? 0 : BASE_E_NOMEM;
}

void cep_agg_disown(struct cep_type type, struct cep_value *value)
{
    if (!value->null && cep_kind_is_text(type.kind))
        base_free((void *)(uintptr_t)value->s.ptr);
    *value = cep_null();
}

double cep_agg_double(struct cep_type type, struct cep_value value)
{
    if (type.kind == CEP_KIND_DOUBLE)
        return value.d;
    if (type.kind == CEP_KIND_DECIMAL)
        return cep_decimal_to_double(cep_dec_get(value), type.scale);
    return (double)value.i;
}

/* ---- bags ---- */

void cep_bag_finish(struct cep_bag *bag, struct cep_type type)
{
    cep_tree_finish(&bag->tree, type);
    base_map_finish(&bag->counts);
    *bag = (struct cep_bag){ 0 };
}

/* The bytes of a value; texts are their own bytes, the rest goes to room. */
static struct base_str bytes_of(struct cep_type type, struct cep_value value, uint64_t room[2])
{
    if (cep_kind_is_text(type.kind))
        return (struct base_str){ value.s.ptr ? value.s.ptr : "", value.s.len };
    if (type.kind == CEP_KIND_DOUBLE && isnan(value.d))
        value.d = NAN;
    room[0] = value.dec.lo;
    room[1] = value.dec.hi;
    return (struct base_str){ (const char *)room, type.kind == CEP_KIND_DECIMAL ? 16 : 8 };
}

static struct cep_value value_of(struct cep_type type, const struct base_map_entry *entry)
{
    struct cep_value v = { .i = 0, .null = false };
    if (cep_kind_is_text(type.kind))
        return cep_string(entry->key, entry->key_len);
    memcpy(&v.dec, entry->key, entry->key_len < 16 ? entry->key_len : 16);
    return v;
}

int cep_bag_add(struct cep_bag *bag, struct cep_type type, struct cep_value value, uint64_t times, bool *ret_first)
{
    uint64_t room[2];
    if (bag->ordered) {
        if (bag->tree.count >= CEP_BAG_MAX && cep_tree_find(&bag->tree, type, value) == 0)
            return BASE_E_LIMIT;
        int rc = cep_tree_add(&bag->tree, type, value, times, ret_first);
        bag->total += rc ? 0 : times;
        return rc;
    }
    struct base_str key = bytes_of(type, value, room);
    uint64_t *count = bag->counts.count >= CEP_BAG_MAX ? base_map_find(&bag->counts, key) : base_map_put(&bag->counts, key, ret_first);
    if (!count)
        return bag->counts.count >= CEP_BAG_MAX ? BASE_E_LIMIT : BASE_E_NOMEM;
    *ret_first = *count == 0;
    if (*ret_first)
        bag->key_bytes += key.len;
    *count += times;
    bag->total += times;
    return 0;
}

int cep_bag_take(struct cep_bag *bag, struct cep_type type, struct cep_value value, bool *ret_found, bool *ret_last)
{
    uint64_t room[2];
    if (bag->ordered) {
        *ret_found = cep_tree_take(&bag->tree, type, value, ret_last);
        bag->total -= *ret_found;
        return 0;
    }
    struct base_str key = bytes_of(type, value, room);
    uint64_t *count = base_map_find(&bag->counts, key);
    *ret_found = count != NULL;
    *ret_last = false;
    if (!count)
        return 0;
    bag->total--;
    if (--*count == 0) {
        *ret_last = true;
        bag->key_bytes -= key.len;
        base_map_remove(&bag->counts, key);
    }
    return 0;
}

bool cep_bag_next(const struct cep_bag *bag, struct cep_type type, size_t *at, struct cep_value *ret, uint64_t *ret_times)
{
    if (bag->ordered)
        return cep_tree_next(&bag->tree, at, ret, ret_times);
    const struct base_map_entry *entry = base_map_next(&bag->counts, at);
    if (!entry)
        return false;
    *ret = value_of(type, entry);
    *ret_times = entry->value;
    return true;
}

struct cep_value cep_bag_extreme(const struct cep_bag *bag, bool greatest)
{
    return bag->total ? cep_tree_nth(&bag->tree, greatest ? bag->total - 1 : 0) : cep_null();
}

double cep_bag_percentile(const struct cep_bag *bag, struct cep_type type, double fraction)
{
    if (bag->total == 0)
        return 0;
    double place = fraction * (double)(bag->total - 1), part;
    uint64_t below = (uint64_t)place;
    below = below < bag->total ? below : bag->total - 1;
    double value = cep_agg_double(type, cep_tree_nth(&bag->tree, below));
    part = place - (double)below;
    if (part <= 0 || below + 1 >= bag->total)
        return value;
    return value * (1 - part) + cep_agg_double(type, cep_tree_nth(&bag->tree, below + 1)) * part;
}

size_t cep_bag_bytes(const struct cep_bag *bag)
{
    if (bag->ordered)
        return sizeof *bag + bag->tree.cap * sizeof *bag->tree.at + bag->tree.text_bytes;
    return sizeof *bag + bag->counts.cap * sizeof(struct base_map_entry) + bag->counts.index_cap * sizeof(uint32_t) + bag->key_bytes;
}

/* ---- lists ---- */

int cep_agg_order_compare(const struct cep_agg_order *a, const struct cep_agg_order *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return cep_position_compare(&a->at, &b->at);
}

void cep_agg_list_finish(struct cep_agg_list *list, struct cep_type type)
{
    for (size_t i = list->head; i < list->items.len; i++)
        cep_agg_disown(type, &list->items.at[i].value);
    BASE_VEC_FINISH(&list->items);
    *list = (struct cep_agg_list){ 0 };
}

int cep_agg_list_add(struct cep_agg_list *list, struct cep_type type, const struct cep_agg_order *order, struct cep_value value)
{
    struct cep_agg_item item = { .order = *order };
    if (list->items.len - list->head >= CEP_BAG_MAX)
        return BASE_E_LIMIT;
    if (cep_agg_own(type, value, &item.value))
        return BASE_E_NOMEM;
    if (!BASE_VEC_PUSH(&list->items, item)) {
        cep_agg_disown(type, &item.value);
        return BASE_E_NOMEM;
    }
    size_t at = list->items.len - 1;
    while (at > list->head && cep_agg_order_compare(&list->items.at[at - 1].order, order) > 0) {
        list->items.at[at] = list->items.at[at - 1];
        at--;
    }
    list->items.at[at] = item;
    if (cep_kind_is_text(type.kind))
        list->text_bytes += value.s.len;
    return 0;
}

bool cep_agg_list_take(struct cep_agg_list *list, struct cep_type type, const struct cep_agg_order *order, struct cep_value value)
{
    size_t found = list->items.len;
    for (size_t i = list->head; i < list->items.len; i++) {
        if (!cep_value_same(type, list->items.at[i].value, value))
            continue;
        bool exact = cep_agg_order_compare(&list->items.at[i].order, order) == 0;
        if (exact || found == list->items.len)
            found = i;
        if (exact)
            break;
    }
    if (found == list->items.len)
        return false;
    if (cep_kind_is_text(type.kind))
        list->text_bytes -= list->items.at[found].value.s.len;
    cep_agg_disown(type, &list->items.at[found].value);
    if (found == list->head) {
        list->head++;
    } else {
        memmove(&list->items.at[found], &list->items.at[found + 1], (list->items.len - found - 1) * sizeof *list->items.at);
        list->items.len--;
    }
    if (list->head > 32 && list->head * 2 > list->items.len) { /* room before the head is used again */
        list->items.len -= list->head;
        memmove(list->items.at, list->items.at + list->head, list->items.len * sizeof *list->items.at);
        list->head = 0;
    }
    return true;
}

size_t cep_agg_list_bytes(const struct cep_agg_list *list)
{
    return sizeof *list + list->items.cap * sizeof *list->items.at + list->text_bytes;
}
