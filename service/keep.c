/* Savepoints of a running service: a copy of the store at an epoch boundary (hard links, an instant), from which the savepoint is written aside. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/folder.h"
#include "service/runtime_internal.h"
#include "service/savepoint.h"

void service_runtime_checkpoint(struct service_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    const char *path = rt->checkpoint;
    bool closing = !rt->running;
    pthread_mutex_unlock(&rt->lock);
    if (!path)
        return;
    int e = closing ? BASE_E_CLOSED : service_store_checkpoint(rt->store, path);
    pthread_mutex_lock(&rt->lock);
    rt->checkpoint = NULL;
    rt->checkpoint_result = e;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
}

static int ask_checkpoint(struct service_runtime *rt, const char *path)
{
    pthread_mutex_lock(&rt->lock);
    int e = rt->running && !rt->checkpoint ? 0 : BASE_E_BUSY;
    if (e == 0) {
        rt->checkpoint = path;
        while (rt->checkpoint == path)
            pthread_cond_wait(&rt->changed, &rt->lock);
        e = rt->checkpoint_result;
    }
    pthread_mutex_unlock(&rt->lock);
    return e;
}

/* The files of a copy and its folder. */
static void remove_copy(const char *path)
{
    struct service_folder folder = { 0 };
    if (service_folder_read(path, &folder) == 0) {
        for (size_t i = 0; i < folder.len; i++) {
            char file[4600];
            snprintf(file, sizeof file, "%s/%s", path, folder.at[i]);
            (void)unlink(file); /* what stays is in the way of nobody: the next copy has another name */
        }
    }
    service_folder_finish(&folder);
    (void)rmdir(path);
}

static int write_from(struct service_runtime *rt, const char *copy, struct service_savepoint_ask *ask)
{
    struct service_store *store = NULL;
    struct service_store_options options = { .path = copy, .memory_bytes = 16 << 20, .must_exist = true };
    struct service_savepoint facts = { .created_ms = base_clock_wall_ms() };
    snprintf(facts.application, sizeof facts.application, "%s", rt->settings->text[SERVICE_APPLICATION_ID]);
    int e = service_store_open(&options, &store, &ask->error);
    if (e == 0)
        e = service_savepoint_write(store, ask->path, &facts, &ask->error);
    service_store_close(store);
    return e;
}

static bool good_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len <= 100;
}

int service_runtime_savepoint(struct service_runtime *rt, struct service_savepoint_ask *ask)
{
    char copy[4400], folder[4200];
    const char *dir = rt->settings->text[SERVICE_STATE_DIR];
    if (!good_name(ask->name) || strlen(dir) > 3900) {
        base_buf_puts(&ask->error, "the name of a savepoint consists of letters, digits, '-' and '_'");
        return BASE_E_INVALID;
    }
    snprintf(folder, sizeof folder, "%s/savepoints", dir);
    snprintf(ask->path, sizeof ask->path, "%s/savepoints/%s.savepoint", dir, ask->name);
    snprintf(copy, sizeof copy, "%s/savepoints/.%s.copy", dir, ask->name);
    if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
        base_buf_printf(&ask->error, "%s: %s", folder, strerror(errno));
        return BASE_E_IO;
    }
    if (access(ask->path, F_OK) == 0) {
        base_buf_printf(&ask->error, "%s is there already", ask->path);
        return BASE_E_EXISTS;
    }
    pthread_mutex_lock(&rt->reload_lock); /* one long request at a time */
    remove_copy(copy);
    int e = ask_checkpoint(rt, copy);
    if (e == 0)
        e = write_from(rt, copy, ask);
    remove_copy(copy);
    pthread_mutex_unlock(&rt->reload_lock);
    if (e == 0)
        base_logf(BASE_LOG_INFO, "savepoint", "written", "%s", ask->path);
    return e;
}
