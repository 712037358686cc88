#include "formats/avro_schema.h"

#include <string.h>
#include "base/error.h"

#define TEXT_MOST (4u << 20)
#define NAME_MOST 1024

struct parse {
    struct formats_avro_schemas *schemas;
    struct base_arena *arena;
    int depth;
};

static int any_type(struct parse *p, json_t *json, struct base_str space, const struct formats_avro_type **ret);

static int refuse(struct parse *p, const char *what, struct base_str name)
{
    const char *text = base_arena_printf(p->arena, "Avro schema: %s%s%.*s%s", what, name.len ? " \"" : "", (int)(name.len < 200 ? name.len : 200),
                                         name.ptr ? name.ptr : "", name.len ? "\"" : "");
    p->schemas->error = text ? text : "out of memory";
    return text ? BASE_E_CONFIG : BASE_E_NOMEM;
}

static struct base_str text_of(const json_t *json)
{
    return json_is_string(json) ? (struct base_str){ json_string_value(json), json_string_length(json) } : (struct base_str){ 0 };
}

static struct formats_avro_type *new_type(struct parse *p, enum formats_avro_kind kind)
{
    struct formats_avro_type *type = base_arena_zalloc(p->arena, 1, sizeof *type);
    if (type)
        type->kind = kind;
    return type;
}

static bool primitive(struct base_str name, enum formats_avro_kind *ret)
{
    static const char *const names[] = { "null", "boolean", "int", "long", "float", "double", "bytes", "string" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (base_str_equal(name, base_str_of(names[i]))) {
            *ret = (enum formats_avro_kind)i;
            return true;
        }
    }
    return false;
}

/* Full name; *ret_space its namespace. */
static int full_name(struct parse *p, struct base_str name, struct base_str own_space, struct base_str space, struct base_str *ret, struct base_str *ret_space)
{
    const char *dot = NULL;
    for (size_t i = 0; i < name.len; i++)
        dot = name.ptr[i] == '.' ? name.ptr + i : dot;
    if (name.len > NAME_MOST || own_space.len > NAME_MOST)
        return refuse(p, "a name is too long", (struct base_str){ 0 });
    *ret = name;
    *ret_space = own_space.ptr ? own_space : space;
    if (dot) {
        *ret_space = (struct base_str){ name.ptr, (size_t)(dot - name.ptr) };
        return 0;
    }
    if (!ret_space->len)
        return 0;
    char *full = base_arena_printf(p->arena, "%.*s.%.*s", (int)ret_space->len, ret_space->ptr, (int)name.len, name.ptr);
    if (!full)
        return BASE_E_NOMEM;
    *ret = base_str_of(full);
    return 0;
}

static int named_type(struct parse *p, struct base_str name, struct base_str space, const struct formats_avro_type **ret)
{
    enum formats_avro_kind kind;
    if (primitive(name, &kind)) {
        *ret = new_type(p, kind);
        return *ret ? 0 : BASE_E_NOMEM;
    }
    struct base_str full, inner;
    int e = full_name(p, name, (struct base_str){ 0 }, space, &full, &inner);
    if (e < 0)
        return e;
    const uint64_t *known = base_map_find(&p->schemas->names, full);
    if (!known)
        known = base_map_find(&p->schemas->names, name);
    if (!known)
        return refuse(p, "unknown type", name);
    *ret = (const struct formats_avro_type *)(uintptr_t)*known;
    return 0;
}

/* Logical types; those of Kafka Connect and Debezium, which say it in "connect.name", beside Avro's own. */
static void logical(const json_t *json, struct formats_avro_type *type)
{
    static const struct { const char *name; enum formats_avro_kind kind; enum formats_avro_logical logical; } table[] = {
        { "date", FORMATS_AVRO_INT, FORMATS_AVRO_DATE }, { "time-millis", FORMATS_AVRO_INT, FORMATS_AVRO_TIME_MS },
        { "time-micros", FORMATS_AVRO_LONG, FORMATS_AVRO_TIME_US }, { "timestamp-millis", FORMATS_AVRO_LONG, FORMATS_AVRO_TIMESTAMP_MS },
        { "timestamp-micros", FORMATS_AVRO_LONG, FORMATS_AVRO_TIMESTAMP_US }, { "timestamp-nanos", FORMATS_AVRO_LONG, FORMATS_AVRO_TIMESTAMP_NS },
        { "local-timestamp-millis", FORMATS_AVRO_LONG, FORMATS_AVRO_LOCAL_MS }, { "local-timestamp-micros", FORMATS_AVRO_LONG, FORMATS_AVRO_LOCAL_US },
        { "local-timestamp-nanos", FORMATS_AVRO_LONG, FORMATS_AVRO_LOCAL_NS }, { "uuid", FORMATS_AVRO_STRING, FORMATS_AVRO_UUID },
        { "uuid", FORMATS_AVRO_FIXED, FORMATS_AVRO_UUID }, { "decimal", FORMATS_AVRO_BYTES, FORMATS_AVRO_DECIMAL },
        { "decimal", FORMATS_AVRO_FIXED, FORMATS_AVRO_DECIMAL }, { "io.debezium.time.Date", FORMATS_AVRO_INT, FORMATS_AVRO_DATE },
        { "io.debezium.time.Time", FORMATS_AVRO_INT, FORMATS_AVRO_TIME_MS }, { "io.debezium.time.MicroTime", FORMATS_AVRO_LONG, FORMATS_AVRO_TIME_US },
        { "io.debezium.time.Timestamp", FORMATS_AVRO_LONG, FORMATS_AVRO_LOCAL_MS },
        { "io.debezium.time.MicroTimestamp", FORMATS_AVRO_LONG, FORMATS_AVRO_LOCAL_US },
        { "io.debezium.time.NanoTimestamp", FORMATS_AVRO_LONG, FORMATS_AVRO_LOCAL_NS },
    };
    struct base_str name = text_of(json_object_get(json, "logicalType"));
    if (!name.ptr)
        name = text_of(json_object_get(json, "connect.name"));
    for (size_t i = 0; name.ptr && i < sizeof table / sizeof table[0]; i++) {
        if (table[i].kind == type->kind && base_str_equal(name, base_str_of(table[i].name)))
            type->logical = table[i].logical;
    }
    if (type->logical == FORMATS_AVRO_UUID && type->kind == FORMATS_AVRO_FIXED && type->size != 16)
        type->logical = FORMATS_AVRO_PLAIN;
    if (type->logical != FORMATS_AVRO_DECIMAL)
        return;
    json_int_t precision = json_integer_value(json_object_get(json, "precision")), scale = json_integer_value(json_object_get(json, "scale"));
    /* By the specification an invalid logical type is ignored; one that is beyond 38 digits is read and may overflow. */
    if (precision < 1 || scale < 0 || scale > precision || scale > 38)
        type->logical = FORMATS_AVRO_PLAIN;
    type->precision = (uint8_t)(precision > 38 ? 38 : precision);
    type->scale = (uint8_t)scale;
}

static int field(struct parse *p, json_t *json, struct base_str space, struct formats_avro_field *ret)
{
    ret->name = text_of(json_object_get(json, "name"));
    json_t *type = json_object_get(json, "type"), *aliases = json_object_get(json, "aliases");
    if (!ret->name.len || !type)
        return refuse(p, "a field has no name or no type", ret->name);
    ret->fallback = json_object_get(json, "default");
    struct base_str *names = base_arena_zalloc(p->arena, json_array_size(aliases) + 1, sizeof *names);
    if (!names)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < json_array_size(aliases); i++)
        names[ret->alias_count++] = text_of(json_array_get(aliases, i));
    ret->aliases = names;
    return any_type(p, type, space, &ret->type);
}

static int body_of(struct parse *p, json_t *json, struct base_str space, struct formats_avro_type *type)
{
    json_t *list = json_object_get(json, type->kind == FORMATS_AVRO_RECORD ? "fields" : "symbols");
    if (type->kind == FORMATS_AVRO_FIXED) {
        json_int_t size = json_integer_value(json_object_get(json, "size"));
        if (size < 0 || size > FORMATS_AVRO_FIXED_MOST)
            return refuse(p, "a bad size of the fixed type", type->name);
        type->size = (uint32_t)size;
        logical(json, type);
        return 0;
    }
    if (!json_is_array(list) || json_array_size(list) > UINT16_MAX)
        return refuse(p, "no list of fields or symbols in", type->name);
    type->count = (uint32_t)json_array_size(list);
    if (type->kind == FORMATS_AVRO_ENUM) {
        type->symbols = base_arena_zalloc(p->arena, type->count + 1u, sizeof *type->symbols);
        for (uint32_t i = 0; type->symbols && i < type->count; i++)
            type->symbols[i] = text_of(json_array_get(list, i));
        return type->symbols ? 0 : BASE_E_NOMEM;
    }
    type->fields = base_arena_zalloc(p->arena, type->count + 1u, sizeof *type->fields);
    int e = type->fields ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < type->count; i++)
        e = field(p, json_array_get(list, i), space, &type->fields[i]);
    return e;
}

/* RECORD, ENUM, FIXED: known by its name before its body is read, since it may hold itself. */
static int definition(struct parse *p, json_t *json, enum formats_avro_kind kind, struct base_str space, const struct formats_avro_type **ret)
{
    struct base_str inner, name = text_of(json_object_get(json, "name"));
    struct formats_avro_type *type = new_type(p, kind);
    if (!type)
        return BASE_E_NOMEM;
    if (!name.len)
        return refuse(p, "a record, enum or fixed type has no name", name);
    int e = full_name(p, name, text_of(json_object_get(json, "namespace")), space, &type->name, &inner);
    if (e < 0)
        return e;
    uint64_t *at = base_map_put(&p->schemas->names, type->name, NULL);
    if (!at)
        return BASE_E_NOMEM;
    *at = (uint64_t)(uintptr_t)type;
    *ret = type;
    return body_of(p, json, inner, type);
}

static int container(struct parse *p, json_t *json, enum formats_avro_kind kind, struct base_str space, const struct formats_avro_type **ret)
{
    struct formats_avro_type *type = new_type(p, kind);
    json_t *inner = json_object_get(json, kind == FORMATS_AVRO_ARRAY ? "items" : "values");
    if (!type)
        return BASE_E_NOMEM;
    if (!inner)
        return refuse(p, "an array without items or a map without values", (struct base_str){ 0 });
    type->items = base_arena_zalloc(p->arena, 1, sizeof *type->items);
    type->count = 1;
    *ret = type;
    return type->items ? any_type(p, inner, space, &type->items[0]) : BASE_E_NOMEM;
}

static int union_type(struct parse *p, json_t *json, struct base_str space, const struct formats_avro_type **ret)
{
    struct formats_avro_type *type = new_type(p, FORMATS_AVRO_UNION);
    size_t n = json_array_size(json);
    if (n == 0 || n > 1024)
        return refuse(p, "a union of no or of too many types", (struct base_str){ 0 });
    if (type)
        type->items = base_arena_zalloc(p->arena, n, sizeof *type->items);
    if (!type || !type->items)
        return BASE_E_NOMEM;
    int e = 0;
    for (size_t i = 0; e == 0 && i < n; i++) {
        e = any_type(p, json_array_get(json, i), space, &type->items[i]);
        if (e == 0 && type->items[i]->kind == FORMATS_AVRO_UNION)
            e = refuse(p, "a union directly in a union", (struct base_str){ 0 });
    }
    type->count = (uint32_t)n;
    *ret = type;
    return e;
}

static int object_type(struct parse *p, json_t *json, struct base_str space, const struct formats_avro_type **ret)
{
    json_t *inner = json_object_get(json, "type");
    struct base_str name = text_of(inner);
    enum formats_avro_kind kind;
    if (!name.ptr)
        return inner ? any_type(p, inner, space, ret) : refuse(p, "an object without \"type\"", name);
    if (base_str_equal(name, BASE_STR("record")) || base_str_equal(name, BASE_STR("error")))
        return definition(p, json, FORMATS_AVRO_RECORD, space, ret);
    if (base_str_equal(name, BASE_STR("enum")))
        return definition(p, json, FORMATS_AVRO_ENUM, space, ret);
    if (base_str_equal(name, BASE_STR("fixed")))
        return definition(p, json, FORMATS_AVRO_FIXED, space, ret);
    if (base_str_equal(name, BASE_STR("array")))
        return container(p, json, FORMATS_AVRO_ARRAY, space, ret);
    if (base_str_equal(name, BASE_STR("map")))
        return container(p, json, FORMATS_AVRO_MAP, space, ret);
    if (!primitive(name, &kind))
        return named_type(p, name, space, ret);
    struct formats_avro_type *type = new_type(p, kind);
    if (!type)
        return BASE_E_NOMEM;
    logical(json, type);
    *ret = type;
    return 0;
}

static int any_type(struct parse *p, json_t *json, struct base_str space, const struct formats_avro_type **ret)
{
    if (++p->depth > FORMATS_AVRO_DEPTH)
        return refuse(p, "nested too deeply", (struct base_str){ 0 });
    int e;
    if (json_is_string(json))
        e = named_type(p, text_of(json), space, ret);
    else if (json_is_array(json))
        e = union_type(p, json, space, ret);
    else if (json_is_object(json))
        e = object_type(p, json, space, ret);
    else
        e = refuse(p, "a type is a name, an object or a list", (struct base_str){ 0 });
    p->depth--;
    return e;
}

int formats_avro_parse(struct formats_avro_schemas *schemas, struct base_str text, const struct formats_avro_type **ret)
{
    struct parse p = { .schemas = schemas, .arena = &schemas->arena };
    json_error_t error;
    if (text.len > TEXT_MOST)
        return refuse(&p, "the text is too long", (struct base_str){ 0 });
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json) {
        /* A bare name without quotes is how some tools write a schema of a primitive type. */
        json = base_str_trim(text).len && base_str_trim(text).len < 64 ? json_stringn(base_str_trim(text).ptr, base_str_trim(text).len) : NULL;
        if (!json)
            return refuse(&p, "the text is no JSON:", base_str_of(error.text));
    }
    if (!schemas->texts)
        schemas->texts = json_array();
    if (!schemas->texts || json_array_append_new(schemas->texts, json) != 0)
        return BASE_E_NOMEM;
    int e = any_type(&p, json, (struct base_str){ 0 }, ret);
    return e == 0 && schemas->arena.failed ? BASE_E_NOMEM : e;
}

void formats_avro_schemas_finish(struct formats_avro_schemas *schemas)
{
    json_decref(schemas->texts);
    base_map_finish(&schemas->names);
    base_arena_finish(&schemas->arena);
    *schemas = (struct formats_avro_schemas){ 0 };
}

int formats_avro_null_branch(const struct formats_avro_type *type)
{
    for (uint32_t i = 0; type->kind == FORMATS_AVRO_UNION && i < type->count; i++) {
        if (type->items[i]->kind == FORMATS_AVRO_NULL)
            return (int)i;
    }
    return -1;
}
