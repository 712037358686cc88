/* JSON lines straight into columns: records of the layout that json.c has learned, value by value; no record is cut out, no row made. Whatever else there may be
 * in a line is left to json.c, which learns of it. */
#include "formats/blocks.h"
#include "formats/json_scan.h"

#define RECORD_BYTES_MOST ((size_t)1 << 20) /* a longer one may be a row beyond CEP_ROW_BYTES_MAX */

/* What becomes of a member's value. */
enum how { HOW_SKIP, HOW_TEXT, HOW_TIME, HOW_OTHER };

struct reading {
    struct formats_decoder *decoder;
    struct cep_columns *columns;
    struct formats_json_straight *straight;
    struct formats_json_walk walk;
    struct base_arena arena;   /* escapes resolved, what formats_text_value may ask for */
    size_t bytes_most;         /* of a record */
    uint8_t how[FORMATS_JSON_SHAPE_MEMBERS];
    uint32_t missing_count;
    uint16_t missing[CEP_COLUMNS_MAX]; /* table fields that the layout has no value for */
};

static void find_missing(struct reading *reading)
{
    const struct formats_json_straight *straight = reading->straight;
    bool there[CEP_COLUMNS_MAX] = { false };
    for (uint32_t m = 0; m < straight->members; m++)
        for (uint32_t f = straight->member[m].field; f != CEP_NONE; f = straight->same[f])
            there[f] = true;
    for (uint32_t f = 0; f < reading->decoder->field_count; f++)
        if (!there[f])
            reading->missing[reading->missing_count++] = (uint16_t)f;
}

/* False: nothing can be read so. */
static bool plan(struct reading *reading, const struct formats_block *block)
{
    struct formats_decoder *decoder = reading->decoder;
    struct formats_json_straight *straight = reading->straight = formats_json_layout(decoder);
    if (!straight || decoder->field_count > CEP_COLUMNS_MAX)
        return false;
    reading->bytes_most = decoder->max_record_bytes < RECORD_BYTES_MOST ? decoder->max_record_bytes : RECORD_BYTES_MOST;
    reading->walk = (struct formats_json_walk){ .decoder = decoder, .arena = &reading->arena, .buf = block->bytes.ptr, .end = (uint32_t)block->bytes.len };
    for (uint32_t m = 0; m < straight->members; m++) {
        uint32_t f = straight->member[m].field;
        uint8_t kind = f == CEP_NONE ? CEP_KIND_NULL : decoder->types[f].kind;
        if (memchr(straight->member[m].before.text, '\n', straight->member[m].before.len))
            return false;
        reading->how[m] = f == CEP_NONE ? HOW_SKIP : !straight->member[m].string || straight->same[f] != CEP_NONE ? HOW_OTHER
                          : kind == CEP_KIND_STRING ? HOW_TEXT : cep_kind_is_time(kind) ? HOW_TIME : HOW_OTHER;
    }
    if (straight->field_count < decoder->field_count)
        find_missing(reading);
    for (uint32_t i = 0; i < reading->missing_count; i++)
        if (decoder->fields[reading->missing[i]].not_null || reading->missing[i] == decoder->rowtime)
            return false;
    return !memchr(straight->behind.text, '\n', straight->behind.len);
}

/* Short ones with what stands behind them, which the next text is written over. */
static inline int put_text(struct reading *reading, uint32_t f, const char *text, size_t len)
{
    struct cep_columns *columns = reading->columns;
    int64_t slot;
#ifdef __SSE2__
    if (BASE_LIKELY(len <= 16 && columns->text_cap - columns->text_len >= 16)) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
        _mm_storeu_si128((__m128i *)(void *)(columns->text + columns->text_len), bytes);
        columns->at[f].wide[columns->rows] = cep_columns_text_slot(columns->text_len, len);
        columns->text_len += len;
        return 0;
    }
#endif
    int rc = cep_columns_put_text(columns, text, len, &slot);
    if (rc == 0)
        columns->at[f].wide[columns->rows] = slot;
    return rc;
}

static int take_other_string(struct reading *reading, uint32_t f, const struct formats_json_raw *string)
{
    struct formats_decoder *decoder = reading->decoder;
    struct cep_type type = decoder->types[f];
    struct cep_value value = { .null = false };
    struct base_str text;
    int64_t ms;
    if (!formats_json_raw_text(&reading->walk, string, &text))
        return BASE_E_MALFORMED;
    if (type.kind == CEP_KIND_STRING)
        value = cep_string(text.ptr, text.len);
    else if (cep_kind_is_time(type.kind) && formats_time_text(&decoder->times, text.ptr, text.len, &ms))
        value = cep_int(ms);
    else if (type.kind == CEP_KIND_ROW || formats_text_value(&decoder->times, type, text, &reading->arena, &value) != 0)
        return BASE_E_MALFORMED;
    return formats_put_value(decoder, reading->columns, f, &value);
}

static inline int take_string(struct reading *reading, uint32_t m, const struct formats_json_raw *string)
{
    const struct formats_json_straight *straight = reading->straight;
    uint32_t f = straight->member[m].field;
    size_t len = (size_t)(string->end - string->begin);
    int64_t ms;
    if (BASE_LIKELY(reading->how[m] == HOW_TEXT && !string->escaped))
        return put_text(reading, f, string->begin, len);
    if (reading->how[m] == HOW_TIME && !string->escaped && formats_time_text(&reading->decoder->times, string->begin, len, &ms)) {
        reading->columns->at[f].wide[reading->columns->rows] = ms;
        return 0;
    }
    int rc = 0;
    for (; f != CEP_NONE && rc == 0; f = straight->same[f])
        rc = take_other_string(reading, f, string);
    return rc;
}

static int take_scalar(struct reading *reading, uint32_t f, const char *begin, const char *end)
{
    int rc = 0;
    for (; f != CEP_NONE && rc == 0; f = reading->straight->same[f])
        rc = formats_json_scalar(&reading->walk, f, begin, end) ? formats_put_value(reading->decoder, reading->columns, f, &reading->decoder->values[f])
                                                                  : BASE_E_MALFORMED;
    return rc;
}

/* One line from *inout_at, behind its line end then. No text that is passed over holds a line end, so that none of another line is looked at. BASE_E_MALFORMED:
 * it is not for us. */
static inline int take_line(struct reading *reading, const char **inout_at, const char *stop)
{
    struct formats_json_straight *straight = reading->straight;
    const char *at = *inout_at;
    int64_t ms;
    for (uint32_t m = 0; m < straight->members; m++) {
        int rc = 0;
        if (BASE_UNLIKELY(!formats_json_stands(&straight->member[m].before, at)))
            return BASE_E_MALFORMED;
        at += straight->member[m].before.len;
        if (BASE_LIKELY(straight->member[m].string)) {
            struct formats_json_raw string;
            if (reading->how[m] == HOW_TIME && at[FORMATS_TIME_USUAL] == '"' && formats_time_usual(&reading->decoder->times, at, &ms)) {
                reading->columns->at[straight->member[m].field].wide[reading->columns->rows] = ms;
                at += FORMATS_TIME_USUAL;
                continue;
            }
            if (BASE_UNLIKELY(!formats_json_read_member(straight, m, at, stop, &string)))
                return BASE_E_MALFORMED;
            if (reading->how[m] != HOW_SKIP)
                rc = take_string(reading, m, &string);
            at = string.end;
        } else {
            const char *behind = formats_json_scalar_end(at, stop);
            if (BASE_UNLIKELY(behind == at))
                return BASE_E_MALFORMED;
            if (reading->how[m] != HOW_SKIP)
                rc = take_scalar(reading, straight->member[m].field, at, behind);
            at = behind;
        }
        if (BASE_UNLIKELY(rc != 0))
            return rc;
    }
    if (!formats_json_stands(&straight->behind, at))
        return BASE_E_MALFORMED;
    for (at += straight->behind.len; *at == ' ' || *at == '\t' || *at == '\r'; at++)
        continue;
    if (*at != '\n' || (size_t)(at - *inout_at) > reading->bytes_most)
        return BASE_E_MALFORMED;
    *inout_at = at + 1;
    for (uint32_t i = 0; i < reading->missing_count; i++)
        if (formats_put_null(reading->decoder, reading->columns, reading->missing[i]))
            return BASE_E_NOMEM;
    return 0;
}

int formats_json_block(struct formats_decoder *decoder, const struct formats_block *block, struct cep_columns *columns, size_t *ret_bytes)
{
    struct reading reading; /* its long arrays need not be cleared */
    reading.decoder = decoder;
    reading.columns = columns;
    reading.arena = (struct base_arena){ 0 };
    reading.missing_count = 0;
    if (block->bytes.len > UINT32_MAX || !plan(&reading, block))
        return 0;
    const char *at = block->bytes.ptr, *stop = at + block->bytes.len;
    uint32_t before = columns->rows;
    int rc = at < stop ? cep_columns_place(columns, block->partition, block->offset) : 0;
    while (at < stop && !rc) {
        rc = columns->rows < columns->cap ? 0 : cep_columns_reserve(columns, 1);
        if (rc)
            break;
        uint64_t text_len = columns->text_len;
        rc = take_line(&reading, &at, stop);
        columns->rows += rc == 0;
        if (rc)
            formats_put_back(columns, text_len);
    }
    base_arena_finish(&reading.arena);
    formats_json_layout_hits(decoder, columns->rows - before);
    *ret_bytes = (size_t)(at - block->bytes.ptr);
    return rc == BASE_E_MALFORMED ? 0 : rc;
}
