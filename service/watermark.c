#include "service/watermark.h"

#include "base/error.h"
#include "base/vec.h"

void service_watermarks_init(struct service_watermarks *marks, int64_t delay_ms)
{
    *marks = (struct service_watermarks){ .delay_ms = delay_ms, .merged_ms = BASE_TIME_MIN_MS };
}

void service_watermarks_finish(struct service_watermarks *marks)
{
    BASE_VEC_FINISH(marks);
}

struct service_partition *service_watermarks_partition(struct service_watermarks *marks, int32_t partition)
{
    if (marks->last < marks->len && marks->at[marks->last].partition == partition)
        return &marks->at[marks->last];
    for (size_t i = 0; i < marks->len; i++) {
        if (marks->at[i].partition == partition) {
            marks->last = i;
            return &marks->at[i];
        }
    }
    struct service_partition fresh = { .partition = partition, .watermark_ms = marks->merged_ms };
    if (!BASE_VEC_PUSH(marks, fresh))
        return NULL;
    marks->last = marks->len - 1;
    return &marks->at[marks->last];
}

/* a - b, held at the least value. */
static int64_t minus(int64_t a, int64_t b)
{
    int64_t difference;
    return __builtin_sub_overflow(a, b, &difference) ? BASE_TIME_MIN_MS : difference;
}

int service_watermarks_row(struct service_watermarks *marks, int32_t partition, int64_t time_ms, enum service_timing *ret)
{
    struct service_partition *p = service_watermarks_partition(marks, partition);
    if (!p)
        return BASE_E_NOMEM;
    p->idle = false;
    p->seen_rows = true;
    if (time_ms == BASE_TIME_MIN_MS) { /* the table has no event time */
        *ret = SERVICE_ON_TIME;
        return 0;
    }
    if (p->watermark_ms != BASE_TIME_MIN_MS && time_ms <= p->watermark_ms) {
        *ret = SERVICE_LATE;
        return 0;
    }
    *ret = marks->merged_ms != BASE_TIME_MIN_MS && time_ms <= marks->merged_ms ? SERVICE_LATE_AFTER_IDLE : SERVICE_ON_TIME;
    int64_t watermark_ms = minus(time_ms, marks->delay_ms);
    if (watermark_ms > p->watermark_ms)
        p->watermark_ms = watermark_ms;
    return 0;
}

uint32_t service_watermarks_on_time(struct service_watermarks *marks, int32_t partition, const int64_t *times_ms, uint32_t count)
{
    struct service_partition *p = service_watermarks_partition(marks, partition);
    uint32_t n = 0;
    if (!p || count == 0)
        return 0;
    int64_t watermark_ms = p->watermark_ms;
    for (; n < count; n++) {
        if (times_ms[n] <= watermark_ms || times_ms[n] <= marks->merged_ms) /* the least time is that of rows without one */
            break;
        int64_t own_ms = minus(times_ms[n], marks->delay_ms);
        watermark_ms = own_ms > watermark_ms ? own_ms : watermark_ms;
    }
    if (n > 0) {
        p->idle = false;
        p->seen_rows = true;
        p->watermark_ms = watermark_ms;
    }
    return n;
}

int64_t service_watermarks_behind(struct service_watermarks *marks, int32_t partition, int64_t time_ms)
{
    const struct service_partition *p = service_watermarks_partition(marks, partition);
    int64_t mark_ms = p && p->watermark_ms > marks->merged_ms ? p->watermark_ms : marks->merged_ms, behind_ms;
    return __builtin_sub_overflow(mark_ms, time_ms, &behind_ms) ? BASE_TIME_MAX_MS : behind_ms;
}

int64_t service_watermarks_merge(struct service_watermarks *marks)
{
    int64_t least = BASE_TIME_MAX_MS, greatest = BASE_TIME_MIN_MS;
    bool any = false, all_done = marks->len > 0;
    for (size_t i = 0; i < marks->len; i++) {
        all_done = all_done && marks->at[i].done;
        if (marks->at[i].watermark_ms > greatest)
            greatest = marks->at[i].watermark_ms;
        if (marks->at[i].idle || marks->at[i].done)
            continue;
        any = true;
        if (marks->at[i].watermark_ms < least)
            least = marks->at[i].watermark_ms;
    }
    /* All idle: what the last of them would have left, had they fallen idle one after the other; it must not matter that they did so together. */
    if (!any && marks->len > 0)
        least = greatest;
    if (all_done)
        marks->merged_ms = BASE_TIME_MAX_MS;
    else if (marks->len > 0 && least > marks->merged_ms)
        marks->merged_ms = least;
    return marks->merged_ms;
}

bool service_watermarks_all_idle(const struct service_watermarks *marks)
{
    for (size_t i = 0; i < marks->len; i++) {
        if (!marks->at[i].idle && !marks->at[i].done)
            return false;
    }
    return marks->len > 0;
}

void service_watermarks_idle_for(struct service_watermarks *marks, int64_t elapsed_ms)
{
    int64_t moved;
    if (marks->merged_ms == BASE_TIME_MIN_MS || elapsed_ms <= 0 || __builtin_add_overflow(marks->merged_ms, elapsed_ms, &moved))
        return;
    marks->merged_ms = moved;
}

void service_watermarks_save(const struct service_watermarks *marks, struct base_buf *out)
{
    base_buf_put_u64(out, (uint64_t)marks->merged_ms);
    base_buf_put_varint(out, marks->len);
    for (size_t i = 0; i < marks->len; i++) {
        base_buf_put_u32(out, (uint32_t)marks->at[i].partition);
        base_buf_put_u8(out, (uint8_t)((marks->at[i].idle ? 1 : 0) | (marks->at[i].done ? 2 : 0)));
        base_buf_put_u64(out, (uint64_t)marks->at[i].watermark_ms);
    }
}

bool service_watermarks_load(struct service_watermarks *marks, struct base_reader *in)
{
    marks->merged_ms = (int64_t)base_read_u64(in);
    uint64_t count = base_read_varint(in);
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        struct service_partition p = { .partition = (int32_t)base_read_u32(in) };
        uint8_t flags = base_read_u8(in);
        p.idle = flags & 1;
        p.done = flags & 2;
        p.watermark_ms = (int64_t)base_read_u64(in);
        if (in->failed)
            break;
        struct service_partition *have = service_watermarks_partition(marks, p.partition);
        if (!have)
            return false;
        *have = p;
    }
    return !in->failed;
}
