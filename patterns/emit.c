#include "patterns/emit.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/hash.h"
#include "patterns/ast.h"
#include "patterns/changes.h"
#include "patterns/changes.h"
#include "patterns/graph.h"
#include "patterns/over.h"
#include "patterns/window.h"
#include "patterns/join.h"
#include "patterns/latest.h"
#include "patterns/topn.h"

/* Enters every rule fingerprint: a change of what is hashed must change it, and changes the ids of all alerts. */
#define FINGERPRINT_VERSION 1u

void patterns_root_fingerprint(const struct patterns_plan *plan, const uint32_t *key, uint32_t key_count, char ret[33])
{
    uint64_t h = patterns_hash_mix(FINGERPRINT_VERSION, plan->rows);
    for (uint32_t i = 0; i < plan->out.count; i++) {
        const struct patterns_column *c = &plan->out.columns[i];
        h = patterns_hash_mix(patterns_hash_type(patterns_hash_text(h, c->name), c->type), c->hash);
    }
    for (uint32_t i = 0; i < key_count && key_count != UINT32_MAX; i++)
        h = patterns_hash_mix(h, plan->out.columns[key[i]].hash);
    char bytes[24];
    int n = snprintf(bytes, sizeof bytes, "%016llx", (unsigned long long)h);
    base_hash128_hex(bytes, (size_t)n, ret);
}

/* A program on its way. */
struct writing {
    struct patterns_binder *binder;
    struct cep_builder *builder;
    struct patterns_graph graph;
    struct patterns_pred_pool *pool;
    struct base_map fingerprints; /* 8 bytes -> 1, so that no two nodes share one */
    struct profile {
        const struct patterns_table_info *table;
        uint32_t *fields;
        uint32_t emitted;
    } * profiles;
    uint32_t profile_count;
    struct patterns_code_sources sources;
    uint32_t sources_cap;
    int error; /* sticky */
};

static void fail(struct writing *w, int error)
{
    if (error && !w->error)
        w->error = error;
}

static uint32_t add(struct writing *w, enum cep_section section, const void *elements, uint32_t count)
{
    uint32_t at = cep_builder_add(w->builder, section, elements, count);
    if (at == CEP_NONE)
        fail(w, BASE_E_NOMEM);
    return at;
}

static struct cep_text text(struct writing *w, struct base_str t)
{
    return cep_builder_text(w->builder, t.ptr ? t : (struct base_str){ "", 0 });
}

/* The codes made since the last call stand in this source. */
static void note_source(struct writing *w, const struct base_source *source)
{
    uint32_t count = cep_builder_count(w->builder, CEP_SEC_CODES);
    if (count > w->sources_cap) {
        uint32_t cap = count > 64 ? count * 2 : 128;
        const struct base_source **grown = base_arena_zalloc(w->binder->arena, cap, sizeof *grown);
        if (!grown) {
            fail(w, BASE_E_NOMEM);
            return;
        }
        if (w->sources.count)
            memcpy(grown, w->sources.at, w->sources.count * sizeof *grown);
        w->sources.at = grown;
        w->sources_cap = cap;
    }
    while (w->sources.count < count)
        w->sources.at[w->sources.count++] = source;
}

static uint32_t code(struct writing *w, const struct patterns_bound *bound, const uint32_t *layout)
{
    const struct patterns_emit_env env = { .builder = w->builder, .arena = w->binder->arena, .columns = layout };
    uint32_t index = CEP_NONE;
    if (!bound || w->error)
        return CEP_NONE;
    fail(w, patterns_emit_expr(&env, bound, &index));
    note_source(w, bound->source);
    return index;
}

static struct cep_list codes(struct writing *w, const struct patterns_bound *const *bounds, uint32_t count,
                             const uint32_t *layout)
{
    uint32_t *indexes = base_arena_zalloc(w->binder->arena, count + 1, sizeof *indexes);
    if (!indexes) {
        fail(w, BASE_E_NOMEM);
        return (struct cep_list){ 0, 0 };
    }
    for (uint32_t i = 0; i < count; i++)
        indexes[i] = code(w, bounds[i], layout);
    return cep_builder_u32s(w->builder, indexes, count);
}

/* ---- schemas ---- */

/* "device.ip" for a nested field. */
static struct base_str column_name(struct writing *w, const struct patterns_column *c)
{
    if (!c->path.len || c->path.ptr[0] == PATTERNS_PATH_SEPARATOR)
        return c->name;
    char *name =
        base_arena_printf(w->binder->arena, "%.*s.%.*s", (int)c->name.len, c->name.ptr, (int)c->path.len, c->path.ptr);
    for (char *p = name; p && *p; p++)
        if (*p == PATTERNS_PATH_SEPARATOR)
            *p = '.';
    if (!name)
        fail(w, BASE_E_NOMEM);
    return base_str_of(name);
}

/* The columns of an input's rows, whatever its readers call them. */
static void inherit_columns(struct writing *w, const struct patterns_graph_node *input, struct cep_column *columns)
{
    const struct cep_node *below = cep_builder_at(w->builder, CEP_SEC_NODES, input->emitted);
    const struct cep_schema *s = below ? cep_builder_at(w->builder, CEP_SEC_SCHEMAS, below->schema) : NULL;
    for (uint32_t i = 0; s && i < s->columns.count; i++)
        columns[i] = *(const struct cep_column *)cep_builder_at(w->builder, CEP_SEC_COLUMNS, s->columns.first + i);
}

static uint32_t schema(struct writing *w, const struct patterns_graph_node *node)
{
    struct cep_column *columns = base_arena_zalloc(w->binder->arena, node->width + 1, sizeof *columns);
    struct cep_schema s = { .columns = { 0, node->width }, .rowtime = CEP_NONE };
    if (!columns) {
        fail(w, BASE_E_NOMEM);
        return CEP_NONE;
    }
    if (node->plan->kind == PATTERNS_PLAN_LOOKUP || node->plan->kind == PATTERNS_PLAN_TOPN || node->plan->kind == PATTERNS_PLAN_JOIN)
        inherit_columns(w, &w->graph.nodes[node->inputs[0]], columns);
    if (node->plan->kind == PATTERNS_PLAN_JOIN)
        inherit_columns(w, &w->graph.nodes[node->inputs[1]], columns + w->graph.nodes[node->inputs[0]].width);
    for (uint32_t i = 0; i < node->plan->out.count; i++) {
        uint32_t at = node->layout[i];
        if (at == PATTERNS_NO_COLUMN || columns[at].type.kind)
            continue;
        columns[at].name = text(w, column_name(w, &node->plan->out.columns[i]));
        columns[at].type = node->plan->out.columns[i].type;
    }
    if (node->plan->out.rowtime != PATTERNS_NO_COLUMN && node->layout[node->plan->out.rowtime] != PATTERNS_NO_COLUMN)
        s.rowtime = node->layout[node->plan->out.rowtime];
    s.columns.first = node->width ? add(w, CEP_SEC_COLUMNS, columns, node->width) : 0;
    return add(w, CEP_SEC_SCHEMAS, &s, 1);
}

/* A node that only looks into its input's rows has columns that its own plan does not name. */
static uint32_t inherited_schema(struct writing *w, const struct patterns_graph_node *input)
{
    const struct cep_node *below = cep_builder_at(w->builder, CEP_SEC_NODES, input->emitted);
    return below ? below->schema : CEP_NONE;
}

/* ---- tables ---- */

static struct cep_list options(struct writing *w, const struct patterns_setting *settings, uint32_t count)
{
    struct cep_option *list = base_arena_zalloc(w->binder->arena, count + 1, sizeof *list);
    if (!list) {
        fail(w, BASE_E_NOMEM);
        return (struct cep_list){ 0, 0 };
    }
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct cep_option){ text(w, settings[i].key), text(w, settings[i].value) };
    return (struct cep_list){ count ? add(w, CEP_SEC_OPTIONS, list, count) : 0, count };
}

/* fields[i]: place of table field i among the decoded ones, PATTERNS_NO_COLUMN: not decoded; width of them. */
static uint32_t emit_table(struct writing *w, const struct patterns_table_info *info, const uint32_t *fields,
                           uint32_t width, bool is_profile)
{
    struct cep_field *list = base_arena_zalloc(w->binder->arena, width + 1, sizeof *list);
    uint32_t *keys = base_arena_zalloc(w->binder->arena, info->key_count + 1, sizeof *keys);
    uint32_t key_count = 0;
    if (!list || !keys) {
        fail(w, BASE_E_NOMEM);
        return CEP_NONE;
    }
    for (uint32_t i = 0; i < info->fields.count; i++) {
        if (fields[i] == PATTERNS_NO_COLUMN)
            continue;
        const struct patterns_field_place *p = &info->places[i];
        list[fields[i]] = (struct cep_field){ .name = text(w, column_name(w, &info->fields.columns[i])),
                                              .path = text(w, p->path),
                                              .type = info->fields.columns[i].type,
                                              .ordinal = p->ordinal,
                                              .metadata = (uint8_t)p->metadata,
                                              .not_null = p->not_null };
    }
    for (uint32_t k = 0; k < info->key_count; k++)
        if (fields[info->key[k]] != PATTERNS_NO_COLUMN)
            keys[key_count++] = fields[info->key[k]];
    if (key_count != info->key_count)
        key_count = 0;
    struct cep_table table = { .name = text(w, info->name),
                               .options = options(w, info->settings, info->setting_count),
                               .rowtime_field =
                                   info->rowtime_field == PATTERNS_NO_COLUMN ? CEP_NONE : fields[info->rowtime_field],
                               .watermark_delay_ms = info->watermark_delay_ms,
                               .is_profile = is_profile,
                               .declared_columns = info->declared_columns,
                               .changes = key_count > 0 && patterns_latest_table(info) };
    table.fields = (struct cep_list){ width ? add(w, CEP_SEC_FIELDS, list, width) : 0, width };
    table.key_fields = cep_builder_u32s(w->builder, keys, key_count);
    return add(w, CEP_SEC_TABLES, &table, 1);
}

/* The profile table's entry: all visible columns and those nested ones that some lookup reads. */
static struct profile *profile_of(struct writing *w, const struct patterns_table_info *info)
{
    for (uint32_t i = 0; i < w->profile_count; i++)
        if (w->profiles[i].table == info)
            return &w->profiles[i];
    if (!w->profiles)
        w->profiles = base_arena_zalloc(w->binder->arena, w->graph.count + 1, sizeof *w->profiles);
    uint32_t *fields = base_arena_zalloc(w->binder->arena, info->fields.count + 1, sizeof *fields), width = 0;
    if (!w->profiles || !fields) {
        fail(w, BASE_E_NOMEM);
        return NULL;
    }
    for (uint32_t i = 0; i < info->fields.count; i++) {
        bool wanted = !info->fields.columns[i].hidden || i == info->rowtime_field;
        for (uint32_t n = 0; n < w->graph.count && !wanted; n++) {
            const struct patterns_graph_node *node = &w->graph.nodes[n];
            if (node->live && node->plan->kind == PATTERNS_PLAN_LOOKUP && node->plan->table == info)
                wanted = node->needed[w->graph.nodes[node->inputs[0]].plan->out.count + i];
        }
        fields[i] = wanted ? width++ : PATTERNS_NO_COLUMN;
    }
    struct profile *p = &w->profiles[w->profile_count++];
    *p = (struct profile){ info, fields, emit_table(w, info, fields, width, true) };
    return p;
}

/* ---- nodes ---- */

static uint32_t emit_calc(struct writing *w, const struct patterns_graph_node *node,
                          const struct patterns_graph_node *input, bool passes)
{
    const struct patterns_plan *plan = node->plan;
    struct cep_calc calc = { .filter = code(w, plan->filter, input->layout), .rowtime_code = CEP_NONE };
    const struct patterns_bound **outputs = base_arena_zalloc(w->binder->arena, node->width + 1, sizeof *outputs);
    if (!outputs) {
        fail(w, BASE_E_NOMEM);
        return CEP_NONE;
    }
    for (uint32_t i = 0; i < plan->out.count && !passes; i++) {
        if (node->layout[i] == PATTERNS_NO_COLUMN)
            continue;
        outputs[node->layout[i]] =
            plan->outputs ? plan->outputs[i] : patterns_bound_column(w->binder, NULL, &input->plan->out, i);
        if (!outputs[node->layout[i]])
            fail(w, BASE_E_NOMEM);
    }
    calc.outputs = passes || w->error ? (struct cep_list){ 0, 0 } : codes(w, outputs, node->width, input->layout);
    return add(w, CEP_SEC_CALCS, &calc, 1);
}

static uint32_t emit_lookup(struct writing *w, const struct patterns_graph_node *node,
                            const struct patterns_graph_node *left)
{
    const struct patterns_plan *plan = node->plan;
    struct profile *p = profile_of(w, plan->table);
    uint32_t *fields = base_arena_zalloc(w->binder->arena, node->width + 1, sizeof *fields), count = 0;
    if (!p || !fields) {
        fail(w, BASE_E_NOMEM);
        return CEP_NONE;
    }
    for (uint32_t i = left->plan->out.count; i < plan->out.count; i++)
        if (node->layout[i] != PATTERNS_NO_COLUMN)
            fields[count++] = p->fields[i - left->plan->out.count];
    struct cep_lookup lookup = { .table = p->emitted, .left_outer = plan->left_outer, .eager = plan->eager };
    lookup.keys = codes(w, plan->keys, plan->key_count, left->layout);
    lookup.as_of = code(w, plan->as_of, left->layout);
    lookup.filter = code(w, plan->filter, node->layout);
    lookup.columns = cep_builder_u32s(w->builder, fields, count);
    return add(w, CEP_SEC_LOOKUPS, &lookup, 1);
}

static uint32_t emit_match(struct writing *w, const struct patterns_graph_node *node,
                           const struct patterns_graph_node *input)
{
    const struct patterns_match_emit_env env = { .builder = w->builder,
                                                 .arena = w->binder->arena,
                                                 .columns = input->layout,
                                                 .outputs = node->needed,
                                                 .input_node = input->emitted,
                                                 .eager = node->plan->eager,
                                                 .evidence = node->plan->evidence,
                                                 .pool = w->pool };
    uint32_t match = CEP_NONE;
    fail(w, patterns_match_emit(node->plan->match, &env, &match));
    note_source(w, node->plan->source);
    return match;
}

static uint32_t emit_group(struct writing *w, const struct patterns_graph_node *node,
                           const struct patterns_graph_node *input)
{
    uint32_t group = CEP_NONE;
    fail(w, patterns_group_emit(node->plan->group, w->builder, input->layout, node->needed, &group));
    note_source(w, node->plan->source);
    return group;
}

static struct cep_list emit_orders(struct writing *w, const struct patterns_plan *plan, const struct patterns_graph_node *input)
{
    struct cep_order *orders = base_arena_zalloc(w->binder->arena, plan->order_count + 1, sizeof *orders);
    if (!orders) {
        fail(w, BASE_E_NOMEM);
        return (struct cep_list){ 0, 0 };
    }
    for (uint32_t i = 0; i < plan->order_count; i++)
        orders[i] = (struct cep_order){ .code = code(w, plan->orders[i].value, input->layout),
                                        .descending = plan->orders[i].descending,
                                        .nulls_first = plan->orders[i].nulls_first };
    return (struct cep_list){ plan->order_count ? add(w, CEP_SEC_ORDERS, orders, plan->order_count) : 0, plan->order_count };
}

static uint32_t emit_topn(struct writing *w, const struct patterns_graph_node *node, const struct patterns_graph_node *input)
{
    const struct patterns_plan *plan = node->plan;
    struct cep_list orders = patterns_topn_compares(plan) ? emit_orders(w, plan, input) : (struct cep_list){ 0, 0 };
    uint32_t rank = node->layout[plan->out.count - 1];
    return patterns_topn_emit(plan, w->builder, orders, rank == PATTERNS_NO_COLUMN ? CEP_NONE : rank);
}

static uint32_t emit_assign(struct writing *w, const struct patterns_graph_node *node, const struct patterns_graph_node *input)
{
    const struct patterns_emit_env env = { .builder = w->builder, .arena = w->binder->arena, .columns = input->layout };
    uint32_t window = CEP_NONE;
    fail(w, patterns_window_emit_assign(node->plan, &env, node->needed, &window));
    note_source(w, node->plan->source);
    return window;
}

static uint32_t emit_over(struct writing *w, const struct patterns_graph_node *node, const struct patterns_graph_node *input)
{
    const struct patterns_emit_env env = { .builder = w->builder, .arena = w->binder->arena, .columns = input->layout };
    uint32_t over = CEP_NONE;
    fail(w, patterns_over_emit(node->plan, &env, node->needed, &over));
    note_source(w, node->plan->source);
    return over;
}

static uint32_t emit_sort(struct writing *w, const struct patterns_graph_node *node,
                          const struct patterns_graph_node *input)
{
    const struct patterns_plan *plan = node->plan;
    struct cep_sort sort = { .limit = plan->limit, .offset = plan->offset, .changes = patterns_plan_updating(plan->inputs[0]) };
    sort.keys = emit_orders(w, plan, input);
    return add(w, CEP_SEC_SORTS, &sort, 1);
}

static struct cep_list key_columns(struct writing *w, const struct patterns_plan *exchange)
{
    struct cep_column *columns = base_arena_zalloc(w->binder->arena, exchange->key_count + 1, sizeof *columns);
    if (!columns) {
        fail(w, BASE_E_NOMEM);
        return (struct cep_list){ 0, 0 };
    }
    for (uint32_t i = 0; i < exchange->key_count; i++)
        columns[i] = (struct cep_column){ text(w, exchange->key_names[i]), exchange->keys[i]->type };
    return (struct cep_list){ exchange->key_count ? add(w, CEP_SEC_COLUMNS, columns, exchange->key_count) : 0,
                              exchange->key_count };
}

/* Names the node's state for good; numbered on if another node has the same. */
static uint64_t fingerprint(struct writing *w, uint64_t h)
{
    for (;;) {
        char key[17];
        bool added;
        snprintf(key, sizeof key, "%016llx", (unsigned long long)h);
        if (!base_map_put(&w->fingerprints, base_str_of(key), &added)) {
            fail(w, BASE_E_NOMEM);
            return h;
        }
        if (added)
            return h;
        h = patterns_hash_mix(h, 1);
    }
}

static const struct patterns_plan *exchange_below(const struct patterns_plan *plan)
{
    while (plan && plan->kind != PATTERNS_PLAN_EXCHANGE)
        plan = plan->input_count ? plan->inputs[0] : NULL;
    return plan;
}

/* Key of a keyed node: codes over its own input. */
static void emit_keys(struct writing *w, const struct patterns_graph_node *node,
                      const struct patterns_graph_node *input, struct cep_node *out)
{
    const struct patterns_plan *plan = node->plan;
    if (plan->kind == PATTERNS_PLAN_EXCHANGE) {
        out->keys = codes(w, plan->keys, plan->key_count, input->layout);
        out->key_columns = key_columns(w, plan);
    } else if (plan->kind == PATTERNS_PLAN_TOPN || plan->kind == PATTERNS_PLAN_GROUP || plan->kind == PATTERNS_PLAN_WINDOW || plan->kind == PATTERNS_PLAN_OVER) {
        out->keys = codes(w, plan->keys, plan->key_count, input->layout);
        out->key_columns = key_columns(w, plan);
    } else if (plan->kind == PATTERNS_PLAN_JOIN) {
        /* no codes: each side's rows bear the key of their exchange */
        struct patterns_plan left = { .keys = plan->join->keys[0], .key_names = plan->join->key_names, .key_count = plan->join->key_count };
        out->key_columns = key_columns(w, &left);
    } else if (plan->kind == PATTERNS_PLAN_MATCH) {
        const struct patterns_bound_match *match = plan->match;
        const struct patterns_bound **keys =
            base_arena_zalloc(w->binder->arena, match->partition_count + 1, sizeof *keys);
        for (uint32_t i = 0; keys && i < match->partition_count; i++)
            if (!(keys[i] = patterns_bound_column(w->binder, NULL, match->input, match->partition[i])))
                fail(w, BASE_E_NOMEM);
        if (!keys)
            fail(w, BASE_E_NOMEM);
        if (w->error)
            return;
        out->keys = codes(w, keys, match->partition_count, input->layout);
        const struct patterns_plan *exchange = exchange_below(plan);
        out->key_columns = exchange ? key_columns(w, exchange) : (struct cep_list){ 0, 0 };
    }
}

/* The table of a source: one entry for all that read it. */
static uint32_t source_table(struct writing *w, uint32_t index)
{
    struct patterns_graph_node *node = &w->graph.nodes[index];
    for (uint32_t i = 0; i < index; i++) {
        const struct patterns_graph_node *other = &w->graph.nodes[i];
        if (other->live && other->plan->kind == PATTERNS_PLAN_SOURCE && other->plan->table == node->plan->table)
            return other->table;
    }
    return node->table = emit_table(w, node->plan->table, node->layout, node->width, false);
}

static void emit_node(struct writing *w, uint32_t index)
{
    struct patterns_graph_node *node = &w->graph.nodes[index];
    const struct patterns_plan *plan = node->plan;
    const struct patterns_graph_node *input = plan->input_count ? &w->graph.nodes[node->inputs[0]] : NULL;
    struct cep_node out = { .detail = CEP_NONE, .rule = node->rule };
    uint64_t salt = plan->kind == PATTERNS_PLAN_TOPN || plan->kind == PATTERNS_PLAN_JOIN ? 0 : plan->eager;
    if (node->skipped) {
        node->emitted = input->emitted;
        return;
    }
    bool passes = plan->kind == PATTERNS_PLAN_EXCHANGE || plan->kind == PATTERNS_PLAN_SORT;
    switch (plan->kind) {
    case PATTERNS_PLAN_SOURCE:
        out.kind = CEP_NODE_SOURCE;
        out.detail = source_table(w, index);
        out.clock = plan->clock;
        out.late_ms = plan->late_ms;
        break;
    case PATTERNS_PLAN_CALC:
        out.kind = CEP_NODE_CALC;
        passes = node->passes;
        out.detail = emit_calc(w, node, input, passes);
        break;
    case PATTERNS_PLAN_UNION: out.kind = CEP_NODE_UNION; break;
    case PATTERNS_PLAN_LOOKUP:
        out.kind = CEP_NODE_LOOKUP;
        out.detail = emit_lookup(w, node, input);
        break;
    case PATTERNS_PLAN_MATCH:
        out.kind = CEP_NODE_MATCH;
        out.detail = emit_match(w, node, input);
        break;
    case PATTERNS_PLAN_SORT:
        out.kind = CEP_NODE_SORT;
        out.detail = emit_sort(w, node, input);
        break;
    case PATTERNS_PLAN_GROUP:
        out.kind = CEP_NODE_GROUP;
        out.detail = emit_group(w, node, input);
        break;
    case PATTERNS_PLAN_WINDOW:
        out.kind = CEP_NODE_WINDOW;
        out.detail = plan->group ? emit_group(w, node, input) : emit_assign(w, node, input);
        break;
    case PATTERNS_PLAN_OVER:
        out.kind = CEP_NODE_OVER;
        out.detail = emit_over(w, node, input);
        break;
    case PATTERNS_PLAN_TOPN:
        out.kind = CEP_NODE_TOPN;
        out.detail = emit_topn(w, node, input);
        break;
    case PATTERNS_PLAN_JOIN:
        out.kind = CEP_NODE_JOIN;
        out.detail = patterns_join_emit(plan, w->builder, code(w, plan->filter, node->layout));
        break;
    case PATTERNS_PLAN_EXCHANGE: out.kind = CEP_NODE_EXCHANGE; break;
    }
    if (w->error)
        return;
    emit_keys(w, node, input, &out);
    out.schema = passes ? inherited_schema(w, input) : schema(w, node);
    uint32_t inputs[64];
    uint32_t *list =
        plan->input_count <= 64 ? inputs : base_arena_zalloc(w->binder->arena, plan->input_count, sizeof *list);
    for (uint32_t i = 0; list && i < plan->input_count; i++)
        list[i] = w->graph.nodes[node->inputs[i]].emitted;
    out.inputs = list ? cep_builder_u32s(w->builder, list, plan->input_count) : (struct cep_list){ 0, 0 };
    out.fingerprint = fingerprint(w, patterns_hash_mix(patterns_hash_mix(plan->rows, (uint64_t)out.kind), salt));
    node->emitted = add(w, CEP_SEC_NODES, &out, 1);
    if (!list)
        fail(w, BASE_E_NOMEM);
}

/* ---- ends ---- */

/* Schema of an end: the visible columns under the names of the statement. */
static uint32_t end_schema(struct writing *w, const struct patterns_graph_node *node, const struct patterns_plan *plan)
{
    struct patterns_graph_node named = *node;
    named.plan = plan;
    return schema(w, &named);
}

static uint32_t emit_rule(struct writing *w, const struct patterns_root *root, const struct patterns_emitted *emitted)
{
    const struct patterns_rule_text *r = root->rule;
    const struct base_source *source = r->statement->source;
    const char *witness, *stability = patterns_changes_stability(root->plan, emitted->match, &witness);
    struct cep_rule rule = {
        .name = text(w, r->name),
        .severity = text(w, r->severity),
        .title = text(w, r->title),
        .mode = text(w, r->mode),
        .sinks = text(w, r->sinks),
        .fingerprint = text(w, base_str_of(emitted->fingerprint)),
        .stability = text(w, base_str_of(stability)),
        .witness = text(w, base_str_of(witness)),
        .text =
            text(w, (struct base_str){ source->text + r->statement->begin, r->statement->end - r->statement->begin }),
        .file = text(w, base_str_of(source->name)),
        .options = options(w, r->settings, r->setting_count),
        .suppress_ms = r->suppress_ms,
        .alert_node = CEP_NONE,
        .match_node = emitted->match_node,
        .eager = root->eager,
        .version = r->version
    };
    return add(w, CEP_SEC_RULES, &rule, 1);
}

static uint32_t emit_alert(struct writing *w, const struct patterns_root *root, const struct patterns_graph_node *node,
                           struct patterns_emitted *emitted)
{
    emitted->rule = emit_rule(w, root, emitted);
    struct cep_node alert = { .kind = CEP_NODE_ALERT, .detail = emitted->rule, .rule = emitted->rule };
    alert.schema = end_schema(w, node, node->plan);
    alert.inputs = cep_builder_u32s(w->builder, &node->emitted, 1);
    /* No key codes: an alert bears the key that its row came with. */
    alert.key_columns = root->key_node ? key_columns(w, root->key_node) : (struct cep_list){ 0, 0 };
    uint64_t h = patterns_hash_text(patterns_hash_text(4, root->rule->name), base_str_of(emitted->fingerprint));
    alert.fingerprint = fingerprint(w, h);
    uint32_t at = add(w, CEP_SEC_NODES, &alert, 1);
    struct cep_rule *rule = w->error ? NULL : cep_builder_at(w->builder, CEP_SEC_RULES, emitted->rule);
    if (rule)
        rule->alert_node = at;
    return at;
}

/* Table of an INSERT: its columns as declared, computed and metadata ones apart. */
static uint32_t emit_sink_table(struct writing *w, const struct patterns_table_info *info)
{
    uint32_t *fields = base_arena_zalloc(w->binder->arena, info->fields.count + 1, sizeof *fields), width = 0;
    if (!fields) {
        fail(w, BASE_E_NOMEM);
        return CEP_NONE;
    }
    for (uint32_t i = 0; i < info->fields.count; i++)
        fields[i] = info->fields.columns[i].hidden || info->places[i].metadata ? PATTERNS_NO_COLUMN : width++;
    return emit_table(w, info, fields, width, false);
}

static void emit_end(struct writing *w, const struct patterns_root *root, uint32_t ordinal, uint32_t graph_node,
                     struct patterns_emitted *emitted)
{
    const struct patterns_graph_node *node = &w->graph.nodes[graph_node];
    struct cep_sink sink = { .accepts_changes = root->changes };
    struct cep_node out = { .kind = CEP_NODE_SINK, .rule = CEP_NONE };
    uint32_t input = node->emitted;
    uint64_t h = patterns_hash_mix(patterns_hash_mix(node->plan->rows, 5), ordinal);
    if (root->kind == PATTERNS_ROOT_RULE) {
        input = emit_alert(w, root, node, emitted);
        sink.kind = CEP_SINK_RULE;
        sink.detail = out.rule = emitted->rule;
        h = patterns_hash_text(patterns_hash_text(6, root->rule->name), base_str_of(emitted->fingerprint));
    } else if (root->kind == PATTERNS_ROOT_TABLE) {
        sink.kind = CEP_SINK_TABLE;
        sink.detail = emit_sink_table(w, root->table);
        h = patterns_hash_mix(patterns_hash_mix(node->plan->rows, 7), root->table->hash);
    } else if (root->kind == PATTERNS_ROOT_VIEW) {
        sink.kind = CEP_SINK_VIEW;
        sink.detail = emit_sink_table(w, root->table);
        h = patterns_hash_mix(patterns_hash_mix(node->plan->rows, 8), root->table->hash);
        for (uint32_t i = 0; i < node->plan->out.count; i++) /* what is kept of it is of no use to a view of other columns or another key */
            h = patterns_hash_type(patterns_hash_text(patterns_hash_mix(h, node->plan->out.columns[i].hash), node->plan->out.columns[i].name),
                                   node->plan->out.columns[i].type);
        for (uint32_t i = 0; i < root->table->key_count; i++)
            h = patterns_hash_mix(h, root->table->key[i]);
    } else {
        sink.kind = CEP_SINK_QUERY;
        sink.detail = ordinal;
    }
    if (w->error)
        return;
    out.schema = end_schema(w, node, node->plan);
    out.inputs = cep_builder_u32s(w->builder, &input, 1);
    out.detail = add(w, CEP_SEC_SINKS, &sink, 1);
    out.fingerprint = fingerprint(w, h);
    emitted->sink_node = add(w, CEP_SEC_NODES, &out, 1);
}

/* The nearest row pattern below a root. */
static void find_match(const struct writing *w, uint32_t node, struct patterns_emitted *emitted)
{
    emitted->match = NULL;
    emitted->match_node = CEP_NONE;
    for (;;) {
        const struct patterns_graph_node *n = &w->graph.nodes[node];
        if (n->plan->kind == PATTERNS_PLAN_MATCH) {
            emitted->match = n->plan->match;
            emitted->match_node = n->emitted;
        }
        if (emitted->match || n->plan->input_count == 0 || n->plan->kind == PATTERNS_PLAN_TOPN || n->plan->kind == PATTERNS_PLAN_JOIN)
            return;
        node = n->inputs[0];
    }
}

static int write_all(struct writing *w, const struct patterns_root *roots, uint32_t count,
                     struct patterns_emitted *emitted)
{
    uint32_t *ends = base_arena_zalloc(w->binder->arena, count + 1, sizeof *ends);
    uint32_t rules = 0, queries = 0;
    if (!ends)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        int error = patterns_graph_add(&w->graph, roots[i].plan, &ends[i]);
        if (error)
            return error;
    }
    for (uint32_t i = 0; i < count; i++)
        patterns_graph_read(&w->graph, ends[i], roots[i].kind == PATTERNS_ROOT_RULE ? rules++ : CEP_NONE);
    int error = patterns_graph_settle(&w->graph);
    for (uint32_t i = 0; i < w->graph.count && !error; i++) {
        if (w->graph.nodes[i].live)
            emit_node(w, i);
        error = w->error;
    }
    for (uint32_t i = 0; i < count && !error; i++) {
        find_match(w, ends[i], &emitted[i]);
        emitted[i].rule = CEP_NONE;
        emit_end(w, &roots[i], queries, ends[i], &emitted[i]);
        queries += roots[i].kind == PATTERNS_ROOT_QUERY;
        error = w->error;
    }
    return error;
}

int patterns_emit_program(struct patterns_binder *binder, const struct patterns_root *roots, uint32_t count, bool share,
                          struct patterns_emitted *ret_emitted, struct patterns_code_sources *ret_sources,
                          struct cep_program **ret)
{
    struct writing w = { .binder = binder };
    *ret = NULL;
    patterns_graph_init(&w.graph, binder, share);
    w.builder = cep_builder_create();
    w.pool = patterns_pred_pool_create(binder->arena);
    int error = w.builder && w.pool ? write_all(&w, roots, count, ret_emitted) : BASE_E_NOMEM;
    if (!error)
        error = cep_builder_finish(w.builder, ret);
    *ret_sources = w.sources;
    patterns_pred_pool_destroy(w.pool);
    patterns_graph_finish(&w.graph);
    base_map_finish(&w.fingerprints);
    cep_builder_destroy(w.builder);
    return error;
}
