/* Fuzz target: the decoders of stored state. A flow is fed and saved, its pieces are damaged, and a new flow gets them: each piece is taken or refused as
 * damaged, and what was taken can be worked with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/time.h"
#include "tests/fuzz/bed.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/programs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void splice(struct base_buf *bytes, size_t at, size_t cut, const void *put, size_t len)
{
    struct base_buf out = { 0 };
    cut = cut > bytes->len - at ? bytes->len - at : cut;
    base_buf_put(&out, bytes->ptr, at);
    base_buf_put(&out, put, len);
    base_buf_put(&out, bytes->ptr + at + cut, bytes->len - at - cut);
    base_buf_finish(bytes);
    *bytes = out;
}

static void damage(struct bed *bed, struct input *in)
{
    struct bed_piece *piece = &bed->pieces.at[input_byte(in) % bed->pieces.len];
    struct base_buf *bytes = &piece->bytes;
    if (!piece->live || bytes->len == 0)
        return;
    size_t at = (input_byte(in) << 8 | input_byte(in)) % bytes->len;
    uint64_t word = 0;
    switch (input_below(in, 8)) {
    case 0:
        bytes->ptr[at] ^= (char)(1 << input_below(in, 8));
        break;
    case 1:
        bytes->ptr[at] = (char)input_byte(in);
        break;
    case 2: /* a number somewhat larger or smaller */
        bytes->ptr[at] += (char)(input_below(in, 9) - 4);
        break;
    case 3:
        bytes->len = at;
        break;
    case 4: { /* a word of any size: small, or all ones */
        word = input_byte(in);
        word = word > 200 ? UINT64_MAX - (255 - word) : word;
        splice(bytes, at, sizeof word, &word, sizeof word);
        break;
    }
    case 5:
        splice(bytes, at, input_below(in, 32), "", 0);
        break;
    case 6: { /* a stretch of another piece */
        const struct bed_piece *other = &bed->pieces.at[input_byte(in) % bed->pieces.len];
        if (!other->live || other->bytes.len == 0)
            break;
        size_t from = (input_byte(in) << 8 | input_byte(in)) % other->bytes.len, len = input_byte(in);
        char room[256];
        len = len > other->bytes.len - from ? other->bytes.len - from : len;
        memcpy(room, other->bytes.ptr + from, len);
        splice(bytes, at, input_byte(in), room, len);
        break;
    }
    default:
        piece->live = input_below(in, 4) == 0; /* mostly: the piece is lost */
        break;
    }
}

static int feed(struct bed *bed, struct input *in, int from, int count)
{
    int e = 0;
    for (int i = from; e == 0 && i < from + count; i++) {
        uint8_t what = input_byte(in);
        struct bed_row row = { .time_ms = i * 1000 - (what >> 6) * 900, .k = what >> 5 & 1, .v = what & 7 };
        e = bed_row(bed, &row, i);
        if (e == 0 && (what & 24) == 24)
            e = bed_mark(bed, i * 1000 - 3000);
    }
    return e;
}

static void require(bool good, const char *what, int error)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_state: %s (%s)\n", what, error ? base_error_name(error) : "no error");
    abort();
}

static bool damaged(int e)
{
    return e == BASE_E_CORRUPT || e == BASE_E_VERSION || e == BASE_E_NOTFOUND;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed beds[FUZZ_PROGRAMS];
    struct input in = { data, data + size };
    struct bed *bed = &beds[input_below(&in, FUZZ_PROGRAMS)];
    const char *text = fuzz_programs[bed - beds];
    const struct patterns_options options = { .queries = true };
    if (size > 1024)
        return 0;
    if (!bed->linked) {
        int e = bed_open(bed, NULL, base_str_of(text), &options);
        require(e == 0 && bed_link(bed) == 0, "the rule does not compile", e);
        bed->limits = (struct cep_limits){ .rows_per_key = 64, .threads_per_key = 256, .output_per_row = 100 };
    }
    struct base_buf marks = { 0 };
    uint8_t how = input_byte(&in);
    int e = bed_start(bed);
    e = e ? e : feed(bed, &in, 0, 2 + (how & 15));
    e = e ? e : bed_save(bed);
    e = e ? e : cep_flow_watermarks(bed->flow, &marks);
    require(e == 0, "a sound flow fails", e);
    if (bed->pieces.len)
        for (uint32_t n = how >> 6; n > 0; n--)
            damage(bed, &in);
    if ((how & 48) == 48 && marks.len)
        marks.ptr[input_byte(&in) % marks.len] ^= (char)input_byte(&in);
    bed->lazy = how & 16;
    e = bed_start(bed);
    require(e == 0, "no flow can be made", e);
    e = cep_flow_restore_watermarks(bed->flow, marks.ptr, marks.len);
    e = e ? e : bed_load(bed);
    require(e == 0 || damaged(e), "a piece is neither taken nor refused as damaged", e);
    require(e == 0 || how >> 6 || (how & 48) == 48, "a sound piece is refused", e);
    e = e ? e : feed(bed, &in, 10, 8);
    e = e ? e : bed_save(bed);
    e = e ? e : bed_mark(bed, 16000);
    e = e ? e : bed_mark(bed, BASE_TIME_MAX_MS);
    e = e ? e : bed_save(bed);
    require(e == 0 || damaged(e), "work with restored state ends in another error", e);
    base_buf_finish(&marks);
    cep_flow_destroy(bed->flow);
    bed->flow = NULL;
    bed_forget_told(bed);
    bed_forget_pieces(bed);
    bed->lazy = false;
    return 0;
}
