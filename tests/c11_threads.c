/* The C11 thread calls that librdkafka makes, by way of pthreads. Linked into programs for ThreadSanitizer only: it knows pthreads and no C11 threads, and a
 * thread that it has not seen start crashes in its first call that is watched. glibc's types are the pthread ones under other names. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t) && sizeof(thrd_t) == sizeof(pthread_t), "glibc's types");

struct beginning { thrd_start_t function; void *arg; };

static void *begin(void *arg)
{
    struct beginning own = *(struct beginning *)arg;
    free(arg);
    return (void *)(intptr_t)own.function(own.arg);
}

static int result(int error)
{
    switch (error) {
    case 0: return thrd_success;
    case EBUSY: return thrd_busy;
    case ETIMEDOUT: return thrd_timedout;
    case ENOMEM: return thrd_nomem;
    default: return thrd_error;
    }
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *arg)
{
    struct beginning *own = malloc(sizeof *own);
    if (!own)
        return thrd_nomem;
    *own = (struct beginning){ function, arg };
    int error = pthread_create((pthread_t *)thread, NULL, begin, own);
    if (error)
        free(own);
    return result(error);
}

int thrd_join(thrd_t thread, int *ret)
{
    void *value = NULL;
    int error = pthread_join((pthread_t)thread, &value);
    if (ret)
        *ret = (int)(intptr_t)value;
    return result(error);
}

int thrd_detach(thrd_t thread) { return result(pthread_detach((pthread_t)thread)); }

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    int error = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return result(error);
}
int mtx_lock(mtx_t *mutex) { return result(pthread_mutex_lock((pthread_mutex_t *)mutex)); }
int mtx_trylock(mtx_t *mutex) { return result(pthread_mutex_trylock((pthread_mutex_t *)mutex)); }
int mtx_unlock(mtx_t *mutex) { return result(pthread_mutex_unlock((pthread_mutex_t *)mutex)); }
void mtx_destroy(mtx_t *mutex) { pthread_mutex_destroy((pthread_mutex_t *)mutex); }

int cnd_init(cnd_t *cond) { return result(pthread_cond_init((pthread_cond_t *)cond, NULL)); }
int cnd_signal(cnd_t *cond) { return result(pthread_cond_signal((pthread_cond_t *)cond)); }
int cnd_broadcast(cnd_t *cond) { return result(pthread_cond_broadcast((pthread_cond_t *)cond)); }
int cnd_wait(cnd_t *cond, mtx_t *mutex) { return result(pthread_cond_wait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex)); }
int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    return result(pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until));
}
void cnd_destroy(cnd_t *cond) { pthread_cond_destroy((pthread_cond_t *)cond); }
