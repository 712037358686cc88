#include "connectors/webhook_retry.h"

#include <string.h>
#include "base/error.h"

#define VERSION 1u
#define SECOND 1000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

void connectors_webhook_policy_default(struct connectors_webhook_policy *ret)
{
    static const int64_t delays[] = { 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR,
                                      10 * HOUR,  14 * HOUR,  20 * HOUR,   24 * HOUR };
    *ret = (struct connectors_webhook_policy){
        .delay_count = sizeof delays / sizeof delays[0],
        .jitter_percent = 10,
        .retry_after_max_ms = 24 * HOUR,
        .circuit_failures = 5,
        .circuit_open_ms = 5 * SECOND,
        .circuit_max_ms = 5 * MINUTE,
    };
    memcpy(ret->delays_ms, delays, sizeof delays);
}

static int64_t with_jitter(int64_t delay_ms, uint32_t percent, uint64_t random)
{
    uint64_t span = (uint64_t)delay_ms / 100 * percent;
    return delay_ms + (int64_t)(span ? random % (span + 1) : 0);
}

static void finish(struct connectors_webhook_delivery *delivery, enum connectors_webhook_phase phase,
                   enum connectors_webhook_reason reason)
{
    delivery->phase = phase;
    delivery->reason = reason;
    delivery->next_ms = 0;
}

int connectors_webhook_after(const struct connectors_webhook_policy *policy,
                             struct connectors_webhook_delivery *delivery,
                             const struct connectors_webhook_outcome *outcome, int64_t now_ms, uint64_t random,
                             bool *ret_disable)
{
    if (ret_disable)
        *ret_disable = false;
    if (delivery->phase != CONNECTORS_WEBHOOK_PENDING && delivery->phase != CONNECTORS_WEBHOOK_RETRYING)
        return BASE_E_INVALID;
    uint32_t before = delivery->attempts++;
    delivery->status = outcome->status;
    delivery->last_ms = now_ms;
    if (before == 0)
        delivery->first_ms = now_ms;
    if (outcome->status >= 200 && outcome->status < 300) {
        finish(delivery, CONNECTORS_WEBHOOK_DELIVERED, CONNECTORS_WEBHOOK_OK);
        return 0;
    }
    if (outcome->status == 410) {
        finish(delivery, CONNECTORS_WEBHOOK_DEAD, CONNECTORS_WEBHOOK_GONE);
        if (ret_disable)
            *ret_disable = true;
        return 0;
    }
    if (outcome->refused) {
        finish(delivery, CONNECTORS_WEBHOOK_DEAD, CONNECTORS_WEBHOOK_REFUSED);
        return 0;
    }
    if (before >= policy->delay_count) {
        finish(delivery, CONNECTORS_WEBHOOK_DEAD, CONNECTORS_WEBHOOK_EXHAUSTED);
        return 0;
    }
    int64_t delay_ms = with_jitter(policy->delays_ms[before], policy->jitter_percent, random);
    /* Who asks for a pause gets at least that; an absurd one does not keep the message for ever. */
    int64_t asked_ms =
        outcome->retry_after_ms > policy->retry_after_max_ms ? policy->retry_after_max_ms : outcome->retry_after_ms;
    if (asked_ms > delay_ms)
        delay_ms = asked_ms;
    delivery->phase = CONNECTORS_WEBHOOK_RETRYING;
    delivery->reason = outcome->status ? CONNECTORS_WEBHOOK_STATUS : CONNECTORS_WEBHOOK_NO_ANSWER;
    delivery->next_ms = now_ms + delay_ms;
    return 0;
}

void connectors_webhook_resend(struct connectors_webhook_delivery *delivery)
{
    *delivery = (struct connectors_webhook_delivery){ .phase = CONNECTORS_WEBHOOK_PENDING };
}

bool connectors_webhook_due(const struct connectors_webhook_delivery *delivery, int64_t now_ms)
{
    switch (delivery->phase) {
    case CONNECTORS_WEBHOOK_PENDING: return true;
    case CONNECTORS_WEBHOOK_RETRYING: return now_ms >= delivery->next_ms;
    case CONNECTORS_WEBHOOK_DELIVERED:
    case CONNECTORS_WEBHOOK_DEAD: return false;
    }
    return false;
}

const char *connectors_webhook_phase_name(enum connectors_webhook_phase phase)
{
    switch (phase) {
    case CONNECTORS_WEBHOOK_PENDING: return "pending";
    case CONNECTORS_WEBHOOK_RETRYING: return "retrying";
    case CONNECTORS_WEBHOOK_DELIVERED: return "delivered";
    case CONNECTORS_WEBHOOK_DEAD: return "dead";
    }
    return "unknown";
}

const char *connectors_webhook_reason_name(enum connectors_webhook_reason reason)
{
    switch (reason) {
    case CONNECTORS_WEBHOOK_NONE: return "none";
    case CONNECTORS_WEBHOOK_OK: return "ok";
    case CONNECTORS_WEBHOOK_STATUS: return "status";
    case CONNECTORS_WEBHOOK_NO_ANSWER: return "no-answer";
    case CONNECTORS_WEBHOOK_REFUSED: return "refused";
    case CONNECTORS_WEBHOOK_GONE: return "gone";
    case CONNECTORS_WEBHOOK_EXHAUSTED: return "exhausted";
    }
    return "unknown";
}

/* ---- stored form: fields in the order of the struct behind a version byte ---- */

void connectors_webhook_encode(const struct connectors_webhook_delivery *delivery, struct base_buf *out)
{
    base_buf_put_u8(out, VERSION);
    base_buf_put_u8(out, (uint8_t)delivery->phase);
    base_buf_put_u8(out, (uint8_t)delivery->reason);
    base_buf_put_u32(out, delivery->attempts);
    base_buf_put_u16(out, delivery->status);
    base_buf_put_u64(out, (uint64_t)delivery->first_ms);
    base_buf_put_u64(out, (uint64_t)delivery->last_ms);
    base_buf_put_u64(out, (uint64_t)delivery->next_ms);
}

int connectors_webhook_decode(const void *bytes, size_t len, struct connectors_webhook_delivery *ret)
{
    struct base_reader reader = base_reader_of(bytes, len);
    uint8_t version = base_read_u8(&reader);
    if (!reader.failed && version != VERSION)
        return BASE_E_VERSION;
    uint8_t phase = base_read_u8(&reader);
    uint8_t reason = base_read_u8(&reader);
    struct connectors_webhook_delivery delivery = { .attempts = base_read_u32(&reader) };
    delivery.status = base_read_u16(&reader);
    delivery.first_ms = (int64_t)base_read_u64(&reader);
    delivery.last_ms = (int64_t)base_read_u64(&reader);
    delivery.next_ms = (int64_t)base_read_u64(&reader);
    if (reader.failed || reader.at != reader.end || phase > CONNECTORS_WEBHOOK_DEAD ||
        reason > CONNECTORS_WEBHOOK_EXHAUSTED)
        return BASE_E_CORRUPT;
    delivery.phase = (enum connectors_webhook_phase)phase;
    delivery.reason = (enum connectors_webhook_reason)reason;
    *ret = delivery;
    return 0;
}

/* ---- the circuit of an endpoint ---- */

bool connectors_webhook_circuit_allows(const struct connectors_webhook_circuit *circuit, int64_t now_ms)
{
    return circuit->until_ms == 0 || now_ms >= circuit->until_ms;
}

void connectors_webhook_circuit_after(const struct connectors_webhook_policy *policy,
                                      struct connectors_webhook_circuit *circuit, bool good, int64_t now_ms)
{
    if (good) {
        *circuit = (struct connectors_webhook_circuit){ 0 };
        return;
    }
    if (circuit->failures < UINT32_MAX)
        circuit->failures++;
    if (policy->circuit_failures == 0 || circuit->failures < policy->circuit_failures)
        return;
    int64_t length_ms = circuit->length_ms ? circuit->length_ms * 2 : policy->circuit_open_ms;
    circuit->length_ms = length_ms < policy->circuit_max_ms ? length_ms : policy->circuit_max_ms;
    circuit->until_ms = now_ms + circuit->length_ms;
}
