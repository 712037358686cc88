#include "service/views.h"

#include <string.h>

#include "base/error.h"
#include "cep/keyed.h"
#include "formats/encode.h"

#define KEY_TEXT_MOST 1024 /* bytes of a text that take part in a key: longer ones sort by their beginning */
#define SIGN (UINT64_C(1) << 63)

/* ---- keys whose bytes sort as values do ---- */

static void put_be(struct base_buf *out, uint64_t value)
{
    for (int i = 7; i >= 0; i--)
        base_buf_putc(out, (char)(value >> (8 * i)));
}

static void put_text(struct base_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < KEY_TEXT_MOST; i++) {
        base_buf_putc(out, text[i]);
        if (text[i] == '\0')
            base_buf_putc(out, '\xff'); /* so that the end sorts below it */
    }
    base_buf_putc(out, '\0');
    base_buf_putc(out, '\0');
}

static void put_value(struct base_buf *out, struct cep_type type, struct cep_value value)
{
    base_buf_putc(out, value.null ? '\0' : '\1');
    if (value.null)
        return;
    if (cep_kind_is_text(type.kind)) {
        put_text(out, value.s.ptr, value.s.len);
    } else if (type.kind == CEP_KIND_DECIMAL) {
        put_be(out, (uint64_t)value.dec.hi ^ SIGN);
        put_be(out, value.dec.lo);
    } else if (type.kind == CEP_KIND_DOUBLE) {
        uint64_t bits;
        memcpy(&bits, &value.d, sizeof bits);
        put_be(out, bits & SIGN ? ~bits : bits | SIGN);
    } else {
        put_be(out, (uint64_t)value.i ^ SIGN);
    }
}

/* ---- writing ---- */

int service_views_row(struct service_host *host, uint32_t node, const struct cep_event *event)
{
    const struct cep_program *program = host->shared->program;
    const struct cep_node *n = cep_program_node(program, node);
    const struct cep_table *table = cep_program_table(program, cep_program_sink(program, n->detail)->detail);
    struct cep_list columns = cep_program_schema(program, n->schema)->columns;
    struct base_buf *key = &host->key_scratch;
    base_buf_clear(key);
    put_be(key, n->fingerprint);
    for (uint32_t i = 0; i < table->key_fields.count; i++) {
        uint32_t column = *cep_program_u32(program, table->key_fields.first + i);
        struct cep_type type = cep_program_column(program, columns.first + column)->type;
        put_value(key, type, cep_tuple_get(&event->row->tuple, column, type));
    }
    /* The same row may leave one owner and come to another: their changes meet in no order. */
    put_be(key, event->ident.hi ^ event->key_hash);
    put_be(key, event->ident.lo ^ event->row->at.place);
    if (key->failed)
        return BASE_E_NOMEM;
    struct base_str at = { key->ptr, key->len };
    uint32_t group = (uint32_t)(event->key_hash % CEP_KEY_GROUPS);
    if (event->row->change == CEP_DELETE || event->row->change == CEP_UPDATE_BEFORE)
        return service_batch_delete(host->part->changes, SERVICE_CF_VIEWS, group, at);
    const struct formats_object object = { .program = program, .columns = columns, .tuple = &event->row->tuple, .mask = true };
    bool cut = false;
    base_buf_clear(&host->scratch);
    formats_encode_object(&object, &host->scratch, &cut);
    if (host->scratch.failed)
        return BASE_E_NOMEM;
    service_count(host->shared->metrics, SERVICE_METRIC_OUTPUT_ROWS, 1);
    return service_batch_put(host->part->changes, SERVICE_CF_VIEWS, group, at, (struct base_str){ host->scratch.ptr, host->scratch.len });
}

int service_views_forget(struct service_batch *batch, uint64_t fingerprint)
{
    struct base_buf from = { 0 }, to = { 0 };
    put_be(&from, fingerprint);
    for (int i = 0; i < (fingerprint == UINT64_MAX ? 64 : 0); i++) /* behind all keys of the last fingerprint */
        base_buf_putc(&to, '\xff');
    if (fingerprint != UINT64_MAX)
        put_be(&to, fingerprint + 1);
    int e = from.failed || to.failed ? BASE_E_NOMEM
                                     : service_batch_delete_range(batch, SERVICE_CF_VIEWS, SERVICE_STORE_NO_GROUP, (struct base_str){ from.ptr, from.len },
                                                                  (struct base_str){ to.ptr, to.len });
    base_buf_finish(&from);
    base_buf_finish(&to);
    return e;
}

/* ---- reading ---- */

bool service_views_at(const struct cep_program *program, uint32_t n, struct service_view *ret)
{
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        if (node->kind != CEP_NODE_SINK || cep_program_sink(program, node->detail)->kind != CEP_SINK_VIEW || n-- > 0)
            continue;
        const struct cep_table *table = cep_program_table(program, cep_program_sink(program, node->detail)->detail);
        *ret = (struct service_view){ .program = program, .name = cep_program_text(program, table->name), .fingerprint = node->fingerprint,
                                      .columns = cep_program_schema(program, node->schema)->columns, .key = table->key_fields };
        return true;
    }
    return false;
}

bool service_views_find(const struct cep_program *program, struct base_str name, struct service_view *ret)
{
    for (uint32_t i = 0; service_views_at(program, i, ret); i++)
        if (base_str_equal_fold(ret->name, name))
            return true;
    return false;
}

int service_views_prefix(const struct service_view *view, struct base_str key, struct base_buf *out, uint32_t *ret_column)
{
    struct base_arena arena = { 0 };
    int e = 0;
    put_be(out, view->fingerprint);
    for (uint32_t i = 0; i < view->key.count && key.ptr && e == 0; i++) {
        uint32_t column = *cep_program_u32(view->program, view->key.first + i);
        struct cep_type type = cep_program_column(view->program, view->columns.first + column)->type;
        const char *comma = i + 1 < view->key.count ? memchr(key.ptr, ',', key.len) : NULL;
        struct base_str text = { key.ptr, comma ? (size_t)(comma - key.ptr) : key.len };
        struct cep_value value = cep_string(text.ptr, text.len);
        *ret_column = column;
        if (!cep_type_equal(type, CEP_TYPE(STRING)))
            e = cep_value_cast(CEP_TYPE(STRING), type, value, &arena, &value);
        if (e == 0)
            put_value(out, type, value);
        key = comma ? (struct base_str){ comma + 1, key.len - text.len - 1 } : (struct base_str){ 0 };
    }
    base_arena_finish(&arena);
    return e ? e : out->failed ? BASE_E_NOMEM : 0;
}

int service_views_each(struct service_store *store, struct base_str prefix, struct base_str after, service_store_visit *visit, void *ctx)
{
    struct service_cursor *cursor = NULL;
    struct service_range range = { .from = after.len ? after : prefix };
    struct base_str key, value;
    int e = service_cursor_open(store, SERVICE_CF_VIEWS, &range, &cursor);
    while (e == 0) {
        e = service_cursor_next(cursor, &key, &value);
        if (e)
            break;
        if (key.len < prefix.len || memcmp(key.ptr, prefix.ptr, prefix.len) != 0)
            e = BASE_E_EOF;
        else if (!base_str_equal(key, after))
            e = visit(ctx, key, value);
    }
    service_cursor_close(cursor);
    return e == BASE_E_EOF ? 0 : e;
}
