/* Which rules the state of a store belongs to: name and fingerprint of each, written with the epochs. So those who come after - a start with other files, a restored savepoint - can name
 * what is kept, what begins anew, and what is gone. It drops nothing itself (gone.c does). Coordinator, or a tool that owns the store. */
#ifndef SERVICE_PAST_H
#define SERVICE_PAST_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "service/store.h"

#define SERVICE_PAST_KEY BASE_STR("alert-rules") /* in META */

struct service_past_rule {
    uint64_t node;                     /* fingerprint of its ALERT operator */
    struct base_str name, fingerprint; /* borrowed */
};
/* Anything but 0 ends the walk and is returned. */
typedef int service_past_visit(void *ctx, const struct service_past_rule *rule);

/* The rules of this program, into a batch. BASE_E_NOMEM. */
int service_past_put(const struct cep_program *program, struct service_batch *batch) BASE_MUST_CHECK;
/* Of a stored value. BASE_E_CORRUPT, BASE_E_VERSION. */
int service_past_read(struct base_str value, service_past_visit *visit, void *ctx) BASE_MUST_CHECK;
/* Of a store; 0 also if nothing was noted yet. */
int service_past_each(struct service_store *store, service_past_visit *visit, void *ctx) BASE_MUST_CHECK;
/* How the program differs from what the store was left by: "kept: a, b; changed, begin anew: c; gone, their state is dropped: d; new: e". *ret_differs: there is more than "kept".
 * A store without rules differs in nothing. */
int service_past_compare(struct service_store *store, const struct cep_program *program, struct base_buf *out, bool *ret_differs) BASE_MUST_CHECK;

#endif
