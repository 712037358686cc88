/* Values in order, each with how often it is there: least, greatest and n-th value in logarithmic time. A treap: a search tree by value that is a heap by
 * pseudo-random priorities (Aragon and Seidel 1989), with the number of values below each node. Part of a bag (agg_bag.h). One thread. */
#ifndef CEP_AGG_TREE_H
#define CEP_AGG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/vec.h"
#include "cep/value.h"

struct cep_tree_node {
    struct cep_value value;  /* texts are owned */
    uint64_t times, total;   /* of the value; of all in the subtree. times 0: it holds no value */
    uint32_t left, right;    /* node + 1; 0: none. Of one that holds no value: left is the next such */
    uint32_t priority;
};
struct cep_tree {
    struct cep_tree_node *at;
    size_t len, cap;
    uint32_t root, spare;    /* node + 1; spare: the first of those that hold no value */
    uint32_t count;          /* different values */
    uint64_t seed;
    size_t text_bytes;
};
void cep_tree_finish(struct cep_tree *tree, struct cep_type type);
/* times > 0. BASE_E_NOMEM. */
int cep_tree_add(struct cep_tree *tree, struct cep_type type, struct cep_value value, uint64_t times, bool *ret_first) BASE_MUST_CHECK;
/* False: it is not there. */
bool cep_tree_take(struct cep_tree *tree, struct cep_type type, struct cep_value value, bool *ret_last);
/* How often the value is there. */
uint64_t cep_tree_find(const struct cep_tree *tree, struct cep_type type, struct cep_value value);
/* The n-th value (from 0) in order, with repetitions; n < total. */
struct cep_value cep_tree_nth(const struct cep_tree *tree, uint64_t n);
/* Next value at or behind *at (start with 0), in no order. */
bool cep_tree_next(const struct cep_tree *tree, size_t *at, struct cep_value *ret, uint64_t *ret_times);

#endif
