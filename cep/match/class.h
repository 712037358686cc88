/* Classes of starts from inside: how they are kept and stepped (class.c), and the pieces of head.c that time needs too (time.c). */
#ifndef CEP_MATCH_CLASS_H
#define CEP_MATCH_CLASS_H

#include "cep/match/match.h"

/* Class id of the row seq; first_start <= seq < starts_end. */
uint32_t *cep_match_class_slot(const struct match_head *head, uint64_t seq);
/* Its time. */
int64_t cep_match_start_time(const struct match_head *head, uint64_t seq);
/* One behind the last row that may be a start. */
uint64_t cep_match_starts_end(const struct match_head *head);
/* Class of the start, MATCH_NO_CLASS if it is none or dead. */
uint32_t cep_match_class_at(const struct match_head *head, uint64_t seq);
/* Squeezes dead class ids out when they have become many. */
void cep_match_renumber(struct match_head *head);
/* The next row is a start of class id, or none. */
int cep_match_append_start(struct match_head *head, uint64_t seq, int64_t time_ms, uint32_t id) BASE_MUST_CHECK;
/* Forgets dead starts at the front. */
void cep_match_pop_dead(struct match_head *head);
/* The class in a blob, NULL if it is not there. */
struct match_class *cep_match_class_in(char *blob, uint32_t used, uint32_t id);
/* The class, wherever the head keeps it, NULL if it is not there. */
struct match_class *cep_match_class_of(const struct match_head *head, uint32_t id);
/* Id of the nth class in the blob. */
uint32_t cep_match_blob_id(const struct match_head *head, uint32_t nth);
/* Takes the class out of the head. */
void cep_match_remove_class(struct match_head *head, struct match_class *class);
/* The start is dead; its class finds its next earliest one or goes. */
void cep_match_kill_start(struct match_head *head, uint64_t seq);
/* Did the class accept in the step under way? */
bool cep_match_was_accepted(const struct match_op *op, uint32_t id);
/* Writes op->out as a class behind the scratch blob without taking it in. */
int cep_match_write_class(struct match_op *op, struct match_class **ret) BASE_MUST_CHECK;
/* Is op->out a list that may be remembered? One that a limit may have cut is not. */
bool cep_match_few_threads(const struct match_op *op);
/* Writes a remembered class there. */
int cep_match_write_known(struct match_op *op, const struct match_class *known, struct match_class **ret) BASE_MUST_CHECK;
/* Takes it in: into an equal one (returned) or as itself. */
int cep_match_intern_class(struct match_op *op, struct match_head *head, struct match_class *class, struct match_class **ret) BASE_MUST_CHECK;
/* A fresh id. */
int cep_match_new_class_id(struct match_head *head, uint32_t *ret) BASE_MUST_CHECK;
/* Threads of a class into op->in; registers point into the blob. */
int cep_match_load_threads(struct match_op *op, const struct match_class *class) BASE_MUST_CHECK;
/* Steps every class into the scratch blob. */
int cep_match_step_classes(struct match_op *op, struct match_head *head) BASE_MUST_CHECK;
/* The scratch blob becomes the head's. */
int cep_match_swap_blob(struct match_op *op, struct match_head *head) BASE_MUST_CHECK;
/* Brings the head's classes into the scratch blob. */
int cep_match_reload_scratch(struct match_op *op, struct match_head *head) BASE_MUST_CHECK;
/* ---- absorb.c ---- */
/* Whether the pattern allows it: its match covers all starts up to its last row, at once, and no start runs out of time. */
int cep_match_absorb_init(struct match_op *op) BASE_MUST_CHECK;
void cep_match_absorb_finish(struct match_op *op);
/* A row begins: nothing is known of its classes. */
void cep_match_absorb_begin(struct match_op *op);
/* Drops from op->out what an earlier start has too. True: something was dropped. */
bool cep_match_absorb(struct match_op *op, uint64_t start);
/* A class in the scratch blob was taken in: later ones are compared with its threads. */
int cep_match_absorb_note(struct match_op *op, const struct match_class *class) BASE_MUST_CHECK;

/* ---- head.c ---- */
/* Finds the last row of a candidate by replay. */
int cep_match_fill_end(struct match_op *op, struct match_key *key, struct match_cand *cand) BASE_MUST_CHECK;
/* Starts of accepting classes become candidates. */
int cep_match_handle_accepts(struct match_op *op, struct match_key *key, struct match_head *head, bool ends_here) BASE_MUST_CHECK;
/* MATCH_NUMBER() as conditions read it now, so that a candidate is replayed as it was found; 0 where none reads it. */
uint64_t cep_match_number_read(const struct match_op *op, const struct match_head *head);
/* Inserts or replaces a candidate. */
int cep_match_put_cand(struct match_op *op, struct match_head *head, struct match_cand cand) BASE_MUST_CHECK;
/* Starts and candidates in (from, to] are skipped over. */
void cep_match_discard(struct match_head *head, uint64_t from, uint64_t to);

#endif
