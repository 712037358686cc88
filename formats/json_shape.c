#include "formats/json_shape.h"

#define PIECE_BYTES 16
#define OPENING_BYTES_MAX 48 /* from a separator to the value; less than the slack behind the text */
#define MISS_COSTS 8   /* hits that make up for a miss */
#define REST_RECORDS 256

/* Bytes that start a value that is neither string, object nor array. */
static bool starts_scalar(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == 't' || c == 'f' || c == 'n';
}

/* Why this is the same as a walk: a separator's place is known not to be inside a string; the text behind it is, byte by byte, that of the record that was
 * walked, whose tokens end within it. So the next places are those of the key, the colon and the value. The value is a string or starts as a number or word
 * does, hence has one place, and the next place is the next separator, which is looked at in the same way. */
bool formats_json_shape_fits(const struct formats_json_shape *shape, const struct formats_json_walk *w, uint32_t i)
{
    uint32_t last = i + 4 * shape->members;
    if (BASE_UNLIKELY(last >= w->count || w->at[last] >= w->end || w->at[last + 1] < w->end))
        return false;
    const uint32_t *at = w->at + i;
    formats_json_words differs = { 0, 0 };
    for (uint32_t p = 0; p < shape->piece_count; p++) {
        const struct formats_json_piece *piece = &shape->pieces[p];
        formats_json_words text;
        memcpy(&text, w->buf + at[piece->place] + piece->offset, sizeof text);
        differs |= (text ^ piece->text) & piece->mask;
    }
    if ((differs[0] | differs[1]) != 0 || w->buf[w->at[last]] != '}')
        return false;
    for (uint32_t k = 0; k < shape->loose_count; k++) {
        if (!starts_scalar(w->buf[at[shape->loose[k]]]))
            return false;
    }
    return true;
}

bool formats_json_shape_wanted(struct formats_json_shape *shape)
{
    if (shape->rest > 0) {
        shape->rest--;
        return false;
    }
    if (shape->members == 0)
        return true;
    if (shape->credit >= MISS_COSTS)
        shape->credit -= MISS_COSTS;
    else
        formats_json_shape_give_up(shape);
    return false;
}

void formats_json_shape_start(struct formats_json_shape *shape)
{
    shape->members = shape->piece_count = shape->loose_count = shape->field_count = 0;
    shape->credit = MISS_COSTS;
}

bool formats_json_shape_give_up(struct formats_json_shape *shape)
{
    shape->members = 0;
    shape->rest = REST_RECORDS;
    return false;
}

/* Text at `at` in pieces that count from a place. */
static bool add_pieces(struct formats_json_shape *shape, uint32_t place, const char *at, size_t len)
{
    for (size_t offset = 0; offset < len; offset += PIECE_BYTES) {
        if (shape->piece_count == FORMATS_JSON_SHAPE_PIECES)
            return false;
        size_t bytes = len - offset < PIECE_BYTES ? len - offset : PIECE_BYTES;
        struct formats_json_piece *piece = &shape->pieces[shape->piece_count++];
        *piece = (struct formats_json_piece){ .place = place, .offset = (uint32_t)offset };
        memcpy(&piece->text, at + offset, bytes);
        memset(&piece->mask, 0xff, bytes);
    }
    return true;
}

bool formats_json_shape_member(struct formats_json_shape *shape, const struct formats_json_walk *w, uint32_t separator)
{
    const uint32_t *at = w->at + separator;
    const char *opening = w->buf + at[0];
    bool string = w->buf[at[3]] == '"';
    size_t len = at[3] - at[0] + string;
    if (shape->members == FORMATS_JSON_SHAPE_MEMBERS || len > OPENING_BYTES_MAX || memchr(opening, '\\', len) || (!string && !starts_scalar(w->buf[at[3]])) ||
        !add_pieces(shape, 4 * shape->members, opening, len))
        return formats_json_shape_give_up(shape);
    if (!string)
        shape->loose[shape->loose_count++] = (uint16_t)(4 * shape->members + 3);
    shape->members++;
    return true;
}

bool formats_json_shape_field(struct formats_json_shape *shape, uint32_t field)
{
    if (shape->field_count == FORMATS_JSON_SHAPE_FIELDS)
        return formats_json_shape_give_up(shape);
    shape->fields[shape->field_count].place = (uint16_t)(4 * shape->members - 1);
    shape->fields[shape->field_count++].field = field;
    return true;
}
