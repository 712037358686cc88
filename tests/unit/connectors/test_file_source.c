#include "connectors/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static char folder[64];

static const char *path_of(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t len, bool append)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        perror(name);
    close(fd);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text), false);
}

struct opened {
    struct cep_program *program;
    struct connectors_source *source;
    char error[256];
    int code;
};

static struct opened open_with(const char *path, const char *key, const char *value, const char *format)
{
    static const struct table_field field = { .name = "x", .type = { .kind = CEP_KIND_STRING } };
    const char *options[] = { "connector", "filesystem", "path", path, "format", format, key, value, NULL };
    struct table_spec spec = { &field, 1, options, -1, 0 };
    struct opened opened = { .program = table_program(&spec) };
    struct connectors_source_config config = { opened.program, cep_program_table(opened.program, 0), folder };
    opened.code = connectors_source_open(&config, &opened.source, opened.error, sizeof opened.error);
    return opened;
}

static void close_opened(struct opened *opened)
{
    connectors_source_close(opened->source);
    cep_program_free(opened->program);
}

/* All records as "offset:text|", "!" for a too long one, "H" before a head; ends with the code of an error. */
static const char *drain(struct opened *opened, size_t at_a_time)
{
    static char out[8192];
    size_t len = 0;
    struct connectors_batch batch = { 0 };
    out[0] = 0;
    if (opened->code < 0)
        return opened->error;
    while (!batch.finished) {
        int r = connectors_source_poll(opened->source, at_a_time, 0, &batch);
        if (r < 0) {
            snprintf(out + len, sizeof out - len, "%s", base_error_name(r));
            break;
        }
        for (size_t i = 0; i < batch.count && len < sizeof out - 100; i++) {
            const struct cep_record *record = &batch.records[i];
            len += (size_t)snprintf(out + len, sizeof out - len, "%s%lld:%.*s%s|", record->flags & CEP_RECORD_HEAD ? "H" : "", (long long)record->offset,
                                    (int)(record->bytes.len < 60 ? record->bytes.len : 60), record->bytes.ptr, record->error ? "!" : "");
        }
        if (batch.at_end && !batch.finished)
            break;
    }
    return out;
}

static void reads(const char *name, const char *key, const char *value, const char *format, const char *want, const char *what)
{
    struct opened opened = open_with(name, key, value, format);
    IS_STR(drain(&opened, 3), want, what);
    close_opened(&opened);
}

static void test_lines(void)
{
    write_text("a.jsonl", "one\ntwo\r\n\n  \nthree");
    reads("a.jsonl", NULL, NULL, "json", "H0:one|1:two|2:three|", "lines, CRLF, blank lines, no end at the end");
    write_text("empty.jsonl", "");
    reads("empty.jsonl", NULL, NULL, "json", "", "an empty file");
    write_text("bom.csv", "\xef\xbb\xbfx\n1\n");
    reads("bom.csv", NULL, NULL, "csv", "H0:x|1:1|", "a byte order mark");
    write_text("q.csv", "x,y\n\"a\nb\",1\n\"c\"\"\n\",2\n5\" pipe,3\nlast,4\n");
    reads("q.csv", NULL, NULL, "csv", "H0:x,y|1:\"a\nb\",1|2:\"c\"\"\n\",2|3:5\" pipe,3|4:last,4|", "line ends in quoted cells");
    reads("q.csv", "csv.disable-quote-character", "true", "csv", "H0:x,y|1:\"a|2:b\",1|3:\"c\"\"|4:\",2|5:5\" pipe,3|6:last,4|", "no quotes");
    write_text("open.csv", "x\n\"never closed\nnext\n");
    reads("open.csv", NULL, NULL, "csv", "H0:x|1:\"never closed|2:next|", "a quote that never closes takes no other line with it");
    write_text("long.jsonl", "ab\n0123456789012345678901234567890123456789\ncd\n");
    reads("long.jsonl", "max-record-bytes", "10", "json", "H0:ab|1:0123456789012345678901234567890123456789!|2:cd|", "a line beyond the limit is told, the next one is good");
    struct opened none = open_with("none.jsonl", NULL, NULL, "json");
    OK(none.code == BASE_E_NOTFOUND && strncmp(none.error, "cannot open \"", 13) == 0, "no such file");
    cep_program_free(none.program);
}

static void test_large_line(void)
{
    static char bytes[10 << 20];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "first\n", 6);
    memcpy(bytes + sizeof bytes - 6, "\nlast\n", 6);
    write_file("huge.jsonl", bytes, sizeof bytes, false);
    struct opened opened = open_with("huge.jsonl", NULL, NULL, "json");
    struct connectors_batch batch = { 0 };
    int64_t offset = 0;
    int limits = 0, good = 0;
    while (!batch.finished && connectors_source_poll(opened.source, 100, 0, &batch) == 0) {
        for (size_t i = 0; i < batch.count; i++) {
            limits += batch.records[i].error == BASE_E_LIMIT && batch.records[i].offset == 1 && batch.records[i].bytes.len <= 1024;
            good += batch.records[i].error == 0;
            offset = batch.records[i].offset;
        }
    }
    OK(limits == 1 && good == 2 && offset == 2, "a 10 MB line is one bad record");
    close_opened(&opened);
}

static void write_packed(void)
{
    static char out[4096];
    const char *text = "p\nq\nr\n", *more = "s\nt\n";
    size_t len = ZSTD_compress(out, sizeof out, text, strlen(text), 3);
    write_file("z.jsonl.zst", out, len, false);
    size_t second = ZSTD_compress(out, sizeof out, more, strlen(more), 3);
    write_file("z.jsonl.zst", out, second, true);
    write_file("cut.jsonl.zst", out, second - 2, false);
    gzFile gz = gzopen(path_of("g.jsonl.gz"), "wb");
    gzwrite(gz, text, (unsigned)strlen(text));
    gzclose(gz);
    gz = gzopen(path_of("g.jsonl.gz"), "ab");
    gzwrite(gz, more, (unsigned)strlen(more));
    gzclose(gz);
    write_text("bad.jsonl.gz", "this is no gzip");
}

static void test_packed(void)
{
    write_packed();
    reads("z.jsonl.zst", NULL, NULL, "json", "H0:p|1:q|2:r|3:s|4:t|", "zstd, two frames");
    reads("g.jsonl.gz", NULL, NULL, "json", "H0:p|1:q|2:r|3:s|4:t|", "gzip, two members");
    reads("z.jsonl.zst", NULL, NULL, "csv", "H0:p|1:q|2:r|3:s|4:t|", "zstd as CSV: the head is read ahead");
    reads("bad.jsonl.gz", NULL, NULL, "json", "CORRUPT", "no gzip");
    reads("cut.jsonl.zst", NULL, NULL, "json", "H0:s|CORRUPT", "cut off: what was whole, then the error");
}

static void test_folder(void)
{
    if (mkdir(path_of("dir"), 0700) < 0)
        perror("dir");
    write_text("dir/b.csv", "x\n3\n4\n");
    write_text("dir/a.csv", "x\n1\n2\n");
    write_text("dir/.hidden", "no\n");
    write_text("dir/_tmp", "no\n");
    reads("dir", NULL, NULL, "csv", "H0:x|1:1|2:2|H3:x|4:3|5:4|", "a folder is one log in name order");
}

/* From each position that a batch gave, reading again gives the rest. */
static void seeks(const char *name, const char *format, bool with_hint, const char *what)
{
    struct opened opened = open_with(name, NULL, NULL, format);
    struct connectors_position positions[16];
    size_t count = 0;
    struct connectors_batch batch = { 0 };
    while (!batch.finished && count < 16 && connectors_source_poll(opened.source, 1, 0, &batch) == 0) {
        if (batch.count > 0)
            positions[count++] = batch.positions[0];
    }
    char whole[4096];
    struct opened again = open_with(name, NULL, NULL, format);
    snprintf(whole, sizeof whole, "%s", drain(&again, 100));
    close_opened(&again);
    bool good = count > 3;
    for (size_t p = 0; p < count; p++) {
        if (!with_hint)
            positions[p].hint_len = 0;
        struct opened fresh = open_with(name, NULL, NULL, format);
        good = good && connectors_source_seek(fresh.source, &positions[p]) == 0;
        const char *rest = drain(&fresh, 2), *at = whole;
        for (size_t skip = 0; skip <= p; skip++)
            at = strchr(at, '|') + 1;
        if (strcmp(rest, at) != 0) {
            printf("# from %zu: %s, want %s\n", p, rest, at);
            good = false;
        }
        close_opened(&fresh);
        good = good && connectors_source_seek(opened.source, &positions[p]) == 0 && strcmp(drain(&opened, 2), at) == 0;
    }
    OK(good, what);
    close_opened(&opened);
}

static void test_seek(void)
{
    seeks("dir", "csv", true, "seek in a folder by hint");
    seeks("dir", "csv", false, "seek in a folder by offset");
    seeks("q.csv", "csv", true, "seek behind quoted line ends");
    seeks("z.jsonl.zst", "json", true, "seek in zstd");
    seeks("g.jsonl.gz", "json", true, "seek in gzip");
    struct opened opened = open_with("dir", NULL, NULL, "csv");
    struct connectors_position nowhere = { .offset = 5, .hint_len = 17, .hint = { 1, 2, 3 } };
    IS_INT(connectors_source_seek(opened.source, &nowhere), BASE_E_NOTFOUND, "a file that is gone");
    close_opened(&opened);
}

/* After a seek a CSV file still has its head. */
static void test_head(void)
{
    struct opened opened = open_with("dir/b.csv", NULL, NULL, "csv");
    struct connectors_batch batch;
    OK(connectors_source_poll(opened.source, 2, 0, &batch) == 0 && batch.count == 2, "two records");
    struct connectors_position position = batch.positions[0];
    OK(connectors_source_seek(opened.source, &position) == 0 && connectors_source_poll(opened.source, 2, 0, &batch) == 0 && batch.count == 1, "the third");
    OK(batch.records[0].origin->head.len == 1 && batch.records[0].origin->head.ptr[0] == 'x' && !(batch.records[0].flags & CEP_RECORD_HEAD), "knows its head");
    close_opened(&opened);
}

static void test_follow(void)
{
    write_text("f.jsonl", "one\ntw");
    struct opened opened = open_with("f.jsonl", "source.follow", "true", "json");
    OK(!opened.source->bounded, "is unbounded");
    IS_STR(drain(&opened, 10), "H0:one|", "a line without its end waits");
    write_file("f.jsonl", "o\nthree\n", 8, true);
    IS_STR(drain(&opened, 10), "1:two|2:three|", "until it is whole");
    write_text("f.jsonl", "new\n");
    IS_STR(drain(&opened, 10), "H3:new|", "a file that was cut is read from its start");
    close_opened(&opened);
    opened = open_with("dir", "source.follow", "true", "csv");
    IS_STR(drain(&opened, 10), "H0:x|1:1|2:2|H3:x|4:3|5:4|", "a folder");
    write_text("dir/c.csv", "x\n5\n");
    IS_STR(drain(&opened, 10), "H6:x|7:5|", "and a file that came later");
    close_opened(&opened);
}

static void test_options(void)
{
    static const struct table_field field = { .name = "x", .type = { .kind = CEP_KIND_STRING } };
    static const char *const cases[][5] = { { "connector", "filesystem", NULL, NULL, "option 'path' is missing" },
                                            { "connector", "carrier-pigeon", NULL, NULL, "no source goes by 'connector' = 'carrier-pigeon'" },
                                            { "path", "x", NULL, NULL, "option 'connector' is missing" } };
    for (size_t i = 0; i < 3; i++) {
        struct table_spec spec = { &field, 1, cases[i], -1, 0 };
        struct cep_program *program = table_program(&spec);
        struct connectors_source_config config = { program, cep_program_table(program, 0), NULL };
        struct connectors_source *source;
        char error[256];
        IS_INT(connectors_source_open(&config, &source, error, sizeof error), BASE_E_CONFIG, "refused");
        IS_STR(error, cases[i][4], "with the reason");
        cep_program_free(program);
    }
    struct opened opened = open_with("a.jsonl", "max-record-bytes", "many", "json");
    IS_STR(opened.error, "option 'max-record-bytes' must be a number from 1 to 2147483647, not 'many'", "a bad number");
    cep_program_free(opened.program);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/cepheid-test-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    test_lines();
    test_large_line();
    test_packed();
    test_folder();
    test_seek();
    test_head();
    test_follow();
    test_options();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        printf("# %s is left behind\n", folder);
    return tap_done();
}
