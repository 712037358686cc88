/* Fuzz target: a valid program with some bytes changed. Either the verifier refuses it, or the engine stays in bounds with it. */
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/time.h"
#include "tests/fuzz/bed.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/programs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fields that say how large something is are aimed at as often as others by taking a section first. */
static void damage(struct cep_program *program, struct input *in)
{
    uint32_t section = input_below(in, CEP_SEC_COUNT_ + 1);
    uint64_t from = 0, to = program->size_bytes;
    if (section < CEP_SEC_COUNT_) {
        from = program->sections[section].off;
        to = section + 1 < CEP_SEC_COUNT_ ? program->sections[section + 1].off : program->size_bytes;
    }
    if (to <= from || to > program->size_bytes)
        from = 0, to = program->size_bytes;
    uint64_t at = from + input_u32(in) % (to - from);
    char *bytes = (char *)program;
    switch (input_below(in, 4)) {
    case 0:
        bytes[at] ^= (char)(1 << input_below(in, 8));
        break;
    case 1:
        bytes[at] = (char)input_byte(in);
        break;
    case 2: /* a small number where an index stands */
        at &= ~(uint64_t)3;
        if (at + 4 <= program->size_bytes)
            memcpy(bytes + at, &(uint32_t){ input_byte(in) }, 4);
        break;
    default: /* a field from elsewhere */
        at &= ~(uint64_t)3;
        uint64_t other = input_u32(in) % program->size_bytes & ~(uint64_t)3;
        if (at + 4 <= program->size_bytes && other + 4 <= program->size_bytes)
            memmove(bytes + at, bytes + other, 4);
        break;
    }
}

static int run(struct bed *bed, struct input *in)
{
    bed->limits = (struct cep_limits){ .rows_per_key = 64, .threads_per_key = 256, .output_per_row = 100 };
    int e = bed_link(bed);
    if (e == 0)
        e = bed_start(bed);
    for (int i = 0; e == 0 && i < 12; i++) {
        struct bed_row row = { .time_ms = i * 1000, .k = i % 2, .v = (i * 5 + input_byte(in)) % 7 };
        e = bed_row(bed, &row, i);
        if (e == 0 && i == 6)
            e = bed_mark(bed, 3000);
        if (e == 0 && i == 8)
            e = bed_cycle(bed, false);
    }
    return e ? e : bed_mark(bed, BASE_TIME_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed whole[FUZZ_PROGRAMS];
    struct input in = { data, data + size };
    struct bed *from = &whole[input_below(&in, FUZZ_PROGRAMS)];
    const char *text = fuzz_programs[from - whole];
    const struct patterns_options options = { .queries = true };
    if (size > 4096)
        return 0;
    if (!from->program && bed_open(from, NULL, base_str_of(text), &options))
        abort(); /* the rules above compile */
    struct cep_program *program = base_alloc(from->program->size_bytes);
    if (!program)
        return 0;
    memcpy(program, from->program, from->program->size_bytes);
    for (uint32_t n = 1 + input_below(&in, 4); n > 0; n--)
        damage(program, &in);
    if (cep_program_verify(program, from->program->size_bytes) == 0) {
        struct base_buf out = { 0 };
        struct bed bed = { .program = program, .funcs = from->funcs };
        cep_program_print(program, &out);
        base_buf_finish(&out);
        (void)run(&bed, &in); /* any error is right: staying in bounds is what counts */
        bed_close(&bed);
    }
    base_free(program);
    return 0;
}
