#include "cep/like.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* A pattern is cut at its % into pieces. The first piece must stand at the start unless a % stands before it, the last
 * at the end unless a % stands behind it; those between are found from left to right, each at its first place, which is
 * right because a % may cover whatever lies between. So the work is at most text times pattern, and linear for pieces
 * without _. */

#define ONE '\xff' /* stands for _ in a piece; never occurs in UTF-8 */

struct piece {
    uint32_t off, len; /* in bytes */
    bool wild;         /* holds a _ */
};
struct cep_like {
    uint32_t count;  /* pieces; empty ones are not kept */
    bool open_start; /* % at the start */
    bool open_end;
    bool any_percent;
    char *bytes;
    struct piece pieces[];
};

static bool scan(struct base_str pattern, struct base_str escape, struct cep_like *like, uint32_t *count,
                 const char **error)
{
    uint32_t len = 0, start = 0;
    bool wild = false, percent = false;
    *count = 0;
    for (size_t i = 0; i <= pattern.len;) {
        bool end = i == pattern.len;
        if (end || pattern.ptr[i] == '%') {
            if (!(escape.len == 1 && !end && escape.ptr[0] == '%')) {
                if (len > start && like)
                    like->pieces[*count] = (struct piece){ start, len - start, wild };
                *count += len > start;
                start = len;
                wild = false;
                if (like && !end) {
                    like->any_percent = true;
                    like->open_start |= len == 0;
                }
                if (like && end)
                    like->open_end = percent;
                percent = true;
                i++;
                continue;
            }
        }
        percent = false;
        if (escape.len && pattern.len - i >= escape.len && memcmp(pattern.ptr + i, escape.ptr, escape.len) == 0) {
            i += escape.len;
            bool self = pattern.len - i >= escape.len && memcmp(pattern.ptr + i, escape.ptr, escape.len) == 0;
            if (i == pattern.len || (pattern.ptr[i] != '%' && pattern.ptr[i] != '_' && !self)) {
                *error = "the escape character of LIKE must stand before %, _ or itself";
                return false;
            }
            size_t bytes = self ? escape.len : 1;
            if (like)
                memcpy(like->bytes + len, pattern.ptr + i, bytes);
            len += (uint32_t)bytes;
            i += bytes;
            continue;
        }
        wild |= pattern.ptr[i] == '_';
        if (like)
            like->bytes[len] = pattern.ptr[i] == '_' ? ONE : pattern.ptr[i];
        len++;
        i++;
    }
    return true;
}

int cep_like_create(struct base_str pattern, struct base_str escape, const char **ret_error, struct cep_like **ret)
{
    uint32_t count = 0;
    if (pattern.len > (1u << 20)) {
        *ret_error = "the pattern of LIKE is longer than 1 MiB";
        return BASE_E_LIMIT;
    }
    if (escape.len && base_utf8_length(escape.ptr, escape.len) != 1) {
        *ret_error = "the escape of LIKE must be one character";
        return BASE_E_INVALID;
    }
    if (!scan(pattern, escape, NULL, &count, ret_error))
        return BASE_E_INVALID;
    struct cep_like *like = base_calloc(1, sizeof *like + count * sizeof *like->pieces + pattern.len + 1);
    if (!like)
        return BASE_E_NOMEM;
    like->bytes = (char *)&like->pieces[count];
    (void)scan(pattern, escape, like, &like->count, ret_error); /* went well before */
    *ret = like;
    return 0;
}

void cep_like_destroy(struct cep_like *like)
{
    base_free(like);
}

/* End of the piece matched at text[at..end), SIZE_MAX if it does not match there. */
static size_t match_at(const struct cep_like *like, struct piece piece, const char *text, size_t at, size_t end)
{
    const char *p = like->bytes + piece.off;
    if (!piece.wild)
        return end - at >= piece.len && memcmp(text + at, p, piece.len) == 0 ? at + piece.len : SIZE_MAX;
    for (uint32_t i = 0; i < piece.len; i++) {
        if (at == end)
            return SIZE_MAX;
        if (p[i] != ONE) {
            if (text[at++] != p[i])
                return SIZE_MAX;
            continue;
        }
        at++;
        while (at < end && ((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
    }
    return at;
}

/* Start of the piece matched so that it ends at `end`, not before `at`. */
static size_t match_back(const struct cep_like *like, struct piece piece, const char *text, size_t at, size_t end)
{
    const char *p = like->bytes + piece.off;
    for (uint32_t i = piece.len; i > 0; i--) {
        if (end == at)
            return SIZE_MAX;
        end--;
        if (p[i - 1] != ONE) {
            if (text[end] != p[i - 1])
                return SIZE_MAX;
            continue;
        }
        while (end > at && ((unsigned char)text[end] & 0xC0) == 0x80)
            end--;
    }
    return end;
}

/* End of the first place of the piece in text[at..end). */
static size_t find(const struct cep_like *like, struct piece piece, const char *text, size_t at, size_t end)
{
    if (!piece.wild) {
        const char *found = end > at ? memmem(text + at, end - at, like->bytes + piece.off, piece.len) : NULL;
        return found ? (size_t)(found - text) + piece.len : SIZE_MAX;
    }
    for (; at < end; at++) {
        if (((unsigned char)text[at] & 0xC0) == 0x80)
            continue;
        size_t behind = match_at(like, piece, text, at, end);
        if (behind != SIZE_MAX)
            return behind;
    }
    return SIZE_MAX;
}

bool cep_like_match(const struct cep_like *like, struct base_str text)
{
    size_t at = 0, end = text.len;
    uint32_t i = 0, last = like->count;
    if (!like->any_percent)
        return like->count == 0 ? end == 0 : match_at(like, like->pieces[0], text.ptr, 0, end) == end;
    if (!like->open_start && i < last) {
        at = match_at(like, like->pieces[i++], text.ptr, at, end);
        if (at == SIZE_MAX)
            return false;
    }
    if (!like->open_end && i < last) {
        end = match_back(like, like->pieces[--last], text.ptr, at, end);
        if (end == SIZE_MAX)
            return false;
    }
    for (; i < last; i++) {
        at = find(like, like->pieces[i], text.ptr, at, end);
        if (at == SIZE_MAX)
            return false;
    }
    return true;
}
