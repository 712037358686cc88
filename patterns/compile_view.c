#include "patterns/compile_view.h"

#include "base/error.h"
#include "patterns/types.h"

static int64_t duration_of(const struct patterns_create_view *view, struct base_str key, int64_t otherwise_ms)
{
    int64_t ms;
    for (uint32_t i = 0; i < view->option_count; i++)
        if (base_str_equal(view->options[i].key, key) && patterns_duration_parse(view->options[i].value, &ms))
            return ms;
    return otherwise_ms;
}

int64_t patterns_view_ttl(const struct patterns_create_view *view, int64_t otherwise_ms) { return duration_of(view, BASE_STR("state.ttl"), otherwise_ms); }

int64_t patterns_view_lateness(const struct patterns_create_view *view, int64_t otherwise_ms)
{
    return duration_of(view, BASE_STR("allowed-lateness"), otherwise_ms);
}

static int refuse_value(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_option *option, const char *hint)
{
    return patterns_refuse_at(binder, statement->source, option->value_begin, option->value_end, "bad-option", hint, "'%.*s' cannot be '%.*s'",
                              (int)option->key.len, option->key.ptr, (int)option->value.len, option->value.ptr);
}

/* 'key' = 'a,b' into indexes of the view's columns. */
static int read_key(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_option *option,
                    struct patterns_table_info *view)
{
    view->key_count = 0;
    for (size_t at = 0; at <= option->value.len; at++) {
        size_t begin = at;
        while (at < option->value.len && option->value.ptr[at] != ',')
            at++;
        const struct patterns_name_part part = { base_str_trim((struct base_str){ option->value.ptr + begin, at - begin }), false };
        uint32_t column;
        if (view->key_count == view->fields.count || patterns_relation_find(&view->fields, &part, 1, &column) != PATTERNS_FOUND)
            return refuse_value(binder, statement, option, "name columns of the query, separated by commas");
        view->key[view->key_count++] = column;
    }
    return 0;
}

static int read_options(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_option **ret_key)
{
    const struct patterns_create_view *text = &statement->create_view;
    for (uint32_t i = 0; i < text->option_count; i++) {
        const struct patterns_option *option = &text->options[i];
        if (base_str_equal(option->key, BASE_STR("key"))) {
            *ret_key = option;
        } else if (base_str_equal(option->key, BASE_STR("state.ttl")) || base_str_equal(option->key, BASE_STR("allowed-lateness"))) {
            int64_t ttl_ms;
            if (!patterns_duration_parse(option->value, &ttl_ms))
                return refuse_value(binder, statement, option, "write a duration: '7 d', '12 h'");
        } else {
            return patterns_refuse_at(binder, statement->source, option->key_begin, option->key_end, "unknown-option", "a materialized view knows 'key', 'state.ttl' and 'allowed-lateness'",
                                      "unknown option '%.*s'", (int)option->key.len, option->key.ptr);
        }
    }
    return 0;
}

static struct patterns_table_info *describe(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_plan *plan)
{
    const struct patterns_name *name = &statement->create_view.name;
    struct patterns_table_info *view = base_arena_zalloc(binder->arena, 1, sizeof *view);
    if (!view)
        return NULL;
    view->name = name->parts[name->count - 1].text;
    view->statement = statement;
    view->rowtime_field = PATTERNS_NO_COLUMN;
    view->declared_columns = plan->out.count;
    view->hash = patterns_hash_text(31, view->name);
    view->fields = (struct patterns_relation){ .rowtime = PATTERNS_NO_COLUMN };
    for (uint32_t i = 0; i < plan->out.count; i++)
        if (patterns_relation_add(&view->fields, binder->arena, &plan->out.columns[i]) == PATTERNS_NO_COLUMN)
            return NULL;
    view->places = base_arena_zalloc(binder->arena, (size_t)plan->out.count + 1, sizeof *view->places);
    view->key = base_arena_zalloc(binder->arena, (size_t)plan->out.count + 1, sizeof *view->key);
    view->key_count = 1;
    return view->places && view->key ? view : NULL;
}

static int check_key(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_table_info *view)
{
    for (uint32_t i = 0; i < view->key_count; i++) {
        const struct patterns_column *c = &view->fields.columns[view->key[i]];
        if (c->type.kind != CEP_KIND_ROW && c->type.kind != CEP_KIND_ARRAY)
            continue;
        return patterns_refuse_at(binder, statement->source, statement->create_view.name.begin, statement->create_view.name.end, "type-mismatch",
                                  "WITH ('key' = 'column') names another one", "the key of a view cannot be \"%.*s\" of type %s", (int)c->name.len,
                                  c->name.ptr, patterns_type_text(binder, c->type));
    }
    return 0;
}

int patterns_view_bind(struct patterns_catalog *catalog, struct patterns_binder *binder, const struct patterns_statement *statement,
                       const struct patterns_plan **ret_plan, struct patterns_table_info **ret)
{
    const struct patterns_create_view *text = &statement->create_view;
    const struct patterns_option *key = NULL;
    struct patterns_object *object = patterns_catalog_find(catalog, text->name.parts[text->name.count - 1].text);
    const struct patterns_query_scope scope = { .binder = binder, .catalog = catalog };
    int error = read_options(binder, statement, &key);
    if (error)
        return error;
    if (!object || object->statement != statement)
        return BASE_E_SYNTAX; /* its name is another's: told before */
    error = patterns_bind_view(&scope, object, ret_plan);
    if (!error)
        error = patterns_bind_visible(binder, *ret_plan, ret_plan);
    if (error)
        return error;
    *ret = describe(binder, statement, *ret_plan);
    if (!*ret)
        return BASE_E_NOMEM;
    error = key ? read_key(binder, statement, key, *ret) : 0;
    return error ? error : check_key(binder, statement, *ret);
}
