/* Collections of values that some aggregates keep: a bag (how often each value is in it: DISTINCT, percentiles, MIN and MAX with values taken back) and a
 * list in the rows' order (LISTAGG, FIRST and LAST with values taken back). They own copies of texts. Called by agg.c. One thread. */
#ifndef CEP_AGG_BAG_H
#define CEP_AGG_BAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/map.h"
#include "base/vec.h"
#include "cep/agg_tree.h"
#include "cep/row.h"
#include "cep/value.h"

#define CEP_BAG_MAX (1u << 20) /* different values in a bag, values in a list */

/* Values of one type as bytes. */
void cep_agg_put_value(struct base_buf *out, struct cep_type type, struct cep_value value);
/* Borrows texts from the reader's bytes. in->failed: no such bytes. */
struct cep_value cep_agg_get_value(struct base_reader *in, struct cep_type type);

struct cep_bag {
    bool ordered;           /* kept in order: in `tree`, not in `counts`; set before the first value */
    struct base_map counts; /* bytes of the value -> how often */
    struct cep_tree tree;
    uint64_t total;
    size_t key_bytes;
};
void cep_bag_finish(struct cep_bag *bag, struct cep_type type);
/* Different values. */
static inline size_t cep_bag_count(const struct cep_bag *bag) { return bag->ordered ? bag->tree.count : bag->counts.count; }
/* times > 0. *ret_first: it was not there before. BASE_E_NOMEM; BASE_E_LIMIT: full, not added. */
int cep_bag_add(struct cep_bag *bag, struct cep_type type, struct cep_value value, uint64_t times, bool *ret_first) BASE_MUST_CHECK;
/* Takes one back. *ret_last: none is left; *ret_found false: it was not there. */
int cep_bag_take(struct cep_bag *bag, struct cep_type type, struct cep_value value, bool *ret_found, bool *ret_last) BASE_MUST_CHECK;
/* Next value at or behind *at (start with 0); texts are borrowed from the bag. */
bool cep_bag_next(const struct cep_bag *bag, struct cep_type type, size_t *at, struct cep_value *ret, uint64_t *ret_times);
/* Ordered bags. Least (greatest) value; NULL if empty. */
struct cep_value cep_bag_extreme(const struct cep_bag *bag, bool greatest);
/* Exact percentile (fraction 0..1) of numbers, interpolated; 0 if empty. */
double cep_bag_percentile(const struct cep_bag *bag, struct cep_type type, double fraction);
size_t cep_bag_bytes(const struct cep_bag *bag);

/* Place of a row among those that are aggregated. */
struct cep_agg_order { int64_t time_ms; struct cep_position at; };
int cep_agg_order_compare(const struct cep_agg_order *a, const struct cep_agg_order *b);

struct cep_agg_item { struct cep_agg_order order; struct cep_value value; };
struct cep_agg_items BASE_VEC(struct cep_agg_item);
struct cep_agg_list {
    struct cep_agg_items items; /* in order; those before head are gone */
    size_t head, text_bytes;
};
void cep_agg_list_finish(struct cep_agg_list *list, struct cep_type type);
/* BASE_E_NOMEM, BASE_E_LIMIT: full, not added. */
int cep_agg_list_add(struct cep_agg_list *list, struct cep_type type, const struct cep_agg_order *order, struct cep_value value) BASE_MUST_CHECK;
/* The item of that order and value, or else the first of that value. False: there is none. */
bool cep_agg_list_take(struct cep_agg_list *list, struct cep_type type, const struct cep_agg_order *order, struct cep_value value);
size_t cep_agg_list_bytes(const struct cep_agg_list *list);
/* Copy of a value that owns its text; BASE_E_NOMEM. */
int cep_agg_own(struct cep_type type, struct cep_value value, struct cep_value *ret) BASE_MUST_CHECK;
void cep_agg_disown(struct cep_type type, struct cep_value *value);
/* A number as a double. */
double cep_agg_double(struct cep_type type, struct cep_value value);

#endif
