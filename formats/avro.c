#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "formats/avro_schema.h"
#include "formats/avro_value.h"
#include "formats/wire.h"

/* What to do with a value of a type: walk into it where children are wanted, take it where columns stand at it. */
struct plan {
    const struct formats_avro_type *type;
    const struct formats_wanted *node;
    struct plan **sub;    /* RECORD: by field, UNION: by branch (NULL: skip), MAP: by wanted child */
};
struct preset { uint32_t slot; struct cep_value value; };
struct formats_avro {
    struct formats_avro_schemas schemas;
    struct plan *root;
    struct preset *presets; /* columns that the writer's schema lacks and the reader's has a default for */
    uint32_t preset_count;
};
struct making {
    struct formats_avro *avro;
    const struct formats_plan_ask *ask;
    char *error;
    size_t error_bytes;
};

/* ---- plans ---- */

static const struct formats_avro_type *record_of(const struct formats_avro_type *type)
{
    if (!type || type->kind != FORMATS_AVRO_UNION)
        return type;
    for (uint32_t i = 0; i < type->count; i++) {
        if (type->items[i]->kind == FORMATS_AVRO_RECORD)
            return type->items[i];
    }
    return NULL;
}

static const struct formats_avro_field *field_named(const struct formats_avro_type *record, struct base_str name)
{
    for (uint32_t i = 0; record && record->kind == FORMATS_AVRO_RECORD && i < record->count; i++) {
        if (base_str_equal(record->fields[i].name, name))
            return &record->fields[i];
    }
    return NULL;
}

/* The wanted child that a field of the writer is for, by its name or by an alias that the reader gives. */
static const struct formats_wanted *wanted_of(const struct formats_wanted *node, const struct formats_avro_type *writer, struct base_str name,
                                              const struct formats_avro_type *reader)
{
    for (const struct formats_wanted *child = node->child; child; child = child->sibling) {
        if (base_str_equal(child->name, name))
            return child;
    }
    for (const struct formats_wanted *child = node->child; child; child = child->sibling) {
        const struct formats_avro_field *own = field_named(reader, child->name);
        for (uint32_t a = 0; own && !field_named(writer, child->name) && a < own->alias_count; a++) {
            if (base_str_equal(own->aliases[a], name))
                return child;
        }
    }
    return NULL;
}

static int preset(struct making *m, const struct formats_wanted *node, const struct formats_avro_type *type, json_t *fallback)
{
    struct formats_avro *avro = m->avro;
    for (uint32_t s = node->slot; s != CEP_NONE; s = m->ask->slots->same[s]) {
        struct preset *at = &avro->presets[avro->preset_count];
        int e = formats_avro_default(type, fallback, m->ask->times, m->ask->slots->types[s], &avro->schemas.arena, &at->value);
        if (e < 0) {
            snprintf(m->error, m->error_bytes, "Avro schema: the default of \"%.*s\" is no value of its column", (int)node->name.len, node->name.ptr);
            return e == BASE_E_NOMEM ? e : BASE_E_CONFIG;
        }
        at->slot = s;
        avro->preset_count++;
    }
    const struct formats_avro_type *record = record_of(type);
    int e = 0;
    for (const struct formats_wanted *child = node->child; e == 0 && child; child = child->sibling) {
        char name[256];
        const struct formats_avro_field *field = field_named(record, child->name);
        snprintf(name, sizeof name, "%.*s", (int)child->name.len, child->name.ptr);
        json_t *inner = json_object_get(fallback, name);
        if (field && !inner && json_is_object(fallback))
            inner = field->fallback;
        if (field && inner)
            e = preset(m, child, field->type, inner);
    }
    return e;
}

static int make(struct making *m, const struct formats_avro_type *type, const struct formats_wanted *node, const struct formats_avro_type *reader,
                struct plan **ret);

static int make_record(struct making *m, struct plan *plan, const struct formats_avro_type *reader)
{
    const struct formats_avro_type *type = plan->type;
    int e = 0;
    reader = record_of(reader);
    for (uint32_t i = 0; e == 0 && i < type->count; i++) {
        const struct formats_wanted *child = wanted_of(plan->node, type, type->fields[i].name, reader);
        const struct formats_avro_field *own = child ? field_named(reader, child->name) : NULL;
        if (child)
            e = make(m, type->fields[i].type, child, own ? own->type : NULL, &plan->sub[i]);
    }
    for (const struct formats_wanted *child = plan->node->child; e == 0 && child; child = child->sibling) {
        const struct formats_avro_field *own = field_named(reader, child->name);
        bool there = false;
        for (uint32_t i = 0; i < type->count; i++)
            there = there || (plan->sub[i] && plan->sub[i]->node == child);
        if (!there && own && own->fallback)
            e = preset(m, child, own->type, own->fallback);
    }
    return e;
}

static int make(struct making *m, const struct formats_avro_type *type, const struct formats_wanted *node, const struct formats_avro_type *reader,
                struct plan **ret)
{
    struct base_arena *arena = &m->avro->schemas.arena;
    struct plan *plan = base_arena_zalloc(arena, 1, sizeof *plan);
    if (!plan)
        return BASE_E_NOMEM;
    plan->type = type;
    plan->node = node;
    *ret = plan;
    bool record = type->kind == FORMATS_AVRO_RECORD, map = type->kind == FORMATS_AVRO_MAP, either = type->kind == FORMATS_AVRO_UNION;
    if (!either && !((record || map) && node->child)) {
        if (!node->child || type->kind == FORMATS_AVRO_NULL)
            return 0;
        snprintf(m->error, m->error_bytes, "Avro schema: \"%.*s\" holds columns, but is no record", (int)node->name.len, node->name.ptr ? node->name.ptr : "");
        return BASE_E_CONFIG;
    }
    uint32_t count = map ? node->children : type->count;
    plan->sub = base_arena_zalloc(arena, count + 1u, sizeof(struct plan *));
    if (!plan->sub)
        return BASE_E_NOMEM;
    if (record)
        return make_record(m, plan, reader);
    int e = 0;
    uint32_t i = 0;
    for (const struct formats_wanted *child = node->child; map && e == 0 && child; child = child->sibling)
        e = make(m, type->items[0], child, NULL, &plan->sub[i++]);
    for (; either && e == 0 && i < count; i++) {
        /* A branch that can hold no columns is an error only if a record comes in it. */
        uint8_t kind = (uint8_t)type->items[i]->kind;
        if (!node->child || kind == FORMATS_AVRO_NULL || kind == FORMATS_AVRO_RECORD || kind == FORMATS_AVRO_MAP)
            e = make(m, type->items[i], node, reader, &plan->sub[i]);
    }
    return e;
}

int formats_avro_create(const struct formats_plan_ask *ask, struct formats_avro **ret, char *ret_error, size_t error_bytes)
{
    struct formats_avro *avro = base_calloc(1, sizeof *avro);
    struct making m = { avro, ask, ret_error, error_bytes };
    const struct formats_avro_type *writer = NULL, *reader = NULL;
    snprintf(ret_error, error_bytes, "out of memory");
    if (!avro)
        return BASE_E_NOMEM;
    int e = ask->text_count ? 0 : BASE_E_CONFIG;
    for (size_t i = 0; e == 0 && i < ask->text_count; i++)
        e = formats_avro_parse(&avro->schemas, ask->texts[i].text, &writer);
    if (e == 0 && ask->reader.len) {
        /* Names of the reader's schema must not stand in for the writer's: the writer is parsed already. */
        e = formats_avro_parse(&avro->schemas, ask->reader, &reader);
    }
    if (e == BASE_E_CONFIG)
        snprintf(ret_error, error_bytes, "%s", avro->schemas.error ? avro->schemas.error : "Avro schema: there is none");
    const struct formats_wanted *root = ask->root;
    if (e == 0) {
        avro->presets = base_arena_zalloc(&avro->schemas.arena, ask->slots->count + 1u, sizeof *avro->presets);
        bool whole = writer->kind != FORMATS_AVRO_RECORD && writer->kind != FORMATS_AVRO_MAP && writer->kind != FORMATS_AVRO_UNION;
        if (whole && root->children == 1)
            root = root->child; /* a bare value is the only column */
        e = avro->presets ? make(&m, writer, root, reader, &avro->root) : BASE_E_NOMEM;
    }
    if (e < 0) {
        formats_avro_destroy(avro);
        return e;
    }
    *ret = avro;
    return 0;
}

void formats_avro_destroy(struct formats_avro *avro)
{
    if (!avro)
        return;
    formats_avro_schemas_finish(&avro->schemas);
    base_free(avro);
}

/* ---- running ---- */

static int run(struct formats_walk *w, const struct plan *plan);

/* The value at hand for each column of the node; leaves w->at behind it. */
static int take(struct formats_walk *w, const struct plan *plan)
{
    const uint8_t *start = w->at;
    int e = 0;
    for (uint32_t s = plan->node->slot; e == 0 && s != CEP_NONE; s = w->slots->same[s]) {
        w->at = start;
        e = formats_avro_value(w, plan->type, s, w->slots->types[s], &w->slots->values[s]);
    }
    return e;
}

static int run_map(struct formats_walk *w, const struct plan *plan)
{
    struct formats_avro_blocks blocks = { 0 };
    int e;
    while ((e = formats_avro_next(w, &blocks)) > 0) {
        struct base_str key;
        e = formats_avro_text(w, &key);
        if (e < 0)
            return e;
        uint32_t i = 0;
        const struct formats_wanted *child = plan->node->child;
        for (; child && !base_str_equal(child->name, key); child = child->sibling)
            i++;
        e = child ? run(w, plan->sub[i]) : formats_avro_skip(w, plan->type->items[0]);
        if (e < 0)
            return e;
    }
    return e;
}

static int run(struct formats_walk *w, const struct plan *plan)
{
    const struct formats_avro_type *type = plan->type;
    if (type->kind == FORMATS_AVRO_UNION) {
        uint32_t branch;
        int e = formats_avro_branch(w, type, &branch);
        if (e < 0)
            return e;
        return plan->sub[branch] ? run(w, plan->sub[branch]) : formats_walk_bad(w, "a union holds a value where columns of a record are wanted");
    }
    const uint8_t *start = w->at;
    if (plan->node->slot != CEP_NONE) {
        int e = take(w, plan);
        if (e < 0 || !plan->sub)
            return e;
        w->at = start;
    }
    if (!plan->sub)
        return formats_avro_skip(w, type);
    if (type->kind == FORMATS_AVRO_MAP)
        return run_map(w, plan);
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < type->count; i++)
        e = plan->sub[i] ? run(w, plan->sub[i]) : formats_avro_skip(w, type->fields[i].type);
    return e;
}

int formats_avro_run(const struct formats_avro *avro, struct formats_walk *w)
{
    for (uint32_t i = 0; i < avro->preset_count; i++)
        w->slots->values[avro->presets[i].slot] = avro->presets[i].value;
    int e = run(w, avro->root);
    if (e == 0 && w->at != w->end)
        return formats_walk_bad(w, "bytes stand behind the value");
    return e;
}
