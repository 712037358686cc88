/* Lateness by the own partition, the merge, idleness, the end, and what is stored. */
#include "service/watermark.h"

#include "base/error.h"
#include "tests/unit/tap.h"

static enum service_timing row(struct service_watermarks *marks, int32_t partition, int64_t time_ms)
{
    enum service_timing timing = SERVICE_LATE;
    IS_INT(service_watermarks_row(marks, partition, time_ms, &timing), 0, "row taken");
    return timing;
}

static void test_own_partition(void)
{
    struct service_watermarks marks;
    service_watermarks_init(&marks, 5000);
    IS_INT(row(&marks, 0, 10000), SERVICE_ON_TIME, "the first row is on time");
    IS_INT(row(&marks, 0, 5001), SERVICE_ON_TIME, "within the bound");
    IS_INT(row(&marks, 0, 5000), SERVICE_LATE, "at the watermark is late");
    IS_INT(service_watermarks_behind(&marks, 0, 5000), 0, "by nothing");
    IS_INT(service_watermarks_behind(&marks, 0, 4000), 1000, "or by so much");
    IS_INT(row(&marks, 1, 1000), SERVICE_ON_TIME, "another partition knows nothing of that");
    IS_INT(service_watermarks_merge(&marks), -4000, "the merged watermark is the least");
    IS_INT(row(&marks, 1, 20000), SERVICE_ON_TIME, "the second catches up");
    IS_INT(service_watermarks_merge(&marks), 5000, "now the first is the least");
    service_watermarks_finish(&marks);
}

static void test_idle(void)
{
    struct service_watermarks marks;
    service_watermarks_init(&marks, 0);
    row(&marks, 0, 1000);
    row(&marks, 1, 9000);
    IS_INT(service_watermarks_merge(&marks), 1000, "held back by partition 0");
    service_watermarks_partition(&marks, 0)->idle = true;
    IS_INT(service_watermarks_merge(&marks), 9000, "an idle one holds nobody back");
    OK(!service_watermarks_all_idle(&marks), "one is awake");
    IS_INT(row(&marks, 0, 2000), SERVICE_LATE_AFTER_IDLE, "on time for itself, behind the others");
    OK(!service_watermarks_partition(&marks, 0)->idle, "it is awake again");
    IS_INT(service_watermarks_behind(&marks, 0, 2000), 7000, "behind the merged watermark, that is");
    service_watermarks_partition(&marks, 0)->idle = service_watermarks_partition(&marks, 1)->idle = true;
    OK(service_watermarks_all_idle(&marks), "all idle");
    service_watermarks_idle_for(&marks, 500);
    IS_INT(service_watermarks_merge(&marks), 9500, "then wall time moves it on from where it stood");
    struct service_partition *fresh = service_watermarks_partition(&marks, 7);
    IS_INT(fresh->watermark_ms, 9500, "a partition found later starts at the merged watermark");
    service_watermarks_finish(&marks);
}

static void test_end_and_store(void)
{
    struct service_watermarks marks, copy;
    service_watermarks_init(&marks, 10);
    row(&marks, 3, 500);
    row(&marks, 4, BASE_TIME_MIN_MS);
    (void)service_watermarks_merge(&marks);
    struct base_buf bytes = { 0 };
    service_watermarks_save(&marks, &bytes);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        service_watermarks_init(&copy, 10);
        struct base_reader in = { (const uint8_t *)bytes.ptr, (const uint8_t *)bytes.ptr + cut, false };
        bool good = service_watermarks_load(&copy, &in);
        if (good != (cut == bytes.len))
            OK(false, "a cut text is refused");
        if (good)
            IS_INT(service_watermarks_partition(&copy, 3)->watermark_ms, 490, "read back");
        service_watermarks_finish(&copy);
    }
    service_watermarks_partition(&marks, 3)->done = service_watermarks_partition(&marks, 4)->done = true;
    IS_INT(service_watermarks_merge(&marks), BASE_TIME_MAX_MS, "all read: the end of time");
    base_buf_finish(&bytes);
    service_watermarks_finish(&marks);
}

int main(void)
{
    test_own_partition();
    test_idle();
    test_end_and_store();
    return tap_done();
}
