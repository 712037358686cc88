/* Reading JSON text 16 bytes at once: is a known text here, where does a string or a number end? What json_straight.c and json_columns.c share. CEP_RECORD_SLACK
 * bytes behind the end can be read. Private to formats/. */
#ifndef FORMATS_JSON_SCAN_H
#define FORMATS_JSON_SCAN_H

#include "base/str.h"
#include "formats/json_straight.h"

#define FORMATS_JSON_STEADY 16 /* strings of one length, one behind the other: the next is taken to be so long too */

/* Does it stand at `at`? */
static inline bool formats_json_stands(const struct formats_json_text *text, const char *at)
{
#ifdef __SSE2__
    __m128i want = _mm_loadu_si128((const __m128i *)(const void *)text->text), found = _mm_loadu_si128((const __m128i *)(const void *)at);
    if (((uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(want, found)) | text->open) != 0xffff)
        return false;
    for (uint32_t part = 16; BASE_UNLIKELY(part < text->len); part += 16) { /* the last 16 bytes may overlap those before */
        uint32_t from = part + 16 <= text->len ? part : text->len - 16;
        want = _mm_loadu_si128((const __m128i *)(const void *)(text->text + from));
        found = _mm_loadu_si128((const __m128i *)(const void *)(at + from));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(want, found)) != 0xffff)
            return false;
    }
    return true;
#else
    return memcmp(at, text->text, text->len) == 0;
#endif
}

/* Where a string stands. */
struct formats_json_raw {
    const char *begin, *end;
    bool escaped, beyond_ascii;
};

/* The string whose first byte is `at`, byte by byte. False: not closed before the end, or it holds a raw control character. */
static inline bool formats_json_read_any(const char *at, const char *end, struct formats_json_raw *ret)
{
    *ret = (struct formats_json_raw){ .begin = at };
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
static inline void formats_json_look(const char *at, uint32_t *ret_quotes, uint32_t *ret_odd)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes), backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    *ret_odd = (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, backslash), bytes)); /* a high bit: beyond ASCII */
    *ret_quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
}

/* 0xff where a byte ends a string, or would have to be looked at. */
static inline __m128i formats_json_no_text(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes), backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return _mm_or_si128(_mm_or_si128(control, backslash), _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), bytes));
}

/* Are these bytes, less than 32, plain text? Where strings keep their length this is asked, rather than where the quote is, which then has to stand behind them:
 * the processor goes on with what stands there before it knows, as it could not with a place that is found in the bytes. */
static inline bool formats_json_is_text(const char *at, uint32_t len)
{
    uint32_t no_text = (uint32_t)_mm_movemask_epi8(formats_json_no_text(at));
    if (len >= 16)
        no_text |= (uint32_t)_mm_movemask_epi8(formats_json_no_text(at + 16)) << 16;
    return (no_text & ((1u << len) - 1)) == 0;
}
#endif

/* As formats_json_read_any; the usual one is closed by the first quote, and has nothing before it that matters. */
static inline bool formats_json_read_string(const char *at, const char *end, struct formats_json_raw *ret)
{
#ifdef __SSE2__
    for (const char *part = at; part < end; part += 16) {
        uint32_t quotes, odd;
        formats_json_look(part, &quotes, &odd);
        if (BASE_UNLIKELY(odd & ((quotes & -quotes) - 1))) /* no quote: all of them */
            break;
        if (BASE_LIKELY(quotes != 0)) {
            *ret = (struct formats_json_raw){ .begin = at, .end = part + __builtin_ctz(quotes) };
            return ret->end < end;
        }
    }
#endif
    return formats_json_read_any(at, end, ret);
}

/* Where a number or word ends; `at` itself if it is none. */
static inline const char *formats_json_any_scalar_end(const char *at, const char *end)
{
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+' || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z')))
        at++;
    return at;
}

#ifdef __SSE2__
/* 0xff where a byte lies in [first, first + more]. */
static inline __m128i formats_json_within(__m128i bytes, char first, char more)
{
    __m128i distance = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(distance, _mm_set1_epi8(more)), distance);
}
#endif

static inline const char *formats_json_scalar_end(const char *at, const char *end)
{
    if (!((*at >= '0' && *at <= '9') || *at == '-' || *at == 't' || *at == 'f' || *at == 'n'))
        return at;
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i signs = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')), formats_json_within(bytes, '+', '.' - '+'));
    __m128i letters = formats_json_within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z' - 'a'), digits = formats_json_within(bytes, '0', 9);
    uint32_t others = ~(uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(signs, letters), digits)) & 0xffff;
    if (BASE_LIKELY(others != 0)) {
        at += __builtin_ctz(others);
        return at < end ? at : end;
    }
#endif
    return formats_json_any_scalar_end(at, end);
}

/* The string of a member, whose first byte is `at`. */
static inline bool formats_json_read_member(struct formats_json_straight *straight, uint32_t m, const char *at, const char *end, struct formats_json_raw *ret)
{
    uint32_t len = straight->member[m].len;
#ifdef __SSE2__
    if (straight->member[m].times >= FORMATS_JSON_STEADY) {
        if (BASE_LIKELY(formats_json_is_text(at, len) && at[len] == '"')) {
            *ret = (struct formats_json_raw){ .begin = at, .end = at + len };
            return ret->end < end;
        }
        straight->member[m].times = 0;
    }
#endif
    if (!formats_json_read_string(at, end, ret))
        return false;
    size_t found = (size_t)(ret->end - at);
    straight->member[m].times = found == len && found < 32 ? straight->member[m].times + 1 : 0;
    straight->member[m].len = (uint32_t)found;
    return !ret->beyond_ascii || base_utf8_check(at, found) == found;
}

/* In json_straight.c. What the string says, escapes resolved (then in the arena); false: a bad escape, or no memory. */
bool formats_json_raw_text(struct formats_json_walk *w, const struct formats_json_raw *string, struct base_str *ret);
/* In json_straight.c. The number or word [begin, end) into the decoder's value of table field f, by the rules of json_value.c; false: it is none of its type. */
bool formats_json_scalar(struct formats_json_walk *w, uint32_t f, const char *begin, const char *end);

#endif
