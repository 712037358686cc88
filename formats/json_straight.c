#include "formats/json_straight.h"

#include <string.h>
#include "base/str.h"
#include "formats/text.h"

#define STEADY 16 /* strings of one length, one behind the other: the next is taken to be so long too */

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

static inline bool stands(const struct formats_json_text *text, const char *at)
{
#ifdef __SSE2__
    __m128i want = _mm_loadu_si128((const __m128i *)(const void *)text->text), found = _mm_loadu_si128((const __m128i *)(const void *)at);
    if (((uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(want, found)) | text->open) != 0xffff)
        return false;
    return BASE_LIKELY(text->len <= 16) || memcmp(at + 16, text->text + 16, text->len - 16) == 0;
#else
    return memcmp(at, text->text, text->len) == 0;
#endif
}

/* What a string holds. */
struct string {
    const char *begin, *end;
    bool escaped, beyond_ascii;
};

/* The string whose first byte is `at`, byte by byte. False: not closed before the end, or it holds a raw control character. */
static bool read_any_string(const char *at, const char *end, struct string *ret)
{
    *ret = (struct string){ .begin = at };
    for (; at < end && *at != '"'; at++) {
        if (*at == '\\') {
            ret->escaped = true;
            at++;
        }
        if (at == end || (unsigned char)*at < 0x20)
            return false;
        ret->beyond_ascii |= (unsigned char)*at >= 0x80;
    }
    ret->end = at;
    return at < end;
}

#ifdef __SSE2__
/* Which of 16 bytes are quotes, and which would have to be looked at. */
static inline void look(const char *at, uint32_t *ret_quotes, uint32_t *ret_odd)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes), backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    *ret_odd = (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, backslash), bytes)); /* a high bit: beyond ASCII */
    *ret_quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
}

/* Is the string that starts at `at` a plain one of so many bytes, less than 32? Where strings keep their length this is asked, rather than where the quote is:
 * the processor goes on with what stands behind before it knows, as it could not with a place that is found in the bytes. */
static inline bool is_plain(const char *at, uint32_t len)
{
    uint32_t quotes, odd, more_quotes, more_odd;
    look(at, &quotes, &odd);
    if (len >= 16) {
        look(at + 16, &more_quotes, &more_odd);
        quotes |= more_quotes << 16;
        odd |= more_odd << 16;
    }
    uint32_t closing = 1u << len;
    return ((quotes & (closing | (closing - 1))) | (odd & (closing - 1))) == closing;
}
#endif

/* As read_any_string; the usual one is closed by the first quote, and has nothing before it that matters. */
static inline bool read_string(const char *at, const char *end, struct string *ret)
{
#ifdef __SSE2__
    for (const char *part = at; part < end; part += 16) {
        uint32_t quotes, odd;
        look(part, &quotes, &odd);
        if (BASE_UNLIKELY(odd & ((quotes & -quotes) - 1))) /* no quote: all of them */
            break;
        if (BASE_LIKELY(quotes != 0)) {
            *ret = (struct string){ .begin = at, .end = part + __builtin_ctz(quotes) };
            return ret->end < end;
        }
    }
#endif
    return read_any_string(at, end, ret);
}

/* Where a number or word ends; `at` itself if it is none. */
static const char *any_scalar_end(const char *at, const char *end)
{
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+' || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z')))
        at++;
    return at;
}

#ifdef __SSE2__
/* 0xff where a byte lies in [first, first + more]. */
static inline __m128i within(__m128i bytes, char first, char more)
{
    __m128i distance = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(distance, _mm_set1_epi8(more)), distance);
}
#endif

static inline const char *scalar_end(const char *at, const char *end)
{
    if (!((*at >= '0' && *at <= '9') || *at == '-' || *at == 't' || *at == 'f' || *at == 'n'))
        return at;
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i signs = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')), within(bytes, '+', '.' - '+'));
    __m128i letters = within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z' - 'a'), digits = within(bytes, '0', 9);
    uint32_t others = ~(uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(signs, letters), digits)) & 0xffff;
    if (BASE_LIKELY(others != 0)) {
        at += __builtin_ctz(others);
        return at < end ? at : end;
    }
#endif
    return any_scalar_end(at, end);
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

/* The string of a member. */
static inline bool read_member(struct formats_json_straight *straight, uint32_t m, const char *at, const char *end, struct string *ret)
{
    uint32_t len = straight->member[m].len;
#ifdef __SSE2__
    if (straight->member[m].times >= STEADY) {
        if (BASE_LIKELY(is_plain(at, len))) {
            *ret = (struct string){ .begin = at, .end = at + len };
            return ret->end < end;
        }
        straight->member[m].times = 0;
    }
#endif
    if (!read_string(at, end, ret))
        return false;
    size_t found = (size_t)(ret->end - at);
    straight->member[m].times = found == len && found < 32 ? straight->member[m].times + 1 : 0;
    straight->member[m].len = (uint32_t)found;
    return !ret->beyond_ascii || base_utf8_check(at, found) == found;
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
        if (BASE_UNLIKELY(at >= end || !stands(&straight->member[m].before, at)))
            return false;
        at += straight->member[m].before.len;
        uint32_t f = straight->member[m].field;
        if (straight->member[m].string) {
            struct string string;
            if (BASE_UNLIKELY(!read_member(straight, m, at, end, &string)))
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
