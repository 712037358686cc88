#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/time.h"
#include "service/api/api.h"
#include "service/row_sinks.h"

static struct service_delivery *delivery_of(struct api_call *call)
{
    struct service_delivery *delivery = service_runtime_delivery(call->api->runtime);
    if (!delivery)
        api_problem(call->response, 503, "deliveries have not started yet");
    return delivery;
}

/* Tables of INSERT INTO in stores, behind the sinks of alerts. */
static void list_stores(struct api_call *call, json_t *list)
{
    struct service_row_sinks *sinks = service_runtime_row_sinks(call->api->runtime);
    struct service_row_sink_stats s;
    for (uint32_t i = 0; sinks && service_row_sinks_stats(sinks, i, &s); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "table", s.name, "type", s.type, "place", s.place,
                                              "position", (json_int_t)s.position, "waiting_rows", (json_int_t)s.rows_waiting, "waiting_bytes",
                                              (json_int_t)s.bytes_waiting, "delivered", (json_int_t)s.delivered, "failed_attempts", (json_int_t)s.failed, "skipped",
                                              (json_int_t)s.skipped, "dropped", (json_int_t)s.dropped, "full", s.full, "trouble", s.trouble));
}

void api_sinks_list(struct api_call *call)
{
    struct service_delivery *delivery = delivery_of(call);
    if (!delivery)
        return;
    json_t *list = json_array();
    for (uint32_t i = 0; i < service_delivery_count(delivery); i++) {
        struct service_follower_stats s;
        char trouble[512];
        service_delivery_stats(delivery, i, &s, trouble, sizeof trouble);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s}", "name", s.name, "type", s.type, "position",
                                              (json_int_t)s.position, "lag", (json_int_t)s.lag, "delivered", (json_int_t)s.delivered, "failed_attempts",
                                              (json_int_t)s.failed, "dead", (json_int_t)s.dead, "retrying", (json_int_t)s.retrying, "disabled", s.disabled,
                                              "circuit_open", s.circuit_open, "trouble", trouble));
    }
    list_stores(call, list);
    api_json(call->response, 200, json_pack("{s:o}", "data", list));
}

struct dead_list { struct api_call *call; struct base_buf *out; uint32_t limit, found; uint64_t cursor; };

static int list_dead(void *ctx, const char *sink BASE_UNUSED, uint64_t seq, const struct connectors_webhook_delivery *state)
{
    struct dead_list *list = ctx;
    if (list->found == list->limit) {
        list->cursor = seq;
        return 1;
    }
    struct base_buf bytes = { 0 };
    struct service_alert alert = { 0 };
    int e = service_alertlog_get(service_runtime_log(list->call->api->runtime), seq, &bytes, &alert);
    char at[40];
    base_time_print(state->last_ms, true, at);
    base_buf_printf(list->out, "%s{\"seq\":%" PRIu64 ",\"attempts\":%u,\"http_status\":%u,\"reason\":\"%s\",\"last_attempt_at\":\"%s\",\"alert_id\":",
                    list->found++ ? "," : "", seq, state->attempts, state->status, connectors_webhook_reason_name(state->reason), at);
    base_buf_put_json(list->out, e == 0 ? alert.alert_id : (struct base_str){ 0 });
    base_buf_printf(list->out, ",\"revision\":%u}", alert.revision);
    base_buf_finish(&bytes);
    return 0;
}

void api_dead_list(struct api_call *call)
{
    struct service_delivery *delivery = delivery_of(call);
    struct dead_list list = { .call = call, .out = &call->response->body };
    uint64_t after = 0;
    if (!delivery || !api_limit(call, &list.limit) || !api_after(call, &after))
        return;
    base_buf_puts(list.out, "{\"data\":[");
    int e = service_delivery_dead(delivery, call->parts[0], after, list_dead, &list);
    if (e < 0) {
        api_problem_error(call->response, e, e == BASE_E_NOTFOUND ? "there is no webhook of this name" : NULL);
        return;
    }
    base_buf_puts(list.out, "],\"pagination\":");
    api_pagination(call, list.cursor, list.out);
    base_buf_puts(list.out, "}\n");
    call->response->content_type = "application/json";
}

void api_dead_resend(struct api_call *call)
{
    struct service_delivery *delivery = delivery_of(call);
    int64_t seq = 0;
    if (!delivery)
        return;
    int e = base_str_to_i64(base_str_of(call->parts[1]), &seq) && seq > 0 ? service_delivery_resend(delivery, call->parts[0], (uint64_t)seq) : BASE_E_NOTFOUND;
    if (e < 0) {
        api_problem_error(call->response, e, e == BASE_E_NOTFOUND ? "there is no such dead letter" : "too many are being sent again; ask later");
        return;
    }
    api_json(call->response, 202, json_pack("{s:s}", "status", "pending"));
}
