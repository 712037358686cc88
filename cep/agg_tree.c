#include "cep/agg_tree.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cep/agg_bag.h"

static struct cep_tree_node *node_of(const struct cep_tree *tree, uint32_t n) { return &tree->at[n - 1]; }
static uint64_t total_of(const struct cep_tree *tree, uint32_t n) { return n ? node_of(tree, n)->total : 0; }

static void sum_up(struct cep_tree *tree, uint32_t n)
{
    struct cep_tree_node *node = node_of(tree, n);
    node->total = node->times + total_of(tree, node->left) + total_of(tree, node->right);
}

void cep_tree_finish(struct cep_tree *tree, struct cep_type type)
{
    for (size_t i = 0; i < tree->len; i++)
        if (tree->at[i].times)
            cep_agg_disown(type, &tree->at[i].value);
    BASE_VEC_FINISH(tree);
    *tree = (struct cep_tree){ 0 };
}

uint64_t cep_tree_find(const struct cep_tree *tree, struct cep_type type, struct cep_value value)
{
    for (uint32_t n = tree->root; n;) {
        const struct cep_tree_node *node = node_of(tree, n);
        int c = cep_value_compare(type, value, node->value);
        if (c == 0)
            return node->times;
        n = c < 0 ? node->left : node->right;
    }
    return 0;
}

/* splitmix64: no caller can make the tree deep by the order of its values. */
static uint32_t next_priority(struct cep_tree *tree)
{
    uint64_t z = tree->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* A node for the value, on no side of any other; 0: no memory. */
static uint32_t make_node(struct cep_tree *tree, struct cep_type type, struct cep_value value, uint64_t times)
{
    struct cep_tree_node fresh = { .times = times, .total = times, .priority = next_priority(tree) };
    uint32_t n = tree->spare;
    if (cep_agg_own(type, value, &fresh.value))
        return 0;
    if (n) {
        tree->spare = node_of(tree, n)->left;
        *node_of(tree, n) = fresh;
    } else if (BASE_VEC_PUSH(tree, fresh)) {
        n = (uint32_t)tree->len;
    } else {
        cep_agg_disown(type, &fresh.value);
        return 0;
    }
    tree->count++;
    tree->text_bytes += cep_kind_is_text(type.kind) ? value.s.len : 0;
    return n;
}

static uint32_t rotate(struct cep_tree *tree, uint32_t n, bool left_up)
{
    struct cep_tree_node *node = node_of(tree, n);
    uint32_t up = left_up ? node->left : node->right;
    struct cep_tree_node *child = node_of(tree, up);
    if (left_up) {
        node->left = child->right;
        child->right = n;
    } else {
        node->right = child->left;
        child->left = n;
    }
    sum_up(tree, n);
    sum_up(tree, up);
    return up;
}

/* Puts the node `fresh` into the subtree n, or only `times` more of its value (fresh 0). Depth is logarithmic but for chance. */
static uint32_t insert(struct cep_tree *tree, struct cep_type type, uint32_t n, uint32_t fresh, struct cep_value value, uint64_t times)
{
    if (!n)
        return fresh;
    struct cep_tree_node *node = node_of(tree, n);
    int c = cep_value_compare(type, value, node->value);
    if (c == 0) {
        node->times += times;
        node->total += times;
        return n;
    }
    uint32_t below = insert(tree, type, c < 0 ? node->left : node->right, fresh, value, times);
    if (c < 0)
        node->left = below;
    else
        node->right = below;
    if (node_of(tree, below)->priority > node->priority)
        return rotate(tree, n, c < 0);
    sum_up(tree, n);
    return n;
}

int cep_tree_add(struct cep_tree *tree, struct cep_type type, struct cep_value value, uint64_t times, bool *ret_first)
{
    *ret_first = cep_tree_find(tree, type, value) == 0;
    uint32_t fresh = *ret_first ? make_node(tree, type, value, times) : 0;
    if (*ret_first && !fresh)
        return BASE_E_NOMEM;
    tree->root = insert(tree, type, tree->root, fresh, value, times);
    return 0;
}

/* Everything in a is less than everything in b. */
static uint32_t join(struct cep_tree *tree, uint32_t a, uint32_t b)
{
    if (!a || !b)
        return a ? a : b;
    bool left = node_of(tree, a)->priority > node_of(tree, b)->priority;
    if (left)
        node_of(tree, a)->right = join(tree, node_of(tree, a)->right, b);
    else
        node_of(tree, b)->left = join(tree, a, node_of(tree, b)->left);
    sum_up(tree, left ? a : b);
    return left ? a : b;
}

static uint32_t take(struct cep_tree *tree, struct cep_type type, uint32_t n, struct cep_value value, bool *ret_last)
{
    struct cep_tree_node *node = node_of(tree, n);
    int c = cep_value_compare(type, value, node->value);
    if (c < 0) {
        node->left = take(tree, type, node->left, value, ret_last);
    } else if (c > 0) {
        node->right = take(tree, type, node->right, value, ret_last);
    } else if (--node->times == 0) {
        uint32_t rest = join(tree, node->left, node->right);
        *ret_last = true;
        tree->count--;
        tree->text_bytes -= cep_kind_is_text(type.kind) ? node->value.s.len : 0;
        cep_agg_disown(type, &node->value);
        *node = (struct cep_tree_node){ .left = tree->spare };
        tree->spare = n;
        return rest;
    }
    sum_up(tree, n);
    return n;
}

bool cep_tree_take(struct cep_tree *tree, struct cep_type type, struct cep_value value, bool *ret_last)
{
    *ret_last = false;
    if (cep_tree_find(tree, type, value) == 0)
        return false;
    tree->root = take(tree, type, tree->root, value, ret_last);
    return true;
}

struct cep_value cep_tree_nth(const struct cep_tree *tree, uint64_t n)
{
    for (uint32_t at = tree->root; at;) {
        const struct cep_tree_node *node = node_of(tree, at);
        uint64_t before = total_of(tree, node->left);
        if (n < before) {
            at = node->left;
        } else if (n < before + node->times) {
            return node->value;
        } else {
            n -= before + node->times;
            at = node->right;
        }
    }
    return cep_null();
}

bool cep_tree_next(const struct cep_tree *tree, size_t *at, struct cep_value *ret, uint64_t *ret_times)
{
    while (*at < tree->len && tree->at[*at].times == 0)
        ++*at;
    if (*at == tree->len)
        return false;
    *ret = tree->at[*at].value;
    *ret_times = tree->at[(*at)++].times;
    return true;
}
