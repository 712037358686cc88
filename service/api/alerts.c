#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "service/api/api.h"
#include "service/json.h"

#define SCAN_MOST 20000 /* entries of the log that one request looks at: a filter that matches little gives short pages with a cursor */

/* ---- one alert as JSON; amounts go through as text, never through a number ---- */

static void put_time(struct base_buf *out, const char *name, int64_t ms)
{
    char text[40];
    if (ms == BASE_TIME_MIN_MS || ms == BASE_TIME_MAX_MS) {
        base_buf_printf(out, ",\"%s\":null", name);
        return;
    }
    base_time_print(ms, true, text);
    base_buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void put_text(struct base_buf *out, const char *name, struct base_str text)
{
    base_buf_printf(out, ",\"%s\":", name);
    base_buf_put_json(out, text);
}

static void put_raw(struct base_buf *out, const char *name, struct base_str raw)
{
    base_buf_printf(out, ",\"%s\":", name);
    if (raw.len)
        base_buf_put_str(out, raw);
    else
        base_buf_puts(out, "null");
}

/* Members without the closing brace. */
static void put_summary(struct base_buf *out, const struct service_alert *alert, bool frozen, const json_t *triage)
{
    struct base_str data = api_member(alert->body, "data");
    base_buf_puts(out, "{\"alert_id\":");
    base_buf_put_json(out, alert->alert_id);
    base_buf_printf(out, ",\"revision\":%u,\"change\":\"%s\"", alert->revision, service_change_name(alert->change));
    put_text(out, "rule", alert->rule);
    base_buf_printf(out, ",\"version\":%u", alert->version);
    put_text(out, "severity", alert->severity);
    put_raw(out, "title", api_member(data, "title"));
    put_text(out, "mode", alert->mode);
    put_text(out, "subject", alert->key);
    put_raw(out, "key", api_member(data, "key"));
    put_raw(out, "measures", api_member(data, "measures"));
    put_time(out, "first_event_time", alert->first_ms);
    put_time(out, "last_event_time", alert->last_ms);
    put_time(out, "detected_at", alert->detected_ms);
    const char *status = json_string_value(json_object_get(triage, "status")), *assignee = json_string_value(json_object_get(triage, "assignee"));
    base_buf_printf(out, ",\"frozen\":%s", frozen ? "true" : "false");
    put_text(out, "status", base_str_of(status ? status : "open"));
    if (assignee)
        put_text(out, "assignee", base_str_of(assignee));
    else
        base_buf_puts(out, ",\"assignee\":null");
}

/* ---- list ---- */

struct list {
    struct api_call *call;
    struct service_alertlog *log;
    struct service_desk *desk;
    const char *rule, *key, *status, *severity, *change;
    int64_t from_ms, to_ms;
    uint32_t limit, found, scanned;
    uint64_t cursor;      /* where the next page goes on; 0: no more */
    struct base_buf *out;
};

static bool is(const char *want, struct base_str have)
{
    return !want || base_str_equal(base_str_of(want), have);
}

static bool wanted(const struct list *list, const struct service_alert *alert)
{
    return is(list->rule, alert->rule) && is(list->key, alert->key) && is(list->severity, alert->severity) &&
           is(list->change, base_str_of(service_change_name(alert->change))) && alert->last_ms >= list->from_ms && alert->last_ms < list->to_ms;
}

static int list_one(void *ctx, const struct service_alert *alert)
{
    struct list *list = ctx;
    if (list->found == list->limit || list->scanned == SCAN_MOST) {
        list->cursor = alert->seq;
        return 1;
    }
    list->scanned++;
    if (!wanted(list, alert))
        return 0;
    struct service_alert_place place;
    int e = service_alertlog_find(list->log, alert->alert_id, &place);
    if (e < 0)
        return e == BASE_E_NOTFOUND ? 0 : e;
    if (place.last_seq != alert->seq)
        return 0; /* a later revision stands further up */
    json_t *triage = NULL;
    e = service_desk_get(list->desk, alert->alert_id, &triage);
    if (e < 0)
        return e;
    const char *status = json_string_value(json_object_get(triage, "status"));
    if (!list->status || (status && strcmp(status, list->status) == 0)) {
        if (list->found++)
            base_buf_putc(list->out, ',');
        put_summary(list->out, alert, place.frozen, triage);
        base_buf_putc(list->out, '}');
    }
    json_decref(triage);
    return 0;
}

static bool read_time(struct api_call *call, const char *name, int64_t *inout)
{
    const char *text = api_request_query(call->request, name);
    bool zoned;
    if (!text || base_time_parse(text, strlen(text), inout, &zoned))
        return true;
    api_problem(call->response, 400, "from and to must be times such as 2026-01-31T12:00:00Z");
    return false;
}

void api_alerts_list(struct api_call *call)
{
    const struct api_request *r = call->request;
    struct service_runtime *runtime = call->api->runtime;
    struct list list = {
        .call = call, .log = service_runtime_log(runtime), .desk = service_runtime_desk(runtime), .rule = api_request_query(r, "rule"),
        .key = api_request_query(r, "key"), .status = api_request_query(r, "status"), .severity = api_request_query(r, "severity"),
        .change = api_request_query(r, "change"), .from_ms = INT64_MIN, .to_ms = INT64_MAX, .out = &call->response->body,
    };
    uint64_t after = 0;
    if (!api_limit(call, &list.limit) || !api_after(call, &after) || !read_time(call, "from", &list.from_ms) || !read_time(call, "to", &list.to_ms))
        return;
    if (list.status && !service_desk_status_known(list.status)) {
        api_problem(call->response, 400, "unknown status; there are open, acknowledged, confirmed_fraud, false_positive and closed");
        return;
    }
    uint64_t last = service_alertlog_last(list.log);
    base_buf_puts(list.out, "{\"data\":[");
    int e = last ? service_alertlog_each(list.log, after && after < last ? after : last, true, list_one, &list) : 0;
    if (e < 0) {
        api_problem_error(call->response, e, NULL);
        return;
    }
    base_buf_puts(list.out, "],\"pagination\":");
    api_pagination(call, list.cursor, list.out);
    base_buf_puts(list.out, "}\n");
    call->response->content_type = "application/json";
}

/* ---- one ---- */

static void put_deliveries(struct api_call *call, const struct service_alert *alert, struct base_buf *out)
{
    struct service_runtime *runtime = call->api->runtime;
    struct service_delivery *delivery = service_runtime_delivery(runtime);
    const struct service_config *config = service_runtime_settings(runtime);
    uint32_t written = 0;
    base_buf_puts(out, ",\"deliveries\":[");
    for (uint32_t i = 0; delivery && i < service_delivery_count(delivery); i++) {
        struct service_delivery_state state;
        if (service_delivery_look(delivery, i, alert, &state) < 0)
            state.status = "unknown";
        base_buf_printf(out, "%s{\"sink\":", written++ ? "," : "");
        base_buf_put_json(out, base_str_of(state.sink));
        base_buf_printf(out, ",\"type\":\"%s\",\"status\":\"%s\",\"attempts\":%u,\"http_status\":", state.type, state.status, state.attempts);
        base_buf_printf(out, state.http_status ? "%u" : "null", state.http_status);
        put_time(out, "last_attempt_at", state.last_ms ? state.last_ms : BASE_TIME_MIN_MS);
        put_time(out, "next_attempt_at", state.next_ms ? state.next_ms : BASE_TIME_MIN_MS);
        base_buf_putc(out, '}');
    }
    bool by_epoch = strcmp(config->text[SERVICE_DELIVERY], "exactly-once") == 0;
    for (uint32_t i = 0; by_epoch && i < config->sink_count; i++) { /* written in the transaction that made the alert visible */
        if (strcmp(config->sinks[i].type, "kafka") != 0)
            continue;
        base_buf_printf(out, "%s{\"sink\":", written++ ? "," : "");
        base_buf_put_json(out, base_str_of(config->sinks[i].name));
        base_buf_printf(out, ",\"type\":\"kafka\",\"status\":\"%s\"}", service_delivery_wants(config->sinks[i].name, alert) ? "delivered" : "not_wanted");
    }
    base_buf_putc(out, ']');
}

static int read_alert(struct api_call *call, struct base_buf *bytes, struct service_alert *ret, bool *ret_frozen)
{
    struct service_alertlog *log = service_runtime_log(call->api->runtime);
    struct service_alert_place place;
    const char *id = call->parts[0];
    int e = strlen(id) == 32 ? service_alertlog_find(log, base_str_of(id), &place) : BASE_E_NOTFOUND;
    if (e == 0)
        e = service_alertlog_get(log, place.last_seq, bytes, ret);
    *ret_frozen = e == 0 && place.frozen;
    if (e < 0)
        api_problem_error(call->response, e, e == BASE_E_NOTFOUND ? "there is no alert with this id" : NULL);
    return e;
}

static void answer_alert(struct api_call *call, const struct service_alert *alert, bool frozen, const json_t *triage)
{
    struct base_buf *out = &call->response->body;
    put_summary(out, alert, frozen, triage);
    put_raw(out, "event", alert->body);
    base_buf_puts(out, ",\"history\":");
    (void)service_json_put(json_object_get(triage, "history"), out); /* no memory is noted in the buffer and answered with 503 */
    put_deliveries(call, alert, out);
    base_buf_puts(out, "}\n");
    call->response->content_type = "application/json";
}

void api_alert_get(struct api_call *call)
{
    struct base_buf bytes = { 0 };
    struct service_alert alert;
    bool frozen;
    json_t *triage = NULL;
    int e = read_alert(call, &bytes, &alert, &frozen);
    if (e == 0) {
        e = service_desk_get(service_runtime_desk(call->api->runtime), alert.alert_id, &triage);
        if (e < 0)
            api_problem_error(call->response, e, NULL);
    }
    if (e == 0)
        answer_alert(call, &alert, frozen, triage);
    json_decref(triage);
    base_buf_finish(&bytes);
}

void api_alert_patch(struct api_call *call)
{
    struct base_buf bytes = { 0 }, why = { 0 };
    struct service_alert alert;
    bool frozen = false;
    json_error_t where;
    json_t *patch = json_loadb(call->request->body.ptr, call->request->body.len, JSON_REJECT_DUPLICATES, &where), *triage = NULL;
    int e = BASE_E_INVALID;
    if (!patch)
        api_problem(call->response, 400, "the body is no JSON");
    else
        e = read_alert(call, &bytes, &alert, &frozen);
    if (e == 0) {
        e = service_desk_patch(service_runtime_desk(call->api->runtime), alert.alert_id, patch, &triage, &why);
        if (e < 0)
            api_problem_error(call->response, e, why.ptr);
    }
    if (e == 0)
        answer_alert(call, &alert, frozen, triage);
    json_decref(triage);
    json_decref(patch);
    base_buf_finish(&bytes);
    base_buf_finish(&why);
}
