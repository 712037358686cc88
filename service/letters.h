/* Dead letters and late rows on their way to their sinks: records that could not be read, rows at which a rule failed, rows behind their watermark. Any thread
 * adds; the epoch coordinator takes them at each barrier and writes them with the epoch. Bounded: what is over the limit within one epoch is counted
 * and told in one last letter. */
#ifndef SERVICE_LETTERS_H
#define SERVICE_LETTERS_H

#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/flow.h"
#include "cep/record.h"

struct service_letters;
struct service_letters *service_letters_create(size_t limit_bytes); /* per kind and epoch; NULL: no memory */
void service_letters_destroy(struct service_letters *letters);

/* A record that gave no row. */
void service_letters_record(struct service_letters *letters, struct base_str table, const struct cep_record *record, int code, const char *reason);
/* A row at which an expression of a rule failed; place: in the rule's text, may be NULL. schema: of the row. */
struct service_letter_row {
    const struct cep_program *program;
    uint32_t schema;                 /* CEP_NONE: the values are not shown */
    const struct cep_row *row;
    struct base_str rule;            /* may be empty */
    const char *reason;
    int code;
};
void service_letters_row(struct service_letters *letters, const struct service_letter_row *row);
/* A row behind its watermark; kind: "late" or "late-after-idle". */
void service_letters_late(struct service_letters *letters, const struct service_letter_row *row, int64_t watermark_ms);

/* What came since the last take: lines, each ended by '\n'; moved into the caller's buffers. *ret_dead, *ret_late: numbers of lines. */
void service_letters_take(struct service_letters *letters, struct base_buf *dead, struct base_buf *late, uint64_t *ret_dead, uint64_t *ret_late);

#endif
