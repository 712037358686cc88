/* Fuzz target: any bytes as rule texts. What compiles must verify, print, explain and link, and run over a few rows; what does not must say why. */
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "base/time.h"
#include "patterns/explain.h"
#include "tests/fuzz/bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good, const char *what, int error)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_compile: %s (%s)\n", what, error ? base_error_name(error) : "no error");
    abort();
}

static void run(struct bed *bed)
{
    bed->limits = (struct cep_limits){ .rows_per_key = 64, .threads_per_key = 256, .output_per_row = 100 };
    int e = bed_start(bed);
    require(e == 0 || e == BASE_E_UNSUPPORTED, "no flow can be made", e);
    for (int i = 0; e == 0 && i < 12; i++) {
        struct bed_row row = { .time_ms = 1600000000000 + i * 1000, .k = i % 2, .v = i * 5 % 7 };
        e = bed_row(bed, &row, i);
        if (e == 0 && i == 6)
            e = bed_mark(bed, row.time_ms - 3000);
    }
    if (e == 0)
        e = bed_mark(bed, BASE_TIME_MAX_MS);
    require(e == 0 || e == BASE_E_UNSUPPORTED, "rows are refused", e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct patterns_options options = { .queries = true };
    static struct cep_funcs *funcs;
    struct bed bed;
    if (!funcs)
        funcs = cep_funcs_create();
    if (size > 1 << 14)
        return 0;
    int e = bed_open(&bed, funcs, (struct base_str){ (const char *)data, size }, &options);
    if (e) {
        require(e == BASE_E_SYNTAX && bed.diags.errors, "a text is refused without a reason", e);
    } else {
        struct base_buf out = { 0 };
        require(bed.diags.errors == 0, "a program was made in spite of errors", 0);
        e = cep_program_verify(bed.program, bed.program->size_bytes);
        require(e == 0, "the program does not verify", e);
        cep_program_print(bed.program, &out);
        patterns_explain(bed.result, PATTERNS_EXPLAIN_TEXT, &out);
        require(!out.failed, "the program cannot be printed", 0);
        base_buf_finish(&out);
        e = bed_link(&bed);
        require(e == 0 || e == BASE_E_REGEX || e == BASE_E_INVALID, "the program cannot be linked", e);
        if (e == 0)
            run(&bed);
    }
    bed_close(&bed);
    return 0;
}
