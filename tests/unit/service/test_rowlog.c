/* The log of a sink: places rise for ever, only decided entries are read, what is dealt with is dropped, and a new handle goes on where the old one was. */
#include "service/rowlog.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "service/store.h"
#include "tests/unit/tap.h"

struct world { char path[64]; struct service_store *store; struct service_rowlog *log; struct service_rowlog_tail *tail; };

static void open_world(struct world *world)
{
    struct service_store_options options = { .path = world->path };
    struct base_buf why = { 0 };
    if (service_store_open(&options, &world->store, &why) < 0 || service_rowlog_open(world->store, &world->log) < 0 ||
        service_rowlog_tail(world->log, "songs", &world->tail) < 0 || service_rowlog_refresh(world->log, &why) < 0) {
        fprintf(stderr, "%s\n", why.ptr ? why.ptr : "no store");
        abort();
    }
    base_buf_finish(&why);
}

static void close_world(struct world *world)
{
    service_rowlog_close(world->log);
    service_store_close(world->store);
}

static int add(struct world *world, int count, bool decide)
{
    struct service_batch *batch = NULL;
    int e = service_batch_create(&batch);
    for (int i = 0; e == 0 && i < count; i++) {
        char text[16];
        int len = snprintf(text, sizeof text, "row %d", i);
        e = service_rowlog_add(world->tail, batch, (struct base_str){ text, (size_t)len });
    }
    if (e == 0)
        e = service_rowlog_seal(world->tail, batch);
    if (e == 0 && decide)
        e = service_store_write(world->store, &batch, 1, true);
    if (e == 0 && decide)
        service_rowlog_decided(world->log);
    service_batch_destroy(batch);
    return e;
}

struct read { uint64_t first, last, count, bytes, most; };

static int read_one(void *ctx, uint64_t seq, struct base_str record)
{
    struct read *read = ctx;
    if (read->count == read->most)
        return 1;
    read->first = read->count ? read->first : seq;
    read->last = seq;
    read->count++;
    read->bytes += record.len;
    return 0;
}

static struct read read_all(struct world *world, uint64_t after, uint64_t most)
{
    struct read read = { .most = most };
    if (service_rowlog_each(world->tail, after, read_one, &read) < 0)
        abort();
    return read;
}

static void test_life(struct world *world)
{
    struct service_rowlog_state state;
    uint64_t before_us = (uint64_t)(base_clock_wall_ms() - 1000) * 1000, mark = 0;
    open_world(world);
    service_rowlog_state(world->tail, &state);
    OK(state.position == state.decided && state.position > before_us, "a new log begins at the clock");
    uint64_t start = state.position;
    IS_INT(add(world, 5, false), 0, "an epoch that is not decided");
    IS_INT(read_all(world, start, 100).count, 0, "nothing of it can be read");
    struct base_buf why = { 0 };
    IS_INT(service_rowlog_refresh(world->log, &why), 0, "it was aborted");
    IS_INT(add(world, 7, true), 0, "seven rows, decided");
    struct read read = read_all(world, start, 100);
    IS_INT(read.count, 7, "seven to read");
    IS_INT(read.bytes, 35, "their bytes");
    OK(read.first > start && read.last - read.first == 6, "one behind the other");
    read = read_all(world, start, 3);
    IS_INT(service_rowlog_done(world->tail, read.last, read.count, read.bytes), 0, "three are dealt with");
    service_rowlog_state(world->tail, &state);
    IS_INT(state.rows, 4, "four wait");
    IS_INT(state.bytes, 20, "with their bytes");
    IS_INT(service_rowlog_put_mark(world->tail, state.decided), 0, "a mark");
    uint64_t end = state.decided, position = state.position;
    close_world(world);

    open_world(world);
    service_rowlog_state(world->tail, &state);
    OK(state.position == position && state.decided == end && state.rows == 4 && state.bytes == 20, "a new handle knows all of it");
    OK(service_rowlog_get_mark(world->tail, &mark) == 0 && mark == end, "and the mark");
    IS_INT(read_all(world, 0, 100).count, 4, "what was dealt with is gone");
    IS_INT(add(world, 1, true), 0, "one more");
    read = read_all(world, state.position, 100);
    OK(read.count == 5 && read.last == end + 1, "its place is the next");
    struct service_rowlog_tail *other = NULL;
    IS_INT(service_rowlog_tail(world->log, "song", &other), 0, "another sink, whose name is the beginning of the first's");
    IS_INT(service_rowlog_refresh(world->log, &why), 0, "read");
    service_rowlog_state(other, &state);
    IS_INT(state.rows, 0, "it is empty");
    base_buf_finish(&why);
}

/* A restored state folder: the log's place lies in the past, but stores have seen later versions. */
static void test_restored(struct world *world)
{
    struct service_batch *batch = NULL;
    struct service_rowlog_state before, after;
    struct base_buf why = { 0 };
    service_rowlog_state(world->tail, &before);
    int e = service_batch_create(&batch);
    if (e == 0)
        e = service_batch_put(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR("restored"), BASE_STR("x"));
    if (e == 0)
        e = service_store_write(world->store, &batch, 1, true);
    service_batch_destroy(batch);
    usleep(2000);
    IS_INT(e < 0 ? e : service_rowlog_refresh(world->log, &why), 0, "restored");
    service_rowlog_state(world->tail, &after);
    OK(after.decided > before.decided, "places go on behind the clock");
    IS_INT(read_all(world, before.position, 100).count, 5, "what waited still waits");
    e = service_batch_create(&batch); /* the first epoch of its own takes the flag away */
    if (e == 0)
        e = service_batch_delete(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR("restored"));
    if (e == 0)
        e = service_store_write(world->store, &batch, 1, true);
    service_batch_destroy(batch);
    IS_INT(e, 0, "and it is a log like any other");
    base_buf_finish(&why);
}

/* Every allocation fails once: an error, or no difference; never a lost place. */
static void test_memory(struct world *world)
{
    uint64_t fired = 0, wrong = 0;
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct service_rowlog_state before, after;
        struct base_buf why = { 0 };
        service_rowlog_state(world->tail, &before);
        base_alloc_fail_at(nth, false);
        int e = add(world, 2, true);
        bool hit = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        if (e < 0 && service_rowlog_refresh(world->log, &why) < 0)
            abort();
        service_rowlog_state(world->tail, &after);
        wrong += after.decided != before.decided + (e == 0 ? 2 : 0) || (e < 0 && e != BASE_E_NOMEM);
        base_buf_finish(&why);
        fired += hit;
        if (!hit)
            break;
    }
    OK(fired > 2, "allocations failed");
    IS_INT(wrong, 0, "none moved the end without its rows");
}

int main(void)
{
    struct world world = { .path = "/tmp/cepheid-rowlog-XXXXXX" };
    char command[96];
    if (!mkdtemp(world.path))
        return 1;
    test_life(&world);
    test_restored(&world);
    test_memory(&world);
    close_world(&world);
    snprintf(command, sizeof command, "rm -r %s", world.path);
    OK(system(command) == 0, "the folder is gone");
    return tap_done();
}
