/* Faults on demand for end-to-end tests: a library that is loaded in front of the program's others (LD_PRELOAD) and stands between it and RocksDB,
 * librdkafka and libc. The program itself knows nothing of it. tests/e2e/faults.py compiles it and sets what it shall do:
 *
 *   CEPHEID_FAULT_POINT=N:K      at the K-th passing of point N of the epoch protocol the process kills itself with SIGKILL; N:K:stop: it stops (SIGSTOP)
 *   CEPHEID_FAULT_FULL=FILE      while FILE exists, writes to files of the store fail with ENOSPC
 *   CEPHEID_FAULT_SYNC=FILE      while FILE exists, fsync and fdatasync of files of the store fail with EIO
 *   CEPHEID_FAULT_CLOCK=FILE     the wall clock is off by the number of seconds that FILE holds
 *
 * The points, in the order in which a start and then an epoch pass them (docs/protocol.md):
 *    1, 2    before, after init_transactions
 *    3, 4    before, after the committed offsets are read
 *    5, 6    before, after a pending epoch is applied or dropped at the start
 *    7, 8    before, after the begin of a transaction
 *    9       while records are produced
 *    10      before prepare
 *    11      in the middle of the write of prepare to the store's log
 *    12      prepare is written, but not synced
 *    13      after prepare
 *    14, 15  before, after the offsets are sent into the transaction
 *    16      before the commit
 *    17      while the commit is under way
 *    18      after the commit
 *    19      in the middle of the write of apply to the store's log
 *    20      after apply
 * and, if the epoch's journals go into a file (state.journal-file), before 10:
 *    21      in the middle of the write of a journal
 *    22      it is written, but not synced
 * and, on the thread of an image that is written aside, behind 20:
 *    23      in the middle of the write of its file
 *    24      the file is written, but not synced
 *    25, 26  before, after the image is announced
 *    27      in the middle of the write of a slice to the store's log
 *    28      after a slice, or after the file was let go
 * and, if it is written as tables (state.image-tables):
 *    29      in the middle of the write of a table
 *    30      it is written, but not synced
 *    31, 32  before, after the store takes it in */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

struct rocksdb_t;
struct rocksdb_writeoptions_t;
struct rocksdb_writebatch_t;
struct rocksdb_column_family_handle_t;
struct rocksdb_ingestexternalfileoptions_t;
struct rd_kafka_t;

enum { NONE, STARTING, STARTED, OPEN, PREPARED, COMMITTED }; /* what the thread that decides epochs did last */
static __thread int phase;
static __thread int tear;     /* this thread's next write is torn */
static __thread int unsynced; /* this thread's next sync does not happen */
enum { NO_IMAGE, FILE_SYNCED, ANNOUNCED };
static __thread int image; /* what the thread that writes images did last */

static int wanted, wanted_times, wanted_signal;
static int passed[40];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_wish(void)
{
    const char *text = getenv("CEPHEID_FAULT_POINT");
    char how[8] = "";
    if (text && sscanf(text, "%d:%d:%7s", &wanted, &wanted_times, how) >= 2)
        wanted_signal = strcmp(how, "stop") == 0 ? SIGSTOP : SIGKILL;
}

static int is_due(int point)
{
    pthread_once(&once, read_wish);
    return point == wanted && __sync_add_and_fetch(&passed[point], 1) == wanted_times;
}

static void die(void)
{
    kill(getpid(), wanted_signal);
    for (int i = 0; wanted_signal == SIGKILL && i < 100; i++)
        usleep(100000);
}

static void point(int number)
{
    if (is_due(number))
        die();
}

static void *kill_soon(void *arg)
{
    usleep(*(useconds_t *)arg);
    die();
    return arg;
}

/* Some time within what is about to happen. */
static void die_within(useconds_t us)
{
    static useconds_t delay;
    pthread_t thread;
    delay = (useconds_t)(wanted_times * 1709) % us;
    pthread_create(&thread, NULL, kill_soon, &delay);
}

#define NEXT(name) ((__typeof__(&name))next(#name))
static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

/* ---- librdkafka ---- */

void *rd_kafka_init_transactions(struct rd_kafka_t *rk, int timeout_ms)
{
    phase = STARTING;
    point(1);
    void *error = NEXT(rd_kafka_init_transactions)(rk, timeout_ms);
    point(2);
    return error;
}

int rd_kafka_committed(struct rd_kafka_t *rk, void *partitions, int timeout_ms)
{
    if (phase == STARTING)
        point(3);
    int error = NEXT(rd_kafka_committed)(rk, partitions, timeout_ms);
    if (phase == STARTING) {
        point(4);
        phase = STARTED;
    }
    return error;
}

void *rd_kafka_begin_transaction(struct rd_kafka_t *rk)
{
    point(7);
    void *error = NEXT(rd_kafka_begin_transaction)(rk);
    if (phase != PREPARED)
        phase = OPEN;
    point(8);
    if (is_due(9))
        die_within(2000);
    return error;
}

void *rd_kafka_send_offsets_to_transaction(struct rd_kafka_t *rk, const void *offsets, const void *group, int timeout_ms)
{
    point(14);
    void *error = NEXT(rd_kafka_send_offsets_to_transaction)(rk, offsets, group, timeout_ms);
    point(15);
    return error;
}

void *rd_kafka_commit_transaction(struct rd_kafka_t *rk, int timeout_ms)
{
    point(16);
    if (is_due(17))
        die_within(12000);
    void *error = NEXT(rd_kafka_commit_transaction)(rk, timeout_ms);
    if (!error) {
        phase = COMMITTED;
        point(18);
    }
    return error;
}

/* ---- RocksDB ---- */

void rocksdb_write(struct rocksdb_t *db, const struct rocksdb_writeoptions_t *options, struct rocksdb_writebatch_t *batch, char **error)
{
    int was = phase;
    if (was == STARTED)
        point(5);
    if (was == OPEN) {
        point(10);
        tear = is_due(11);
        unsynced = is_due(12);
    }
    if (was == COMMITTED)
        tear = is_due(19);
    if (image == FILE_SYNCED)
        point(25);
    if (image == ANNOUNCED)
        tear = is_due(27);
    NEXT(rocksdb_write)(db, options, batch, error);
    if (tear || unsynced)
        die(); /* another thread wrote it to the log along with its own */
    tear = unsynced = 0;
    if (image == FILE_SYNCED)
        point(26);
    if (image == ANNOUNCED)
        point(28);
    if (image == FILE_SYNCED)
        image = ANNOUNCED;
    if (was == STARTED)
        point(6);
    if (was == OPEN) {
        phase = PREPARED;
        point(13);
    }
    if (was == COMMITTED) {
        phase = OPEN; /* the next write is a prepare, whether or not something is produced before it */
        point(20);
    }
}

void rocksdb_ingest_external_file_cf(struct rocksdb_t *db, struct rocksdb_column_family_handle_t *family, const char *const *files, const size_t count,
                                     const struct rocksdb_ingestexternalfileoptions_t *options, char **error)
{
    point(31);
    NEXT(rocksdb_ingest_external_file_cf)(db, family, files, count, options, error);
    point(32);
}

/* ---- libc: files ---- */

static int lies_in(int fd, const char *folder)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return 0;
    path[len] = '\0';
    return strstr(path, folder) != NULL;
}

static int in_store(int fd)
{
    return lies_in(fd, "/store/");
}

/* Of an image, not yet of the store. */
static int in_tables(int fd)
{
    return lies_in(fd, "/store/tables/");
}

static int is_named(int fd, const char *end)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1), most = (ssize_t)strlen(end);
    return len > most && memcmp(path + len - most, end, (size_t)most) == 0;
}

static int asked(const char *variable)
{
    const char *path = getenv(variable);
    return path && access(path, F_OK) == 0;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    if ((tear || (wanted == 21 && is_named(fd, ".journal") && is_due(21)) || (wanted == 23 && is_named(fd, ".image") && is_due(23)) || (wanted == 29 && in_tables(fd) && is_due(29))) && count > 1) {
        (void)!NEXT(write)(fd, bytes, count / 2);
        die();
    }
    if (asked("CEPHEID_FAULT_FULL") && in_store(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    if (asked("CEPHEID_FAULT_FULL") && in_store(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(pwrite)(fd, bytes, count, at);
}

static int refuses_sync(int fd)
{
    if (unsynced || (wanted == 22 && is_named(fd, ".journal") && is_due(22)) || (wanted == 24 && is_named(fd, ".image") && is_due(24)) ||
        (wanted == 30 && in_tables(fd) && is_due(30)))
        die();
    if (wanted > 24 && is_named(fd, ".image"))
        image = FILE_SYNCED;
    if (!asked("CEPHEID_FAULT_SYNC") || !in_store(fd))
        return 0;
    errno = EIO;
    return 1;
}

int fdatasync(int fd)
{
    return refuses_sync(fd) ? -1 : NEXT(fdatasync)(fd);
}

int fsync(int fd)
{
    return refuses_sync(fd) ? -1 : NEXT(fsync)(fd);
}

/* ---- libc: the wall clock ---- */

static _Thread_local long long shift_s; /* that of this thread's last look at the clock */

static long long clock_shift_s(void)
{
    static _Thread_local long long looked_ns;
    const char *path = getenv("CEPHEID_FAULT_CLOCK");
    struct timespec now;
    if (!path)
        return 0;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    long long now_ns = now.tv_sec * 1000000000ll + now.tv_nsec;
    if (looked_ns && now_ns - looked_ns < 20000000)
        return shift_s;
    looked_ns = now_ns;
    char text[32] = "";
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof text - 1);
        close(fd);
    }
    return shift_s = atoll(text);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int error = (int)syscall(SYS_clock_gettime, clock, ret);
    if (error == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += clock_shift_s();
    return error;
}

int gettimeofday(struct timeval *ret, void *zone)
{
    int error = (int)syscall(SYS_gettimeofday, ret, zone);
    if (error == 0)
        ret->tv_sec += clock_shift_s();
    return error;
}

time_t time(time_t *ret)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* libc's own reads the clock past us. */
int timespec_get(struct timespec *ret, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ret) == 0 ? base : 0;
}

/* Whoever waits until a time of the clock above, which this thread has just asked for, means the true one. Times of the monotonic clock are small. */
static struct timespec true_time(const struct timespec *until)
{
    struct timespec real = *until;
    if (real.tv_sec > 1000000000)
        real.tv_sec -= shift_s;
    return real;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    struct timespec real = true_time(until);
    int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    return wait(cond, mutex, &real);
}

/* What librdkafka waits with: libc's own waits past the one above. */
int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    struct timespec real = true_time(until);
    return NEXT(cnd_timedwait)(cond, mutex, &real);
}
