/* A flat record of known layout, read in one pass without an index of its tokens: its text is compared with that between the values of the record the layout
 * was learned of, and each string looked through, 16 bytes at once, up to its closing quote. Most producers write record after record like this, and the index
 * costs more than all that. Learned by json.c together with the shape (json_shape.h), which keeps the book of how often it fits; a record that has anything out
 * of the ordinary is walked. What is read here would have been walked with the same result. Private to json.c. */
#ifndef FORMATS_JSON_STRAIGHT_H
#define FORMATS_JSON_STRAIGHT_H

#include "formats/json.h"
#include "formats/json_shape.h"

#define FORMATS_JSON_TEXT_BYTES 48 /* less than CEP_RECORD_SLACK: so many can be compared anywhere in a record */

/* Text between two values: quotes of strings belong to it. */
struct formats_json_text {
    char text[FORMATS_JSON_TEXT_BYTES]; /* NULs behind */
    uint32_t len;
    uint32_t open;  /* bits of the first 16 bytes that are behind it */
};
struct formats_json_straight {
    bool known;
    uint32_t members;
    uint32_t field_count; /* wanted values, each once */
    const uint32_t *same; /* next table field of the same value, by table field; borrowed */
    struct {
        struct formats_json_text before;
        bool string;
        uint32_t field;   /* first table field, or CEP_NONE */
        uint32_t len;     /* of the string that stood here last */
        uint32_t times;   /* that it was so long, one behind the other */
    } member[FORMATS_JSON_SHAPE_MEMBERS];
    struct formats_json_text behind;
    uint32_t end;         /* while learning: where the last value ended */
};

/* Learning from a record that was walked and is good: start with the place of its '{', each member with the place of the separator before its key and its first
 * wanted field, end with the place of its '}'. What cannot be learned leaves it unknown. */
void formats_json_straight_start(struct formats_json_straight *straight, const struct formats_json_walk *w, uint32_t i, const uint32_t *same);
void formats_json_straight_member(struct formats_json_straight *straight, const struct formats_json_walk *w, uint32_t separator, uint32_t field);
void formats_json_straight_end(struct formats_json_straight *straight, const struct formats_json_walk *w, uint32_t last);

/* Reads text[0..len), behind which CEP_RECORD_SLACK bytes are readable, into the decoder's values. False: it is to be walked; nothing was told. Sets w's buf,
 * begin and end. */
bool formats_json_straight_read(struct formats_json_straight *straight, struct formats_json_walk *w, const char *text, size_t len);

/* In json.c. The layout of the records that were read last; NULL: none is known. hits: so many records were read by it. */
struct formats_json_straight *formats_json_layout(struct formats_decoder *decoder);
void formats_json_layout_hits(struct formats_decoder *decoder, uint32_t hits);

#endif
