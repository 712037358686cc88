/* Classes that wait for a value, found by it: a class all of whose threads rest in waits whose conditions demand `column = register` is taken out of the head's blob and lies in
 * a store beside it, where a row finds those whose value it carries (docs/engine.md, Claim 16). So a row costs nothing for the others. Used by class.c, head.c
 * and time.c; what walks all classes (saving, the lean form, the end of input) brings them back first. Changes nothing of what is told.
 *
 * While a head has such a store, the pad of each of its classes counts the live starts of the class, and min_seq may be too early. */
#ifndef CEP_MATCH_PARK_H
#define CEP_MATCH_PARK_H

#include "cep/match/class.h"

/* What the pattern's conditions demand; op->park stays NULL where nothing is found by value. BASE_E_NOMEM. */
int cep_match_park_init(struct match_op *op) BASE_MUST_CHECK;
void cep_match_park_finish(struct match_op *op);
/* Before a row: the classes that may do anything with it come back into the blob. */
int cep_match_park_wake(struct match_op *op, struct match_head *head, const struct cep_row *row) BASE_MUST_CHECK;
/* Behind a row, and before time passes: classes that wait for a value go into the store, if the head has so many. */
int cep_match_park_row(struct match_op *op, struct match_head *head) BASE_MUST_CHECK;
/* All come back, and the store goes. Nothing happens if there is no memory. */
int cep_match_unpark(struct match_head *head) BASE_MUST_CHECK;
/* Values that threads wait for, and for nothing else. */
#define MATCH_PARK_DEMANDS 4
struct match_demands { uint64_t at[MATCH_PARK_DEMANDS]; uint32_t count; };
/* Of a single start's threads, while it is replayed. False: a row without these values may change them. Only where op->park. */
bool cep_match_park_demands(const struct match_op *op, const struct match_threads *threads, struct match_demands *ret);
/* Does the row leave threads with these demands as they are? */
bool cep_match_park_passes(const struct match_op *op, const struct match_demands *demands, const struct cep_row *row);
/* Classes there. */
uint32_t cep_match_parked_count(const struct match_head *head);
/* A class there by its id; NULL: it is not there. */
struct match_class *cep_match_parked_class(const struct match_head *head, uint32_t id);
/* One start less of the class, there or in the blob; without starts it dies. */
void cep_match_parked_kill(struct match_head *head, uint32_t id);
/* Gives the classes there new ids from `next` on, to be found in parents under the old ones; one behind the last. */
uint32_t cep_match_parked_renumber(struct match_head *head, uint32_t next);
/* Behind that: they are found by the new ones. */
void cep_match_parked_placed(struct match_head *head);
/* to's store becomes as from's is. */
int cep_match_parked_copy(const struct match_head *from, struct match_head *to) BASE_MUST_CHECK;
void cep_match_parked_free(struct match_head *head);
size_t cep_match_parked_bytes(const struct match_head *head);

#endif
