#include "formats/json_straight.h"

#include <string.h>
#include "formats/json_scan.h"
#include "formats/text.h"

/* ---- learning ---- */

static bool set_text(struct formats_json_text *text, const char *from, size_t len)
{
    if (len > FORMATS_JSON_TEXT_BYTES || memchr(from, '\\', len))
        return false;
    *text = (struct formats_json_text){ .len = (uint32_t)len, .open = len < 16 ? 0xffffu << len & 0xffffu : 0 };
    memcpy(text->text, from, len);
    return true;
}

void formats_json_straight_start(struct formats_json_straight *straight, const struct formats_json_walk *w, uint32_t i, const uint32_t *same)
{
    straight->known = w->at[i] == w->begin;
    straight->members = straight->field_count = 0;
    straight->same = same;
    straight->end = w->at[i];
}

void formats_json_straight_member(struct formats_json_straight *straight, const struct formats_json_walk *w, uint32_t separator, uint32_t field)
{
    uint32_t value = separator + 3, begin = w->at[value];
    bool string = w->buf[begin] == '"';
    if (!straight->known || straight->members == FORMATS_JSON_SHAPE_MEMBERS ||
        !set_text(&straight->member[straight->members].before, w->buf + straight->end, begin + string - straight->end)) {
        straight->known = false;
        return;
    }
    straight->member[straight->members].string = string;
    straight->member[straight->members].len = straight->member[straight->members].times = 0;
    straight->member[straight->members++].field = field;
    for (; field != CEP_NONE; field = straight->same[field])
        straight->field_count++;
    straight->end = formats_json_token_end(w, value) - string;
}

void formats_json_straight_end(struct formats_json_straight *straight, const struct formats_json_walk *w, uint32_t last)
{
    straight->known = straight->known && straight->members > 0 && set_text(&straight->behind, w->buf + straight->end, w->at[last] + 1 - straight->end);
}

/* ---- reading ---- */

bool formats_json_raw_text(struct formats_json_walk *w, const struct formats_json_raw *string, struct base_str *ret)
{
    size_t room = (size_t)(string->end - string->begin), len = 0;
    *ret = (struct base_str){ string->begin, room };
    if (!string->escaped)
        return true;
    char *out = base_arena_alloc(w->arena, room ? room : 1);
    if (!out || !formats_json_unescape((struct base_str){ string->begin, room }, out, &len))
        return false;
    *ret = (struct base_str){ out, len };
    return true;
}

static inline bool take_string(struct formats_json_walk *w, uint32_t f, const struct formats_json_raw *string)
{
    struct formats_decoder *decoder = w->decoder;
    struct cep_type type = decoder->types[f];
    struct base_str text = { string->begin, (size_t)(string->end - string->begin) };
    int64_t ms;
    if (BASE_UNLIKELY(string->escaped) && !formats_json_raw_text(w, string, &text))
        return false;
    if (type.kind == CEP_KIND_STRING) {
        decoder->values[f] = cep_string(text.ptr, text.len);
        return true;
    }
    if (cep_kind_is_time(type.kind) && formats_time_text(&decoder->times, text.ptr, text.len, &ms)) {
        decoder->values[f] = cep_int(ms);
        return true;
    }
    return type.kind != CEP_KIND_ROW && formats_text_value(&decoder->times, type, text, w->arena, &decoder->values[f]) == 0;
}

/* A timestamp of one field, whose text is looked at but once. */
static inline bool take_usual_time(struct formats_json_walk *w, uint32_t f, uint32_t next, const char *at, const char *end)
{
    struct formats_decoder *decoder = w->decoder;
    int64_t ms;
    if (!cep_kind_is_time(decoder->types[f].kind) || next != CEP_NONE || end - at <= FORMATS_TIME_USUAL || at[FORMATS_TIME_USUAL] != '"' ||
        !formats_time_usual(&decoder->times, at, &ms))
        return false;
    decoder->values[f] = cep_int(ms);
    return true;
}

/* Two places are enough for json_value.c. */
bool formats_json_scalar(struct formats_json_walk *w, uint32_t f, const char *begin, const char *end)
{
    const uint32_t places[] = { (uint32_t)(begin - w->buf), (uint32_t)(end - w->buf), w->end, w->end };
    uint32_t next;
    w->at = places;
    bool good = formats_json_value(w, f, w->decoder->types[f], 0, &next, &w->decoder->values[f]) == 0;
    w->at = NULL;
    return good;
}

static bool ends(const struct formats_json_text *behind, const char *at, const char *end)
{
    if (!formats_json_stands(behind, at))
        return false;
    for (at += behind->len; at < end && formats_json_blank(*at); at++)
        continue;
    return at == end;
}

bool formats_json_straight_read(struct formats_json_straight *straight, struct formats_json_walk *w, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    w->buf = text;
    w->begin = 0;
    w->end = (uint32_t)len;
    if (straight->field_count < w->decoder->field_count)
        formats_decoder_clear(w->decoder);
    for (uint32_t m = 0; m < straight->members; m++) {
        if (BASE_UNLIKELY(at >= end || !formats_json_stands(&straight->member[m].before, at)))
            return false;
        at += straight->member[m].before.len;
        uint32_t f = straight->member[m].field;
        if (straight->member[m].string) {
            struct formats_json_raw string;
            if (f != CEP_NONE && take_usual_time(w, f, straight->same[f], at, end)) {
                at += FORMATS_TIME_USUAL;
                continue;
            }
            if (BASE_UNLIKELY(!formats_json_read_member(straight, m, at, end, &string)))
                return false;
            for (; f != CEP_NONE; f = straight->same[f])
                if (BASE_UNLIKELY(!take_string(w, f, &string)))
                    return false;
            at = string.end;
        } else {
            const char *behind = at < end ? formats_json_scalar_end(at, end) : at;
            if (BASE_UNLIKELY(behind == at))
                return false;
            for (; f != CEP_NONE; f = straight->same[f])
                if (BASE_UNLIKELY(!formats_json_scalar(w, f, at, behind)))
                    return false;
            at = behind;
        }
    }
    return at < end && ends(&straight->behind, at, end);
}
