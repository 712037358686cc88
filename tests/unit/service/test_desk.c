/* Alert log and desk over a real store: places, revisions, what aborts undo, allowed moves, history, reopening. */
#include "service/desk.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "service/alertlog.h"
#include "tests/unit/tap.h"

static char folder[] = "/tmp/cepheid-test-desk-XXXXXX";
static const char ID[] = "0123456789abcdef0123456789abcdef";

static int patch(struct service_desk *desk, const char *text, struct base_buf *why)
{
    json_t *change = json_loads(text, 0, NULL), *now = NULL;
    base_buf_clear(why);
    int e = service_desk_patch(desk, base_str_of(ID), change, &now, why);
    json_decref(change);
    json_decref(now);
    return e;
}

static void test_desk(struct service_store *store)
{
    struct service_desk *desk = service_desk_create(store);
    struct base_buf why = { 0 };
    IS_STR(service_desk_status(desk, base_str_of(ID)), "open", "untouched is open");
    IS_INT(patch(desk, "{\"status\":\"acknowledged\",\"assignee\":\"ann\",\"by\":\"ann\"}", &why), 0, "acknowledged");
    IS_INT(patch(desk, "{\"note\":\"called the customer\"}", &why), 0, "a note");
    IS_INT(patch(desk, "{\"status\":\"open\"}", &why), BASE_E_CONFLICT, "none becomes untouched again");
    OK(why.ptr && strstr(why.ptr, "confirmed_fraud"), "the answer names the allowed moves");
    IS_INT(patch(desk, "{\"status\":\"confirmed_fraud\"}", &why), 0, "confirmed");
    IS_INT(patch(desk, "{\"status\":\"fraud\"}", &why), BASE_E_INVALID, "an unknown status");
    IS_INT(patch(desk, "{\"colour\":\"red\"}", &why), BASE_E_INVALID, "an unknown member");
    IS_INT(patch(desk, "{}", &why), BASE_E_INVALID, "nothing to change");
    IS_INT(patch(desk, "[]", &why), BASE_E_INVALID, "no object");
    json_t *now = NULL;
    IS_INT(service_desk_get(desk, base_str_of(ID), &now), 0, "read");
    IS_STR(json_string_value(json_object_get(now, "status")), "confirmed_fraud", "the status");
    IS_STR(json_string_value(json_object_get(now, "assignee")), "ann", "the assignee");
    IS_INT(json_array_size(json_object_get(now, "history")), 3, "three changes in the history");
    json_decref(now);
    base_buf_finish(&why);
    service_desk_destroy(desk);
}

int main(void)
{
    char path[64];
    struct base_buf why = { 0 };
    struct service_store *store = NULL;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/store", folder);
    struct service_store_options options = { .path = path, .memory_bytes = 16 << 20 };
    IS_INT(service_store_open(&options, &store, &why), 0, "store opened");
    test_desk(store);
    service_store_close(store);
    IS_INT(service_store_open(&options, &store, &why), 0, "and again");
    struct service_desk *desk = service_desk_create(store);
    IS_STR(service_desk_status(desk, base_str_of(ID)), "confirmed_fraud", "triage survives");
    service_desk_destroy(desk);
    struct service_alertlog *log = NULL;
    IS_INT(service_alertlog_open(store, &log, &why), 0, "alert log opened");
    IS_INT(service_alertlog_last(log), 0, "empty");
    struct service_alert_place place;
    IS_INT(service_alertlog_find(log, base_str_of(ID), &place), BASE_E_NOTFOUND, "an alert that is not there");
    service_alertlog_close(log);
    service_store_close(store);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "cleaned up");
    base_buf_finish(&why);
    return tap_done();
}
