#include "patterns/bound.h"

#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"

/* Seed of all structural hashes: they are part of rule fingerprints, so a change of what is hashed must change this
 * number. */
#define BOUND_HASH_VERSION UINT64_C(0x6270742d76310001)

uint64_t patterns_hash_mix(uint64_t hash, uint64_t value)
{
    uint8_t bytes[16]; /* little-endian on every machine */
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(hash >> (8 * i));
        bytes[8 + i] = (uint8_t)(value >> (8 * i));
    }
    return base_hash64(bytes, sizeof bytes, BOUND_HASH_VERSION);
}

uint64_t patterns_hash_text(uint64_t hash, struct base_str text)
{
    return patterns_hash_mix(hash, base_hash64(text.ptr ? text.ptr : "", text.len, BOUND_HASH_VERSION));
}

static uint64_t type_bits(struct cep_type type)
{
    return (uint64_t)type.kind | (uint64_t)type.precision << 8 | (uint64_t)type.scale << 16 |
           (uint64_t)type.element << 24 | (uint64_t)type.element_precision << 32 | (uint64_t)type.element_scale << 40;
}

uint64_t patterns_hash_type(uint64_t hash, struct cep_type type)
{
    return patterns_hash_mix(hash, type_bits(type));
}

static uint64_t hash_value(uint64_t hash, struct cep_type type, struct cep_value value)
{
    if (value.null)
        return patterns_hash_mix(hash, 1);
    if (cep_kind_is_text(type.kind))
        return patterns_hash_text(hash, (struct base_str){ value.s.ptr, value.s.len });
    hash = patterns_hash_mix(hash, value.dec.lo);
    return type.kind == CEP_KIND_DECIMAL ? patterns_hash_mix(hash, value.dec.hi) : hash;
}

/* Of the node alone and its arguments' hashes. */
static uint64_t hash_node(const struct patterns_bound *b)
{
    uint64_t h = patterns_hash_mix((uint64_t)b->kind, type_bits(b->type));
    h = patterns_hash_mix(h, (uint64_t)b->try_cast);
    switch (b->kind) {
    case PATTERNS_BOUND_CONST: return hash_value(h, b->type, b->value);
    case PATTERNS_BOUND_COLUMN:
    case PATTERNS_BOUND_EXTERNAL:
        return patterns_hash_mix(h, b->hash); /* set by the maker beforehand: the leaf's meaning */
    case PATTERNS_BOUND_CALL: h = patterns_hash_text(h, base_str_of(b->func->name)); break;
    case PATTERNS_BOUND_ROW_TIME:
    case PATTERNS_BOUND_PROC_TIME:
    case PATTERNS_BOUND_NOW:
    case PATTERNS_BOUND_CAST:
    case PATTERNS_BOUND_NEG:
    case PATTERNS_BOUND_ADD:
    case PATTERNS_BOUND_SUB:
    case PATTERNS_BOUND_MUL:
    case PATTERNS_BOUND_DIV:
    case PATTERNS_BOUND_MOD:
    case PATTERNS_BOUND_ADD_MONTHS:
    case PATTERNS_BOUND_CONCAT:
    case PATTERNS_BOUND_EQ:
    case PATTERNS_BOUND_NE:
    case PATTERNS_BOUND_LT:
    case PATTERNS_BOUND_LE:
    case PATTERNS_BOUND_GT:
    case PATTERNS_BOUND_GE:
    case PATTERNS_BOUND_SAME:
    case PATTERNS_BOUND_IN:
    case PATTERNS_BOUND_BETWEEN:
    case PATTERNS_BOUND_AND:
    case PATTERNS_BOUND_OR:
    case PATTERNS_BOUND_NOT:
    case PATTERNS_BOUND_IS_NULL:
    case PATTERNS_BOUND_IS_NOT_NULL:
    case PATTERNS_BOUND_IS_TRUE:
    case PATTERNS_BOUND_IS_FALSE:
    case PATTERNS_BOUND_CASE:
    case PATTERNS_BOUND_COALESCE:
    case PATTERNS_BOUND_ARRAY_GET: break;
    }
    for (uint32_t i = 0; i < b->arg_count; i++)
        h = patterns_hash_mix(h, b->args[i]->hash);
    return h;
}

static struct patterns_bound *make(struct patterns_binder *binder, const struct patterns_expr *place,
                                   enum patterns_bound_kind kind, struct cep_type type)
{
    struct patterns_bound *b = base_arena_zalloc(binder->arena, 1, sizeof *b);
    if (!b)
        return NULL;
    b->kind = kind;
    b->type = type;
    if (place) {
        b->source = place->source;
        b->begin = place->begin;
        b->end = place->end;
    }
    return b;
}

const struct patterns_bound *patterns_bound_const(struct patterns_binder *binder, const struct patterns_expr *place,
                                                  struct cep_type type, struct cep_value value)
{
    struct patterns_bound *b = make(binder, place, PATTERNS_BOUND_CONST, type);
    if (!b)
        return NULL;
    b->value = value;
    b->hash = hash_node(b);
    return b;
}

const struct patterns_bound *patterns_bound_column(struct patterns_binder *binder, const struct patterns_expr *place,
                                                   const struct patterns_relation *relation, uint32_t column)
{
    struct patterns_bound *b = make(binder, place, PATTERNS_BOUND_COLUMN, relation->columns[column].type);
    if (!b)
        return NULL;
    b->column = column;
    b->flags = PATTERNS_BOUND_HAS_COLUMN;
    b->hash = relation->columns[column].hash;
    return b;
}

const struct patterns_bound *patterns_bound_external(struct patterns_binder *binder, const struct patterns_expr *place,
                                                     struct cep_type type, uint32_t id, const void *detail,
                                                     uint64_t hash, uint32_t flags)
{
    struct patterns_bound *b = make(binder, place, PATTERNS_BOUND_EXTERNAL, type);
    if (!b)
        return NULL;
    b->id = id;
    b->detail = detail;
    b->flags = flags | PATTERNS_BOUND_HAS_EXTERNAL;
    b->hash = hash;
    b->hash = hash_node(b);
    return b;
}

/* Common end of the nodes with arguments. */
static const struct patterns_bound *with_args(struct patterns_binder *binder, struct patterns_bound *b,
                                              const struct patterns_bound *const *args, uint32_t count)
{
    if (count) {
        b->args = base_arena_zalloc(binder->arena, count, sizeof *b->args);
        if (!b->args)
            return NULL;
    }
    b->arg_count = count;
    for (uint32_t i = 0; i < count; i++) {
        b->args[i] = args[i];
        b->flags |= args[i]->flags;
    }
    if (b->kind == PATTERNS_BOUND_PROC_TIME || b->kind == PATTERNS_BOUND_NOW)
        b->flags |= PATTERNS_BOUND_IS_VOLATILE;
    if (b->kind == PATTERNS_BOUND_ROW_TIME)
        b->flags |= PATTERNS_BOUND_HAS_ROW_TIME;
    if (b->kind == PATTERNS_BOUND_CALL && b->func->flags & CEP_FUNC_VOLATILE)
        b->flags |= PATTERNS_BOUND_IS_VOLATILE;
    b->hash = hash_node(b);
    return b;
}

const struct patterns_bound *patterns_bound_op(struct patterns_binder *binder, const struct patterns_expr *place,
                                               enum patterns_bound_kind kind, struct cep_type type,
                                               const struct patterns_bound *const *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!args[i])
            return NULL;
    struct patterns_bound *b = make(binder, place, kind, type);
    if (!b)
        return NULL;
    if (!place && count) {
        b->source = args[0]->source;
        b->begin = args[0]->begin;
        b->end = args[count - 1]->end;
    }
    return with_args(binder, b, args, count);
}

const struct patterns_bound *patterns_bound_call(struct patterns_binder *binder, const struct patterns_expr *place,
                                                 const struct cep_func *func, struct cep_type type,
                                                 const struct patterns_bound *const *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!args[i])
            return NULL;
    struct patterns_bound *b = make(binder, place, PATTERNS_BOUND_CALL, type);
    if (!b)
        return NULL;
    b->func = func;
    return with_args(binder, b, args, count);
}

static const struct patterns_bound *cast_node(struct patterns_binder *binder, const struct patterns_bound *arg,
                                              struct cep_type to, bool try_cast)
{
    if (!arg || cep_type_equal(arg->type, to))
        return arg;
    struct patterns_bound *b = make(binder, NULL, PATTERNS_BOUND_CAST, to);
    if (!b)
        return NULL;
    b->source = arg->source;
    b->begin = arg->begin;
    b->end = arg->end;
    b->try_cast = try_cast;
    return with_args(binder, b, &arg, 1);
}

const struct patterns_bound *patterns_bound_cast(struct patterns_binder *binder, const struct patterns_bound *arg,
                                                 struct cep_type to)
{
    return cast_node(binder, arg, to, false);
}

const struct patterns_bound *patterns_bound_try_cast(struct patterns_binder *binder, const struct patterns_bound *arg,
                                                     struct cep_type to)
{
    return cast_node(binder, arg, to, true);
}

const struct patterns_bound *patterns_bound_relabel(struct patterns_binder *binder, const struct patterns_bound *bound,
                                                    struct cep_value value, struct cep_type type)
{
    struct patterns_bound *b = make(binder, NULL, PATTERNS_BOUND_CONST, type);
    if (!b)
        return NULL;
    b->source = bound->source;
    b->begin = bound->begin;
    b->end = bound->end;
    b->value = value;
    b->hash = bound->hash; /* as written: a better optimiser must not change a fingerprint */
    return b;
}

const struct patterns_bound *patterns_bound_with_hash(struct patterns_binder *binder,
                                                      const struct patterns_bound *bound, uint64_t hash)
{
    struct patterns_bound *b = base_arena_alloc(binder->arena, sizeof *b);
    if (!b)
        return NULL;
    *b = *bound;
    b->hash = hash;
    return b;
}

const struct patterns_bound *patterns_bound_at(struct patterns_binder *binder, const struct patterns_bound *bound,
                                               const struct patterns_expr *place)
{
    struct patterns_bound *b = base_arena_alloc(binder->arena, sizeof *b);
    if (!b)
        return NULL;
    *b = *bound;
    b->source = place->source;
    b->begin = place->begin;
    b->end = place->end;
    return b;
}

/* ---- reading ---- */

bool patterns_bound_is_true(const struct patterns_bound *bound)
{
    return bound->kind == PATTERNS_BOUND_CONST && bound->type.kind == CEP_KIND_BOOLEAN && !bound->value.null &&
           bound->value.i == 1;
}

bool patterns_bound_is_never(const struct patterns_bound *bound)
{
    return bound->kind == PATTERNS_BOUND_CONST &&
           (bound->value.null || (bound->type.kind == CEP_KIND_BOOLEAN && bound->value.i == 0));
}

bool patterns_bound_same(const struct patterns_bound *a, const struct patterns_bound *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || !cep_type_equal(a->type, b->type) || a->arg_count != b->arg_count ||
        a->try_cast != b->try_cast)
        return false;
    if (a->kind == PATTERNS_BOUND_CONST)
        return cep_value_same(a->type, a->value, b->value);
    if (a->kind == PATTERNS_BOUND_COLUMN)
        return a->column == b->column;
    if (a->kind == PATTERNS_BOUND_EXTERNAL)
        return a->id == b->id && a->detail == b->detail && a->hash == b->hash;
    if (a->func != b->func)
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!patterns_bound_same(a->args[i], b->args[i]))
            return false;
    return true;
}

int patterns_bound_leaves(const struct patterns_bound *bound, int (*leaf)(void *ctx, const struct patterns_bound *leaf),
                          void *ctx)
{
    if (bound->kind == PATTERNS_BOUND_COLUMN || bound->kind == PATTERNS_BOUND_EXTERNAL)
        return leaf(ctx, bound);
    if (!(bound->flags & (PATTERNS_BOUND_HAS_COLUMN | PATTERNS_BOUND_HAS_EXTERNAL)))
        return 0;
    for (uint32_t i = 0; i < bound->arg_count; i++) {
        int error = patterns_bound_leaves(bound->args[i], leaf, ctx);
        if (error)
            return error;
    }
    return 0;
}

static int mark_leaf(void *ctx, const struct patterns_bound *leaf)
{
    if (leaf->kind == PATTERNS_BOUND_COLUMN)
        ((bool *)ctx)[leaf->column] = true;
    return 0;
}

void patterns_bound_mark_columns(const struct patterns_bound *bound, bool *used)
{
    patterns_bound_leaves(bound, mark_leaf, used);
}

const struct patterns_bound *
patterns_bound_map(struct patterns_binder *binder, const struct patterns_bound *bound,
                   const struct patterns_bound *(*leaf)(void *ctx, const struct patterns_bound *leaf), void *ctx)
{
    if (bound->kind == PATTERNS_BOUND_COLUMN || bound->kind == PATTERNS_BOUND_EXTERNAL)
        return leaf(ctx, bound);
    if (!(bound->flags & (PATTERNS_BOUND_HAS_COLUMN | PATTERNS_BOUND_HAS_EXTERNAL)))
        return bound;
    const struct patterns_bound **args = base_arena_zalloc(binder->arena, bound->arg_count, sizeof *args);
    struct patterns_bound *copy = base_arena_alloc(binder->arena, sizeof *copy);
    if (!args || !copy)
        return NULL;
    bool changed = false;
    *copy = *bound;
    for (uint32_t i = 0; i < bound->arg_count; i++) {
        args[i] = patterns_bound_map(binder, bound->args[i], leaf, ctx);
        if (!args[i])
            return NULL;
        changed |= args[i] != bound->args[i];
    }
    if (!changed)
        return bound;
    copy->flags = 0;
    return with_args(binder, copy, args, bound->arg_count);
}

/* ---- printing ---- */

static const char *kind_name(enum patterns_bound_kind kind)
{
    static const char *const names[] = { [PATTERNS_BOUND_CONST] = "CONST",
                                         [PATTERNS_BOUND_COLUMN] = "COLUMN",
                                         [PATTERNS_BOUND_EXTERNAL] = "EXTERNAL",
                                         [PATTERNS_BOUND_ROW_TIME] = "ROW_TIME",
                                         [PATTERNS_BOUND_PROC_TIME] = "PROC_TIME",
                                         [PATTERNS_BOUND_NOW] = "NOW",
                                         [PATTERNS_BOUND_CAST] = "CAST",
                                         [PATTERNS_BOUND_NEG] = "NEG",
                                         [PATTERNS_BOUND_ADD] = "ADD",
                                         [PATTERNS_BOUND_SUB] = "SUB",
                                         [PATTERNS_BOUND_MUL] = "MUL",
                                         [PATTERNS_BOUND_DIV] = "DIV",
                                         [PATTERNS_BOUND_MOD] = "MOD",
                                         [PATTERNS_BOUND_ADD_MONTHS] = "ADD_MONTHS",
                                         [PATTERNS_BOUND_CONCAT] = "CONCAT",
                                         [PATTERNS_BOUND_EQ] = "EQ",
                                         [PATTERNS_BOUND_NE] = "NE",
                                         [PATTERNS_BOUND_LT] = "LT",
                                         [PATTERNS_BOUND_LE] = "LE",
                                         [PATTERNS_BOUND_GT] = "GT",
                                         [PATTERNS_BOUND_GE] = "GE",
                                         [PATTERNS_BOUND_SAME] = "SAME",
                                         [PATTERNS_BOUND_IN] = "IN",
                                         [PATTERNS_BOUND_BETWEEN] = "BETWEEN",
                                         [PATTERNS_BOUND_AND] = "AND",
                                         [PATTERNS_BOUND_OR] = "OR",
                                         [PATTERNS_BOUND_NOT] = "NOT",
                                         [PATTERNS_BOUND_IS_NULL] = "IS_NULL",
                                         [PATTERNS_BOUND_IS_NOT_NULL] = "IS_NOT_NULL",
                                         [PATTERNS_BOUND_IS_TRUE] = "IS_TRUE",
                                         [PATTERNS_BOUND_IS_FALSE] = "IS_FALSE",
                                         [PATTERNS_BOUND_CASE] = "CASE",
                                         [PATTERNS_BOUND_COALESCE] = "COALESCE",
                                         [PATTERNS_BOUND_CALL] = "CALL",
                                         [PATTERNS_BOUND_ARRAY_GET] = "ARRAY_GET" };
    return names[kind];
}

static void print_const(const struct patterns_bound *b, struct base_buf *out)
{
    if (b->value.null) {
        base_buf_puts(out, "NULL");
        return;
    }
    bool quoted = cep_kind_is_text(b->type.kind) || cep_kind_is_time(b->type.kind) || b->type.kind == CEP_KIND_DATE ||
                  b->type.kind == CEP_KIND_TIME;
    if (quoted)
        base_buf_putc(out, '\'');
    if (b->type.kind == CEP_KIND_INTERVAL_DAY)
        base_buf_printf(out, "%lld ms", (long long)b->value.i);
    else if (b->type.kind == CEP_KIND_INTERVAL_MONTH)
        base_buf_printf(out, "%lld months", (long long)b->value.i);
    else
        cep_value_print_text(b->type, b->value, out);
    if (quoted)
        base_buf_putc(out, '\'');
}

void patterns_bound_print(const struct patterns_bound *b, const struct patterns_relation *relation,
                          struct base_buf *out)
{
    switch (b->kind) {
    case PATTERNS_BOUND_CONST: print_const(b, out); return;
    case PATTERNS_BOUND_COLUMN:
        if (relation && b->column < relation->count) {
            const struct patterns_column *c = &relation->columns[b->column];
            base_buf_put_str(out, c->name);
            for (size_t i = 0; i <= c->path.len && c->path.len; i++) {
                size_t end = i;
                while (end < c->path.len && c->path.ptr[end] != PATTERNS_PATH_SEPARATOR)
                    end++;
                base_buf_putc(out, '.');
                base_buf_put(out, c->path.ptr + i, end - i);
                i = end;
            }
        } else {
            base_buf_printf(out, "$%u", b->column);
        }
        return;
    case PATTERNS_BOUND_EXTERNAL:
        if (b->source && b->end > b->begin)
            base_buf_put(out, b->source->text + b->begin, b->end - b->begin);
        else
            base_buf_printf(out, "#%u", b->id);
        return;
    case PATTERNS_BOUND_CALL: base_buf_puts(out, b->func->name); break;
    case PATTERNS_BOUND_CAST: base_buf_puts(out, b->try_cast ? "TRY_CAST" : "CAST"); break;
    case PATTERNS_BOUND_ROW_TIME:
    case PATTERNS_BOUND_PROC_TIME:
    case PATTERNS_BOUND_NOW: base_buf_puts(out, kind_name(b->kind)); return;
    case PATTERNS_BOUND_NEG:
    case PATTERNS_BOUND_ADD:
    case PATTERNS_BOUND_SUB:
    case PATTERNS_BOUND_MUL:
    case PATTERNS_BOUND_DIV:
    case PATTERNS_BOUND_MOD:
    case PATTERNS_BOUND_ADD_MONTHS:
    case PATTERNS_BOUND_CONCAT:
    case PATTERNS_BOUND_EQ:
    case PATTERNS_BOUND_NE:
    case PATTERNS_BOUND_LT:
    case PATTERNS_BOUND_LE:
    case PATTERNS_BOUND_GT:
    case PATTERNS_BOUND_GE:
    case PATTERNS_BOUND_SAME:
    case PATTERNS_BOUND_IN:
    case PATTERNS_BOUND_BETWEEN:
    case PATTERNS_BOUND_AND:
    case PATTERNS_BOUND_OR:
    case PATTERNS_BOUND_NOT:
    case PATTERNS_BOUND_IS_NULL:
    case PATTERNS_BOUND_IS_NOT_NULL:
    case PATTERNS_BOUND_IS_TRUE:
    case PATTERNS_BOUND_IS_FALSE:
    case PATTERNS_BOUND_CASE:
    case PATTERNS_BOUND_COALESCE:
    case PATTERNS_BOUND_ARRAY_GET: base_buf_puts(out, kind_name(b->kind)); break;
    }
    base_buf_putc(out, '(');
    for (uint32_t i = 0; i < b->arg_count; i++) {
        if (i)
            base_buf_puts(out, ", ");
        patterns_bound_print(b->args[i], relation, out);
    }
    if (b->kind == PATTERNS_BOUND_CAST) {
        base_buf_puts(out, " AS ");
        cep_type_print(b->type, out);
    }
    base_buf_putc(out, ')');
}
