/* CSV lines straight into columns: no record is cut out, no cell copied, no row made. Takes lines of unquoted cells; whatever else there may be in a line is
 * left to csv.c, which also says what is wrong with it. */
#include "formats/csv.h"

#include "base/attr.h"
#include "base/error.h"
#include "cep/record.h"
#include "formats/blocks.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

enum how { HOW_SKIP, HOW_INT, HOW_BIGINT, HOW_TEXT, HOW_TIME, HOW_OTHER };
#define COLUMNS_MOST 256u
#define DIGITS_MOST 18
#define INTEGERS_MOST 32u

struct reading {
    struct formats_decoder *decoder;
    struct cep_columns *columns;
    char delimiter;
    uint32_t needed;
    bool integers;             /* all columns up to the last that is read are integers, and are read */
    struct { uint8_t how; uint32_t field; } plan[COLUMNS_MOST];
    struct base_arena arena;   /* what formats_text_value may ask for */
};

bool formats_csv_takes_blocks(const struct formats_decoder *decoder)
{
    const struct formats_csv *csv = decoder->csv;
    if (csv->null_literal.ptr || csv->escape || csv->allow_comments)
        return false;
    for (uint32_t f = 0; f < decoder->field_count; f++)
        if (decoder->types[f].kind == CEP_KIND_ARRAY || decoder->types[f].kind == CEP_KIND_BYTES)
            return false;
    return csv->delimiter == ',' || csv->delimiter == ';' || csv->delimiter == '|' || csv->delimiter == '\t';
}

static bool plan(struct reading *reading, const struct cep_origin *origin)
{
    const struct formats_csv *csv = reading->decoder->csv;
    if (!csv->mapped || !origin || origin->number != csv->origin || csv->missing != CEP_NONE || csv->needed > COLUMNS_MOST)
        return false;
    reading->delimiter = csv->delimiter;
    reading->needed = csv->needed;
    reading->integers = csv->needed > 0 && csv->needed <= INTEGERS_MOST && csv->quote != '-' && (csv->quote < '0' || csv->quote > '9');
    for (uint32_t c = 0; c < csv->needed; c++) {
        uint32_t f = csv->column_field[c];
        if (f != CEP_NONE && csv->same[f] != CEP_NONE)
            return false;
        uint8_t kind = f == CEP_NONE ? CEP_KIND_NULL : reading->decoder->types[f].kind;
        reading->plan[c].field = f;
        reading->plan[c].how = f == CEP_NONE ? HOW_SKIP : kind == CEP_KIND_INT ? HOW_INT : kind == CEP_KIND_BIGINT ? HOW_BIGINT
                               : kind == CEP_KIND_STRING || kind == CEP_KIND_ROW ? HOW_TEXT : cep_kind_is_time(kind) ? HOW_TIME : HOW_OTHER;
        reading->integers = reading->integers && (reading->plan[c].how == HOW_INT || reading->plan[c].how == HOW_BIGINT);
    }
    return true;
}

static const char *cell_end(const struct reading *reading, const char *at)
{
    while (*at != reading->delimiter && *at != '\n')
        at++;
    return at;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Of eight digits, each a byte from 0 to 9, the first one lowest. */
static inline uint64_t joined_digits(uint64_t bytes)
{
    bytes = bytes * 10 + (bytes >> 8);
    return ((bytes & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
            ((bytes >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >> 32;
}

/* The number of up to seven digits at *inout_at, eight bytes looked at together: those behind the digits are shifted out. Without digits, and with eight and
 * more, 0, and *inout_at stays. */
static inline int64_t short_number(const char **inout_at)
{
    uint64_t bytes, spread;
    memcpy(&bytes, *inout_at, sizeof bytes);
    bytes ^= UINT64_C(0x3030303030303030);
    spread = ((bytes + UINT64_C(0x7676767676767676)) | bytes) & UINT64_C(0x8080808080808080);
    if (spread == 0)
        return 0;
    unsigned digits = (unsigned)__builtin_ctzll(spread) / 8;
    if (digits == 0)
        return 0;
    *inout_at += digits;
    return (int64_t)joined_digits(bytes << (64 - 8 * digits));
}
#else
static inline int64_t short_number(const char **inout_at BASE_UNUSED) { return 0; }
#endif

/* A cell of digits; *inout_at stands behind it then. BASE_E_MALFORMED: it is something else. */
static inline int take_integer(const struct reading *reading, uint32_t c, const char **inout_at)
{
    const char *at = *inout_at;
    bool minus = *at == '-';
    const char *first = at += minus;
    int64_t value = short_number(&at);
    for (unsigned digit; (digit = (unsigned)(unsigned char)*at - '0') <= 9; at++)
        value = (int64_t)((uint64_t)value * 10 + digit);
    if (BASE_UNLIKELY(at == first || at - first > DIGITS_MOST)) {
        formats_put_slot(reading->columns, reading->plan[c].field, 0);
        return at == first && !minus && (*at == reading->delimiter || *at == '\n') ? formats_put_null(reading->decoder, reading->columns, reading->plan[c].field) : BASE_E_MALFORMED;
    }
    value = minus ? -value : value;
    *inout_at = at;
    if (reading->plan[c].how == HOW_BIGINT) {
        reading->columns->at[reading->plan[c].field].wide[reading->columns->rows] = value;
        return 0;
    }
    if (BASE_UNLIKELY(value != (int32_t)value))
        return BASE_E_MALFORMED;
    reading->columns->at[reading->plan[c].field].narrow[reading->columns->rows] = (int32_t)value;
    return 0;
}

static int take_other(struct reading *reading, uint32_t c, struct base_str text)
{
    uint32_t f = reading->plan[c].field;
    struct formats_decoder *decoder = reading->decoder;
    struct cep_value value = { .null = true };
    if (reading->plan[c].how == HOW_TEXT) {
        if (text.len && text.ptr[text.len - 1] == '\r')
            text.len--;
        value = cep_string(text.ptr, text.len);
        return formats_put_value(decoder, reading->columns, f, &value);
    }
    if (reading->plan[c].how == HOW_TIME && formats_time_text(&decoder->times, text.ptr, text.len, &value.i)) {
        formats_put_slot(reading->columns, f, value.i);
        return 0;
    }
    text = base_str_trim(text);
    if (text.len == 0)
        return formats_put_null(decoder, reading->columns, f);
    int rc = formats_text_value(&decoder->times, decoder->types[f], text, &reading->arena, &value);
    if (rc || value.null)
        return rc == BASE_E_NOMEM ? rc : BASE_E_MALFORMED;
    return formats_put_value(decoder, reading->columns, f, &value);
}

/* One line from *inout_at, behind its line end then. BASE_E_MALFORMED: it is not for us. */
static inline int take_line(struct reading *reading, const char **inout_at)
{
    const char *at = *inout_at;
    for (uint32_t c = 0; c < reading->needed; c++) {
        int rc = 0;
        switch (reading->plan[c].how) {
        case HOW_INT:
        case HOW_BIGINT:
            rc = take_integer(reading, c, &at);
            break;
        case HOW_SKIP:
            at = cell_end(reading, at);
            break;
        default: {
            const char *first = at;
            at = cell_end(reading, at);
            rc = take_other(reading, c, (struct base_str){ first, (size_t)(at - first) });
            break;
        }
        }
        if (BASE_UNLIKELY(rc != 0))
            return rc;
        if (*at == reading->delimiter) {
            at++;
            continue;
        }
        at += *at == '\r';
        if (*at != '\n' || c + 1 < reading->needed)
            return BASE_E_MALFORMED;
        *inout_at = at + 1;
        return 0;
    }
    while (*at != '\n') /* columns that nobody reads */
        at++;
    *inout_at = at + 1;
    return 0;
}

#ifdef __SSE2__
/* Bit for each of the 64 bytes that is the delimiter or a line end. */
static inline uint64_t cell_ends(const char *at, char delimiter)
{
    uint64_t ends = 0;
    for (unsigned i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(delimiter)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
        ends |= (uint64_t)(uint32_t)_mm_movemask_epi8(found) << i;
    }
    return ends;
}

/* The number of the cell of 1 to 8 digits before `end`: the bytes in front of it are shifted out, the digits joined in pairs, then fours, then all. */
static inline bool digits_before(const char *end, size_t len, uint64_t *ret)
{
    uint64_t bytes;
    unsigned others = 64 - 8 * (unsigned)len;
    memcpy(&bytes, end - 8, sizeof bytes);
    bytes = (bytes ^ UINT64_C(0x3030303030303030)) >> others << others;
    if (BASE_UNLIKELY(((bytes + UINT64_C(0x7676767676767676)) | bytes) & UINT64_C(0x8080808080808080)))
        return false;
    *ret = joined_digits(bytes);
    return true;
}

/* Lines that hold nothing but short integers, as far as they do: where cells end is found for 64 bytes at a time, so that no number waits for the one before.
 * first: from where on bytes may be read. */
static const char *take_integers(struct reading *reading, const char *first, const char *at, const char *stop)
{
    struct cep_columns *columns = reading->columns;
    uint32_t row = columns->rows, last = reading->needed - 1, cap = columns->cap, c = 0;
    struct { void *to; bool wide; char end; } columns_at[INTEGERS_MOST];
    for (uint32_t i = 0; i <= last; i++) {
        const struct cep_column_data *data = &columns->at[reading->plan[i].field];
        columns_at[i].wide = data->narrow == NULL;
        columns_at[i].to = data->narrow ? (void *)data->narrow : (void *)data->wide;
        columns_at[i].end = i < last ? reading->delimiter : '\n';
    }
    const char *line = at, *cell = at;
    if (at - first < 7)
        return at; /* digits_before looks at the eight bytes up to a cell's end */
    for (const char *block = at; block < stop && row < cap; block += 64) {
        for (uint64_t ends = cell_ends(block, reading->delimiter); ends; ends &= ends - 1) {
            const char *end = block + __builtin_ctzll(ends);
            size_t len = (size_t)(end - cell);
            uint64_t value = 0;
            if (BASE_UNLIKELY(len - 1 > 7 || *end != columns_at[c].end))
                goto other;
            if (BASE_UNLIKELY(!digits_before(end, len, &value))) {
                if (*cell != '-' || len == 1 || !digits_before(end, len - 1, &value))
                    goto other;
                value = 0 - value;
            }
            if (columns_at[c].wide)
                ((int64_t *)columns_at[c].to)[row] = (int64_t)value;
            else
                ((int32_t *)columns_at[c].to)[row] = (int32_t)(int64_t)value;
            cell = end + 1;
            if (c++ < last)
                continue;
            c = 0;
            line = cell;
            if (++row == cap || line >= stop)
                goto other;
        }
    }
other:
    columns->rows = row;
    return line;
}
#else
static const char *take_integers(struct reading *reading BASE_UNUSED, const char *first BASE_UNUSED, const char *at, const char *stop BASE_UNUSED) { return at; }
#endif

/* Where the lines end that may be taken: before the first quote, the first byte that is no UTF-8. */
static const char *stop_at(const struct reading *reading, struct base_str bytes)
{
    const struct formats_csv *csv = reading->decoder->csv;
    const char *quote = csv->quote ? memchr(bytes.ptr, csv->quote, bytes.len) : NULL;
    size_t len = quote ? (size_t)(quote - bytes.ptr) : bytes.len;
    size_t good = base_utf8_check(bytes.ptr, len);
    if (!quote && good == len)
        return bytes.ptr + len;
    while (good > 0 && bytes.ptr[good - 1] != '\n')
        good--;
    return bytes.ptr + good;
}

/* Where lines of digits, which are no quotes and good UTF-8, were taken without asking: may this one be? */
static bool good_line(const struct reading *reading, const char *at, const char *stop)
{
    const char *end = (const char *)memchr(at, '\n', (size_t)(stop - at)) + 1;
    return stop_at(reading, (struct base_str){ at, (size_t)(end - at) }) == end;
}

int formats_csv_block(struct formats_decoder *decoder, const struct formats_block *block, struct cep_columns *columns, size_t *ret_bytes)
{
    struct reading reading = { .decoder = decoder, .columns = columns };
    const char *at = block->bytes.ptr;
    if (block->bytes.len > decoder->max_record_bytes || !plan(&reading, block->origin))
        return 0;
    const char *first = at, *stop = reading.integers ? at + block->bytes.len : stop_at(&reading, block->bytes);
    int rc = at < stop ? cep_columns_place(columns, block->partition, block->offset) : 0;
    while (at < stop && !rc) {
        rc = columns->rows < columns->cap ? 0 : cep_columns_reserve(columns, 1);
        if (rc)
            break;
        if (reading.integers)
            at = take_integers(&reading, first, at, stop);
        if (at == stop || columns->rows == columns->cap)
            continue;
        if (reading.integers && !good_line(&reading, at, stop))
            break;
        if (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
            break; /* perhaps a line of blanks */
        uint64_t text_len = columns->text_len;
        rc = take_line(&reading, &at);
        columns->rows += rc == 0;
        if (rc)
            formats_put_back(columns, text_len);
    }
    base_arena_finish(&reading.arena);
    *ret_bytes = (size_t)(at - block->bytes.ptr);
    return rc == BASE_E_MALFORMED ? 0 : rc;
}
