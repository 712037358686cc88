#include "service/desk.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "service/json.h"

struct service_desk {
    struct service_store *store;
    pthread_mutex_t lock; /* one change at a time: read, change, write */
};

enum status { OPEN, ACKNOWLEDGED, CONFIRMED_FRAUD, FALSE_POSITIVE, CLOSED, STATUS_COUNT };
static const char *const STATUSES[STATUS_COUNT] = { "open", "acknowledged", "confirmed_fraud", "false_positive", "closed" };
/* Allowed moves, by bits: a judgement may be corrected, a closed alert taken up again, but none becomes untouched. */
static const unsigned MOVES[STATUS_COUNT] = {
    [OPEN] = 1u << ACKNOWLEDGED | 1u << CONFIRMED_FRAUD | 1u << FALSE_POSITIVE | 1u << CLOSED,
    [ACKNOWLEDGED] = 1u << CONFIRMED_FRAUD | 1u << FALSE_POSITIVE | 1u << CLOSED,
    [CONFIRMED_FRAUD] = 1u << FALSE_POSITIVE | 1u << CLOSED | 1u << ACKNOWLEDGED,
    [FALSE_POSITIVE] = 1u << CONFIRMED_FRAUD | 1u << CLOSED | 1u << ACKNOWLEDGED,
    [CLOSED] = 1u << ACKNOWLEDGED,
};

struct service_desk *service_desk_create(struct service_store *store)
{
    struct service_desk *desk = base_calloc(1, sizeof *desk);
    if (!desk)
        return NULL;
    desk->store = store;
    pthread_mutex_init(&desk->lock, NULL);
    return desk;
}

void service_desk_destroy(struct service_desk *desk)
{
    if (!desk)
        return;
    pthread_mutex_destroy(&desk->lock);
    base_free(desk);
}

static int status_index(const char *text)
{
    for (int i = 0; text && i < STATUS_COUNT; i++) {
        if (strcmp(STATUSES[i], text) == 0)
            return i;
    }
    return -1;
}

bool service_desk_status_known(const char *status)
{
    return status_index(status) >= 0;
}

int service_desk_get(struct service_desk *desk, struct base_str alert_id, json_t **ret)
{
    struct base_buf value = { 0 };
    int e = service_store_get(desk->store, SERVICE_CF_TRIAGE, alert_id, &value);
    json_t *found = NULL;
    if (e == 0) {
        found = json_loadb(value.ptr, value.len, 0, NULL);
        e = json_is_object(found) ? 0 : BASE_E_CORRUPT;
    } else if (e == BASE_E_NOTFOUND) {
        found = json_pack("{s:s, s:n, s:n, s:[]}", "status", STATUSES[OPEN], "assignee", "updated_at", "history");
        e = found ? 0 : BASE_E_NOMEM;
    }
    base_buf_finish(&value);
    if (e < 0)
        json_decref(found);
    else
        *ret = found;
    return e;
}

const char *service_desk_status(struct service_desk *desk, struct base_str alert_id)
{
    json_t *found = NULL;
    if (service_desk_get(desk, alert_id, &found) < 0)
        return STATUSES[OPEN];
    int i = status_index(json_string_value(json_object_get(found, "status")));
    json_decref(found);
    return STATUSES[i < 0 ? OPEN : i];
}

static int check_patch(const json_t *patch, struct base_buf *reterr)
{
    static const char *const known[] = { "status", "assignee", "note", "by" };
    const char *name;
    json_t *value;
    if (!json_is_object(patch)) {
        base_buf_puts(reterr, "the body must be a JSON object with status, assignee, note or by");
        return BASE_E_INVALID;
    }
    json_object_foreach((json_t *)patch, name, value) {
        bool good = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            good = good || strcmp(known[i], name) == 0;
        bool text = json_is_string(value) || (strcmp(name, "assignee") == 0 && json_is_null(value));
        if (!good || !text || json_string_length(value) > SERVICE_DESK_TEXT) {
            base_buf_printf(reterr, good ? "\"%s\" must be a text of at most 4000 bytes" : "unknown member \"%s\"; there are status, assignee, note and by", name);
            return BASE_E_INVALID;
        }
    }
    const char *status = json_string_value(json_object_get(patch, "status"));
    if (status && status_index(status) < 0) {
        base_buf_printf(reterr, "unknown status \"%s\"; there are open, acknowledged, confirmed_fraud, false_positive and closed", status);
        return BASE_E_INVALID;
    }
    if (!status && !json_object_get(patch, "assignee") && !json_object_get(patch, "note")) {
        base_buf_puts(reterr, "nothing to change: give status, assignee or note");
        return BASE_E_INVALID;
    }
    return 0;
}

static int check_move(const json_t *now, const json_t *patch, struct base_buf *reterr)
{
    const char *from = json_string_value(json_object_get(now, "status"));
    const char *to = json_string_value(json_object_get(patch, "status"));
    int a = status_index(from), b = status_index(to);
    if (!to || a == b)
        return 0;
    if (a >= 0 && MOVES[a] >> b & 1)
        return 0;
    base_buf_printf(reterr, "an alert that is %s cannot become %s; allowed:", from ? from : "?", to);
    for (int i = 0; a >= 0 && i < STATUS_COUNT; i++) {
        if (MOVES[a] >> i & 1)
            base_buf_printf(reterr, " %s", STATUSES[i]);
    }
    return BASE_E_CONFLICT;
}

static int apply(json_t *now, const json_t *patch, struct base_buf *reterr)
{
    json_t *history = json_object_get(now, "history");
    if (!json_is_array(history) || json_array_size(history) >= SERVICE_DESK_HISTORY) {
        base_buf_printf(reterr, "the alert has %d changes already, which is the limit", SERVICE_DESK_HISTORY);
        return BASE_E_LIMIT;
    }
    char at[40];
    base_time_print(base_clock_wall_ms(), true, at);
    json_t *entry = json_object();
    json_t *status = json_object_get(patch, "status"), *assignee = json_object_get(patch, "assignee"), *note = json_object_get(patch, "note");
    int bad = json_object_set_new(entry, "at", json_string(at));
    json_t *by = json_object_get(patch, "by");
    bad |= by ? json_object_set(entry, "by", by) : 0;
    bad |= status ? json_object_set(entry, "status", status) | json_object_set(now, "status", status) : 0;
    bad |= assignee ? json_object_set(entry, "assignee", assignee) | json_object_set(now, "assignee", assignee) : 0;
    bad |= note ? json_object_set(entry, "note", note) : 0;
    bad |= json_object_set_new(now, "updated_at", json_string(at));
    bad |= json_array_append_new(history, entry);
    return bad ? BASE_E_NOMEM : 0;
}

static int write_value(struct service_desk *desk, struct base_str alert_id, const json_t *now)
{
    struct base_buf text = { 0 };
    struct service_batch *batch = NULL;
    int e = service_json_put(now, &text) ? service_batch_create(&batch) : BASE_E_NOMEM;
    if (e == 0)
        e = service_batch_put(batch, SERVICE_CF_TRIAGE, SERVICE_STORE_NO_GROUP, alert_id, (struct base_str){ text.ptr, text.len });
    if (e == 0)
        e = service_store_write(desk->store, &batch, 1, true);
    service_batch_destroy(batch);
    base_buf_finish(&text);
    return e;
}

int service_desk_patch(struct service_desk *desk, struct base_str alert_id, const json_t *patch, json_t **ret, struct base_buf *reterr)
{
    int e = check_patch(patch, reterr);
    if (e < 0)
        return e;
    json_t *now = NULL;
    pthread_mutex_lock(&desk->lock);
    e = service_desk_get(desk, alert_id, &now);
    if (e == 0)
        e = check_move(now, patch, reterr);
    if (e == 0)
        e = apply(now, patch, reterr);
    if (e == 0)
        e = write_value(desk, alert_id, now);
    pthread_mutex_unlock(&desk->lock);
    if (e < 0)
        json_decref(now);
    else
        *ret = now;
    return e;
}
