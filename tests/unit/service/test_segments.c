/* Files of large records: what was appended is read as it was written, whatever is damaged or gone is told, files go when they are not needed and that is durable. */
#include "service/segments.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/error.h"
#include "service/folder.h"
#include "tests/unit/tap.h"

static char folder[] = "/tmp/cepheid-test-segments-XXXXXX";

static size_t files(void)
{
    char path[128];
    struct service_folder names = { 0 };
    snprintf(path, sizeof path, "%s/journal", folder);
    size_t count = service_folder_read(path, &names) < 0 ? 0 : names.len;
    service_folder_finish(&names);
    return count;
}

static int append(struct service_segments *segments, char fill, size_t len, struct service_place *ret)
{
    struct base_buf why = { 0 };
    char *bytes = base_alloc(len);
    memset(bytes, fill, len);
    int e = service_segments_append(segments, (struct base_str){ bytes, len }, ret, &why);
    if (e == 0)
        e = service_segments_sync(segments, &why);
    OK((e == 0) == (why.len == 0), "a failure has its reason, and only a failure");
    base_buf_finish(&why);
    base_free(bytes);
    return e;
}

/* 0 if it reads as `len` times `fill`. */
static int reads(const struct service_place *place, char fill, size_t len)
{
    struct base_buf got = { 0 };
    base_buf_puts(&got, "in front");
    int e = service_segments_read(folder, SERVICE_SEGMENTS_JOURNAL, place, &got);
    bool good = e == 0 && got.len == len + 8;
    for (size_t i = 8; good && i < got.len; i++)
        good = got.ptr[i] == fill;
    bool kept = got.len == len + 8 || got.len == 8;
    base_buf_finish(&got);
    return e ? e : good && kept ? 0 : -1000;
}

static void change(uint64_t number, long at, int byte) /* byte < 0: the file is cut there */
{
    char path[160];
    snprintf(path, sizeof path, "%s/journal/%016llx.journal", folder, (unsigned long long)number);
    int fd = open(path, O_RDWR);
    char b = (char)byte;
    if (byte < 0 ? ftruncate(fd, at) != 0 : pwrite(fd, &b, 1, at) != 1)
        printf("# %s was not changed\n", path);
    close(fd);
}

static bool direct; /* the files of this round are written past the page cache */

static int open_segments(uint64_t least_bytes, struct service_segments **ret)
{
    int e = service_segments_open(folder, SERVICE_SEGMENTS_JOURNAL, least_bytes, ret);
    if (e == 0 && direct)
        e = service_segments_direct(*ret);
    if (e < 0) {
        service_segments_close(*ret);
        *ret = NULL;
    }
    return e;
}

static void check_records(void)
{
    struct service_segments *segments = NULL;
    struct service_place a, b, c, d, moved;
    struct base_buf text = { 0 };
    IS_INT(open_segments(100, &segments), 0, "opened where there is nothing");
    OK(!service_segments_wants(segments, 99) && service_segments_wants(segments, 100), "small records are better kept elsewhere");
    IS_INT(files(), 0, "without a record there is no file");
    IS_INT(append(segments, 'a', 1000, &a) | append(segments, 'b', 3 << 20, &b), 0, "two records");
    service_segments_turn(segments);
    IS_INT(append(segments, 'c', 8, &c), 0, "a third, after a turn");
    IS_INT(files(), 2, "in two files");
    IS_INT(reads(&a, 'a', 1000) | reads(&b, 'b', 3 << 20) | reads(&c, 'c', 8), 0, "all are read");
    service_place_put(&b, &text);
    IS_INT(text.len, SERVICE_PLACE_BYTES, "a place has its size");
    struct base_reader in = base_reader_of(text.ptr, text.len);
    moved = service_place_read(&in);
    IS_INT(reads(&moved, 'b', 3 << 20), 0, "and is read as it was written");
    moved.offset++;
    IS_INT(reads(&moved, 'b', 3 << 20), BASE_E_CORRUPT, "another place is refused");
    moved = b;
    moved.len = UINT64_MAX - 5;
    IS_INT(reads(&moved, 'b', 1), BASE_E_CORRUPT, "so is one beyond all files");
    moved = c;
    moved.segment = 77;
    IS_INT(reads(&moved, 'c', 8), BASE_E_CORRUPT, "and one in a file that is not there");
    service_segments_close(segments);
    IS_INT(open_segments(100, &segments), 0, "opened again");
    IS_INT(append(segments, 'd', 8, &d), 0, "a record");
    OK(d.segment > c.segment && reads(&c, 'c', 8) == 0, "goes into a file of its own");
    change(c.segment, 7, -1);
    IS_INT(reads(&c, 'c', 8), BASE_E_CORRUPT, "a torn record is refused");
    change(b.segment, 1000 + 12345, 'x');
    IS_INT(reads(&b, 'b', 3 << 20), BASE_E_CORRUPT, "so is one with a changed byte");
    IS_INT(reads(&a, 'a', 1000), 0, "the one before it is sound");
    service_segments_sweep(segments);
    IS_INT(files(), 3, "nothing goes that is needed");
    service_segments_retire(segments);
    IS_INT(append(segments, 'e', 8, &a), 0, "one more, when those before are not needed");
    IS_INT(files(), 4, "they stay until that is durable");
    service_segments_sweep(segments);
    IS_INT(files(), 1, "then they go");
    IS_INT(reads(&a, 'e', 8), 0, "the new one stays");
    service_segments_close(segments);
    base_buf_finish(&text);
}

/* Records of all kinds of lengths one behind the other, in one file and each as it was written. */
static void check_lengths(void)
{
    static const size_t lengths[] = { 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 4096, 100 };
    enum { COUNT = sizeof lengths / sizeof lengths[0] };
    struct service_segments *segments = NULL;
    struct service_place places[COUNT];
    int wrong = 0;
    IS_INT(open_segments(0, &segments), 0, "opened");
    for (size_t i = 0; i < COUNT; i++)
        wrong += append(segments, (char)('a' + i), lengths[i], &places[i]) != 0;
    for (size_t i = 0; i < COUNT; i++) {
        wrong += reads(&places[i], (char)('a' + i), lengths[i]) != 0;
        wrong += direct && places[i].offset % 4096 != 0;
        wrong += i > 0 && (places[i].segment != places[0].segment || places[i].offset < places[i - 1].offset + lengths[i - 1]);
    }
    IS_INT(wrong, 0, "each is read as it was written");
    service_segments_close(segments);
}

/* A file system that takes no more. */
static void check_full(void)
{
    struct service_segments *segments = NULL;
    struct service_place a, b;
    struct base_buf why = { 0 };
    struct rlimit was, small;
    getrlimit(RLIMIT_FSIZE, &was);
    signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){ 1000, was.rlim_max };
    IS_INT(open_segments(0, &segments), 0, "opened");
    IS_INT(append(segments, 'a', 700, &a), 0, "a record");
    setrlimit(RLIMIT_FSIZE, &small);
    IS_INT(append(segments, 'b', 700, &b), BASE_E_IO, "one that does not fit is refused");
    service_segments_turn(segments);
    small.rlim_cur = 5000;
    setrlimit(RLIMIT_FSIZE, &small);
    IS_INT(append(segments, 'b', 7000, &b), BASE_E_IO, "so is one of which only a part does, not even whole blocks");
    setrlimit(RLIMIT_FSIZE, &was);
    IS_INT(service_segments_append(segments, BASE_STR("c"), &b, &why), BASE_E_IO, "nothing more goes into that file");
    IS_INT(service_segments_sync(segments, &why), BASE_E_IO, "nor is it synced");
    service_segments_turn(segments);
    IS_INT(append(segments, 'b', 700, &b), 0, "into the next it goes");
    OK(b.segment > a.segment && reads(&a, 'a', 700) == 0 && reads(&b, 'b', 700) == 0, "and both are read");
    service_segments_close(segments);
    base_buf_finish(&why);
}

/* Each allocation fails once. */
static void check_memory(void)
{
    int wrong = 0;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct service_segments *segments = NULL;
        struct base_buf got = { 0 }, why = { 0 };
        struct service_place place;
        uint64_t before = base_alloc_live_blocks();
        base_alloc_fail_at(nth, false);
        int e = open_segments(0, &segments);
        if (e == 0)
            e = service_segments_append(segments, BASE_STR("text"), &place, &why);
        if (e == 0)
            e = service_segments_sync(segments, &why);
        if (e == 0)
            e = service_segments_read(folder, SERVICE_SEGMENTS_JOURNAL, &place, &got);
        base_alloc_fail_at(0, false);
        wrong += e != 0 && e != BASE_E_NOMEM;
        wrong += e == 0 && (got.len != 4 || memcmp(got.ptr, "text", 4) != 0);
        service_segments_close(segments);
        base_buf_finish(&got);
        base_buf_finish(&why);
        wrong += base_alloc_live_blocks() != before;
    }
    IS_INT(wrong, 0, "without memory it is refused, and nothing leaks");
}

int main(void)
{
    char command[160];
    if (!mkdtemp(folder))
        return 1;
    for (int round = 0; round < 2; round++) {
        direct = round == 1;
        check_records();
        check_lengths();
        check_full();
        check_memory();
        snprintf(command, sizeof command, "rm -rf %s/journal", folder);
        IS_INT(system(command), 0, "cleaned up for the next");
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "cleaned up");
    return tap_done();
}
