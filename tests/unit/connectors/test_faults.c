/* The Nth allocation fails, for all N: creating a decoder, decoding, encoding, reading a file. Every run ends in success or "out of memory", leaks nothing and
 * gives no wrong row. */
#include <stdlib.h>
#include <unistd.h>
#include "base/alloc.h"
#include "connectors/source.h"
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const struct table_field fields[] = { { .name = "s", .type = CEP_TYPE(STRING) }, { .name = "n.x", .path = "n\x1fx", .type = CEP_TYPE(INT) },
                                             { .name = "l", .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING } }, { .name = "d", .type = CEP_DECIMAL_TYPE(30, 2) } };

static const char *const json_lines[] = { "{\"s\":\"a\\nb\",\"n\":{\"x\":1},\"l\":[\"p\",\"q\"],\"d\":12345678901234567890.12}", "{\"s\":\"open}", "{\"s\":\"c\",\"l\":[null]}" };
static const char *const csv_lines[] = { "\"a\"\"b\",1,p;q,12345678901234567890.12", "\"open", "c,,,5" };

struct job {
    struct cep_program *program;
    const char *const *lines;
    const char *path;
};

/* Decodes the three lines; 0 with the rows printed to out, or the error. */
static int decode_all(const struct job *job, struct base_buf *out)
{
    struct table_said said = { 0 };
    struct formats_decoder_config config = { job->program, 0, table_note, &said };
    struct formats_decoder *decoder = NULL;
    struct formats_encoder_config encoder_config = { job->program, 0, 0, false };
    struct formats_encoder *encoder = NULL;
    struct base_arena arena = { 0 };
    struct cep_row *rows[3];
    char error[256];
    struct cep_record records[3] = { 0 };
    for (int i = 0; i < 3; i++)
        records[i] = (struct cep_record){ .bytes = base_str_of(job->lines[i]), .offset = i };
    int r = formats_decoder_create(&config, &decoder, error, sizeof error);
    if (r == 0)
        r = formats_encoder_create(&encoder_config, &encoder, error, sizeof error);
    if (r == 0)
        r = formats_decode(decoder, records, 3, &arena, rows);
    for (int i = 0; r == 0 && i < 3; i++) {
        if (rows[i])
            formats_encode(encoder, rows[i], out);
        base_buf_putc(out, ';');
    }
    if (r == 0 && out->failed)
        r = BASE_E_NOMEM;
    formats_encoder_destroy(encoder);
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    return r;
}

static int read_file(const struct job *job, struct base_buf *out)
{
    struct connectors_source_config config = { job->program, cep_program_table(job->program, 0), NULL };
    struct connectors_source *source = NULL;
    struct connectors_batch batch = { 0 };
    char error[256];
    int r = connectors_source_open(&config, &source, error, sizeof error);
    while (r == 0 && !batch.finished) {
        r = connectors_source_poll(source, 2, 0, &batch);
        for (size_t i = 0; r == 0 && i < batch.count; i++) {
            base_buf_put_str(out, batch.records[i].bytes);
            base_buf_putc(out, ';');
        }
    }
    if (r == 0 && out->failed)
        r = BASE_E_NOMEM;
    connectors_source_close(source);
    return r;
}

static void sweep(int (*run)(const struct job *, struct base_buf *), const struct job *job, const char *what)
{
    struct base_buf want = { 0 };
    bool good = run(job, &want) == 0 && want.len > 5;
    uint64_t blocks = base_alloc_live_blocks();
    uint64_t n = 1;
    for (bool fired = true; fired && n < 500; n++) {
        struct base_buf got = { 0 };
        base_alloc_fail_at(n, false);
        int r = run(job, &got);
        fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        bool same = r == 0 && got.len == want.len && memcmp(got.ptr, want.ptr, want.len) == 0;
        if (!same && !(fired && r == BASE_E_NOMEM)) {
            printf("# allocation %llu: %s\n", (unsigned long long)n, base_error_name(r));
            good = false;
        }
        base_buf_finish(&got);
        if (base_alloc_live_blocks() != blocks) {
            printf("# allocation %llu leaks\n", (unsigned long long)n);
            good = false;
            blocks = base_alloc_live_blocks();
        }
    }
    printf("# %llu allocations\n", (unsigned long long)(n - 2));
    OK(good && n > 3, what);
    base_buf_finish(&want);
}

int main(void)
{
    char path[] = "/tmp/cepheid-test-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, "x,y\n1,2\n3,4\n", 12) != 12)
        return 1;
    close(fd);
    const char *json[] = { "format", "json", NULL }, *csv[] = { "format", "csv", NULL }, *file[] = { "connector", "filesystem", "format", "csv", "path", path, NULL };
    const char *const *options[] = { json, csv, file };
    const char *const *lines[] = { json_lines, csv_lines, NULL };
    static const char *const names[] = { "JSON", "CSV", "a file" };
    for (size_t i = 0; i < 3; i++) {
        struct table_spec spec = { fields, 4, options[i], -1, 0 };
        struct job job = { table_program(&spec), lines[i], path };
        sweep(i < 2 ? decode_all : read_file, &job, names[i]);
        cep_program_free(job.program);
    }
    unlink(path);
    return tap_done();
}
