#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "formats/proto_schema.h"
#include "formats/proto_value.h"
#include "formats/wire.h"

#define INDEX_MOST 32 /* nesting of messages in a file */

/* What to do with the wanted fields of a message. */
struct plan;
struct entry {
    const struct formats_proto_field *field;
    const struct formats_wanted *node;
    struct plan *sub;            /* columns inside of it, or NULL; of a map: by wanted child, of the values */
    struct plan **values;
};
struct plan {
    const struct formats_proto_message *message;
    uint32_t count;
    struct entry *entries;
};
/* A message of the schema that records were of. */
struct known {
    const struct formats_proto_message *message;
    struct plan *plan;
    const char *why;             /* why there is no plan */
};
struct formats_proto {
    struct base_arena arena;
    struct formats_proto_schema schema;
    const struct formats_wanted *root;
    const struct formats_proto_message *message; /* named by the table, or NULL */
    struct known *known;
    uint32_t known_count;
};
#define KNOWN_MOST 64

/* ---- plans ---- */

struct making {
    struct base_arena *arena;
    char error[256];
};

static int make(struct making *m, const struct formats_proto_message *message, const struct formats_wanted *node, struct plan **ret);

static int make_map(struct making *m, struct entry *entry)
{
    const struct formats_proto_message *pair = entry->field->message;
    const struct formats_proto_field *value = NULL;
    for (uint32_t i = 0; i < pair->count; i++)
        value = pair->fields[i].number == 2 ? &pair->fields[i] : value;
    entry->values = base_arena_zalloc(m->arena, entry->node->children + 1u, sizeof(struct plan *));
    if (!entry->values)
        return BASE_E_NOMEM;
    int e = 0;
    uint32_t i = 0;
    for (const struct formats_wanted *child = entry->node->child; e == 0 && child; child = child->sibling, i++) {
        if (child->child && value && value->message)
            e = make(m, value->message, child, &entry->values[i]);
    }
    return e;
}

static int make(struct making *m, const struct formats_proto_message *message, const struct formats_wanted *node, struct plan **ret)
{
    struct plan *plan = *ret = base_arena_zalloc(m->arena, 1, sizeof *plan);
    if (!plan)
        return BASE_E_NOMEM;
    plan->message = message;
    plan->entries = base_arena_zalloc(m->arena, node->children + 1u, sizeof *plan->entries);
    if (!plan->entries)
        return BASE_E_NOMEM;
    int e = 0;
    for (const struct formats_wanted *child = node->child; e == 0 && child; child = child->sibling) {
        for (uint32_t i = 0; i < message->count; i++) {
            const struct formats_proto_field *field = &message->fields[i];
            if (!base_str_equal(child->name, base_str_of(field->name)))
                continue;
            struct entry *entry = &plan->entries[plan->count++];
            entry->field = field;
            entry->node = child;
            if (!child->child)
                continue;
            if (!field->message || (field->repeated && !field->map)) {
                snprintf(m->error, sizeof m->error, "Protobuf schema: \"%s\" holds columns, but is no message", field->name);
                return BASE_E_CONFIG;
            }
            e = field->map ? make_map(m, entry) : make(m, field->message, child, &entry->sub);
        }
    }
    return e;
}

static const struct formats_proto_message *named(const struct formats_proto_message *const *list, uint32_t count, struct base_str name, int depth)
{
    for (uint32_t i = 0; i < count; i++) {
        struct base_str full = base_str_of(list[i]->name);
        bool last = full.len > name.len && full.ptr[full.len - name.len - 1] == '.' && base_str_ends(full, name);
        if (base_str_equal(full, name) || last)
            return list[i];
        const struct formats_proto_message *inner = depth < INDEX_MOST ? named(list[i]->nested, list[i]->nested_count, name, depth + 1) : NULL;
        if (inner)
            return inner;
    }
    return NULL;
}

static int know(struct formats_proto *proto, const struct formats_proto_message *message, struct known **ret)
{
    for (uint32_t i = 0; i < proto->known_count; i++) {
        if (proto->known[i].message == message) {
            *ret = &proto->known[i];
            return 0;
        }
    }
    struct making m = { .arena = &proto->arena };
    struct known known = { .message = message };
    int e = make(&m, message, proto->root, &known.plan);
    if (e == BASE_E_CONFIG) {
        known.plan = NULL;
        known.why = base_arena_strndup(&proto->arena, m.error, strlen(m.error));
        e = known.why ? 0 : BASE_E_NOMEM;
    }
    if (e < 0)
        return e;
    if (proto->known_count == KNOWN_MOST) /* plans stay in the arena: schemas have few messages that are records */
        return BASE_E_LIMIT;
    *ret = &proto->known[proto->known_count];
    proto->known[proto->known_count++] = known;
    return 0;
}

int formats_proto_create(const struct formats_plan_ask *ask, struct formats_proto **ret, char *ret_error, size_t error_bytes)
{
    struct formats_proto *proto = base_calloc(1, sizeof *proto);
    snprintf(ret_error, error_bytes, "out of memory");
    if (!proto)
        return BASE_E_NOMEM;
    proto->root = ask->root;
    int e = formats_proto_parse(ask->texts, ask->text_count, &proto->arena, &proto->schema, ret_error, error_bytes);
    if (e == 0 && proto->schema.count == 0) {
        snprintf(ret_error, error_bytes, "Protobuf schema: it has no message");
        e = BASE_E_CONFIG;
    }
    if (e == 0 && ask->message.len) {
        proto->message = named(proto->schema.top, proto->schema.count, ask->message, 0);
        if (!proto->message) {
            snprintf(ret_error, error_bytes, "Protobuf schema: it has no message \"%.*s\"", (int)ask->message.len, ask->message.ptr);
            e = BASE_E_CONFIG;
        }
    }
    proto->known = e == 0 ? base_arena_zalloc(&proto->arena, KNOWN_MOST, sizeof *proto->known) : NULL;
    struct known *first = NULL;
    if (e == 0)
        e = proto->known ? know(proto, proto->message ? proto->message : proto->schema.top[0], &first) : BASE_E_NOMEM;
    if (e == 0 && first->why && proto->message) {
        snprintf(ret_error, error_bytes, "%s", first->why);
        e = BASE_E_CONFIG;
    }
    if (e < 0) {
        formats_proto_destroy(proto);
        return e;
    }
    *ret = proto;
    return 0;
}

void formats_proto_destroy(struct formats_proto *proto)
{
    if (!proto)
        return;
    base_arena_finish(&proto->arena);
    base_free(proto);
}

/* ---- running ---- */

static int run(struct formats_walk *w, const struct plan *plan, const uint8_t *end);

/* Columns at an entry whose value, of wire type wire, begins here; leaves w->at behind it. */
static int take(struct formats_walk *w, const struct entry *entry, unsigned wire, const uint8_t *end, const uint8_t *message_begin)
{
    const uint8_t *start = w->at;
    int e = 0;
    for (uint32_t s = entry->node->slot; e == 0 && s != CEP_NONE; s = w->slots->same[s]) {
        struct cep_value *value = &w->slots->values[s];
        w->at = start;
        if (!entry->field->repeated) {
            e = formats_proto_value(w, entry->field, wire, end, s, w->slots->types[s], value);
        } else if (value->null) { /* all occurrences at once, at the first */
            w->at = message_begin;
            e = formats_proto_repeated(w, entry->field, end, s, w->slots->types[s], value);
        }
    }
    w->at = start;
    return e;
}

/* A pair of a map: the value of a wanted key. */
static int run_pair(struct formats_walk *w, const struct entry *entry, const uint8_t *end)
{
    struct formats_proto_pair pair;
    int e = formats_proto_read_pair(w, entry->field->message, end, &pair);
    uint32_t i = 0;
    for (const struct formats_wanted *child = entry->node->child; e == 0 && child; child = child->sibling, i++) {
        if (!base_str_equal(child->name, pair.key))
            continue;
        for (uint32_t s = child->slot; e == 0 && s != CEP_NONE; s = w->slots->same[s])
            e = formats_proto_pair_value(w, &pair, s, w->slots->types[s], &w->slots->values[s]);
        if (e == 0 && entry->values[i] && pair.at) {
            w->at = pair.at;
            const uint8_t *inner_end;
            e = formats_proto_enter(w, end, &inner_end);
            if (e == 0)
                e = run(w, entry->values[i], inner_end);
        }
    }
    return e;
}

static int run_entry(struct formats_walk *w, const struct entry *entry, unsigned wire, const uint8_t *end, const uint8_t *begin)
{
    int e = entry->node->slot != CEP_NONE ? take(w, entry, wire, end, begin) : 0;
    if (e < 0 || (!entry->sub && !entry->values) || wire != FORMATS_PROTO_WIRE_BYTES)
        return e;
    const uint8_t *start = w->at, *inner_end;
    e = formats_proto_enter(w, end, &inner_end);
    if (e == 0)
        e = entry->sub ? run(w, entry->sub, inner_end) : run_pair(w, entry, inner_end);
    w->at = start;
    return e;
}

/* Fields that are not there: zero where they have no presence, an empty list where they are repeated. */
static int absent(struct formats_walk *w, const struct plan *plan)
{
    int e = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct entry *entry = &plan->entries[i];
        for (uint32_t s = entry->node->slot; e == 0 && s != CEP_NONE; s = w->slots->same[s]) {
            if (w->slots->values[s].null && (entry->field->implicit || entry->field->repeated))
                e = formats_proto_zero(w, entry->field, s, w->slots->types[s], &w->slots->values[s]);
        }
    }
    return e;
}

static int run(struct formats_walk *w, const struct plan *plan, const uint8_t *end)
{
    const uint8_t *begin = w->at;
    if (++w->depth > FORMATS_PROTO_DEPTH)
        return formats_walk_bad(w, "nested too deeply");
    while (w->at < end) {
        uint32_t number;
        unsigned wire;
        int e = formats_proto_tag(w, end, &number, &wire);
        if (e < 0)
            return e;
        for (uint32_t i = 0; e == 0 && i < plan->count; i++) {
            if (plan->entries[i].field->number == number && formats_proto_fits(plan->entries[i].field, wire))
                e = run_entry(w, &plan->entries[i], wire, end, begin);
        }
        if (e == 0)
            e = formats_proto_skip(w, wire, number, end);
        if (e < 0)
            return e;
    }
    w->depth--;
    return absent(w, plan);
}

/* The message's place in its file, as Confluent's serialiser writes it: a count and so many indexes, or one 0 for the first message. */
static int read_index(struct formats_proto *proto, struct formats_walk *w, const struct formats_proto_message **ret)
{
    int64_t count, index;
    const struct formats_proto_message *const *list = proto->schema.top;
    uint32_t len = proto->schema.count;
    int e = formats_proto_zigzag(w, w->end, &count);
    if (e < 0)
        return e;
    *ret = list[0];
    if (count < 0 || count > INDEX_MOST)
        return formats_walk_bad(w, "the index of its message is none");
    for (int64_t i = 0; i < count; i++) {
        e = formats_proto_zigzag(w, w->end, &index);
        if (e < 0)
            return e;
        if (index < 0 || index >= (int64_t)len)
            return formats_walk_bad(w, "the schema has no message of its index");
        *ret = list[index];
        list = (*ret)->nested;
        len = (*ret)->nested_count;
    }
    return 0;
}

int formats_proto_run(struct formats_proto *proto, struct formats_walk *w, bool indexed)
{
    const struct formats_proto_message *message = proto->message ? proto->message : proto->schema.top[0], *own = message;
    struct known *known = NULL;
    int e = indexed ? read_index(proto, w, &own) : 0;
    if (e < 0)
        return e;
    if (indexed && !proto->message)
        message = own;
    if (message != own && indexed)
        return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, 0, "the record is a message \"%s\", not \"%s\"", own->name, message->name);
    e = know(proto, message, &known);
    if (e == BASE_E_LIMIT)
        return formats_walk_bad(w, "too many different messages of one schema");
    if (e < 0)
        return e;
    if (known->why)
        return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, 0, "%s", known->why);
    return run(w, known->plan, w->end);
}
