/* The shape of a flat record: its keys, the text between them, what kind of value each has. Most producers write record after record in the same shape, so that
 * a few comparisons of 16 bytes tell that a record has it, and its wanted values are found without a walk. Learned by json.c from a record that it has walked;
 * a record that does not fit is walked. What fits would have been walked with the same result. Private to json.c. */
#ifndef FORMATS_JSON_SHAPE_H
#define FORMATS_JSON_SHAPE_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/json.h"

#define FORMATS_JSON_SHAPE_MEMBERS 64
#define FORMATS_JSON_SHAPE_PIECES 96
#define FORMATS_JSON_SHAPE_FIELDS 64
#define FORMATS_JSON_CREDIT_MOST 64

/* Two words of text, compared at once. */
typedef uint64_t formats_json_words __attribute__((vector_size(16)));

/* 16 bytes that must stand `offset` bytes behind a place, but for those where the mask is 0. */
struct formats_json_piece {
    formats_json_words text, mask;
    uint32_t place, offset;
};
/* Places count from that of the record's '{'. */
struct formats_json_shape {
    uint32_t members;      /* 0: none is known */
    uint32_t piece_count, loose_count, field_count;
    uint32_t credit, rest; /* a shape that fits seldom is not asked for some records */
    uint16_t loose[FORMATS_JSON_SHAPE_MEMBERS]; /* places of values that are no strings */
    struct { uint16_t place; uint32_t field; } fields[FORMATS_JSON_SHAPE_FIELDS]; /* wanted values, in order */
    struct formats_json_piece pieces[FORMATS_JSON_SHAPE_PIECES];
};

/* Has the record at place i of w this shape? Then its '}' is the place 4 * members behind i and its last one. */
bool formats_json_shape_fits(const struct formats_json_shape *shape, const struct formats_json_walk *w, uint32_t i);
/* It did fit: the book is kept. */
static inline void formats_json_shape_hit(struct formats_json_shape *shape) { shape->credit += shape->credit < FORMATS_JSON_CREDIT_MOST; }
static inline bool formats_json_shape_try(struct formats_json_shape *shape, const struct formats_json_walk *w, uint32_t i)
{
    if (shape->members == 0 || !formats_json_shape_fits(shape, w, i))
        return false;
    formats_json_shape_hit(shape);
    return true;
}
/* Of a record that did not fit: is its shape to be learned? Only if none is known; one that fits seldom is forgotten. */
bool formats_json_shape_wanted(struct formats_json_shape *shape);

/* Learning: start, then each member in order (separator: the place of the '{' or ',' before its key), then its wanted fields, then end. False: it cannot be
 * learned, and the shape knows nothing. */
void formats_json_shape_start(struct formats_json_shape *shape);
bool formats_json_shape_member(struct formats_json_shape *shape, const struct formats_json_walk *w, uint32_t separator);
bool formats_json_shape_field(struct formats_json_shape *shape, uint32_t field);
bool formats_json_shape_give_up(struct formats_json_shape *shape); /* returns false */

#endif
