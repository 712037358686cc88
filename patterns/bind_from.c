#include "patterns/bind_from.h"

#include <string.h>
#include "base/error.h"
#include "patterns/changes.h"
#include "patterns/fold.h"
#include "patterns/join.h"
#include "patterns/latest.h"
#include "patterns/types.h"
#include "patterns/window.h"

#define JOIN_CONJUNCTS_MAX 256

struct patterns_relation *patterns_relation_named(struct patterns_binder *binder,
                                                  const struct patterns_relation *relation, struct base_str qualifier)
{
    struct patterns_relation *named = base_arena_zalloc(binder->arena, 1, sizeof *named);
    if (!named)
        return NULL;
    for (uint32_t i = 0; i < relation->count; i++) {
        struct patterns_column c = relation->columns[i];
        if (qualifier.ptr)
            c.qualifier = qualifier;
        if (patterns_relation_add(named, binder->arena, &c) == PATTERNS_NO_COLUMN)
            return NULL;
    }
    named->rowtime = relation->rowtime;
    named->bounded = relation->bounded;
    named->has_proctime = relation->has_proctime;
    return named;
}

static int refuse_table(struct patterns_binder *binder, const struct patterns_table *table, const char *code,
                        const char *hint, const char *message)
{
    return patterns_refuse_at(binder, table->source, table->begin, table->end, code, hint, "%s", message);
}

/* ---- tables and views ---- */

/* Each column as it stands. NULL: no memory. */
static const struct patterns_bound **own_columns(struct patterns_binder *binder, const struct patterns_relation *relation)
{
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, (size_t)relation->count + 1, sizeof *outputs);
    for (uint32_t i = 0; outputs && i < relation->count; i++)
        if (!(outputs[i] = patterns_bound_column(binder, NULL, relation, i)))
            return NULL;
    return outputs;
}

static const struct patterns_plan *make_source(struct patterns_binder *binder, struct patterns_table_info *table)
{
    struct patterns_plan *source = patterns_plan_make(binder, PATTERNS_PLAN_SOURCE, NULL);
    struct patterns_relation *fields =
        source ? patterns_relation_named(binder, &table->fields, (struct base_str){ NULL, 0 }) : NULL;
    if (!fields)
        return NULL;
    source->table = table;
    source->out = *fields;
    source->rows = patterns_hash_mix(table->hash, (uint64_t)table->watermark_delay_ms);
    if (table->rowtime_field != PATTERNS_NO_COLUMN)
        source->rows = patterns_hash_mix(source->rows, table->fields.columns[table->rowtime_field].hash);
    bool changes = patterns_latest_table(table);
    if (changes && !(source = patterns_latest_plan(binder, source)))
        return NULL;
    if (!table->values && !changes)
        return source;
    struct patterns_plan *calc = patterns_plan_calc(binder, source, NULL);
    struct patterns_relation *columns =
        calc ? patterns_relation_named(binder, &table->columns, (struct base_str){ NULL, 0 }) : NULL;
    if (!columns)
        return NULL;
    calc->out = *columns;
    calc->outputs = table->values ? table->values : own_columns(binder, fields);
    if (changes)
        calc->out.rowtime = PATTERNS_NO_COLUMN; /* rows that are taken back have no place in event time */
    return calc->outputs ? calc : NULL;
}

int patterns_bind_source(struct patterns_binder *binder, struct patterns_table_info *info, const struct patterns_plan **ret)
{
    if (!info->plan)
        info->plan = make_source(binder, info);
    *ret = info->plan;
    return *ret ? 0 : BASE_E_NOMEM;
}

static int bind_stream(const struct patterns_query_scope *scope, const struct patterns_table *table,
                       struct patterns_table_info *info, const struct patterns_plan **ret)
{
    int error = patterns_latest_check(scope->binder, table, info);
    if (error)
        return error;
    return patterns_bind_source(scope->binder, info, ret);
}

static int refuse_unknown(const struct patterns_query_scope *scope, const struct patterns_table *table)
{
    struct base_str name = table->name.parts[table->name.count - 1].text;
    if (scope->catalog->incomplete)
        return BASE_E_SYNTAX;
    struct base_str near = patterns_catalog_nearest(scope->catalog, name);
    const char *hint = near.len
                           ? base_arena_printf(scope->binder->arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr)
                           : "declare it with CREATE TABLE or CREATE VIEW, in any file of the folder";
    return patterns_refuse_at(scope->binder, table->source, table->name.begin, table->name.end, "unknown-table", hint,
                              "unknown table \"%.*s\"", (int)name.len, name.ptr);
}

/* Finds the table object behind a name, views apart. */
static int find_object(const struct patterns_query_scope *scope, const struct patterns_table *table,
                       struct patterns_object **ret)
{
    *ret = patterns_catalog_find(scope->catalog, table->name.parts[table->name.count - 1].text);
    if (!*ret)
        return refuse_unknown(scope, table);
    return (*ret)->kind == PATTERNS_OBJECT_TABLE ? patterns_catalog_table(scope->catalog, scope->binder, *ret) : 0;
}

static int bind_named(const struct patterns_query_scope *scope, const struct patterns_table *table,
                      const struct patterns_plan **ret)
{
    struct base_str name = table->name.parts[table->name.count - 1].text;
    if (table->as_of)
        return patterns_refuse(scope->binder, table->as_of, "not-supported",
                               "write ... JOIN t FOR SYSTEM_TIME AS OF ts ON t.key = ...",
                               "FOR SYSTEM_TIME AS OF stands on the right side of a JOIN only");
    for (const struct patterns_query_ctes *c = scope->ctes; c && table->name.count == 1; c = c->next)
        if (patterns_name_equal(c->cte->name.text, c->cte->name.quoted, name, table->name.parts[0].quoted)) {
            *ret = c->plan;
            return 0;
        }
    struct patterns_object *object;
    int error = find_object(scope, table, &object);
    if (error)
        return error;
    if (object->kind == PATTERNS_OBJECT_TABLE)
        return bind_stream(scope, table, object->table, ret);
    if (object->state == PATTERNS_OBJECT_BINDING)
        return patterns_refuse_at(scope->binder, table->source, table->begin, table->end, "view-cycle", NULL,
                                  "view \"%.*s\" reads itself", (int)name.len, name.ptr);
    return patterns_bind_view(scope, object, ret);
}

/* ---- row patterns ---- */

/* A row pattern takes rows that stay: what stands below it speaks when it is final. */
static int bind_match_input(const struct patterns_query_scope *scope, const struct patterns_table *table, struct patterns_from *ret)
{
    struct patterns_binder *binder = base_arena_alloc(scope->binder->arena, sizeof *binder);
    struct patterns_query_scope final = *scope;
    int error = patterns_bind_from(scope, table->match.input, ret);
    if (error || !patterns_plan_updating(ret->plan))
        return error;
    if (!binder)
        return BASE_E_NOMEM;
    *binder = *scope->binder;
    binder->eager = false;
    final.binder = binder;
    error = patterns_bind_from(&final, table->match.input, ret);
    if (!error && patterns_plan_updating(ret->plan))
        error = refuse_table(scope->binder, table->match.input, "not-supported",
                             patterns_latest_only(ret->plan) ? PATTERNS_LATEST_HINT : "put the pattern below the aggregate or the join",
                             "a row pattern takes rows that stay as they are, and this query changes rows that it gave");
    return error;
}

static int bind_match(const struct patterns_query_scope *scope, const struct patterns_table *table,
                      const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    struct patterns_from input;
    const struct patterns_bound_match *match;
    int error = bind_match_input(scope, table, &input);
    if (!error)
        error = patterns_bind_match(binder, input.relation, table->match.match, &match);
    if (error)
        return error;
    struct patterns_plan *plan = patterns_plan_make(binder, PATTERNS_PLAN_MATCH, input.plan);
    struct patterns_relation *out =
        plan ? patterns_relation_named(binder, &match->output, (struct base_str){ "", 0 }) : NULL;
    if (!out)
        return BASE_E_NOMEM;
    plan->source = table->source;
    plan->begin = table->begin;
    plan->end = table->end;
    plan->match = match;
    plan->eager = binder->eager && !binder->settled && !match->batch_sort;
    plan->evidence = binder->evidence;
    plan->rows = patterns_hash_mix(input.plan->rows, match->hash);
    plan->out = *out;
    plan->out.bounded = input.relation->bounded;
    for (uint32_t i = 0; i < plan->out.count; i++)
        plan->out.columns[i].hash = patterns_hash_mix(patterns_hash_mix(plan->rows, i), plan->out.columns[i].hash);
    *ret = plan;
    return 0;
}

/* ---- temporal joins ---- */

/* A join on its way: the left side, the profile table, the relation of both. */
struct joining {
    const struct patterns_query_scope *scope;
    const struct patterns_table *text;
    struct patterns_from left;
    const struct patterns_table_info *table;
    struct patterns_relation *both;
    struct patterns_plan *plan;
};

static bool reads_only(const struct joining *j, const struct patterns_bound *bound, bool left, bool *used)
{
    memset(used, 0, j->both->count * sizeof *used);
    patterns_bound_mark_columns(bound, used);
    for (uint32_t i = 0; i < j->both->count; i++)
        if (used[i] && (i < j->left.relation->count) != left)
            return false;
    return true;
}

/* `t.key = expression over the left row`, either way round. *exact: no cast stood in the way, so the lookup alone
 * decides. */
static int take_key(struct joining *j, const struct patterns_bound *conjunct, bool *ret_taken, bool *ret_exact)
{
    struct patterns_binder *binder = j->scope->binder;
    bool *used = base_arena_zalloc(binder->arena, j->both->count + 1, sizeof *used);
    *ret_taken = false;
    if (!used)
        return BASE_E_NOMEM;
    if (conjunct->kind != PATTERNS_BOUND_EQ)
        return 0;
    for (uint32_t side = 0; side < 2; side++) {
        const struct patterns_bound *right = conjunct->args[side], *other = conjunct->args[1 - side];
        bool cast = right->kind == PATTERNS_BOUND_CAST;
        if (cast)
            right = right->args[0];
        if (right->kind != PATTERNS_BOUND_COLUMN || right->column < j->left.relation->count ||
            !reads_only(j, other, true, used))
            continue;
        for (uint32_t k = 0; k < j->table->key_count; k++) {
            if (j->table->key[k] != right->column - j->left.relation->count || j->plan->keys[k])
                continue;
            const struct patterns_bound *key =
                cep_type_equal(other->type, right->type) ? other : patterns_bound_try_cast(binder, other, right->type);
            j->plan->keys[k] = key;
            *ret_taken = true;
            *ret_exact = !cast && key == other;
            return key ? 0 : BASE_E_NOMEM;
        }
    }
    return 0;
}

static int refuse_key(struct joining *j)
{
    struct patterns_binder *binder = j->scope->binder;
    struct base_buf names = { 0 };
    for (uint32_t k = 0; k < j->table->key_count; k++) {
        struct base_str name = j->table->fields.columns[j->table->key[k]].name;
        base_buf_printf(&names, "%s%.*s", k ? ", " : "", (int)name.len, name.ptr);
    }
    int error = patterns_refuse_at(binder, j->text->source, j->text->begin, j->text->end, "not-supported",
                                   "compare each key column with an expression of the left side: ON t.key = x",
                                   "the join must name the whole PRIMARY KEY of \"%.*s\" (%s)", (int)j->table->name.len,
                                   j->table->name.ptr, names.ptr ? names.ptr : "");
    base_buf_finish(&names);
    return error;
}

static int bind_on(struct joining *j)
{
    struct patterns_binder *binder = j->scope->binder;
    const struct patterns_scope names = { .relation = j->both, .where = "ON" };
    const struct patterns_bound *on, *conjuncts[JOIN_CONJUNCTS_MAX], *rest[JOIN_CONJUNCTS_MAX];
    uint32_t rests = 0;
    int error = patterns_bind_condition(binder, &names, j->text->join.on, &on);
    if (error)
        return error;
    uint32_t n = patterns_conjuncts(on, conjuncts, JOIN_CONJUNCTS_MAX);
    if (n > JOIN_CONJUNCTS_MAX)
        return patterns_refuse(binder, j->text->join.on, "limit", NULL, "ON has at most %d conditions",
                               JOIN_CONJUNCTS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        bool taken, exact = false;
        error = take_key(j, conjuncts[i], &taken, &exact);
        if (error)
            return error;
        if (!taken || !exact)
            rest[rests++] = conjuncts[i];
    }
    for (uint32_t k = 0; k < j->table->key_count; k++)
        if (!j->plan->keys[k])
            return refuse_key(j);
    if (rests == 1)
        j->plan->filter = rest[0];
    else if (rests > 1 && !(j->plan->filter = patterns_bound_op(binder, j->text->join.on, PATTERNS_BOUND_AND,
                                                                CEP_TYPE(BOOLEAN), rest, rests)))
        return BASE_E_NOMEM;
    j->plan->rows = patterns_hash_mix(patterns_hash_mix(j->plan->rows, on->hash), j->plan->left_outer);
    return 0;
}

/* A table that is asked row by row where it lies, not read whole (enrichment/lookup.h). */
static bool is_outside(const struct patterns_table_info *table)
{
    struct base_str connector = patterns_table_setting(table, "connector");
    for (uint32_t i = 0; i < table->setting_count; i++)
        if (table->settings[i].key.len > 5 && memcmp(table->settings[i].key.ptr, "scan.", 5) == 0)
            return false;
    return base_str_equal(connector, BASE_STR("postgresql")) || base_str_equal(connector, BASE_STR("jdbc")) || base_str_equal(connector, BASE_STR("redis")) ||
           base_str_equal(connector, BASE_STR("http"));
}

static int bind_as_of(struct joining *j)
{
    struct patterns_binder *binder = j->scope->binder;
    const struct patterns_expr *text = j->text->join.right->as_of;
    const struct patterns_scope names = { .relation = j->left.relation, .where = "FOR SYSTEM_TIME AS OF" };
    const struct patterns_bound *as_of;
    int error = patterns_bind_expr(binder, &names, text, &as_of);
    if (error)
        return error;
    if (!cep_kind_is_time(as_of->type.kind))
        return patterns_refuse(binder, text, "type-mismatch", "name the event time column, or PROCTIME()",
                               "FOR SYSTEM_TIME AS OF takes a timestamp, this is %s",
                               patterns_type_text(binder, as_of->type));
    j->plan->as_of = patterns_plan_proc_time(j->left.plan, as_of) ? NULL : as_of;
    if (j->plan->as_of && is_outside(j->table))
        return patterns_refuse(binder, text, "not-supported", "write FOR SYSTEM_TIME AS OF PROCTIME()",
                               "an outside table is asked as it is now: it has no rows of other times");
    j->plan->rows = patterns_hash_mix(j->plan->rows, as_of->hash);
    /* versions in event time: told at once and corrected, or when the table's watermark has passed */
    j->plan->eager = binder->eager && j->plan->as_of && j->table->rowtime_field != PATTERNS_NO_COLUMN;
    return 0;
}

/* left ++ right, the right columns' hashes hang on the join. */
static int join_columns(struct joining *j)
{
    struct patterns_binder *binder = j->scope->binder;
    const struct patterns_table *right = j->text->join.right;
    struct base_str name = right->alias ? right->alias->text : right->name.parts[right->name.count - 1].text;
    j->both = patterns_relation_named(binder, j->left.relation, (struct base_str){ NULL, 0 });
    if (!j->both)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < j->table->fields.count; i++) {
        struct patterns_column c = j->table->fields.columns[i];
        c.qualifier = name;
        c.hash = patterns_hash_mix(c.hash, j->plan->rows);
        if (patterns_relation_add(j->both, binder->arena, &c) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    }
    if (j->both->count > CEP_COLUMNS_MAX)
        return refuse_table(binder, j->text, "limit", NULL, "the join has too many columns");
    return 0;
}

static int check_profile(struct joining *j, struct patterns_object *object)
{
    struct patterns_binder *binder = j->scope->binder;
    const struct patterns_table *right = j->text->join.right;
    if (object->kind == PATTERNS_OBJECT_VIEW)
        return refuse_table(binder, right, "not-supported",
                            "join the table itself and put the view's conditions into ON",
                            "FOR SYSTEM_TIME AS OF reads tables, not views");
    j->table = object->table;
    if (j->table->key_count == 0)
        return refuse_table(binder, right, "not-supported", "add PRIMARY KEY (column) NOT ENFORCED to its CREATE TABLE",
                            "a table joined FOR SYSTEM_TIME AS OF needs a PRIMARY KEY");
    if (j->table->values)
        return refuse_table(binder, right, "not-supported", "compute the value in the SELECT list instead",
                            "a profile table cannot have computed columns");
    if (right->alias_column_count)
        return refuse_table(binder, right, "not-supported", NULL, "a joined table cannot rename its columns");
    return 0;
}

static int refuse_join(const struct patterns_query_scope *scope, const struct patterns_table *text)
{
    const struct patterns_table *right = text->join.right;
    struct patterns_object *object =
        right->kind == PATTERNS_TABLE_NAME
            ? patterns_catalog_find(scope->catalog, right->name.parts[right->name.count - 1].text)
            : NULL;
    if (right->kind == PATTERNS_TABLE_NAME && !object)
        return refuse_unknown(scope, right);
    return refuse_table(scope->binder, text, "not-supported", "write JOIN or LEFT JOIN", "a temporal join is INNER or LEFT");
}

static int bind_join(const struct patterns_query_scope *scope, const struct patterns_table *text,
                     struct patterns_from *ret)
{
    struct patterns_binder *binder = scope->binder;
    const struct patterns_table *right = text->join.right;
    struct joining j = { .scope = scope, .text = text };
    struct patterns_object *object;
    bool kind = text->join.kind == PATTERNS_JOIN_INNER || text->join.kind == PATTERNS_JOIN_LEFT;
    if (right->kind != PATTERNS_TABLE_NAME || !right->as_of)
        return patterns_join_bind(scope, text, ret);
    if (!kind)
        return refuse_join(scope, text);
    if (!text->join.on)
        return refuse_table(binder, text, "not-supported", "write ON t.key = x", "a temporal join needs ON");
    int left_error = patterns_bind_from(scope, text->join.left, &j.left);
    int error = find_object(scope, right, &object);
    if (!error)
        error = check_profile(&j, object);
    error = left_error ? left_error : error;
    if (error)
        return error;
    j.plan = patterns_plan_make(binder, PATTERNS_PLAN_LOOKUP, j.left.plan);
    if (!j.plan)
        return BASE_E_NOMEM;
    j.plan->source = text->source;
    j.plan->begin = right->begin;
    j.plan->end = text->end;
    j.plan->table = j.table;
    j.plan->left_outer = text->join.kind == PATTERNS_JOIN_LEFT;
    j.plan->key_count = j.table->key_count;
    j.plan->keys = base_arena_zalloc(binder->arena, j.table->key_count, sizeof *j.plan->keys);
    j.plan->rows = patterns_hash_mix(j.left.plan->rows, j.table->hash);
    if (is_outside(j.table) && patterns_plan_updating(j.left.plan) && j.left.plan->kind != PATTERNS_PLAN_MATCH)
        return refuse_table(binder, text, "not-supported", "join the rows before they are aggregated, ranked or joined",
                            "an outside table may answer otherwise when a row is taken back: it cannot be joined to a result that changes");
    if (!j.plan->keys)
        return BASE_E_NOMEM;
    error = bind_as_of(&j);
    if (!error)
        error = join_columns(&j);
    if (!error)
        error = bind_on(&j);
    struct patterns_relation *out =
        error ? NULL : patterns_relation_named(binder, j.both, (struct base_str){ NULL, 0 });
    if (!out)
        return error ? error : BASE_E_NOMEM;
    j.plan->out = *out;
    ret->plan = j.plan;
    ret->relation = j.both;
    return 0;
}

/* ---- any table ---- */

static int rename_columns(struct patterns_binder *binder, const struct patterns_table *table,
                          struct patterns_relation *relation)
{
    uint32_t n = 0;
    if (!table->alias_column_count)
        return 0;
    for (uint32_t i = 0; i < relation->count; i++) {
        struct patterns_column *c = &relation->columns[i];
        if (!c->hidden)
            n++;
        if (n - 1 < table->alias_column_count) { /* a hidden column takes the name of the one before it */
            c->name = table->alias_columns[n - 1].text;
            c->quoted = table->alias_columns[n - 1].quoted;
        }
    }
    if (n != table->alias_column_count)
        return patterns_refuse_at(binder, table->source, table->begin, table->end, "type-mismatch", NULL,
                                  "%u names are given for %u columns", table->alias_column_count, n);
    return 0;
}

int patterns_bind_from(const struct patterns_query_scope *scope, const struct patterns_table *table,
                       struct patterns_from *ret)
{
    struct patterns_query_scope inner = *scope;
    int error = BASE_E_INVALID;
    inner.top = false;
    *ret = (struct patterns_from){ NULL, NULL };
    if (table->kind == PATTERNS_TABLE_JOIN)
        return bind_join(&inner, table, ret);
    switch (table->kind) {
    case PATTERNS_TABLE_NAME: error = bind_named(&inner, table, &ret->plan); break;
    case PATTERNS_TABLE_QUERY: error = patterns_bind_query(&inner, table->query, &ret->plan); break;
    case PATTERNS_TABLE_MATCH: error = bind_match(&inner, table, &ret->plan); break;
    case PATTERNS_TABLE_WINDOW: error = patterns_window_bind(&inner, table, &ret->plan); break;
    case PATTERNS_TABLE_JOIN: break;
    }
    if (error)
        return error;
    struct base_str qualifier = { "", 0 };
    if (table->alias)
        qualifier = table->alias->text;
    else if (table->kind == PATTERNS_TABLE_NAME)
        qualifier = table->name.parts[table->name.count - 1].text;
    ret->relation = patterns_relation_named(scope->binder, &ret->plan->out, qualifier);
    return ret->relation ? rename_columns(scope->binder, table, ret->relation) : BASE_E_NOMEM;
}
