#include "formats/dead_letter.h"

#include "base/error.h"
#include "base/time.h"
#include "formats/mask.h"
#include "formats/text.h"

static void put_text(struct base_buf *out, const char *name, struct base_str text)
{
    base_buf_puts(out, ",\"");
    base_buf_puts(out, name);
    base_buf_puts(out, "\":");
    base_buf_put_json(out, text);
}

static void put_time(struct base_buf *out, const char *name, int64_t time_ms)
{
    char text[40];
    if (time_ms == BASE_TIME_MIN_MS)
        return;
    size_t len = base_time_print(time_ms, true, text);
    put_text(out, name, (struct base_str){ text, len });
}

/* Is it UTF-8, but for a character that the cut went through? */
static size_t utf8_part(struct base_str text, bool cut)
{
    size_t good = base_utf8_check(text.ptr, text.len);
    return good == text.len || (cut && text.len - good < 4) ? good : SIZE_MAX;
}

static void put_record(const struct formats_dead_letter *letter, struct base_buf *out)
{
    struct base_str bytes = letter->record->bytes;
    size_t limit = letter->record_bytes ? letter->record_bytes : FORMATS_DEAD_LETTER_BYTES_DEFAULT;
    size_t looked_at = bytes.len < limit + 64 ? bytes.len : limit + 64; /* a card number at the cut is still seen whole */
    struct base_buf masked = { 0 };
    formats_mask_pan((struct base_str){ bytes.ptr, looked_at }, &masked);
    struct base_str shown = { masked.ptr, masked.len < limit ? masked.len : limit };
    bool cut = bytes.len > shown.len || letter->record->error; /* too long for the source: it kept the beginning */
    size_t text_len = utf8_part(shown, cut);
    if (text_len != SIZE_MAX) {
        put_text(out, "record", (struct base_str){ shown.ptr, text_len });
    } else {
        base_buf_puts(out, ",\"record_base64\":\"");
        formats_base64_encode(shown, out);
        base_buf_putc(out, '"');
    }
    base_buf_printf(out, ",\"record_bytes\":%zu", letter->record->whole_bytes ? (size_t)letter->record->whole_bytes : bytes.len);
    if (cut)
        base_buf_puts(out, ",\"truncated\":true");
    out->failed |= masked.failed;
    base_buf_finish(&masked);
}

int formats_dead_letter_json(const struct formats_dead_letter *letter, struct base_buf *out)
{
    const struct cep_record *record = letter->record;
    base_buf_puts(out, "{\"reason\":");
    base_buf_put_json(out, letter->reason);
    put_text(out, "code", base_str_of(base_error_name(letter->code)));
    put_text(out, "table", letter->table);
    if (letter->rule.len)
        put_text(out, "rule", letter->rule);
    if (record->origin && record->origin->name.len)
        put_text(out, "origin", record->origin->name);
    base_buf_printf(out, ",\"partition\":%d,\"offset\":%lld", record->partition, (long long)record->offset);
    put_time(out, "record_time", record->time_ms);
    put_time(out, "detected_at", letter->detected_ms);
    put_record(letter, out);
    base_buf_putc(out, '}');
    return out->failed ? BASE_E_NOMEM : 0;
}
