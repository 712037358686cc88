/* One table's stream: its source, its decoder, its positions and its watermarks, the same for files, standard input, generated rows and Kafka. Polled by
 * one thread: ingest in the service, the single-threaded host in `query`. Routes nothing, stores nothing and writes no dead letters: it tells its owner. */
#ifndef SERVICE_INPUT_H
#define SERVICE_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "connectors/kafka_source.h"
#include "connectors/source.h"
#include "formats/format.h"
#include "service/watermark.h"

struct service_input;
/* Opens something else than the connector of the table's WITH clause: rule cases feed rows by it. *ret NULL with 0: use the connector. Cause and
 * remedy of an error appended. */
typedef int service_input_opener(void *ctx, const struct cep_program *program, uint32_t table, struct connectors_source **ret, struct base_buf *reterr);
struct service_input_config {
    const struct cep_program *program;  /* must outlive the input, or its next rebind */
    uint32_t table;
    const char *application_id;         /* consumer group of Kafka sources */
    const char *base_dir;               /* relative paths stand against it; NULL: the working directory */
    formats_problem_fn *on_problem;     /* told of bad records; may be NULL */
    void *ctx;
    service_input_opener *opener;       /* NULL: connectors only */
    void *opener_ctx;
};
struct service_input_batch {
    const struct cep_record *records;
    struct cep_row *const *rows;        /* of each record; NULL: it gave none */
    size_t count;
    bool at_end;                        /* nothing more at the moment in any partition, the source reachable */
    bool finished;                      /* bounded, and this was the last */
};
/* Opens files; asks no broker yet. Reason appended to reterr. BASE_E_CONFIG, BASE_E_NOTFOUND, BASE_E_UNSUPPORTED, BASE_E_IO, BASE_E_NOMEM. */
int service_input_open(const struct service_input_config *config, struct service_input **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_input_close(struct service_input *input); /* NULL allowed */
/* The same source under another program: a new decoder; positions and watermarks stay. On an error the input is as it was. */
int service_input_rebind(struct service_input *input, const struct cep_program *program, uint32_t table, struct base_buf *reterr) BASE_MUST_CHECK;

/* Next records, at most max, waiting at most timeout_ms. Rows live until the next poll. A source that fails or is away gives an empty batch and says why in
 * service_input_trouble; it is tried again. Only BASE_E_NOMEM and, for bounded sources, BASE_E_IO, BASE_E_CORRUPT are returned. */
int service_input_poll(struct service_input *input, size_t max, int timeout_ms, struct service_input_batch *ret) BASE_MUST_CHECK;
/* Instead of a poll, for bounded tables whose rows nobody asks for one by one: appends rows to columns. *ret_records 0: nothing can be read so now, poll. */
struct cep_columns;
bool service_input_takes_blocks(const struct service_input *input);
int service_input_block(struct service_input *input, struct cep_columns *columns, uint32_t *ret_records) BASE_MUST_CHECK;
/* Are all its records on a disk already? */
bool service_input_at_rest(const struct service_input *input);
/* Text of what keeps the source from being read; "" if nothing does. changed (may be NULL): it is new since the last question. */
const char *service_input_trouble(struct service_input *input, bool *ret_changed);
/* Does the source read from where it should: Kafka partitions known and assigned? Files: always. */
bool service_input_ready(const struct service_input *input);

/* Takes a row of the last batch into its partition's watermark and says whether it is on time. The changes of a table always are, and only those that are rows
 * raise the watermark. BASE_E_NOMEM. */
int service_input_timing(struct service_input *input, const struct cep_row *row, enum service_timing *ret) BASE_MUST_CHECK;
/* Behind the last batch. */
struct service_watermarks *service_input_watermarks(struct service_input *input);
/* Is this partition known to be at its end right now, not paused, its broker reachable? */
bool service_input_partition_at_end(const struct service_input *input, int32_t partition);
uint32_t service_input_table(const struct service_input *input);
const char *service_input_name(const struct service_input *input);
bool service_input_bounded(const struct service_input *input);
bool service_input_finished(const struct service_input *input);
/* The Kafka source inside, or NULL. */
struct connectors_kafka_source *service_input_kafka(struct service_input *input);
/* Records not yet read, as far as known; -1: not known. */
int64_t service_input_lag(const struct service_input *input);
void service_input_stats(const struct service_input *input, struct formats_decoder_stats *ret);

/* Positions (behind the last batch) and watermarks for the epoch, appended. */
void service_input_save(const struct service_input *input, struct base_buf *out);
/* Puts them back and seeks; before the first poll or after an abort. BASE_E_CORRUPT, BASE_E_NOTFOUND, BASE_E_NOMEM. */
int service_input_restore(struct service_input *input, struct base_reader *in, struct base_buf *reterr) BASE_MUST_CHECK;
/* Goes back to the very beginning as if just opened (an abort before the first decided epoch). */
int service_input_rewind(struct service_input *input, struct base_buf *reterr) BASE_MUST_CHECK;
/* Stored positions: calls each with (partition, next offset). */
void service_input_each_position(const struct service_input *input, void (*each)(void *ctx, int32_t partition, int64_t offset), void *ctx);
/* Names what is read and how: two inputs with the same text read the same log (connector, path or topic, brokers). For reload and restart. */
const char *service_input_identity(const struct service_input *input);
/* The same for a table that is not opened. */
void service_input_identity_of(const struct cep_program *program, uint32_t table, char ret[33]);

#endif
