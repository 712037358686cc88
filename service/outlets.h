/* What the end of an epoch writes to beside the alert log: the tables of INSERT INTO, dead letters and late rows. Kafka tables take part in the decider's
 * transaction; files are flushed before the decision, so that nothing is lost and a kill in between repeats lines. Epoch thread only. */
#ifndef SERVICE_OUTLETS_H
#define SERVICE_OUTLETS_H

#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "service/config.h"
#include "service/decider.h"
#include "service/part.h"
#include "service/row_sinks.h"

struct service_outlets;
/* transactional: Kafka outlets write through the decider; otherwise each has its own producer. */
struct service_outlets_config {
    const struct service_config *config;  /* NULL: no letters are taken */
    struct service_row_sinks *row_sinks;  /* tables in stores, see attach; NULL (a query): their rows are printed, and upserts are not gathered */
    bool transactional;
};
int service_outlets_open(const struct service_outlets_config *config, const struct cep_program *program, struct service_outlets **ret,
                         struct base_buf *reterr) BASE_MUST_CHECK;
void service_outlets_close(struct service_outlets *outlets); /* NULL allowed */
/* Options of the first Kafka table (struct clients_option array) for a decider where no sink of the configuration gives them; NULL: there is none. */
const void *service_outlets_kafka_options(const struct service_outlets *outlets, size_t *ret_count);
/* Finds the sinks of tables in stores: once row_sinks are bound to the program, and whenever they were bound anew. BASE_E_INVALID: one is missing. */
int service_outlets_attach(struct service_outlets *outlets) BASE_MUST_CHECK;
/* A row; kept until service_outlets_rows_end where only the last of a key counts, so output and what it points to must live until then. */
int service_outlets_row(struct service_outlets *outlets, struct service_decider *decider, const struct service_output *output, struct base_buf *reterr)
    BASE_MUST_CHECK;
/* Behind the last row of the epoch: what was kept goes out, and the logs of stores into the epoch's batch. */
int service_outlets_rows_end(struct service_outlets *outlets, struct service_decider *decider, struct service_batch *batch, struct base_buf *reterr)
    BASE_MUST_CHECK;
/* Lines, each ended by '\n'. */
int service_outlets_letters(struct service_outlets *outlets, struct service_decider *decider, const struct base_buf *dead, const struct base_buf *late,
                            struct base_buf *reterr) BASE_MUST_CHECK;
int service_outlets_flush(struct service_outlets *outlets, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
