/* The runtime from inside: what runtime.c, reload.c and facts.c share. */
#ifndef SERVICE_RUNTIME_INTERNAL_H
#define SERVICE_RUNTIME_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include "service/engine.h"
#include "service/epochs.h"
#include "service/letters.h"
#include "service/profiles.h"
#include "service/push.h"
#include "service/runtime.h"

/* A rule set that is ready to run, with what it needs that is not there yet. Made by the thread that asks for a reload, taken over at a boundary. */
struct service_swap {
    struct service_ruleset *set;
    struct service_profiles *profiles;  /* loaded; NULL: those in use are the same */
    struct service_input **fresh;       /* opened inputs, for tables that no running one reads */
    uint32_t fresh_count;
    bool done;
    int result;
    struct base_buf error;
};

struct service_inputs BASE_VEC(struct service_input *);

struct service_runtime {
    struct service_runtime_config config;
    const struct service_config *settings;
    struct service_store *store;
    struct service_letters *letters;
    struct service_pushes *pushes;        /* tables fed over HTTP */
    struct service_rule_book *book;
    struct service_metrics metrics;
    struct service_alertlog *log;
    struct service_desk *desk;
    struct service_epochs *epochs;
    struct service_delivery *delivery;
    struct service_profiles *profiles;
    struct service_inputs inputs;
    struct service_engine *engine;
    struct service_epoch_record record;   /* scratch: the last decided epoch */
    uint64_t next_epoch;
    uint32_t shards;
    char source[300];                     /* CloudEvents source */
    struct service_known *known;          /* by shard; NULL: the store held state when the process started */
    struct service_batch *extra;          /* changes of profiles that belong to an epoch, and what is left of rules that are gone */
    struct service_batch *purge;          /* deadlines that go with an image */
    struct base_buf profile_positions, fingerprints;
    struct base_buf journal_head, image_watermarks;
    bool prompt;                          /* at-least-once: outputs do not wait for the end of commit.interval */
    bool head_due;                        /* the store does not know yet what journals are made by */
    bool first_journal;                   /* nor of any image: journals begin behind first_image */
    uint64_t first_image;
    uint64_t journal_bytes;               /* since the last image */
    uint64_t journal_waits;               /* up to the one that is on its way */
    struct { struct service_offset *at; size_t len, cap; } offsets;
    int64_t facts_at_us, purge_at_us, tell_at_us;
    uint32_t aborts_in_row;
    pthread_t tender, loader;
    bool tender_started, loader_started;
    pthread_mutex_t loader_lock;          /* held while the loader polls; the coordinator takes it to change profiles */
    pthread_mutex_t reload_lock;          /* one reload at a time */
    _Atomic bool stopping;                /* told to stop */
    _Atomic bool reload_asked;
    _Atomic uint64_t set_number;
    uint64_t rules_mark;                  /* tender's: of the rules folder as loaded */
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct service_ruleset *set;          /* the running one */
    struct service_swap *swap;            /* asked for */
    bool outputs_wait;                    /* the running epoch has some; if prompt */
    const char *checkpoint;               /* asked for: folder for a copy of the store at the next boundary */
    int checkpoint_result;
    bool running;                         /* an engine runs: swaps are served */
    bool ready;
    char not_ready[256];
    struct base_buf facts;                /* Prometheus text */
    struct service_rule_state *rule_states; /* by rule of `set` */
    uint32_t rule_state_count;
};

/* runtime.c */
/* An engine for rt->set over rt->inputs and rt->profiles, from the last decided epoch; started. */
int service_runtime_make_engine(struct service_runtime *rt, struct base_buf *reterr) BASE_MUST_CHECK;
formats_problem_fn service_runtime_problem;
struct service_input_config service_runtime_input_config(struct service_runtime *rt, const struct cep_program *program, uint32_t table);
struct service_profiles_config service_runtime_profiles_config(struct service_runtime *rt, const struct cep_program *program);
/* Is the table read as a stream by this program? */
bool service_runtime_streams(const struct cep_program *program, uint32_t table);
/* What all hosts of an engine of rt->set share, but for its exchange. */
void service_runtime_fill_shared(struct service_runtime *rt, struct service_shared *shared);
/* settle.c */
/* Before an engine of rt->set is made over the store at epoch `decided`: from which image its journals begin, with the watermarks there, if it is not `decided` itself. */
int service_runtime_open_journal(struct service_runtime *rt, uint64_t decided, uint64_t *image, struct base_str *watermarks, struct base_buf *reterr) BASE_MUST_CHECK;
/* At the start: if the journals were made by other rules or another number of shards, their state is brought into the store by what they were made by. */
int service_runtime_settle(struct service_runtime *rt, struct base_buf *reterr) BASE_MUST_CHECK;
/* reload.c */
int service_runtime_compile(struct service_runtime *rt, const char *file, struct base_str text, struct service_ruleset **ret, struct base_buf *reterr)
    BASE_MUST_CHECK;
/* Coordinator, at rest, everything decided: takes the swap over. A failure leaves the old set running. */
void service_runtime_do_swap(struct service_runtime *rt, struct service_swap *swap);
void *service_runtime_tend(void *arg);
/* keep.c: coordinator, when an epoch has been applied and before the next one is: the copy that was asked for. */
void service_runtime_checkpoint(struct service_runtime *rt);
/* Drops the state of rules that are gone with the next epoch, freezes their unsettled alerts, and notes which rules run. At rest. */
int service_runtime_forget_gone(struct service_runtime *rt) BASE_MUST_CHECK;
/* At a start: names the rules that are kept, changed, gone and new since the state was left. */
int service_runtime_tell_past(struct service_runtime *rt) BASE_MUST_CHECK;
/* facts.c: coordinator, at rest. */
void service_runtime_gather(struct service_runtime *rt);

#endif
