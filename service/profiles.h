/* The profile tables of a program: read whole from files or topics, kept in memory (enrichment/table.h), kept up to date, and asked by LOOKUP operators.
 * Files are looked at for changes and read anew beside the table in use; topics are followed. What was read takes effect only in
 * service_profiles_apply, which the host calls while no flow runs (semantics.md 21: at an epoch boundary). One loader thread calls load and poll;
 * find is for any number of threads between two applies.
 *
 * A topic with a WATERMARK is versioned in event time: its partitions have watermarks as streams have, and the least one of those that are not idle says up
 * to where its versions are known. Late versions are taken in all the same; those that come after rows of their time were settled are counted. */
#ifndef SERVICE_PROFILES_H
#define SERVICE_PROFILES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "cep/row.h"
#include "formats/format.h"
#include "service/input.h"

struct service_profiles;
struct service_profiles_config {
    const struct cep_program *program;  /* must outlive the profiles */
    const char *application_id;
    const char *base_dir;
    int64_t poll_ms;                    /* how often files are looked at */
    formats_problem_fn *on_problem;     /* bad records; may be NULL; loader thread */
    void *ctx;
    service_input_opener *opener;       /* as service_input_config */
    void *opener_ctx;
};
/* One change of a followed topic, for the epoch's batch. row NULL: the key was deleted; versioned: this version of it. A versioned row may say that the key
 * is gone from its time on (row->change). */
struct service_profile_change { const char *identity; const struct cep_tuple *key; const struct cep_row *row; bool versioned; int64_t time_ms; };
typedef int service_profile_changed(void *ctx, const struct service_profile_change *change);

/* Opens all profile tables of the program; reads nothing yet. Reason appended to reterr. */
int service_profiles_create(const struct service_profiles_config *config, struct service_profiles **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_profiles_destroy(struct service_profiles *profiles); /* NULL allowed */
/* The same tables under another program (its profile tables are the same ones): nothing is read anew. BASE_E_NOTFOUND: they differ, nothing changed.
 * While no flow runs and the loader rests. */
int service_profiles_rebind(struct service_profiles *profiles, const struct cep_program *program, struct base_buf *reterr) BASE_MUST_CHECK;
/* Would rebind succeed? */
bool service_profiles_same(const struct service_profiles *profiles, const struct cep_program *program);
uint32_t service_profiles_count(const struct service_profiles *profiles);

/* Reads on for at most about timeout_ms; *ret_ready: every table has been read to its end once. Errors of bounded sources are returned at the first load only;
 * later a file that cannot be read keeps the table in use, and service_profiles_trouble says so. */
int service_profiles_poll(struct service_profiles *profiles, int timeout_ms, bool *ret_ready, struct base_buf *reterr) BASE_MUST_CHECK;
/* poll until ready, then apply: for hosts with one thread. */
int service_profiles_load(struct service_profiles *profiles, struct base_buf *reterr) BASE_MUST_CHECK;
/* What was read takes effect. changed may be NULL; it is told of changes of followed topics only. *ret_any: something changed. */
int service_profiles_apply(struct service_profiles *profiles, service_profile_changed *changed, void *ctx, bool *ret_any) BASE_MUST_CHECK;
/* Row of program table `table` for a key, or NULL. */
const struct cep_row *service_profiles_find(const struct service_profiles *profiles, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms);
/* Event time up to which the table's versions are known, as of the last apply; BASE_TIME_MAX_MS: all are, or nothing comes at present. */
int64_t service_profiles_watermark(const struct service_profiles *profiles, uint32_t table);
/* Another number after each apply that brought new versions. */
uint64_t service_profiles_generation(const struct service_profiles *profiles);
/* Program table of table i if its versions pile up in event time (a followed topic with WATERMARK), else CEP_NONE. */
uint32_t service_profiles_versioned(const struct service_profiles *profiles, uint32_t i);
/* Drops versions of table i that nobody who asks at or after floor_ms can want, a part of the table each time; each is told to `changed` as deleted. At rest. */
int service_profiles_sweep(struct service_profiles *profiles, uint32_t i, int64_t floor_ms, service_profile_changed *changed, void *ctx) BASE_MUST_CHECK;

/* ---- followed topics in the store ---- */
/* Name under which table i's rows are stored: differs when source or columns change. NULL: the table is a file and not stored. */
const char *service_profiles_identity(const struct service_profiles *profiles, uint32_t i);
/* A stored row back (before the first poll). BASE_E_CORRUPT: it does not fit the columns. */
int service_profiles_restore_row(struct service_profiles *profiles, uint32_t i, const void *row, size_t len) BASE_MUST_CHECK;
/* Positions as of the last apply, appended; and put back. */
void service_profiles_save(const struct service_profiles *profiles, struct base_buf *out);
int service_profiles_restore(struct service_profiles *profiles, struct base_reader *in, struct base_buf *reterr) BASE_MUST_CHECK;

struct service_profile_stats {
    const char *name;
    uint64_t rows, bytes, applied;
    uint64_t late;          /* versions that came after rows of their time were settled */
    int64_t watermark_ms;   /* BASE_TIME_MIN_MS, BASE_TIME_MAX_MS: nothing to be told */
    const char *trouble;
};
/* Any thread: table i of service_profiles_count. trouble is copied into the caller's buffer. */
void service_profiles_stats(struct service_profiles *profiles, uint32_t i, struct service_profile_stats *ret, char *trouble, size_t trouble_bytes);

#endif
