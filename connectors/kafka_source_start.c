/* Startup and bounded modes: from words to offsets. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "connectors/kafka_source_internal.h"

const char *kafka_option(const struct connectors_kafka_source_options *options, const char *name)
{
    for (size_t i = 0; i < options->with_count; i++) {
        if (strcmp(options->with[i].name, name) == 0)
            return options->with[i].value;
    }
    return NULL;
}

void kafka_mode_finish(struct kafka_mode *mode)
{
    BASE_VEC_FINISH(&mode->specific);
}

static int bad_option(const struct connectors_kafka_source_options *options, const char *prefix, const char *name,
                      const char *why, struct base_buf *reterr)
{
    if (reterr)
        base_buf_printf(reterr, "table %s: option '%s%s': %s", options->name, prefix, name, why);
    return BASE_E_CONFIG;
}

/* Takes the number behind `label` off the front of *text. */
static bool take_number(struct base_str *text, struct base_str label, int64_t *ret)
{
    struct base_str rest = base_str_trim(*text);
    if (!base_str_starts(rest, label))
        return false;
    rest = base_str_trim((struct base_str){ rest.ptr + label.len, rest.len - label.len });
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] >= '0' && rest.ptr[len] <= '9')
        len++;
    if (!base_str_to_i64((struct base_str){ rest.ptr, len }, ret))
        return false;
    *text = base_str_trim((struct base_str){ rest.ptr + len, rest.len - len });
    return true;
}

/* partition:0,offset:42;partition:1,offset:300 */
static bool parse_specific(const char *value, struct kafka_mode *mode, bool *ret_nomem)
{
    struct base_str text = base_str_trim(base_str_of(value));
    while (text.len > 0) {
        int64_t partition, offset;
        if (!take_number(&text, BASE_STR("partition:"), &partition) || partition > INT32_MAX || text.len == 0 ||
            text.ptr[0] != ',')
            return false;
        text = (struct base_str){ text.ptr + 1, text.len - 1 };
        if (!take_number(&text, BASE_STR("offset:"), &offset))
            return false;
        if (!BASE_VEC_PUSH(&mode->specific, ((struct kafka_specific){ (int32_t)partition, offset }))) {
            *ret_nomem = true;
            return false;
        }
        if (text.len > 0 && text.ptr[0] != ';')
            return false;
        if (text.len > 0)
            text = base_str_trim((struct base_str){ text.ptr + 1, text.len - 1 });
    }
    return mode->specific.len > 0;
}

int kafka_mode_read(const struct connectors_kafka_source_options *options, const char *prefix, struct kafka_mode *ret,
                    struct base_buf *reterr)
{
    static const struct {
        const char *word;
        enum kafka_start_mode mode;
    } words[] = {
        { "earliest-offset", KAFKA_START_EARLIEST },  { "latest-offset", KAFKA_START_LATEST },
        { "group-offsets", KAFKA_START_GROUP },       { "timestamp", KAFKA_START_TIMESTAMP },
        { "specific-offsets", KAFKA_START_SPECIFIC }, { "unbounded", KAFKA_START_UNBOUNDED },
    };
    bool startup = strcmp(prefix, "scan.startup.") == 0;
    char name[64];
    snprintf(name, sizeof name, "%smode", prefix);
    const char *value = kafka_option(options, name);
    size_t i = 0;
    while (value && i < sizeof words / sizeof words[0] && strcmp(value, words[i].word) != 0)
        i++;
    if (value && (i == sizeof words / sizeof words[0] || (startup && words[i].mode == KAFKA_START_UNBOUNDED) ||
                  (!startup && words[i].mode == KAFKA_START_EARLIEST)))
        return bad_option(options, prefix, "mode",
                          startup ? "use earliest-offset, latest-offset, group-offsets, timestamp or specific-offsets"
                                  : "use unbounded, latest-offset, group-offsets, timestamp or specific-offsets",
                          reterr);
    ret->mode = value ? words[i].mode : startup ? KAFKA_START_GROUP : KAFKA_START_UNBOUNDED;
    if (ret->mode == KAFKA_START_TIMESTAMP) {
        snprintf(name, sizeof name, "%stimestamp-millis", prefix);
        value = kafka_option(options, name);
        if (!value || !base_str_to_i64(base_str_of(value), &ret->timestamp_ms) || ret->timestamp_ms < 0)
            return bad_option(options, prefix, "timestamp-millis", "mode timestamp needs it: milliseconds since 1970",
                              reterr);
    } else if (ret->mode == KAFKA_START_SPECIFIC) {
        bool nomem = false;
        snprintf(name, sizeof name, "%sspecific-offsets", prefix);
        value = kafka_option(options, name);
        if (!value || !parse_specific(value, ret, &nomem))
            return nomem ? BASE_E_NOMEM
                         : bad_option(options, prefix, "specific-offsets",
                                      "mode specific-offsets needs it, in the form "
                                      "'partition:0,offset:42;partition:1,offset:300'",
                                      reterr);
    }
    return 0;
}

/* ---- numbers ---- */

static int64_t left_ms(int64_t until_us)
{
    int64_t left = (until_us - base_clock_mono_us()) / 1000;
    return left > 1 ? left : 1;
}

static int watermarks(struct connectors_kafka_source *source, const struct connectors_kafka_partition *partition,
                      int64_t until_us, int64_t ret[2], struct base_buf *reterr)
{
    char what[320];
    rd_kafka_resp_err_t error =
        rd_kafka_query_watermark_offsets(clients_kafka_handle(source->kafka), partition->topic,
                                         partition->topic_partition, &ret[0], &ret[1], (int)left_ms(until_us));
    if (!error)
        return 0;
    snprintf(what, sizeof what, "offsets of topic %s partition %d", partition->topic, partition->topic_partition);
    return kafka_source_failed(source, source->kafka, what, error, reterr);
}

static rd_kafka_topic_partition_list_t *list_of(const struct connectors_kafka_source *source,
                                                const struct connectors_kafka_start *start, size_t count,
                                                int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const struct connectors_kafka_partition *partition = &source->partitions.at[start[i].partition];
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->topic_partition)->offset = offset;
    }
    return list;
}

/* Offsets that one request gives for all; those without one stay NO_OFFSET. */
static int take_list(struct connectors_kafka_source *source, struct clients_kafka *kafka, const char *what,
                     rd_kafka_topic_partition_list_t *list, struct connectors_kafka_start *start,
                     struct base_buf *reterr)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err)
            return kafka_source_failed(source, kafka, what, list->elems[i].err, reterr);
        start[i].offset = list->elems[i].offset >= 0 ? list->elems[i].offset : CONNECTORS_KAFKA_NO_OFFSET;
    }
    return 0;
}

static int resolve_times(struct connectors_kafka_source *source, int64_t timestamp_ms,
                         struct connectors_kafka_start *start, size_t count, int64_t until_us, struct base_buf *reterr)
{
    rd_kafka_topic_partition_list_t *list = list_of(source, start, count, timestamp_ms);
    rd_kafka_resp_err_t failed =
        rd_kafka_offsets_for_times(clients_kafka_handle(source->kafka), list, (int)left_ms(until_us));
    int error = failed ? kafka_source_failed(source, source->kafka, "offsets by time", failed, reterr)
                       : take_list(source, source->kafka, "offsets by time", list, start, reterr);
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

static int resolve_group(struct connectors_kafka_source *source, struct connectors_kafka_start *start, size_t count,
                         int64_t until_us, struct base_buf *reterr)
{
    struct clients_kafka *other = NULL, *kafka = source->kafka;
    int error = 0;
    if (source->start_group) {
        error = kafka_source_client(source, source->start_group, &other, reterr);
        if (error)
            return error;
        kafka = other;
    }
    rd_kafka_topic_partition_list_t *list = list_of(source, start, count, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t failed = rd_kafka_committed(clients_kafka_handle(kafka), list, (int)left_ms(until_us));
    error = failed ? kafka_source_failed(source, kafka, "committed offsets", failed, reterr)
                   : take_list(source, kafka, "committed offsets", list, start, reterr);
    rd_kafka_topic_partition_list_destroy(list);
    clients_kafka_destroy(other);
    return error;
}

static void resolve_specific(struct connectors_kafka_source *source, const struct kafka_mode *mode,
                             struct connectors_kafka_start *start, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        start[i].offset = CONNECTORS_KAFKA_NO_OFFSET;
        for (size_t k = 0; k < mode->specific.len; k++) {
            if (mode->specific.at[k].partition == source->partitions.at[start[i].partition].topic_partition)
                start[i].offset = mode->specific.at[k].offset;
        }
    }
}

static int resolve_once(struct connectors_kafka_source *source, const struct kafka_mode *mode,
                        struct connectors_kafka_start *start, size_t count, int64_t until_us, struct base_buf *reterr)
{
    bool fall_to_end =
        mode->mode == KAFKA_START_LATEST || mode->mode == KAFKA_START_TIMESTAMP || mode == &source->bounded;
    int error = kafka_source_connect(source, reterr);
    for (size_t i = 0; i < count; i++)
        start[i].offset = CONNECTORS_KAFKA_NO_OFFSET;
    switch (mode->mode) {
    case KAFKA_START_EARLIEST:
    case KAFKA_START_LATEST:
    case KAFKA_START_UNBOUNDED: break;
    case KAFKA_START_GROUP: error = error ? error : resolve_group(source, start, count, until_us, reterr); break;
    case KAFKA_START_TIMESTAMP:
        error = error ? error : resolve_times(source, mode->timestamp_ms, start, count, until_us, reterr);
        break;
    case KAFKA_START_SPECIFIC: resolve_specific(source, mode, start, count); break;
    }
    /* What the mode does not know: the beginning of the log, or its end for latest, a time behind the last record, and
     * an end without number. */
    for (size_t i = 0; !error && i < count; i++) {
        int64_t marks[2];
        if (start[i].offset != CONNECTORS_KAFKA_NO_OFFSET)
            continue;
        error = watermarks(source, &source->partitions.at[start[i].partition], until_us, marks, reterr);
        if (!error)
            start[i].offset = fall_to_end ? marks[1] : marks[0];
    }
    return error;
}

int kafka_mode_resolve(struct connectors_kafka_source *source, const struct kafka_mode *mode,
                       struct connectors_kafka_start *start, size_t count, int timeout_ms, struct base_buf *reterr)
{
    int64_t until_us = base_clock_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        struct clients_kafka_health health = { 0 };
        struct base_buf text = { 0 };
        int error = resolve_once(source, mode, start, count, until_us, &text);
        if (source->kafka)
            clients_kafka_health(source->kafka, &health);
        /* Brokers that answer, but whose leaders or coordinator are just moving, are asked again. */
        bool again = error == BASE_E_BROKER && health.last_error == 0 && base_clock_mono_us() < until_us;
        if (!again && error && reterr)
            base_buf_put(reterr, text.ptr, text.len);
        base_buf_finish(&text);
        if (!again)
            return error;
        clients_kafka_poll(source->kafka, 50);
    }
}

int connectors_kafka_source_resolve(struct connectors_kafka_source *source, struct connectors_kafka_start *start,
                                    size_t count, bool found_later, int timeout_ms, struct base_buf *reterr)
{
    static const struct kafka_mode beginning = { .mode = KAFKA_START_EARLIEST };
    return kafka_mode_resolve(source, found_later ? &beginning : &source->start, start, count, timeout_ms, reterr);
}

bool connectors_kafka_source_bounded(const struct connectors_kafka_source *source)
{
    return source->bounded.mode != KAFKA_START_UNBOUNDED;
}

int connectors_kafka_source_resolve_end(struct connectors_kafka_source *source, int timeout_ms, struct base_buf *reterr)
{
    size_t count = source->partitions.len;
    struct connectors_kafka_start *ends = base_calloc(count ? count : 1, sizeof *ends);
    if (!ends)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        ends[i].partition = (uint32_t)i;
    int error = kafka_mode_resolve(source, &source->bounded, ends, count, timeout_ms, reterr);
    for (size_t i = 0; !error && i < count; i++)
        source->partitions.at[i].end_offset = ends[i].offset;
    base_free(ends);
    return error;
}
