#include "formats/wire.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "formats/registry.h"
#include "formats/schema_file.h"

#define SCHEMAS_MOST 1024          /* known ids; beyond it all are forgotten and asked for again */
#define ASK_AGAIN_US 1000000       /* pause after a registry that could not be asked */
#define UNKNOWN_AGAIN_US 30000000  /* how long an id stays unknown */
#define HEAD_BYTES 5               /* magic byte and id of Confluent's wire format */

/* A schema with its plan; neither plan: why names what is wrong with it. */
struct schema {
    uint32_t id;
    struct formats_avro *avro;
    struct formats_proto *proto;
    char *why;
    int64_t again_us;              /* unknown ids: ask again then; 0: never */
};
struct formats_wire {
    struct formats_decoder *decoder;
    char prefix[64];               /* of its options: the format's name */
    bool key, proto, confluent, debezium;
    struct base_arena arena;
    struct formats_wanted *root;
    struct formats_slots slots;    /* one set of columns; with an envelope before, after and op */
    struct base_buf packed;
    struct formats_registry *registry;
    struct base_str reader, message;
    struct schema *schemas;
    size_t schema_count;
    struct schema *last;
    int64_t ask_again_us;
    int trouble_code;
};

/* ---- problems ---- */

int formats_walk_bad(struct formats_walk *w, const char *what)
{
    return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, (uint64_t)(w->at - w->begin), "the record does not fit its schema: %s, at byte %zu", what,
                               (size_t)(w->at - w->begin));
}

int formats_walk_misfit(struct formats_walk *w, uint32_t slot, int code, struct cep_type from, struct cep_value value)
{
    struct base_buf text = { .limit = 4096 };
    if (code == BASE_E_NOMEM)
        return code;
    if (slot / 2 >= w->decoder->field_count && slot == w->slots->count - 1)
        return formats_walk_bad(w, "\"op\" is no text");
    uint32_t f = slot % w->decoder->field_count;
    if (from.kind == CEP_KIND_STRING)
        base_buf_put(&text, value.s.ptr, value.s.len < 512 ? value.s.len : 512);
    else
        cep_value_print_json(from, value, &text);
    int e = formats_problem_value(w->decoder, code, f, (uint64_t)(w->at - w->begin), (struct base_str){ text.ptr, text.len });
    base_buf_finish(&text);
    return e;
}

/* ---- options ---- */

static const struct { const char *name; bool proto, confluent, debezium; } FORMATS[] = {
    { "avro", false, false, false }, { "avro-confluent", false, true, false }, { "debezium-avro-confluent", false, true, true },
    { "protobuf", true, false, false }, { "protobuf-confluent", true, true, false },
};

bool formats_wire_knows(struct base_str format)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
        if (base_str_equal_fold(format, base_str_of(FORMATS[i].name)))
            return true;
    }
    return false;
}

/* Option "<format>.<name>", also with "value." or "key." before it as Flink's connectors write it. */
static struct base_str option(const struct formats_wire *wire, const char *name)
{
    char key[160];
    snprintf(key, sizeof key, "%s%s.%s", wire->key ? "key." : "", wire->prefix, name);
    struct base_str value = formats_decoder_option(wire->decoder, key);
    if (!value.ptr) {
        snprintf(key, sizeof key, "%s%s.%s", wire->key ? "" : "value.", wire->prefix, name);
        value = formats_decoder_option(wire->decoder, key);
    }
    return value;
}

static int open_registry(struct formats_wire *wire, char *ret_error, size_t error_bytes)
{
    struct formats_registry_options options = { .url = option(wire, "url"), .user_info = option(wire, "basic-auth.user-info"),
                                                .token = option(wire, "bearer-auth.token"), .ca_file = option(wire, "ssl.ca-file") };
    if (!options.url.ptr)
        options.url = option(wire, "schema-registry.url"); /* its older name */
    if (!options.url.ptr) {
        snprintf(ret_error, error_bytes, "option '%s.url' is missing: the address of the schema registry, e.g. 'http://registry:8081'", wire->prefix);
        return BASE_E_CONFIG;
    }
    return formats_registry_create(&options, &wire->registry, ret_error, error_bytes);
}

/* ---- schemas ---- */

static void schema_finish(struct schema *schema)
{
    formats_avro_destroy(schema->avro);
    formats_proto_destroy(schema->proto);
    base_free(schema->why);
    *schema = (struct schema){ 0 };
}

static void forget_schemas(struct formats_wire *wire)
{
    for (size_t i = 0; i < wire->schema_count; i++)
        schema_finish(&wire->schemas[i]);
    wire->schema_count = 0;
    wire->last = NULL;
}

static struct schema *find(struct formats_wire *wire, uint32_t id)
{
    if (wire->last && wire->last->id == id)
        return wire->last;
    for (size_t i = 0; i < wire->schema_count; i++) {
        if (wire->schemas[i].id == id)
            return wire->last = &wire->schemas[i];
    }
    return NULL;
}

/* Makes the plan; a schema that is bad is kept with its reason. BASE_E_NOMEM only. */
static int plan(struct formats_wire *wire, struct schema *schema, const struct formats_schema_text *texts, size_t count)
{
    char why[320] = "";
    struct formats_plan_ask ask = { .texts = texts, .text_count = count, .reader = wire->reader, .message = wire->message, .root = wire->root, .slots = &wire->slots,
                                    .times = &wire->decoder->times };
    int e = wire->proto ? formats_proto_create(&ask, &schema->proto, why, sizeof why) : formats_avro_create(&ask, &schema->avro, why, sizeof why);
    if (e == BASE_E_NOMEM)
        return e;
    if (e < 0)
        schema->why = base_strndup(why, strlen(why));
    return e < 0 && !schema->why ? BASE_E_NOMEM : 0;
}

static int trouble(struct formats_wire *wire, int code, const struct base_buf *why)
{
    snprintf(wire->decoder->trouble, sizeof wire->decoder->trouble, "%s", why->len ? why->ptr : base_error_text(code));
    wire->trouble_code = code;
    wire->ask_again_us = base_clock_mono_us() + ASK_AGAIN_US;
    return code;
}

static int fetch(struct formats_wire *wire, uint32_t id, struct schema *schema)
{
    struct base_arena arena = { 0 };
    struct base_buf why = { .limit = 2048 };
    const struct formats_schema_text *texts = NULL;
    struct base_str type;
    size_t count = 0;
    int e = formats_registry_get(wire->registry, id, &arena, &texts, &count, &type, &why);
    if (e == 0 && !base_str_equal_fold(type, wire->proto ? BASE_STR("PROTOBUF") : BASE_STR("AVRO"))) {
        base_buf_printf(&why, "it is of type %.*s", (int)type.len, type.ptr);
        e = BASE_E_MALFORMED;
    }
    if (e == 0) {
        e = plan(wire, schema, texts, count);
    } else if (e == BASE_E_NOTFOUND || e == BASE_E_MALFORMED || e == BASE_E_INVALID || e == BASE_E_LIMIT) {
        schema->why = base_strndup(why.len ? why.ptr : "", why.len);
        schema->again_us = base_clock_mono_us() + UNKNOWN_AGAIN_US;
        e = schema->why ? 0 : BASE_E_NOMEM;
    } else if (e != BASE_E_NOMEM) {
        e = trouble(wire, e, &why);
    }
    base_buf_finish(&why);
    base_arena_finish(&arena);
    return e;
}

static bool head_id(struct base_str bytes, uint32_t *ret)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    if (bytes.len < HEAD_BYTES || at[0] != 0)
        return false;
    *ret = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
    return true;
}

int formats_wire_prepare(struct formats_wire *wire, struct base_str bytes)
{
    uint32_t id;
    if (!wire->confluent || !head_id(bytes, &id))
        return 0;
    struct schema *known = find(wire, id);
    if (known && (!known->again_us || base_clock_mono_us() < known->again_us))
        return 0;
    if (base_clock_mono_us() < wire->ask_again_us)
        return wire->trouble_code;
    struct schema fresh = { .id = id };
    int e = fetch(wire, id, &fresh);
    if (e < 0) {
        schema_finish(&fresh);
        return e;
    }
    wire->decoder->trouble[0] = '\0';
    if (known) {
        schema_finish(known);
        *known = fresh;
        return 0;
    }
    if (wire->schema_count == SCHEMAS_MOST)
        forget_schemas(wire);
    wire->schemas[wire->schema_count++] = fresh;
    return 0;
}

/* ---- records ---- */

static int walk(struct formats_wire *wire, struct base_str bytes, struct base_arena *arena)
{
    struct formats_decoder *decoder = wire->decoder;
    struct schema *schema = wire->confluent ? NULL : &wire->schemas[0];
    size_t head = 0;
    uint32_t id;
    if (wire->confluent) {
        if (!head_id(bytes, &id))
            return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "the record does not begin with a 0 byte and the id of a schema (Confluent's wire format)");
        head = HEAD_BYTES;
        schema = find(wire, id);
        if (!schema)
            return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 1, "schema %u is not known", id);
    }
    if (schema->why)
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "schema %u: %s", schema->id, schema->why);
    struct formats_walk w = { .decoder = decoder, .slots = &wire->slots, .arena = arena, .packed = &wire->packed, .begin = (const uint8_t *)bytes.ptr,
                              .at = (const uint8_t *)bytes.ptr + head, .end = (const uint8_t *)bytes.ptr + bytes.len, .budget = 65536 + 16 * (uint64_t)bytes.len };
    for (uint32_t s = 0; s < wire->slots.count; s++)
        wire->slots.values[s] = cep_null();
    return wire->proto ? formats_proto_run(schema->proto, &w, wire->confluent) : formats_avro_run(schema->avro, &w);
}

static void give(struct formats_wire *wire, uint32_t set)
{
    memcpy(wire->decoder->values, wire->slots.values + (size_t)set * wire->decoder->field_count, wire->decoder->field_count * sizeof *wire->decoder->values);
}

int formats_wire_values(struct formats_wire *wire, struct base_str bytes, struct base_arena *arena)
{
    int e = walk(wire, bytes, arena);
    if (e == 0)
        give(wire, 0);
    return e;
}

int formats_wire_decode(struct formats_wire *wire, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row)
{
    int e = walk(wire, record->bytes, arena);
    if (e < 0)
        return e;
    if (!wire->debezium) {
        give(wire, 0);
        return formats_decoder_finish_row(wire->decoder, record, arena, ret_row);
    }
    struct cep_value op = wire->slots.values[wire->slots.count - 1];
    bool gone = !op.null && op.s.len == 1 && op.s.ptr[0] == 'd';
    give(wire, gone ? 0 : 1);
    return formats_decoder_finish_change(wire->decoder, record, op.null ? (struct base_str){ 0 } : (struct base_str){ op.s.ptr, op.s.len }, arena, ret_row);
}

/* ---- life ---- */

static int make_wanted(struct formats_wire *wire, char *ret_error, size_t error_bytes)
{
    struct formats_decoder *decoder = wire->decoder;
    uint32_t fields = decoder->field_count;
    wire->slots.count = wire->debezium ? 2 * fields + 1 : fields;
    wire->root = base_arena_zalloc(&wire->arena, 1, sizeof *wire->root);
    wire->slots.same = base_arena_zalloc(&wire->arena, wire->slots.count + 1u, sizeof *wire->slots.same);
    wire->slots.types = base_arena_zalloc(&wire->arena, wire->slots.count + 1u, sizeof *wire->slots.types);
    wire->slots.values = base_arena_zalloc(&wire->arena, wire->slots.count + 1u, sizeof *wire->slots.values);
    wire->schemas = base_calloc(wire->confluent ? SCHEMAS_MOST : 1, sizeof *wire->schemas);
    if (!wire->root || !wire->slots.same || !wire->slots.types || !wire->slots.values || !wire->schemas)
        return BASE_E_NOMEM;
    wire->root->slot = CEP_NONE;
    if (!wire->debezium)
        return formats_wanted_columns(decoder, wire->root, &wire->slots, 0, &wire->arena, ret_error, error_bytes);
    static const char *const names[] = { "before", "after" };
    for (uint32_t set = 0; set < 2; set++) {
        struct formats_wanted *image = formats_wanted_child(wire->root, base_str_of(names[set]), &wire->arena);
        int e = image ? formats_wanted_columns(decoder, image, &wire->slots, set * fields, &wire->arena, ret_error, error_bytes) : BASE_E_NOMEM;
        if (e < 0)
            return e;
    }
    struct formats_wanted *op = formats_wanted_child(wire->root, BASE_STR("op"), &wire->arena);
    if (!op)
        return BASE_E_NOMEM;
    wire->slots.types[wire->slots.count - 1] = CEP_TYPE(STRING);
    formats_wanted_at(op, &wire->slots, wire->slots.count - 1);
    return 0;
}

/* The one schema of a format without registry: a file, or the option's text. */
static int own_schema(struct formats_wire *wire, char *ret_error, size_t error_bytes)
{
    struct base_str file = option(wire, "schema-file"), text = option(wire, "schema");
    struct formats_schema_text own = { .name = BASE_STR("schema"), .text = text };
    if (file.ptr) {
        int e = formats_schema_file(file, &wire->arena, &own.text, ret_error, error_bytes);
        if (e < 0)
            return e;
        own.name = file;
    } else if (!text.ptr) {
        snprintf(ret_error, error_bytes, "format '%s' needs a schema: '%s.schema-file' = 'path', or '%s.schema' = 'text'", wire->prefix, wire->prefix, wire->prefix);
        return BASE_E_CONFIG;
    }
    wire->schema_count = 1;
    int e = plan(wire, &wire->schemas[0], &own, 1);
    if (e == 0 && wire->schemas[0].why) {
        snprintf(ret_error, error_bytes, "%s", wire->schemas[0].why);
        e = BASE_E_CONFIG;
    }
    return e;
}

int formats_wire_create(struct formats_decoder *decoder, struct base_str format, bool key, struct formats_wire **ret, char *ret_error, size_t error_bytes)
{
    struct formats_wire *wire = *ret = base_calloc(1, sizeof *wire);
    if (!wire)
        return BASE_E_NOMEM;
    wire->decoder = decoder;
    wire->key = key;
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
        if (!base_str_equal_fold(format, base_str_of(FORMATS[i].name)))
            continue;
        snprintf(wire->prefix, sizeof wire->prefix, "%s", FORMATS[i].name);
        wire->proto = FORMATS[i].proto;
        wire->confluent = FORMATS[i].confluent;
        wire->debezium = FORMATS[i].debezium;
    }
    wire->message = option(wire, "message-name");
    wire->reader = option(wire, "reader-schema");
    int e = make_wanted(wire, ret_error, error_bytes);
    if (e < 0)
        return e;
    if (!wire->confluent)
        return own_schema(wire, ret_error, error_bytes);
    if (!wire->reader.ptr && !wire->proto)
        wire->reader = option(wire, "schema"); /* as Flink names it */
    return open_registry(wire, ret_error, error_bytes);
}

void formats_wire_destroy(struct formats_wire *wire)
{
    if (!wire)
        return;
    if (wire->schemas)
        forget_schemas(wire);
    base_free(wire->schemas);
    formats_registry_destroy(wire->registry);
    base_buf_finish(&wire->packed);
    base_arena_finish(&wire->arena);
    base_free(wire);
}
