/* Sources beside the event time of their table: by processing time, and those that also take rows which are late by little. */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cep/flow_internal.h"

int64_t cep_flow_source_mark(const struct cep_flow *flow, uint32_t node, int64_t watermark_ms)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    int64_t behind;
    if (watermark_ms == BASE_TIME_MAX_MS)
        return watermark_ms; /* the end of input ends both */
    if (n->clock)
        return BASE_TIME_MIN_MS;
    return __builtin_sub_overflow(watermark_ms, n->late_ms, &behind) ? BASE_TIME_MIN_MS : behind;
}

const struct cep_row *cep_flow_stamp(struct cep_flow *flow, uint32_t node, const struct cep_row *row)
{
    size_t bytes = cep_row_size(row);
    struct cep_row *stamped = base_arena_alloc(&flow->arena, bytes);
    int64_t now_ms = cep_flow_proc_time(flow), least_ms = flow->nodes[node].out_ms;
    if (!stamped)
        return NULL;
    memcpy(stamped, row, bytes);
    /* A clock that was put back stands still; also after a restart, for the watermark was stored. */
    if (least_ms < BASE_TIME_MAX_MS && now_ms <= least_ms)
        now_ms = least_ms + 1;
    flow->clock_ms = now_ms > flow->clock_ms ? now_ms : flow->clock_ms;
    stamped->time_ms = flow->clock_ms;
    return stamped;
}

bool cep_flow_has_clock(const struct cep_flow *flow)
{
    bool has = false;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program) && !has; i++)
        has = cep_program_node(flow->program, i)->kind == CEP_NODE_SOURCE && cep_program_node(flow->program, i)->clock;
    return has;
}

int cep_flow_clock(struct cep_flow *flow, int64_t now_ms)
{
    int rc = 0;
    if (now_ms <= flow->clock_ms || now_ms == BASE_TIME_MAX_MS)
        now_ms = flow->clock_ms; /* rows may have come at this instant, and more of them may come */
    flow->clock_ms = now_ms;
    if (!flow->clocked)
        return 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program) && !rc && now_ms > BASE_TIME_MIN_MS; i++)
        if (cep_program_node(flow->program, i)->kind == CEP_NODE_SOURCE && cep_program_node(flow->program, i)->clock)
            rc = cep_flow_set_watermark(flow, i, now_ms - 1);
    return rc;
}

bool cep_flow_takes_late(const struct cep_flow *flow, uint32_t node, int64_t behind_ms)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    return n->clock || behind_ms < n->late_ms;
}
