#include "patterns/catalog.h"

#include <string.h>
#include "base/error.h"
#include "patterns/table.h"

void patterns_catalog_init(struct patterns_catalog *catalog, struct base_arena *arena)
{
    *catalog = (struct patterns_catalog){ .arena = arena };
}

void patterns_catalog_finish(struct patterns_catalog *catalog)
{
    base_map_finish(&catalog->names);
}

/* Key of the name map: ASCII folded. */
static bool fold(struct base_str name, char *out, size_t cap, struct base_str *ret)
{
    if (name.len > cap)
        return false;
    for (size_t i = 0; i < name.len; i++)
        out[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32) : name.ptr[i];
    *ret = (struct base_str){ out, name.len };
    return true;
}

struct patterns_object *patterns_catalog_find(const struct patterns_catalog *catalog, struct base_str name)
{
    char text[PATTERNS_MAX_IDENT_BYTES + 1];
    struct base_str key;
    if (!fold(name, text, sizeof text, &key))
        return NULL;
    const uint64_t *at = base_map_find(&catalog->names, key);
    return at ? &catalog->objects[*at] : NULL;
}

struct base_str patterns_catalog_nearest(const struct patterns_catalog *catalog, struct base_str name)
{
    struct base_str best = { NULL, 0 };
    size_t best_distance = name.len < 4 ? 2 : name.len / 2 + 1;
    for (uint32_t i = 0; i < catalog->count; i++) {
        const struct patterns_name *n = catalog->objects[i].name;
        struct base_str text = n->parts[n->count - 1].text;
        size_t distance = base_str_distance(text, name);
        if (distance < best_distance && patterns_catalog_find(catalog, text)) {
            best_distance = distance;
            best = text;
        }
    }
    return best;
}

static const struct patterns_name *name_of(const struct patterns_statement *statement)
{
    return statement->kind == PATTERNS_STATEMENT_CREATE_TABLE ? &statement->create_table.name
                                                              : &statement->create_view.name;
}

static int refuse_duplicate(struct patterns_binder *binder, const struct patterns_object *first,
                            const struct patterns_statement *second)
{
    const struct patterns_name *name = name_of(second);
    struct base_str text = name->parts[name->count - 1].text;
    uint32_t line, column;
    base_source_place(first->statement->source, first->name->begin, &line, &column);
    return patterns_refuse_at(binder, second->source, name->begin, name->end, "duplicate-name",
                              "rename one of them, or DROP the first before",
                              "\"%.*s\" is declared already at %s:%u:%u", (int)text.len, text.ptr,
                              first->statement->source->name, line, column);
}

int patterns_catalog_declare(struct patterns_catalog *catalog, struct patterns_binder *binder,
                             const struct patterns_statement *statement)
{
    bool is_table = statement->kind == PATTERNS_STATEMENT_CREATE_TABLE;
    const struct patterns_name *name = name_of(statement);
    char text[PATTERNS_MAX_IDENT_BYTES + 1];
    struct base_str key;
    bool added;
    if (!fold(name->parts[name->count - 1].text, text, sizeof text, &key))
        return BASE_E_INVALID;
    uint64_t *at = base_map_put(&catalog->names, key, &added);
    if (!at)
        return BASE_E_NOMEM;
    if (!added) {
        if (is_table ? statement->create_table.if_not_exists : statement->create_view.if_not_exists)
            return 0;
        return refuse_duplicate(binder, &catalog->objects[*at], statement);
    }
    if (catalog->count == catalog->cap) {
        uint32_t cap = catalog->cap ? catalog->cap * 2 : 16;
        struct patterns_object *grown = base_arena_zalloc(catalog->arena, cap, sizeof *grown);
        if (!grown) {
            base_map_remove(&catalog->names, key);
            return BASE_E_NOMEM;
        }
        if (catalog->count)
            memcpy(grown, catalog->objects, catalog->count * sizeof *grown);
        catalog->objects = grown;
        catalog->cap = cap;
    }
    *at = catalog->count;
    catalog->objects[catalog->count++] = (struct patterns_object){
        .kind = is_table ? PATTERNS_OBJECT_TABLE : PATTERNS_OBJECT_VIEW, .statement = statement, .name = name
    };
    return 0;
}

int patterns_catalog_drop(struct patterns_catalog *catalog, struct patterns_binder *binder,
                          const struct patterns_statement *statement)
{
    const struct patterns_drop *drop = &statement->drop;
    struct base_str name = drop->name.parts[drop->name.count - 1].text;
    const struct patterns_object *object = patterns_catalog_find(catalog, name);
    enum patterns_object_kind kind = drop->what == PATTERNS_DROP_TABLE ? PATTERNS_OBJECT_TABLE : PATTERNS_OBJECT_VIEW;
    char text[PATTERNS_MAX_IDENT_BYTES + 1];
    struct base_str key;
    if (object && object->kind == kind) {
        if (fold(name, text, sizeof text, &key))
            base_map_remove(&catalog->names, key);
        return 0;
    }
    if (!object && drop->if_exists)
        return 0;
    const char *what = kind == PATTERNS_OBJECT_TABLE ? "table" : "view";
    struct base_str near = patterns_catalog_nearest(catalog, name);
    const char *hint =
        near.len ? base_arena_printf(binder->arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr) : NULL;
    return patterns_refuse_at(binder, statement->source, drop->name.begin, drop->name.end, "unknown-table", hint,
                              "there is no %s \"%.*s\"", what, (int)name.len, name.ptr);
}

int patterns_catalog_table(struct patterns_catalog *catalog, struct patterns_binder *binder,
                           struct patterns_object *object)
{
    if (object->state == PATTERNS_OBJECT_READY)
        return 0;
    if (object->state == PATTERNS_OBJECT_FAILED)
        return BASE_E_SYNTAX;
    int error = patterns_table_resolve(catalog, binder, object->statement, &object->table);
    if (error != BASE_E_NOMEM)
        object->state = error ? PATTERNS_OBJECT_FAILED : PATTERNS_OBJECT_READY;
    return error;
}

struct base_str patterns_table_setting(const struct patterns_table_info *table, const char *key)
{
    for (uint32_t i = 0; i < table->setting_count; i++)
        if (base_str_equal(table->settings[i].key, base_str_of(key)))
            return table->settings[i].value;
    return (struct base_str){ NULL, 0 };
}

/* ---- ${NAME} ---- */

static int variable_value(const struct patterns_catalog *catalog, struct patterns_binder *binder,
                          const struct base_source *source, uint32_t begin, uint32_t end, struct base_str name,
                          struct base_str *ret)
{
    /* ${NAME:-otherwise} as in a shell. */
    struct base_str otherwise = { NULL, 0 };
    for (size_t i = 0; i + 1 < name.len; i++)
        if (name.ptr[i] == ':' && name.ptr[i + 1] == '-') {
            otherwise = (struct base_str){ name.ptr + i + 2, name.len - i - 2 };
            name.len = i;
            break;
        }
    if (catalog->variable && catalog->variable(catalog->variable_ctx, name, ret))
        return 0;
    if (otherwise.ptr) {
        *ret = otherwise;
        return 0;
    }
    return patterns_refuse_at(binder, source, begin, end, "bad-option",
                              "set it in the configuration's \"variables\" or in the environment",
                              "variable ${%.*s} is not set", (int)name.len, name.ptr);
}

int patterns_substitute(const struct patterns_catalog *catalog, struct patterns_binder *binder,
                        const struct base_source *source, uint32_t begin, uint32_t end, struct base_str text,
                        struct base_str *ret)
{
    struct base_buf buf = { .limit = PATTERNS_MAX_TEXT_BYTES };
    size_t at = 0;
    bool any = false;
    int error = 0;
    while (at < text.len && !error) {
        size_t close = at + 2;
        bool opens = at + 1 < text.len && text.ptr[at] == '$' && text.ptr[at + 1] == '{';
        while (opens && close < text.len && text.ptr[close] != '}')
            close++;
        if (!opens || close >= text.len) {
            base_buf_putc(&buf, text.ptr[at++]);
            continue;
        }
        struct base_str value;
        error = variable_value(catalog, binder, source, begin, end,
                               (struct base_str){ text.ptr + at + 2, close - at - 2 }, &value);
        if (!error)
            base_buf_put_str(&buf, value);
        any = true;
        at = close + 1;
    }
    *ret = text;
    if (!error && any) {
        char *copy = buf.failed ? NULL : base_arena_strndup(binder->arena, buf.ptr ? buf.ptr : "", buf.len);
        *ret = (struct base_str){ copy, buf.len };
        error = copy ? 0 : BASE_E_NOMEM;
    }
    base_buf_finish(&buf);
    return error;
}
