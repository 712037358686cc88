#include "patterns/table.h"

#include <string.h>
#include "base/error.h"
#include "patterns/fold.h"
#include "patterns/types.h"

/* A table on its way. */
struct making {
    struct patterns_catalog *catalog;
    struct patterns_binder *binder;
    const struct patterns_statement *statement;
    const struct patterns_create_table *text;
    struct patterns_table_info *info;
};

/* ---- options ---- */

/* A file, standard input and standard output part records by line ends, which the bytes of a binary record may hold. */
static int check_format(struct making *m)
{
    static const char *const by_line[] = { "filesystem", "stdin", "stdout", "print" };
    static const char *const binary[] = { "avro", "avro-confluent", "protobuf", "protobuf-confluent", "debezium-avro-confluent" };
    struct base_str connector = patterns_table_setting(m->info, "connector");
    bool lines = false;
    for (size_t i = 0; i < sizeof by_line / sizeof by_line[0]; i++)
        lines = lines || base_str_equal_fold(connector, base_str_of(by_line[i]));
    for (uint32_t i = 0; lines && i < m->text->option_count; i++) {
        const struct patterns_option *o = &m->text->options[i];
        struct base_str value = m->info->settings[i].value;
        bool names = base_str_equal(o->key, BASE_STR("format")) || base_str_equal(o->key, BASE_STR("value.format"));
        for (size_t k = 0; names && k < sizeof binary / sizeof binary[0]; k++)
            if (base_str_equal_fold(value, base_str_of(binary[k])))
                return patterns_refuse_at(m->binder, m->statement->source, o->value_begin, o->value_end, "bad-option",
                                          "write 'json' or 'csv', or take 'connector' = 'kafka', where each record is a message of its own",
                                          "'connector' = '%.*s' parts records by line ends, which '%.*s' does not keep", (int)connector.len,
                                          connector.ptr, (int)value.len, value.ptr);
    }
    return 0;
}

static int resolve_options(struct making *m)
{
    struct patterns_table_info *info = m->info;
    int first = 0;
    info->settings =
        base_arena_zalloc(m->binder->arena, m->text->option_count ? m->text->option_count : 1, sizeof *info->settings);
    if (!info->settings)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < m->text->option_count; i++) {
        const struct patterns_option *o = &m->text->options[i];
        struct patterns_setting *s = &info->settings[info->setting_count++];
        s->key = o->key;
        for (uint32_t k = 0; k < i; k++)
            if (base_str_equal(info->settings[k].key, o->key))
                first = patterns_refuse_at(m->binder, m->statement->source, o->key_begin, o->key_end, "duplicate-name",
                                           NULL, "option '%.*s' is given twice", (int)o->key.len, o->key.ptr);
        int error = patterns_substitute(m->catalog, m->binder, m->statement->source, o->value_begin, o->value_end,
                                        o->value, &s->value);
        first = first ? first : error;
    }
    if (!first && !patterns_table_setting(info, "connector").ptr)
        return patterns_refuse_at(
            m->binder, m->statement->source, m->text->name.begin, m->text->name.end, "bad-option",
            "add WITH ('connector' = 'kafka' | 'filesystem' | 'stdin' | 'datagen' | 'print', ...)",
            "table \"%.*s\" has no 'connector'", (int)info->name.len, info->name.ptr);
    return first ? first : check_format(m);
}

/* Does the source end by itself? */
static bool is_bounded(const struct patterns_table_info *info)
{
    struct base_str connector = patterns_table_setting(info, "connector");
    if (base_str_equal(connector, BASE_STR("filesystem")))
        return !base_str_equal(patterns_table_setting(info, "source.follow"), BASE_STR("true")) &&
               !patterns_table_setting(info, "source.monitor-interval").ptr;
    if (base_str_equal(connector, BASE_STR("datagen")))
        return patterns_table_setting(info, "number-of-rows").ptr != NULL;
    if (base_str_equal(connector, BASE_STR("kafka")))
        return patterns_table_setting(info, "scan.bounded.mode").ptr != NULL;
    if (base_str_equal(connector, BASE_STR("postgresql")) || base_str_equal(connector, BASE_STR("jdbc")))
        return !patterns_table_setting(info, "scan.column").ptr;
    return base_str_equal(connector, BASE_STR("stdin"));
}

static void hash_table(struct patterns_table_info *info)
{
    char folded[PATTERNS_MAX_IDENT_BYTES + 1];
    size_t n = info->name.len < sizeof folded ? info->name.len : sizeof folded;
    for (size_t i = 0; i < n; i++)
        folded[i] =
            info->name.ptr[i] >= 'A' && info->name.ptr[i] <= 'Z' ? (char)(info->name.ptr[i] + 32) : info->name.ptr[i];
    uint64_t h = patterns_hash_text(1, (struct base_str){ folded, n });
    h = patterns_hash_text(h, patterns_table_setting(info, "connector"));
    info->hash = patterns_hash_text(h, patterns_table_setting(info, "topic"));
}

/* ---- columns ---- */

static uint32_t count_fields(const struct patterns_type *type)
{
    uint32_t n = 1;
    if (type && type->kind == PATTERNS_TYPE_ROW)
        for (uint32_t i = 0; i < type->field_count; i++)
            n += count_fields(type->fields[i].type);
    return n;
}

static int add_field(struct making *m, const struct patterns_column *column, const struct patterns_field_place *place)
{
    struct patterns_column c = *column;
    c.qualifier = m->info->name;
    uint64_t h = patterns_hash_mix(m->info->hash, (uint64_t)place->metadata);
    c.hash = patterns_hash_type(patterns_hash_text(h, place->path.len ? place->path : c.name), c.type);
    uint32_t at = patterns_relation_add(&m->info->fields, m->binder->arena, &c);
    if (at == PATTERNS_NO_COLUMN)
        return BASE_E_NOMEM;
    m->info->places[at] = *place;
    return 0;
}

/* Hidden fields below a ROW column: `path` is theirs relative to the column. */
static int add_nested(struct making *m, const struct patterns_column *parent, const struct patterns_field_place *place,
                      const struct patterns_type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct patterns_field *f = &type->fields[i];
        struct patterns_column c = *parent;
        struct patterns_field_place p = *place;
        const char *full = base_arena_printf(m->binder->arena, "%.*s%c%.*s", (int)place->path.len, place->path.ptr,
                                             PATTERNS_PATH_SEPARATOR, (int)f->name.text.len, f->name.text.ptr);
        if (!full)
            return BASE_E_NOMEM;
        p.path = base_str_of(full);
        p.not_null = false;
        c.path = base_str_of(full + parent->name.len + 1);
        c.hidden = true;
        c.not_null = false;
        int error = patterns_type_resolve(m->binder, f->type, &c.type);
        if (!error)
            error = add_field(m, &c, &p);
        if (!error && f->type->kind == PATTERNS_TYPE_ROW)
            error = add_nested(m, parent, &p, f->type);
        if (error)
            return error;
    }
    return 0;
}

static int metadata_of(struct making *m, const struct patterns_column_def *def, enum cep_metadata *ret)
{
    static const struct {
        const char *key;
        enum cep_metadata what;
    } known[] = { { "timestamp", CEP_META_TIMESTAMP }, { "partition", CEP_META_PARTITION },
                  { "offset", CEP_META_OFFSET },       { "key", CEP_META_KEY },
                  { "topic", CEP_META_TOPIC },         { "file", CEP_META_FILE },
                  { "file.path", CEP_META_FILE },      { "file.name", CEP_META_FILE } };
    struct base_str key = def->metadata_key.len ? def->metadata_key : def->name.text;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (base_str_equal_fold(key, base_str_of(known[i].key))) {
            *ret = known[i].what;
            return 0;
        }
    return patterns_refuse_at(m->binder, m->statement->source, def->begin, def->end, "bad-option",
                              "known are timestamp, partition, offset, key, topic, file", "there is no metadata '%.*s'",
                              (int)key.len, key.ptr);
}

static int check_duplicate_column(struct making *m, const struct patterns_column_def *def, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        const struct patterns_ident *other = &m->text->columns[i].name;
        if (patterns_name_equal(other->text, other->quoted, def->name.text, def->name.quoted))
            return patterns_refuse_at(m->binder, m->statement->source, def->name.begin, def->name.end, "duplicate-name",
                                      NULL, "column \"%.*s\" is declared twice", (int)def->name.text.len,
                                      def->name.text.ptr);
    }
    return 0;
}

static int add_columns(struct making *m)
{
    uint32_t total = 1, ordinal = 0;
    int first = 0;
    for (uint32_t i = 0; i < m->text->column_count; i++)
        total += count_fields(m->text->columns[i].type);
    if (total > CEP_COLUMNS_MAX)
        return patterns_refuse_at(m->binder, m->statement->source, m->text->name.begin, m->text->name.end, "limit",
                                  NULL, "a table has at most %d columns, nested ones included", CEP_COLUMNS_MAX - 1);
    m->info->places = base_arena_zalloc(m->binder->arena, total, sizeof *m->info->places);
    if (!m->info->places)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < m->text->column_count; i++) {
        const struct patterns_column_def *def = &m->text->columns[i];
        int error = check_duplicate_column(m, def, i);
        first = first ? first : error;
        if (def->kind == PATTERNS_COLUMN_COMPUTED)
            continue;
        struct patterns_column c = { .name = def->name.text,
                                     .quoted = def->name.quoted,
                                     .not_null = def->type->not_null };
        struct patterns_field_place p = { .path = def->name.text, .ordinal = ordinal, .not_null = def->type->not_null };
        if (!error)
            error = patterns_type_resolve(m->binder, def->type, &c.type);
        if (!error && def->kind == PATTERNS_COLUMN_METADATA) {
            p.path = (struct base_str){ "", 0 };
            error = metadata_of(m, def, &p.metadata);
        } else {
            ordinal++;
        }
        if (!error)
            error = add_field(m, &c, &p);
        if (!error && def->kind == PATTERNS_COLUMN_PHYSICAL && def->type->kind == PATTERNS_TYPE_ROW)
            error = add_nested(m, &c, &p, def->type);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    m->info->declared_columns = ordinal;
    return first;
}

/* ---- computed columns ---- */

/* `ts AS TO_TIMESTAMP_LTZ(ms, 3)` and its like, behind a watermark: the decoder itself reads numbers and texts as
 * timestamps, so the column becomes one more field of the record. Anything else would be known only behind the decoder,
 * too late to tell lateness. */
static const struct patterns_bound *decodable(const struct patterns_bound *bound)
{
    const struct patterns_bound *arg = NULL;
    if (bound->kind == PATTERNS_BOUND_CALL &&
        (strcmp(bound->func->name, "TO_TIMESTAMP_LTZ") == 0 ||
         (strcmp(bound->func->name, "TO_TIMESTAMP") == 0 && bound->arg_count == 1)))
        arg = bound->args[0];
    else if (bound->kind == PATTERNS_BOUND_CAST && cep_kind_is_time(bound->type.kind))
        arg = bound->args[0];
    while (arg && arg->kind == PATTERNS_BOUND_CAST)
        arg = arg->args[0];
    return arg && arg->kind == PATTERNS_BOUND_COLUMN ? arg : NULL;
}

static bool is_watermark_column(const struct making *m, const struct patterns_column_def *def)
{
    const struct patterns_watermark *w = m->text->watermark;
    return w && w->column.count == 1 &&
           patterns_name_equal(w->column.parts[0].text, w->column.parts[0].quoted, def->name.text, def->name.quoted);
}

static int bind_computed(struct making *m, const struct patterns_column_def *def, const struct patterns_bound **ret)
{
    const struct patterns_scope scope = { .relation = &m->info->fields, .where = "a computed column" };
    int error = patterns_bind_expr(m->binder, &scope, def->expr, ret);
    if (error || !is_watermark_column(m, def) || (*ret)->kind == PATTERNS_BOUND_COLUMN)
        return error;
    const struct patterns_bound *from = decodable(*ret);
    if (!from || m->info->places[from->column].metadata)
        return patterns_refuse(m->binder, def->expr, "not-supported",
                               "use TO_TIMESTAMP_LTZ(column, 3), TO_TIMESTAMP(column) or CAST(column AS TIMESTAMP(3))",
                               "the event time cannot be computed by this expression");
    struct patterns_column c = {
        .name = def->name.text, .quoted = def->name.quoted, .type = (*ret)->type, .hidden = true
    };
    c.path = BASE_STR("\x1f"); /* reached through the computed column only */
    struct patterns_field_place p = m->info->places[from->column];
    error = add_field(m, &c, &p);
    if (error)
        return error;
    *ret = patterns_bound_column(m->binder, def->expr, &m->info->fields, m->info->fields.count - 1);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* Copies a field and the hidden ones behind it into the declared columns. */
static int declare_field(struct making *m, uint32_t *at)
{
    struct patterns_table_info *info = m->info;
    do {
        uint32_t to = patterns_relation_add(&info->columns, m->binder->arena, &info->fields.columns[*at]);
        if (to == PATTERNS_NO_COLUMN ||
            !(info->values[to] = patterns_bound_column(m->binder, NULL, &info->fields, *at)))
            return BASE_E_NOMEM;
        (*at)++;
    } while (*at < info->fields.count && info->fields.columns[*at].hidden &&
             info->fields.columns[*at].path.ptr[0] != PATTERNS_PATH_SEPARATOR);
    return 0;
}

static int declare_columns(struct making *m)
{
    struct patterns_table_info *info = m->info;
    uint32_t at = 0;
    int first = 0;
    info->values = base_arena_zalloc(m->binder->arena, (size_t)info->fields.count + m->text->column_count + 1,
                                     sizeof *info->values);
    if (!info->values)
        return BASE_E_NOMEM;
    bool computed = false;
    for (uint32_t i = 0; i < m->text->column_count; i++) {
        const struct patterns_column_def *def = &m->text->columns[i];
        if (def->kind != PATTERNS_COLUMN_COMPUTED) {
            int error = declare_field(m, &at);
            if (error)
                return error;
            continue;
        }
        const struct patterns_bound *value;
        computed = true;
        int error = bind_computed(m, def, &value);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
        if (error)
            continue;
        struct patterns_column c = { .name = def->name.text,
                                     .quoted = def->name.quoted,
                                     .qualifier = info->name,
                                     .type = value->type,
                                     .hash = value->hash };
        uint32_t to = patterns_relation_add(&info->columns, m->binder->arena, &c);
        if (to == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
        info->values[to] = value;
    }
    if (!computed)
        info->values = NULL;
    return first;
}

/* ---- watermark and key ---- */

static int refuse_watermark(struct making *m, const char *hint, const char *message)
{
    const struct patterns_watermark *w = m->text->watermark;
    return patterns_refuse_at(m->binder, m->statement->source, w->begin, w->end, "type-mismatch", hint, "%s", message);
}

static bool same_name(const struct patterns_expr *expr, const struct patterns_name *name)
{
    if (expr->kind != PATTERNS_EXPR_NAME || expr->name.count != name->count)
        return false;
    for (uint32_t i = 0; i < name->count; i++)
        if (!patterns_name_equal(expr->name.parts[i].text, expr->name.parts[i].quoted, name->parts[i].text,
                                 name->parts[i].quoted))
            return false;
    return true;
}

static int resolve_watermark(struct making *m)
{
    const struct patterns_watermark *w = m->text->watermark;
    struct patterns_table_info *info = m->info;
    struct patterns_name_part parts[8];
    uint32_t column = 0;
    if (!w)
        return 0;
    for (uint32_t i = 0; i < w->column.count && i < 8; i++)
        parts[i] = (struct patterns_name_part){ w->column.parts[i].text, w->column.parts[i].quoted };
    if (w->column.count > 8 ||
        patterns_relation_find(&info->columns, parts, w->column.count, &column) != PATTERNS_FOUND) {
        struct base_str near = patterns_relation_nearest(&info->columns, w->column.parts[0].text);
        return patterns_refuse_at(
            m->binder, m->statement->source, w->column.begin, w->column.end, "unknown-column",
            near.len ? base_arena_printf(m->binder->arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr) : NULL,
            "unknown column \"%.*s\"", (int)w->column.parts[0].text.len, w->column.parts[0].text.ptr);
    }
    if (!cep_kind_is_time(info->columns.columns[column].type.kind))
        return refuse_watermark(m,
                                "declare it TIMESTAMP_LTZ(3) (epoch numbers are read as such), or add a computed "
                                "column: ts AS TO_TIMESTAMP_LTZ(ms, 3)",
                                "the watermark's column must be TIMESTAMP(3) or TIMESTAMP_LTZ(3)");
    const struct patterns_expr *e = w->expr;
    if (e->kind == PATTERNS_EXPR_BINARY && e->op == PATTERNS_OP_SUB && same_name(e->args[0], &w->column)) {
        int error = patterns_bind_interval_ms(m->binder, NULL, e->args[1], "the watermark's delay", true,
                                              &info->watermark_delay_ms);
        if (error)
            return error;
    } else if (!same_name(e, &w->column)) {
        return refuse_watermark(m, "write WATERMARK FOR ts AS ts - INTERVAL '5' SECOND",
                                "a watermark is its column, or its column minus a constant interval");
    }
    info->columns.rowtime = column;
    const struct patterns_bound *value = info->values ? info->values[column] : NULL;
    info->rowtime_field = value ? value->column : column;
    info->fields.rowtime = info->rowtime_field;
    return 0;
}

static int resolve_key(struct making *m)
{
    struct patterns_table_info *info = m->info;
    info->key = base_arena_zalloc(m->binder->arena, m->text->primary_key_count ? m->text->primary_key_count : 1,
                                  sizeof *info->key);
    if (!info->key)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < m->text->primary_key_count; i++) {
        const struct patterns_ident *name = &m->text->primary_key[i];
        struct patterns_name_part part = { name->text, name->quoted };
        uint32_t column = 0;
        if (patterns_relation_find(&info->fields, &part, 1, &column) != PATTERNS_FOUND) {
            struct base_str near = patterns_relation_nearest(&info->fields, name->text);
            return patterns_refuse_at(m->binder, m->statement->source, name->begin, name->end, "unknown-column",
                                      near.len ? base_arena_printf(m->binder->arena, "did you mean \"%.*s\"?",
                                                                   (int)near.len, near.ptr)
                                               : NULL,
                                      "PRIMARY KEY names \"%.*s\", which is no physical column", (int)name->text.len,
                                      name->text.ptr);
        }
        info->key[info->key_count++] = column;
    }
    return 0;
}

int patterns_table_resolve(struct patterns_catalog *catalog, struct patterns_binder *binder,
                           const struct patterns_statement *statement, struct patterns_table_info **ret)
{
    const struct patterns_create_table *text = &statement->create_table;
    struct patterns_table_info *info = base_arena_zalloc(binder->arena, 1, sizeof *info);
    struct making m = { catalog, binder, statement, text, info };
    *ret = NULL;
    if (!info)
        return BASE_E_NOMEM;
    info->name = text->name.parts[text->name.count - 1].text;
    info->statement = statement;
    info->rowtime_field = PATTERNS_NO_COLUMN;
    info->fields.rowtime = info->columns.rowtime = PATTERNS_NO_COLUMN;
    int options_error = resolve_options(&m);
    if (options_error == BASE_E_NOMEM)
        return options_error;
    info->fields.bounded = info->columns.bounded = is_bounded(info);
    hash_table(info);
    int error = add_columns(&m);
    if (!error)
        error = declare_columns(&m);
    if (!error)
        error = resolve_watermark(&m);
    if (!error)
        error = resolve_key(&m);
    error = error ? error : options_error;
    if (!error)
        *ret = info;
    return error;
}
