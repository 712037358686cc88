#include "patterns/compile.h"

#include <string.h>
#include "base/error.h"
#include "base/map.h"
#include "patterns/bind.h"
#include "patterns/catalog.h"
#include "patterns/changes.h"
#include "patterns/compile_view.h"
#include "patterns/emit.h"
#include "patterns/parse.h"
#include "patterns/rule.h"
#include "patterns/sink.h"
#include "patterns/topn.h"
#include "patterns/window.h"
#include "patterns/types.h"

/* A run on its way. */
struct compiling {
    const struct patterns_options *options;
    struct patterns_binder binder;
    struct patterns_catalog catalog;
    const struct patterns_script **scripts;
    uint32_t script_count;
    struct base_map rule_names;                /* folded name -> statement number */
    const struct patterns_statement **running; /* statements that run, NULL where dropped */
    uint32_t running_count;
    struct patterns_root *roots;
    struct patterns_compiled *compiled;
    uint32_t root_count;
};

/* ---- declaring ---- */

static bool fold_name(struct base_str name, char *out, size_t cap, struct base_str *ret)
{
    if (name.len >= cap)
        return false;
    for (size_t i = 0; i < name.len; i++)
        out[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32) : name.ptr[i];
    *ret = (struct base_str){ out, name.len };
    return true;
}

static int declare_rule(struct compiling *c, const struct patterns_statement *statement, uint32_t number)
{
    const struct patterns_name *name = &statement->create_rule.name;
    struct base_str text = name->parts[name->count - 1].text, key;
    char folded[PATTERNS_MAX_IDENT_BYTES + 1];
    bool added;
    if (!fold_name(text, folded, sizeof folded, &key))
        return BASE_E_INVALID;
    uint64_t *at = base_map_put(&c->rule_names, key, &added);
    if (!at)
        return BASE_E_NOMEM;
    if (added) {
        *at = number;
        return 0;
    }
    const struct patterns_statement *first = c->running[*at];
    uint32_t line, column;
    c->running[number] = NULL;
    if (statement->create_rule.if_not_exists)
        return 0;
    base_source_place(first->source, first->create_rule.name.begin, &line, &column);
    return patterns_refuse_at(&c->binder, statement->source, name->begin, name->end, "duplicate-name",
                              "rename one of them", "rule \"%.*s\" is declared already at %s:%u:%u", (int)text.len,
                              text.ptr, first->source->name, line, column);
}

static int drop_rule(struct compiling *c, const struct patterns_statement *statement)
{
    const struct patterns_name *name = &statement->drop.name;
    struct base_str text = name->parts[name->count - 1].text, key;
    char folded[PATTERNS_MAX_IDENT_BYTES + 1];
    const uint64_t *at = fold_name(text, folded, sizeof folded, &key) ? base_map_find(&c->rule_names, key) : NULL;
    if (at) {
        c->running[*at] = NULL;
        base_map_remove(&c->rule_names, key);
        return 0;
    }
    if (statement->drop.if_exists)
        return 0;
    return patterns_refuse_at(&c->binder, statement->source, name->begin, name->end, "unknown-table", NULL,
                              "there is no rule \"%.*s\"", (int)text.len, text.ptr);
}

/* SET 'table.exec.state.ttl' = '7 d', 'table.exec.emit.allow-lateness' = '1 h', as in Flink; other settings stand in the configuration file. */
static int declare_setting(struct compiling *c, const struct patterns_statement *statement)
{
    const struct patterns_option *set = &statement->set;
    bool ttl = base_str_equal(set->key, BASE_STR("table.exec.state.ttl"));
    int64_t ms;
    if (!ttl && !base_str_equal(set->key, BASE_STR("table.exec.emit.allow-lateness"))) {
        patterns_warn_at(&c->binder, BASE_SEVERITY_NOTE, statement->source, statement->begin, statement->end, "not-supported",
                         "settings stand in the configuration file", "SET has no effect");
        return 0;
    }
    if (!patterns_duration_parse(set->value, &ms))
        return patterns_refuse_at(&c->binder, statement->source, set->value_begin, set->value_end, "bad-option", "write a duration: '7 d', '12 h'",
                                  "'%.*s' cannot be '%.*s'", (int)set->key.len, set->key.ptr, (int)set->value.len, set->value.ptr);
    if (ttl)
        c->binder.state_ttl_ms = c->binder.default_ttl_ms = ms;
    else
        c->binder.late_ms = c->binder.default_late_ms = ms;
    return 0;
}

static int declare(struct compiling *c, const struct patterns_statement *statement)
{
    struct patterns_binder *binder = &c->binder;
    switch (statement->kind) {
    case PATTERNS_STATEMENT_CREATE_VIEW:
        if (statement->create_view.materialized && !c->options->queries)
            c->running[c->running_count++] = statement;
        return patterns_catalog_declare(&c->catalog, binder, statement);
    case PATTERNS_STATEMENT_CREATE_TABLE: return patterns_catalog_declare(&c->catalog, binder, statement);
    case PATTERNS_STATEMENT_DROP:
        return statement->drop.what == PATTERNS_DROP_RULE ? drop_rule(c, statement)
                                                          : patterns_catalog_drop(&c->catalog, binder, statement);
    case PATTERNS_STATEMENT_SET: return declare_setting(c, statement);
    case PATTERNS_STATEMENT_SELECT:
        if (!c->options->queries)
            return patterns_refuse_at(binder, statement->source, statement->begin, statement->end, "not-supported",
                                      "write CREATE RULE name WITH (...) AS SELECT ..., or run it with `cepheid query`",
                                      "a bare SELECT is no rule");
        c->running[c->running_count++] = statement;
        return 0;
    case PATTERNS_STATEMENT_INSERT:
    case PATTERNS_STATEMENT_EXPLAIN: c->running[c->running_count++] = statement; return 0;
    case PATTERNS_STATEMENT_CREATE_RULE:
        c->running[c->running_count++] = statement;
        return declare_rule(c, statement, c->running_count - 1);
    }
    return BASE_E_INVALID;
}

static int declare_all(struct compiling *c)
{
    uint32_t total = 0;
    int first = 0;
    for (uint32_t i = 0; i < c->script_count; i++)
        total += c->scripts[i]->statement_count;
    c->running = base_arena_zalloc(c->binder.arena, (size_t)total + 1, sizeof *c->running);
    c->roots = base_arena_zalloc(c->binder.arena, (size_t)total + 1, sizeof *c->roots);
    c->compiled = base_arena_zalloc(c->binder.arena, (size_t)total + 1, sizeof *c->compiled);
    if (!c->running || !c->roots || !c->compiled)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < c->script_count; i++)
        for (uint32_t k = 0; k < c->scripts[i]->statement_count; k++) {
            int error = declare(c, c->scripts[i]->statements[k]);
            if (error == BASE_E_NOMEM)
                return error;
            first = first ? first : error;
        }
    /* Tables one by one, so that each says its own errors, whether anybody reads it or not. */
    for (uint32_t i = 0; i < c->catalog.count; i++) {
        if (c->catalog.objects[i].kind != PATTERNS_OBJECT_TABLE)
            continue;
        int error = patterns_catalog_table(&c->catalog, &c->binder, &c->catalog.objects[i]);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    return first;
}

/* ---- binding statements ---- */

/* The plan as an end reads it: one CALC that gives the visible columns, computed as `outputs` say (NULL: as they are).
 */
static int end_plan(struct patterns_binder *binder, const struct patterns_plan *plan, const struct patterns_plan **ret)
{
    int error = patterns_bind_visible(binder, plan, &plan);
    if (error)
        return error;
    struct patterns_plan *calc = patterns_plan_calc(binder, plan, NULL);
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, plan->out.count + 1, sizeof *outputs);
    if (!calc || !outputs)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < plan->out.count; i++)
        if (!(outputs[i] = patterns_bound_column(binder, NULL, &plan->out, i)))
            return BASE_E_NOMEM;
    calc->outputs = outputs;
    *ret = calc;
    return 0;
}

static void note_compiled(struct compiling *c, const struct patterns_root *root, enum patterns_unit_kind kind,
                          struct base_str name, uint32_t key_count, const uint32_t *key)
{
    struct patterns_compiled *out = &c->compiled[c->root_count];
    *out = (struct patterns_compiled){ .kind = kind,
                                       .name = name,
                                       .source = root->statement->source,
                                       .begin = root->statement->begin,
                                       .end = root->statement->end,
                                       .statement = root->statement,
                                       .rule = CEP_NONE,
                                       .match_node = CEP_NONE };
    patterns_root_fingerprint(root->plan, key, key_count, out->fingerprint);
}

static int finish_root(struct compiling *c, struct patterns_binder *binder, struct patterns_root *root,
                       const uint32_t *key, uint32_t key_count, enum patterns_unit_kind kind, struct base_str name,
                       bool keep)
{
    note_compiled(c, root, kind, name, key_count, key);
    int error = patterns_topn_check(binder, root->plan);
    if (!error)
        error = patterns_window_check(binder, root->plan);
    if (error)
        return error;
    error = patterns_plan_place(binder, root, key, key_count);
    if (!error && keep)
        c->roots[c->root_count++] = *root;
    return error;
}

/* 'key' = 'a,b': columns of the SELECT list. */
static int rule_key(struct patterns_binder *binder, const struct patterns_rule_text *rule,
                    const struct patterns_relation *out, uint32_t **ret, uint32_t *ret_count)
{
    *ret_count = UINT32_MAX;
    *ret = NULL;
    if (!rule->key.ptr)
        return 0;
    *ret = base_arena_zalloc(binder->arena, rule->key.len + 1, sizeof **ret);
    if (!*ret)
        return BASE_E_NOMEM;
    uint32_t count = 0;
    for (size_t at = 0; at <= rule->key.len; at++) {
        size_t begin = at;
        while (at < rule->key.len && rule->key.ptr[at] != ',')
            at++;
        struct base_str name = base_str_trim((struct base_str){ rule->key.ptr + begin, at - begin });
        const struct patterns_name_part part = { name, false };
        if (name.len == 0 && rule->key.len == 0)
            break;
        if (patterns_relation_find(out, &part, 1, &(*ret)[count]) == PATTERNS_FOUND_NONE) {
            struct base_str near = patterns_relation_nearest(out, name);
            const char *hint = near.len
                                   ? base_arena_printf(binder->arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr)
                                   : "name columns of the SELECT list";
            return patterns_refuse_at(binder, rule->statement->source, rule->key_begin, rule->key_end, "unknown-column",
                                      hint, "'key' names \"%.*s\", which the rule does not select", (int)name.len,
                                      name.ptr);
        }
        count++;
    }
    *ret_count = count;
    return 0;
}

/* A binder of the statement's own. In the arena: bound row patterns keep it. */
static struct patterns_binder *own_binder(struct compiling *c)
{
    struct patterns_binder *binder = base_arena_alloc(c->binder.arena, sizeof *binder);
    if (binder)
        *binder = c->binder;
    return binder;
}

static int compile_rule(struct compiling *c, const struct patterns_statement *statement, bool keep)
{
    struct patterns_binder *binder = own_binder(c);
    struct patterns_rule_text *rule = NULL;
    const struct patterns_plan *plan = NULL;
    struct patterns_root root = { .kind = PATTERNS_ROOT_RULE, .statement = statement, .changes = true };
    uint32_t *key = NULL, key_count = UINT32_MAX;
    if (!binder)
        return BASE_E_NOMEM;
    int error = patterns_rule_read(&c->catalog, binder, statement, !c->options->final_rules, &rule);
    if (error == BASE_E_NOMEM || !rule)
        return error;
    binder->is_rule = true;
    binder->evidence = true;
    binder->eager = rule->eager;
    if (rule->state_ttl_ms)
        binder->state_ttl_ms = rule->state_ttl_ms;
    if (rule->late_ms)
        binder->late_ms = rule->late_ms;
    binder->tells_early = rule->emit_given && rule->eager;
    if (!rule->eager) { /* SET is no reason to correct what is told once */
        binder->late_ms = 0;
        binder->default_late_ms = -1;
    }
    binder->param = patterns_rule_param;
    binder->param_ctx = rule;
    const struct patterns_query_scope scope = { .binder = binder, .catalog = &c->catalog, .top = true };
    int query_error = patterns_bind_query(&scope, statement->create_rule.query, &plan);
    if (!query_error)
        patterns_rule_warn_unknown(binder, rule);
    if (!query_error)
        query_error = end_plan(binder, plan, &root.plan);
    if (!query_error)
        query_error = rule_key(binder, rule, &root.plan->out, &key, &key_count);
    if (error || query_error)
        return query_error ? query_error : error;
    root.rule = rule;
    root.eager = rule->eager;
    bool runs = !base_str_equal(rule->mode, BASE_STR("off")); /* checked like any other, but no part of the program */
    return finish_root(c, binder, &root, key, key_count, PATTERNS_COMPILED_RULE, rule->name, keep && runs);
}

static int compile_query(struct compiling *c, const struct patterns_statement *statement,
                         const struct patterns_query *query, bool keep)
{
    struct patterns_binder *binder = own_binder(c);
    const struct patterns_plan *plan = NULL;
    struct patterns_root root = { .kind = PATTERNS_ROOT_QUERY,
                                  .statement = statement,
                                  .eager = c->options->eager_queries,
                                  .changes = c->options->eager_queries };
    if (!binder)
        return BASE_E_NOMEM;
    binder->eager = c->options->eager_queries;
    const struct patterns_query_scope scope = { .binder = binder, .catalog = &c->catalog, .top = true };
    int error = patterns_bind_query(&scope, query, &plan);
    if (!error && !c->options->eager_queries)
        error = patterns_changes_settle(binder, plan, &plan);
    if (!error)
        error = end_plan(binder, plan, &root.plan);
    if (error)
        return error;
    uint32_t ordinal = 1;
    for (uint32_t i = 0; i < c->root_count; i++)
        ordinal += c->compiled[i].kind == PATTERNS_COMPILED_QUERY;
    const char *name = base_arena_printf(binder->arena, "query %u", ordinal);
    return name ? finish_root(c, binder, &root, NULL, UINT32_MAX, PATTERNS_COMPILED_QUERY, base_str_of(name), keep)
                : BASE_E_NOMEM;
}

/* ---- INSERT ---- */

/* Target column of value i, by the column list or by order. PATTERNS_NO_COLUMN with a diagnostic if there is none. */
static int insert_target(struct patterns_binder *binder, const struct patterns_statement *statement,
                         const struct patterns_table_info *table, uint32_t value, uint32_t *ret)
{
    const struct patterns_insert *insert = &statement->insert;
    if (insert->column_count) {
        const struct patterns_ident *name = &insert->columns[value];
        const struct patterns_name_part part = { name->text, name->quoted };
        if (patterns_relation_find(&table->fields, &part, 1, ret) == PATTERNS_FOUND)
            return 0;
        struct base_str near = patterns_relation_nearest(&table->fields, name->text);
        return patterns_refuse_at(binder, statement->source, name->begin, name->end, "unknown-column",
                                  near.len ? base_arena_printf(binder->arena, "did you mean \"%.*s\"?", (int)near.len,
                                                               near.ptr)
                                           : NULL,
                                  "table \"%.*s\" has no column \"%.*s\"", (int)table->name.len, table->name.ptr,
                                  (int)name->text.len, name->text.ptr);
    }
    for (uint32_t i = 0; i < table->fields.count; i++)
        if (!table->fields.columns[i].hidden && !table->places[i].metadata && value-- == 0) {
            *ret = i;
            return 0;
        }
    return BASE_E_INVALID;
}

static int check_insert_count(struct patterns_binder *binder, const struct patterns_statement *statement,
                              const struct patterns_table_info *table, uint32_t values)
{
    uint32_t wanted = statement->insert.column_count;
    if (!wanted)
        for (uint32_t i = 0; i < table->fields.count; i++)
            wanted += !table->fields.columns[i].hidden && !table->places[i].metadata;
    if (wanted == values)
        return 0;
    const struct patterns_query *query = statement->insert.query;
    return patterns_refuse_at(binder, statement->source, query->begin, query->end, "type-mismatch",
                              "give one value for each column, in order",
                              "the query gives %u columns, \"%.*s\" takes %u", values, (int)table->name.len,
                              table->name.ptr, wanted);
}

/* The query's columns cast and put in the order of the target; columns without value are NULL. */
static int insert_plan(struct patterns_binder *binder, const struct patterns_statement *statement,
                       const struct patterns_table_info *table, const struct patterns_plan *plan,
                       const struct patterns_plan **ret)
{
    uint32_t n = table->fields.count;
    const struct patterns_bound **values = base_arena_zalloc(binder->arena, n + 1, sizeof *values);
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, n + 1, sizeof *outputs);
    struct patterns_plan *calc = patterns_plan_calc(binder, plan, NULL);
    int error =
        values && outputs && calc ? check_insert_count(binder, statement, table, plan->out.count) : BASE_E_NOMEM;
    for (uint32_t i = 0; i < plan->out.count && !error; i++) {
        uint32_t target = 0;
        error = insert_target(binder, statement, table, i, &target);
        if (error)
            return error;
        struct patterns_bound *column =
            (struct patterns_bound *)(uintptr_t)patterns_bound_column(binder, NULL, &plan->out, i);
        if (!column)
            return BASE_E_NOMEM;
        column->source = statement->source;
        column->begin = statement->insert.query->begin;
        column->end = statement->insert.query->end;
        struct base_str name = table->fields.columns[target].name;
        const char *what = base_arena_printf(binder->arena, "column \"%.*s\" of \"%.*s\"", (int)name.len, name.ptr,
                                             (int)table->name.len, table->name.ptr);
        error = what ? patterns_coerce(binder, column, table->fields.columns[target].type, what, &values[target])
                     : BASE_E_NOMEM;
    }
    if (error)
        return error;
    calc->out = (struct patterns_relation){ .rowtime = PATTERNS_NO_COLUMN, .bounded = plan->out.bounded };
    for (uint32_t i = 0; i < n; i++) {
        struct patterns_column c = table->fields.columns[i];
        if (c.hidden || table->places[i].metadata)
            continue;
        if (!values[i] && c.not_null)
            return patterns_refuse_at(binder, statement->source, statement->begin, statement->insert.query->begin,
                                      "type-mismatch", NULL, "column \"%.*s\" is NOT NULL and gets no value",
                                      (int)c.name.len, c.name.ptr);
        const struct patterns_bound *value =
            values[i] ? values[i] : patterns_bound_const(binder, NULL, c.type, cep_null());
        if (!value)
            return BASE_E_NOMEM;
        c.hash = value->hash;
        uint32_t at = patterns_relation_add(&calc->out, binder->arena, &c);
        if (at == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
        outputs[at] = value;
    }
    calc->outputs = outputs;
    *ret = calc;
    return 0;
}

static int compile_insert(struct compiling *c, const struct patterns_statement *statement, bool keep)
{
    struct patterns_binder *binder = own_binder(c);
    const struct patterns_insert *insert = &statement->insert;
    struct base_str name = insert->name.parts[insert->name.count - 1].text;
    struct patterns_object *object = patterns_catalog_find(&c->catalog, name);
    const struct patterns_plan *plan = NULL;
    struct patterns_root root = { .kind = PATTERNS_ROOT_TABLE, .statement = statement };
    int error = 0;
    if (!binder)
        return BASE_E_NOMEM;
    if (!object && c->catalog.incomplete) {
        error = BASE_E_SYNTAX;
    } else if (!object || object->kind != PATTERNS_OBJECT_TABLE) {
        struct base_str near = patterns_catalog_nearest(&c->catalog, name);
        const char *hint = near.len && !object
                               ? base_arena_printf(binder->arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr)
                               : NULL;
        error = patterns_refuse_at(binder, statement->source, insert->name.begin, insert->name.end, "unknown-table",
                                   hint, "%s \"%.*s\"", object ? "rows cannot be inserted into view" : "unknown table",
                                   (int)name.len, name.ptr);
    } else if (object->state != PATTERNS_OBJECT_READY) {
        error = BASE_E_SYNTAX;
    } else {
        root.table = object->table;
        root.changes = patterns_sink_takes_changes(object->table);
    }
    binder->is_rule = !c->options->queries;
    binder->eager = root.eager = root.changes;
    const struct patterns_query_scope scope = { .binder = binder, .catalog = &c->catalog, .top = true };
    int query_error = patterns_bind_query(&scope, insert->query, &plan);
    if (!query_error)
        query_error = patterns_bind_visible(binder, plan, &plan);
    if (error || query_error)
        return error == BASE_E_NOMEM || !query_error ? error : query_error;
    error = root.changes ? 0 : patterns_changes_check_insert(binder, statement, root.table, plan);
    if (!error)
        error = insert_plan(binder, statement, root.table, plan, &root.plan);
    return error ? error : finish_root(c, binder, &root, NULL, UINT32_MAX, PATTERNS_COMPILED_INSERT, name, keep);
}

/* A materialized view is an end of its own besides what reads it; `query` takes it as a plain view. */
static int compile_view(struct compiling *c, const struct patterns_statement *statement, bool keep)
{
    struct patterns_binder *binder = patterns_changes_binder(&c->binder);
    struct patterns_root root = { .kind = PATTERNS_ROOT_VIEW, .statement = statement, .eager = true, .changes = true };
    struct patterns_table_info *view;
    const struct patterns_plan *plan;
    if (!binder)
        return BASE_E_NOMEM;
    binder->is_rule = true;
    binder->eager = true;
    int error = patterns_view_bind(&c->catalog, binder, statement, &plan, &view);
    if (!error)
        error = end_plan(binder, plan, &root.plan);
    if (error)
        return error;
    root.table = view;
    return finish_root(c, binder, &root, NULL, UINT32_MAX, PATTERNS_COMPILED_VIEW, view->name, keep);
}

static int compile_statement(struct compiling *c, const struct patterns_statement *statement, bool keep)
{
    switch (statement->kind) {
    case PATTERNS_STATEMENT_CREATE_RULE: return compile_rule(c, statement, keep);
    case PATTERNS_STATEMENT_INSERT: return compile_insert(c, statement, keep);
    case PATTERNS_STATEMENT_SELECT: return compile_query(c, statement, statement->query, keep);
    case PATTERNS_STATEMENT_EXPLAIN:
        /* Checked, not run: `cepheid explain` shows the plan. */
        return compile_statement(c, statement->explained, false);
    case PATTERNS_STATEMENT_CREATE_VIEW: return statement->create_view.materialized ? compile_view(c, statement, keep) : 0;
    case PATTERNS_STATEMENT_CREATE_TABLE:
    case PATTERNS_STATEMENT_DROP:
    case PATTERNS_STATEMENT_SET: return 0;
    }
    return BASE_E_INVALID;
}

static int compile_statements(struct compiling *c)
{
    int first = 0;
    for (uint32_t i = 0; i < c->running_count; i++) {
        int error = c->running[i] ? compile_statement(c, c->running[i], true) : 0;
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    /* Views that nobody reads have errors too; who would read them is not known: one who takes changes. */
    struct patterns_binder any = c->binder;
    any.eager = true;
    const struct patterns_query_scope scope = { .binder = &any, .catalog = &c->catalog };
    for (uint32_t i = 0; i < c->catalog.count; i++) {
        const struct patterns_plan *plan;
        struct patterns_object *object = &c->catalog.objects[i];
        if (object->kind != PATTERNS_OBJECT_VIEW || object->state != PATTERNS_OBJECT_NEW)
            continue;
        int error = patterns_bind_view(&scope, object, &plan);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    return first;
}

/* ---- the whole ---- */

static bool same_diag(const struct base_diag *a, const struct base_diag *b)
{
    return a->severity == b->severity && a->source == b->source && a->begin == b->begin && a->end == b->end &&
           strcmp(a->code, b->code) == 0 && a->message && b->message && strcmp(a->message, b->message) == 0;
}

/* A view that several rules read is bound for each kind of reader and says its warnings each time: once is enough. */
static void drop_repeated(struct base_diags *diags, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < diags->len; i++) {
        bool repeated = false;
        for (size_t k = from; k < kept && !repeated; k++)
            repeated = same_diag(&diags->at[k], &diags->at[i]);
        if (!repeated) {
            diags->at[kept++] = diags->at[i];
            continue;
        }
        diags->errors -= diags->at[i].severity == BASE_SEVERITY_ERROR;
        diags->warnings -= diags->at[i].severity == BASE_SEVERITY_WARNING;
        diags->notes -= diags->at[i].severity == BASE_SEVERITY_NOTE;
    }
    diags->len = kept;
}

/* In order of the sources and places: errors are found clause by clause, but read from the top. */
static void sort_by_place(struct base_diags *diags, size_t from)
{
    for (size_t i = from + 1; i < diags->len; i++) {
        struct base_diag d = diags->at[i];
        size_t k = i;
        for (; k > from; k--) {
            const struct base_diag *before = &diags->at[k - 1];
            if (before->source < d.source || (before->source == d.source && before->begin <= d.begin))
                break;
            diags->at[k] = *before;
        }
        diags->at[k] = d;
    }
}

static int parse_all(struct compiling *c, const struct base_source *sources, uint32_t count, struct base_diags *diags)
{
    int first = 0;
    c->scripts = base_arena_zalloc(c->binder.arena, (size_t)count + 1, sizeof *c->scripts);
    if (!c->scripts)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct patterns_script *script = NULL;
        int error = patterns_parse(&sources[i], c->binder.arena, diags, &script);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
        c->scripts[i] = script;
        c->script_count += script != NULL && !error;
    }
    return first;
}

static int emit_all(struct compiling *c, struct patterns_result *result)
{
    struct patterns_emitted *emitted = base_arena_zalloc(c->binder.arena, (size_t)c->root_count + 1, sizeof *emitted);
    if (!emitted)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < c->root_count; i++)
        memcpy(emitted[i].fingerprint, c->compiled[i].fingerprint, sizeof emitted[i].fingerprint);
    struct patterns_code_sources sources = { NULL, 0 };
    int error = patterns_emit_program(&c->binder, c->roots, c->root_count, !c->options->no_optimiser, emitted, &sources,
                                      &result->program);
    result->code_sources = sources.at;
    result->code_count = sources.count;
    for (uint32_t i = 0; i < c->root_count && !error; i++) {
        struct patterns_compiled *out = &c->compiled[i];
        out->sink_node = emitted[i].sink_node;
        out->rule = emitted[i].rule;
        out->match_node = emitted[i].match_node;
        out->stability = patterns_changes_stability(c->roots[i].plan, emitted[i].match, &out->witness);
        out->registers = emitted[i].match ? emitted[i].match->registers : "";
    }
    if (error == BASE_E_LIMIT)
        error =
            patterns_refuse(&c->binder, NULL, "limit", "split the largest rule", "a rule is too large for one program");
    else if (error && error != BASE_E_NOMEM)
        base_diag_add(c->binder.diags, BASE_SEVERITY_ERROR, "internal", NULL, 0, 0,
                      "this is a fault of the compiler; please report the rule text",
                      "the compiled program does not verify");
    return error;
}

int patterns_compile(const struct base_source *sources, uint32_t count, const struct cep_funcs *funcs,
                     const struct patterns_options *options, struct base_arena *arena, struct base_diags *diags,
                     struct patterns_result **ret)
{
    size_t diags_before = diags->len, errors_before = diags->errors;
    struct compiling c = { .options = options };
    struct patterns_result *result = base_arena_zalloc(arena, 1, sizeof *result);
    *ret = NULL;
    c.binder =
        (struct patterns_binder){ .arena = arena, .diags = diags, .funcs = funcs, .no_fold = options->no_optimiser };
    patterns_catalog_init(&c.catalog, arena);
    c.catalog.variable = options->variable;
    c.catalog.variable_ctx = options->variable_ctx;
    int error = result ? parse_all(&c, sources, count, diags) : BASE_E_NOMEM;
    c.catalog.incomplete = diags->errors > errors_before;
    if (!error)
        error = declare_all(&c);
    if (error != BASE_E_NOMEM && c.script_count == count && c.compiled) {
        int bind_error = compile_statements(&c); /* also after bad declarations, to tell all there is to tell */
        error = error && bind_error != BASE_E_NOMEM ? error : bind_error;
    }
    drop_repeated(diags, diags_before);
    sort_by_place(diags, diags_before);
    if (!error && diags->errors > errors_before)
        error = BASE_E_SYNTAX;
    if (!error)
        error = emit_all(&c, result);
    if (arena->failed || (diags->arena && diags->arena->failed))
        error = BASE_E_NOMEM;
    patterns_catalog_finish(&c.catalog);
    base_map_finish(&c.rule_names);
    if (error) {
        patterns_result_finish(result);
        return error;
    }
    result->compiled = c.compiled;
    result->compiled_count = c.root_count;
    result->scripts = c.scripts;
    result->script_count = count;
    *ret = result;
    return 0;
}

bool patterns_result_place(const struct patterns_result *result, const struct cep_program *program, uint32_t code,
                           const struct base_source **ret_source, uint32_t *ret_begin, uint32_t *ret_end)
{
    if (code >= result->code_count || !result->code_sources[code])
        return false;
    const struct cep_code *c = cep_program_code(program, code);
    *ret_source = result->code_sources[code];
    *ret_begin = c->origin_begin;
    *ret_end = c->origin_end;
    return c->origin_end > c->origin_begin && c->origin_end <= (*ret_source)->len;
}

void patterns_result_finish(struct patterns_result *result)
{
    if (result) {
        cep_program_free(result->program);
        result->program = NULL;
    }
}

struct cep_program *patterns_result_take(struct patterns_result *result)
{
    struct cep_program *program = result->program;
    result->program = NULL;
    return program;
}
