#include "connectors/lines.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "cep/record.h"

#define FIRST_BYTES ((size_t)64 << 10) /* small, so that it stays in the cache */
#define SHOWN_BYTES ((size_t)1024)        /* of a record that is too long */
#define QUOTED_BYTES ((size_t)256 << 10)  /* a quoted cell that does not close within this is no cell over several lines, but a stray quote */

void connectors_lines_finish(struct connectors_lines *lines)
{
    base_free(lines->data);
    base_buf_finish(&lines->beginning);
    lines->data = NULL;
    lines->cap = lines->begin = lines->end = lines->scanned = 0;
}

void connectors_lines_restart(struct connectors_lines *lines, uint64_t place)
{
    lines->begin = lines->end = lines->scanned = 0;
    lines->place = place;
    lines->skipping = lines->eof = false;
}

int connectors_lines_room(struct connectors_lines *lines, char **ret_at, size_t *ret_size)
{
    if (lines->begin > 0) {
        memmove(lines->data, lines->data + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->scanned -= lines->scanned < lines->begin ? lines->scanned : lines->begin;
        lines->begin = 0;
    }
    if (lines->end == lines->cap) {
        size_t cap = lines->cap ? lines->cap * 2 : FIRST_BYTES;
        char *grown = base_realloc(lines->data, cap + CEP_RECORD_SLACK);
        if (!grown)
            return BASE_E_NOMEM;
        memset(grown + cap, 0, CEP_RECORD_SLACK);
        lines->data = grown;
        lines->cap = cap;
    }
    *ret_at = lines->data + lines->end;
    *ret_size = lines->cap - lines->end;
    return 0;
}

void connectors_lines_filled(struct connectors_lines *lines, size_t bytes)
{
    lines->end += bytes;
}

static void consume(struct connectors_lines *lines, size_t bytes)
{
    lines->begin += bytes;
    lines->place += bytes;
    lines->scanned = lines->begin;
}

void connectors_lines_drop(struct connectors_lines *lines, size_t bytes)
{
    consume(lines, bytes < lines->end - lines->begin ? bytes : lines->end - lines->begin);
}

/* Notes the beginning of a record that is too long and drops what is there of it. */
static void start_skipping(struct connectors_lines *lines)
{
    size_t have = lines->end - lines->begin;
    base_buf_clear(&lines->beginning);
    base_buf_put(&lines->beginning, lines->data + lines->begin, have < SHOWN_BYTES ? have : SHOWN_BYTES);
    lines->skipping = true;
    lines->skipped = have;
    consume(lines, have);
}

/* Goes on dropping; true: the record's end was there. */
static bool skip(struct connectors_lines *lines, struct connectors_line *ret)
{
    size_t have = lines->end - lines->begin;
    const char *end = have ? memchr(lines->data + lines->begin, '\n', have) : NULL;
    size_t more = end ? (size_t)(end - lines->data) - lines->begin : have;
    lines->skipped += more;
    consume(lines, more + (end != NULL));
    if (!end && !lines->eof)
        return false;
    lines->skipping = false;
    ret->bytes = (struct base_str){ lines->beginning.ptr ? lines->beginning.ptr : "", lines->beginning.len };
    ret->too_long = true;
    ret->whole_bytes = lines->skipped;
    return true;
}

/* Length of the CSV record at the beginning, its line end not counted, where cells in quotes may hold line ends; 0: its end is not there yet. A quote opens
 * only at the start of a cell. */
static size_t csv_length(const struct connectors_lines *lines)
{
    const char *at = lines->data + lines->begin, *first = at, *end = lines->data + lines->end;
    bool cell_start = true;
    while (at < end) {
        char c = *at;
        if (cell_start && c == lines->quote) {
            at++;
            for (;;) {
                const char *quote = at < end ? memchr(at, lines->quote, (size_t)(end - at)) : NULL;
                if (!quote)
                    return 0;
                at = quote + 1;
                if (at >= end || *at != lines->quote)
                    break;
                at++;
            }
            cell_start = false;
            continue;
        }
        if (c == '\n')
            return (size_t)(at - first);
        cell_start = c == lines->delimiter;
        at++;
    }
    return 0;
}

/* Length of the record at the beginning without its line end; false: not whole yet. */
static bool find_end(struct connectors_lines *lines, size_t *ret_len)
{
    size_t from = lines->scanned > lines->begin ? lines->scanned : lines->begin;
    const char *newline = from < lines->end ? memchr(lines->data + from, '\n', lines->end - from) : NULL;
    if (!newline) {
        lines->scanned = lines->end;
        *ret_len = lines->end - lines->begin;
        return lines->eof && *ret_len > 0;
    }
    size_t len = (size_t)(newline - lines->data) - lines->begin;
    if (lines->quote && memchr(lines->data + lines->begin, lines->quote, len)) {
        size_t whole = csv_length(lines);
        if (whole > 0)
            len = whole;
        else if (!lines->eof && lines->end - lines->begin < QUOTED_BYTES && lines->end - lines->begin < lines->limit)
            return false; /* scanned stays: the same line end is found again */
    }
    *ret_len = len;
    return true;
}

static bool blank(struct base_str line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r')
            return false;
    }
    return true;
}

/* The usual line: whole, not blank, not too long, no cells in quotes. False: look closer. */
static inline bool next_usual(struct connectors_lines *lines, struct connectors_line *ret)
{
    if (lines->skipping || lines->quote || lines->scanned > lines->begin || lines->begin == lines->end)
        return false;
    const char *at = lines->data + lines->begin, *newline = memchr(at, '\n', lines->end - lines->begin);
    size_t len = newline ? (size_t)(newline - at) : 0;
    if (len == 0 || len > lines->limit || (unsigned char)*at <= ' ')
        return false;
    consume(lines, len + 1);
    *ret = (struct connectors_line){ .bytes = { at, at[len - 1] == '\r' ? len - 1 : len } };
    return true;
}

bool connectors_lines_next(struct connectors_lines *lines, struct connectors_line *ret)
{
    if (next_usual(lines, ret))
        return true;
    for (;;) {
        if (lines->skipping)
            return skip(lines, ret);
        size_t len;
        if (!find_end(lines, &len)) {
            if (lines->end - lines->begin <= lines->limit)
                return false;
            start_skipping(lines);
            return skip(lines, ret);
        }
        struct base_str line = { lines->data + lines->begin, len };
        consume(lines, lines->begin + len < lines->end ? len + 1 : len);
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len <= 64 && blank(line))
            continue;
        ret->too_long = line.len > lines->limit;
        ret->whole_bytes = line.len;
        if (ret->too_long && line.len > SHOWN_BYTES)
            line.len = SHOWN_BYTES;
        ret->bytes = line;
        return true;
    }
}
