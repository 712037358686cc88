#include "formats/alert.h"

#include <string.h>
#include "base/error.h"
#include "base/hash.h"
#include "base/put.h"
#include "base/time.h"
#include "formats/encode.h"
#include "formats/mask.h"

void formats_alert_id(const struct cep_program *program, uint32_t rule, struct cep_ident ident, char ret[33])
{
    const struct cep_rule *r = cep_program_rule(program, rule);
    formats_alert_id_of(cep_program_text(program, r->name), cep_program_text(program, r->fingerprint), ident, ret);
}

void formats_alert_id_of(struct base_str name, struct base_str fingerprint, struct cep_ident ident, char ret[33])
{
    /* Two hashes of lengths and texts, and the identity: 32 bytes that no other rule or row shares but by collision of the hash. */
    uint8_t bytes[32];
    uint64_t parts[4] = { base_hash64(name.ptr, name.len, 1), base_hash64(fingerprint.ptr, fingerprint.len, 2), ident.hi, ident.lo };
    for (size_t p = 0; p < 4; p++) {
        for (size_t b = 0; b < 8; b++)
            bytes[p * 8 + b] = (uint8_t)(parts[p] >> (8 * b));
    }
    base_hash128_hex(bytes, sizeof bytes, ret);
}

/* Most of an alert is text of known length. */
#define PUT(out, literal) base_put_known((out), (literal), sizeof(literal) - 1)

/* opening: the member's name with all that stands before its value. */
static inline void put_member_of(struct base_buf *out, const char *opening, size_t len, struct base_str text)
{
    base_put_known(out, opening, len);
    base_put_json_between(out, 0, text, 0);
}
#define put_member(out, opening, text) put_member_of((out), (opening), sizeof(opening) - 1, (text))

static inline void put_number_of(struct base_buf *out, const char *opening, size_t len, int64_t number)
{
    base_put_known(out, opening, len);
    base_put_number(out, number);
}
#define put_number(out, opening, number) put_number_of((out), (opening), sizeof(opening) - 1, (number))

static inline void put_time_of(struct base_buf *out, const char *opening, size_t opening_len, int64_t time_ms)
{
    base_put_known(out, opening, opening_len);
    if (time_ms == BASE_TIME_MIN_MS || time_ms == BASE_TIME_MAX_MS)
        PUT(out, "null");
    else
        cep_value_print_json(CEP_TYPE(TIMESTAMP_LTZ), cep_int(time_ms), out);
}
#define put_time(out, opening, time_ms) put_time_of((out), (opening), sizeof(opening) - 1, (time_ms))

static const char *change_name(enum formats_alert_change change)
{
    switch (change) {
    case FORMATS_ALERT_CREATED:
        return "created";
    case FORMATS_ALERT_UPDATED:
        return "updated";
    case FORMATS_ALERT_WITHDRAWN:
        return "withdrawn";
    }
    return "";
}

static const char *kind_name(uint8_t kind)
{
    switch ((enum cep_kind_of_match)kind) {
    case CEP_IS_ROW:
        return "row";
    case CEP_IS_MATCH:
        return "match";
    case CEP_IS_ABSENCE:
        return "absence";
    case CEP_IS_TIMEOUT:
        return "timeout";
    }
    return "row";
}

static struct cep_list key_columns(const struct formats_alert *alert)
{
    if (!alert->event->key || alert->event->key_node == CEP_NONE)
        return (struct cep_list){ 0 };
    return cep_program_node(alert->program, alert->event->key_node)->key_columns;
}

/* Texts of the key columns, parted by '/'. */
static struct base_str subject_text(const struct formats_alert *alert, struct cep_list columns, struct base_buf *text)
{
    for (uint32_t c = 0; c < columns.count; c++) {
        struct cep_type type = cep_program_column(alert->program, columns.first + c)->type;
        struct cep_value value = cep_tuple_get(alert->event->key, c, type);
        if (columns.count == 1 && type.kind == CEP_KIND_STRING && !value.null)
            return (struct base_str){ value.s.ptr, value.s.len };
        if (c > 0)
            base_buf_putc(text, '/');
        if (value.null)
            base_buf_puts(text, "null");
        else
            cep_value_print_text(type, value, text);
    }
    return (struct base_str){ text->ptr, text->len };
}

/* Masked, and cut behind that: half a card number is no longer recognised as one. */
static void put_subject(const struct formats_alert *alert, struct base_buf *out)
{
    struct cep_list columns = key_columns(alert);
    struct base_buf text = { 0 }, masked = { 0 };
    struct base_str subject = subject_text(alert, columns, &text);
    size_t none;
    if (subject.len >= FORMATS_PAN_DIGITS_MIN && formats_find_pan(subject, 0, &none) < subject.len) {
        formats_mask_pan(subject, &masked);
        subject = (struct base_str){ masked.ptr, masked.len };
    }
    out->failed |= text.failed || masked.failed;
    if (subject.len > FORMATS_ALERT_TEXT_BYTES)
        subject.len = base_utf8_check(subject.ptr, FORMATS_ALERT_TEXT_BYTES);
    if (columns.count > 0)
        put_member(out, ",\"subject\":", subject);
    base_buf_finish(&text);
    base_buf_finish(&masked);
}

/* ---- events ---- */

static void put_event(const struct formats_alert *alert, const struct cep_evidence_item *item, struct base_buf *out, bool *inout_cut)
{
    const struct cep_program *program = alert->program;
    const struct cep_position *at = &item->row->at;
    if (at->table < cep_program_table_count(program))
        put_member(out, "{\"source\":{\"table\":", cep_program_text(program, cep_program_table(program, at->table)->name));
    else
        PUT(out, "{\"source\":{\"table\":null");
    put_number(out, ",\"partition\":", at->partition);
    put_number(out, ",\"offset\":", at->offset);
    if (item->var != CEP_NONE && item->var < cep_program_var_count(program))
        put_member(out, "},\"variable\":", cep_program_text(program, cep_program_var(program, item->var)->name));
    else
        PUT(out, "},\"variable\":null");
    put_time(out, ",\"time\":", item->row->time_ms);
    PUT(out, ",\"fields\":");
    struct formats_object fields = { .program = program, .columns = cep_program_schema(program, alert->event->evidence->schema)->columns,
                                     .tuple = &item->row->tuple, .mask = true, .text_limit = FORMATS_ALERT_TEXT_BYTES };
    formats_encode_object(&fields, out, inout_cut);
    PUT(out, "}");
}

/* Beyond the limit: the last one, and from the first on what fits besides. */
static void put_some_events(const struct formats_alert *alert, size_t limit, struct base_buf *out)
{
    const struct cep_evidence *evidence = alert->event->evidence;
    struct base_buf last = { 0 };
    bool cut = false; /* it is, by its end */
    put_event(alert, &evidence->items[evidence->count - 1], &last, &cut);
    size_t first = out->len;
    for (uint32_t i = 0; i + 1 < evidence->count; i++) {
        size_t before = out->len;
        put_event(alert, &evidence->items[i], out, &cut);
        base_buf_putc(out, ',');
        if (out->len - first + last.len > limit && !out->failed) {
            out->len = before;
            break;
        }
    }
    base_buf_put(out, last.ptr, last.len);
    out->failed |= last.failed;
    base_buf_finish(&last);
}

static void put_events(const struct formats_alert *alert, struct base_buf *out, bool *inout_cut)
{
    const struct cep_evidence *evidence = alert->event->evidence;
    size_t limit = alert->evidence_bytes ? alert->evidence_bytes : FORMATS_ALERT_BYTES_DEFAULT;
    uint32_t count = evidence ? evidence->count : 0;
    PUT(out, ",\"events\":[");
    size_t first = out->len;
    bool more = false;
    for (uint32_t i = 0; i < count && !more; i++) {
        if (i > 0)
            PUT(out, ",");
        put_event(alert, &evidence->items[i], out, inout_cut);
        more = count > 1 && out->len - first > limit && !out->failed;
    }
    if (more) {
        out->len = first;
        *inout_cut = true;
        put_some_events(alert, limit, out);
    }
    base_buf_putc(out, ']');
    if (evidence && (evidence->total > evidence->count || *inout_cut))
        put_number(out, ",\"events_total\":", evidence->total > evidence->count ? evidence->total : evidence->count);
    if (evidence && evidence->total > evidence->count)
        *inout_cut = true;
}

/* ---- the whole ---- */

static void put_measures(const struct formats_alert *alert, struct base_buf *out, bool *inout_cut)
{
    struct formats_object measures = { .program = alert->program, .columns = cep_program_schema(alert->program, alert->schema)->columns,
                                       .tuple = &alert->event->row->tuple, .mask = true, .text_limit = FORMATS_ALERT_TEXT_BYTES };
    PUT(out, ",\"measures\":");
    formats_encode_object(&measures, out, inout_cut);
}

static void put_data(const struct formats_alert *alert, struct base_buf *out)
{
    const struct cep_program *program = alert->program;
    const struct cep_rule *rule = cep_program_rule(program, alert->rule);
    const struct cep_event *event = alert->event;
    bool cut = false;
    put_member(out, ",\"data\":{\"alert_id\":", alert->alert_id);
    put_number(out, ",\"revision\":", event->revision);
    PUT(out, ",\"change\":\"");
    base_buf_puts(out, change_name(alert->change));
    base_buf_putc(out, '"');
    put_member(out, ",\"rule\":", cep_program_text(program, rule->name));
    put_number(out, ",\"version\":", rule->version);
    put_member(out, ",\"severity\":", cep_program_text(program, rule->severity));
    put_member(out, ",\"title\":", cep_program_text(program, rule->title));
    put_member(out, ",\"mode\":", cep_program_text(program, rule->mode));
    struct formats_object key = { .program = program, .columns = key_columns(alert), .tuple = event->key, .mask = true, .text_limit = FORMATS_ALERT_TEXT_BYTES };
    PUT(out, ",\"key\":");
    formats_encode_object(&key, out, &cut);
    put_member(out, ",\"kind\":", base_str_of(kind_name(event->kind)));
    put_time(out, ",\"first_event_time\":", event->first_time_ms);
    put_time(out, ",\"last_event_time\":", event->last_time_ms);
    put_measures(alert, out, &cut);
    put_events(alert, out, &cut);
    if (cut)
        PUT(out, ",\"evidence_truncated\":true");
    if (event->limited)
        PUT(out, ",\"limited\":true");
    put_time(out, ",\"detected_at\":", alert->detected_ms);
    base_buf_putc(out, '}');
}

int formats_alert_json(const struct formats_alert *alert, struct base_buf *out)
{
    int64_t time_ms = alert->event->last_time_ms;
    if (time_ms == BASE_TIME_MIN_MS || time_ms == BASE_TIME_MAX_MS)
        time_ms = alert->detected_ms;
    PUT(out, "{\"specversion\":\"1.0\",\"id\":\"");
    base_buf_put_str(out, alert->alert_id);
    put_number(out, ".", alert->event->revision);
    base_buf_putc(out, '"');
    put_member(out, ",\"source\":", alert->source);
    PUT(out, ",\"type\":\"cepheid.alert.");
    base_buf_puts(out, change_name(alert->change));
    PUT(out, ".v1\"");
    put_subject(alert, out);
    put_time(out, ",\"time\":", time_ms);
    PUT(out, ",\"datacontenttype\":\"application/json\"");
    put_data(alert, out);
    base_buf_putc(out, '}');
    return out->failed ? BASE_E_NOMEM : 0;
}
