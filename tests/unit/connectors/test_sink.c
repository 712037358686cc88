#include "connectors/sink.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const char *content(const char *path)
{
    static char text[1024];
    int fd = open(path, O_RDONLY);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    text[len > 0 ? len : 0] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

static void test_file(const char *path)
{
    struct connectors_sink *sink;
    char error[256];
    for (int round = 0; round < 2; round++) {
        if (!OK(connectors_file_sink_open(path, &sink, error, sizeof error) == 0, "open"))
            return;
        IS_INT(connectors_sink_write(sink, BASE_STR("{\"a\":1}"), BASE_STR("k")), 0, "write");
        IS_INT(connectors_sink_write(sink, BASE_STR("{\"a\":2}"), BASE_STR("")), 0, "write");
        IS_INT(connectors_sink_flush(sink), 0, "flush");
        IS_STR(content(path), round == 0 ? "{\"a\":1}\n{\"a\":2}\n" : "{\"a\":1}\n{\"a\":2}\n{\"a\":1}\n{\"a\":2}\n", "is there after the flush; appended");
        connectors_sink_close(sink);
    }
}

/* Files that are put aside by size: nothing is lost, each begins with the head. */
static void test_turn(const char *folder)
{
    struct connectors_sink *sink;
    char error[256], path[512], command[1200];
    const struct connectors_file_turn turn = { .bytes = 20, .head = BASE_STR("a,b") };
    snprintf(path, sizeof path, "%s/rows.csv", folder);
    for (int round = 0; round < 2; round++) {
        if (!OK(connectors_file_sink_open(path, &sink, error, sizeof error) == 0, "open"))
            return;
        IS_INT(connectors_file_sink_turn(sink, &turn), 0, "a file that is put aside");
        for (int i = 0; i < 10; i++) {
            IS_INT(connectors_sink_write(sink, BASE_STR("1234,5678"), BASE_STR("")), 0, "write");
            if (i % 2)
                IS_INT(connectors_sink_flush(sink), 0, "flush");
        }
        IS_STR(content(path), "", "what is left is in no file yet: its head is written with the first row");
        connectors_sink_close(sink);
        IS_STR(content(path), "a,b\n", "the file that was begun last");
    }
    snprintf(command, sizeof command, "cd %s && test $(ls | wc -l) = 11 && test $(cat rows-*Z*.csv | grep -c 1234,5678) = 20 && test $(grep -lx a,b *.csv | wc -l) = 11", folder);
    IS_INT(system(command), 0, "ten files, and the one that was begun last; all rows, and a head in each");
}

static void test_full(void)
{
    struct connectors_sink *sink;
    char error[256];
    if (!OK(connectors_file_sink_open("/dev/full", &sink, error, sizeof error) == 0, "open /dev/full"))
        return;
    IS_INT(connectors_sink_write(sink, BASE_STR("x"), BASE_STR("")), 0, "is kept");
    IS_INT(connectors_sink_flush(sink), BASE_E_FULL, "the device is full");
    OK(strstr(sink->error, "/dev/full") && strstr(sink->error, "No space left"), "and says so");
    IS_INT(connectors_sink_flush(sink), BASE_E_FULL, "and nothing was forgotten");
    connectors_sink_close(sink);
}

static void test_refused(void)
{
    struct connectors_sink *sink;
    char error[256];
    IS_INT(connectors_file_sink_open("/nonexistent/folder/file", &sink, error, sizeof error), BASE_E_NOTFOUND, "no such folder");
    static const struct table_field field = { .name = "x", .type = { .kind = CEP_KIND_STRING } };
    static const char *const names[] = { "blackhole", "filesystem", "abacus" };
    static const int codes[] = { 0, BASE_E_CONFIG, BASE_E_CONFIG };
    for (size_t i = 0; i < 3; i++) {
        const char *options[] = { "connector", names[i], NULL };
        struct table_spec spec = { &field, 1, options, -1, 0 };
        struct cep_program *program = table_program(&spec);
        struct connectors_source_config config = { program, cep_program_table(program, 0), NULL };
        int r = connectors_sink_open(&config, &sink, error, sizeof error);
        IS_INT(r, codes[i], names[i]);
        if (r == 0) {
            OK(connectors_sink_write(sink, BASE_STR("x"), BASE_STR("")) == 0 && connectors_sink_flush(sink) == 0, "takes all");
            connectors_sink_close(sink);
        }
        cep_program_free(program);
    }
}

int main(void)
{
    char path[] = "/tmp/cepheid-test-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    test_file(path);
    unlink(path);
    char folder[] = "/tmp/cepheid-test-XXXXXX", command[64];
    if (OK(mkdtemp(folder) != NULL, "a folder"))
        test_turn(folder);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "and away with it");
    test_full();
    test_refused();
    return tap_done();
}
