#include "formats/json_straight.h"

#include <string.h>
#include "base/str.h"
#include "formats/text.h"

#define TEXT_BYTES (16 * FORMATS_JSON_TEXT_WORDS)

/* ---- learning ---- */

static bool set_text(struct formats_json_text *text, const char *from, size_t len)
{
    if (len > TEXT_BYTES || memchr(from, '\\', len))
        return false;
    *text = (struct formats_json_text){ .len = (uint32_t)len };
    memcpy(text->text, from, len);
    memset(text->mask, 0xff, len);
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

static inline bool stands(const struct formats_json_text *text, const char *at)
{
    formats_json_words found, differs;
    memcpy(&found, at, sizeof found);
    differs = (found ^ text->text[0]) & text->mask[0];
    for (uint32_t word = 1; 16 * word < text->len; word++) {
        memcpy(&found, at + 16 * word, sizeof found);
        differs |= (found ^ text->text[word]) & text->mask[word];
    }
    return (differs[0] | differs[1]) == 0;
}

/* What a string holds. */
struct string {
    const char *begin, *end;
    bool escaped, beyond_ascii;
};

/* Places among 16 bytes. */
struct marks { uint32_t quotes, backslashes, controls, beyond_ascii; };

static inline struct marks look(const char *at)
{
    struct marks marks = { 0, 0, 0, 0 };
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    marks.quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    marks.backslashes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    marks.controls = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
    marks.beyond_ascii = (uint32_t)_mm_movemask_epi8(bytes);
#else
    for (uint32_t i = 0; i < 16; i++) {
        unsigned char c = (unsigned char)at[i];
        marks.quotes |= (uint32_t)(c == '"') << i;
        marks.backslashes |= (uint32_t)(c == '\\') << i;
        marks.controls |= (uint32_t)(c < 0x20) << i;
        marks.beyond_ascii |= (uint32_t)(c >> 7) << i;
    }
#endif
    return marks;
}

/* The string whose first byte is `at`. False: not closed before the end, or it holds a raw control character. */
static inline bool read_string(const char *at, const char *end, struct string *ret)
{
    *ret = (struct string){ .begin = at };
    while (at < end) {
        struct marks marks = look(at);
        uint32_t stops = marks.quotes | marks.backslashes | marks.controls;
        if (stops == 0) {
            ret->beyond_ascii |= marks.beyond_ascii != 0;
            at += 16;
            continue;
        }
        uint32_t first = stops & -stops;
        ret->beyond_ascii |= (marks.beyond_ascii & (first - 1)) != 0;
        at += __builtin_ctz(first);
        if (BASE_LIKELY(marks.quotes & first)) {
            ret->end = at;
            return at < end;
        }
        if (marks.controls & first || at + 1 >= end || (unsigned char)at[1] < 0x20)
            return false;
        ret->escaped = true;
        ret->beyond_ascii |= (unsigned char)at[1] >= 0x80;
        at += 2;
    }
    return false;
}

/* Where a number or word ends; `at` itself if it is none. */
static inline const char *scalar_end(const char *at, const char *end)
{
    if (!((*at >= '0' && *at <= '9') || *at == '-' || *at == 't' || *at == 'f' || *at == 'n'))
        return at;
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+' || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z')))
        at++;
    return at;
}

static bool unescape(struct formats_json_walk *w, const struct string *string, struct base_str *ret)
{
    size_t room = (size_t)(string->end - string->begin), len = 0;
    char *out = base_arena_alloc(w->arena, room ? room : 1);
    if (!out || !formats_json_unescape((struct base_str){ string->begin, room }, out, &len))
        return false;
    *ret = (struct base_str){ out, len };
    return true;
}

static inline bool take_string(struct formats_json_walk *w, uint32_t f, const struct string *string)
{
    struct formats_decoder *decoder = w->decoder;
    struct cep_type type = decoder->types[f];
    struct base_str text = { string->begin, (size_t)(string->end - string->begin) };
    int64_t ms;
    if (BASE_UNLIKELY(string->escaped) && !unescape(w, string, &text))
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

/* By the rules of json_value.c, for which two places are enough. */
static bool take_scalar(struct formats_json_walk *w, uint32_t f, const char *begin, const char *end)
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
    if (!stands(behind, at))
        return false;
    for (at += behind->len; at < end && formats_json_blank(*at); at++)
        continue;
    return at == end;
}

bool formats_json_straight_read(const struct formats_json_straight *straight, struct formats_json_walk *w, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    w->buf = text;
    w->begin = 0;
    w->end = (uint32_t)len;
    if (straight->field_count < w->decoder->field_count)
        formats_decoder_clear(w->decoder);
    for (uint32_t m = 0; m < straight->members; m++) {
        if (BASE_UNLIKELY(at >= end || !stands(&straight->member[m].before, at)))
            return false;
        at += straight->member[m].before.len;
        uint32_t f = straight->member[m].field;
        if (straight->member[m].string) {
            struct string string;
            if (BASE_UNLIKELY(!read_string(at, end, &string)))
                return false;
            size_t bytes = (size_t)(string.end - at);
            if (BASE_UNLIKELY(string.beyond_ascii) && base_utf8_check(at, bytes) != bytes)
                return false;
            for (; f != CEP_NONE; f = straight->same[f])
                if (BASE_UNLIKELY(!take_string(w, f, &string)))
                    return false;
            at = string.end;
        } else {
            const char *behind = at < end ? scalar_end(at, end) : at;
            if (BASE_UNLIKELY(behind == at))
                return false;
            for (; f != CEP_NONE; f = straight->same[f])
                if (BASE_UNLIKELY(!take_scalar(w, f, at, behind)))
                    return false;
            at = behind;
        }
    }
    return at < end && ends(&straight->behind, at, end);
}
