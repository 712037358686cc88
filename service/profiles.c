#include "service/profiles.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "base/vec.h"
#include "enrichment/lookup.h"
#include "enrichment/table.h"
#include "service/config.h"
#include "service/input.h"

#define BATCH 5000
#define SWEEP_BUCKETS 4096
#define IDLE_MS 1000 /* a quiet topic is the rule for profiles: it holds nobody back after this, unless its table says otherwise */

/* A row that was read and waits for the next apply: flat, so that it outlives the poll. */
struct waiting { struct cep_row *row; };
struct waitings BASE_VEC(struct waiting);

struct profile {
    uint32_t table;              /* in the program */
    char *name;
    char identity[33];
    struct enrichment_shape shape;
    struct cep_type *types;
    uint32_t *keys;
    struct enrichment_table *current;  /* what find reads */
    struct service_input *input;       /* open while a file is read; always for a topic */
    bool followed;               /* a topic, or another source without end */
    bool complete;               /* was read to its end once */
    /* files */
    struct enrichment_table *reading;  /* loader's: being filled */
    uint64_t seen;               /* mark of the file as read last */
    int64_t look_at_us;
    /* handed over under the lock */
    struct enrichment_table *fresh;    /* to be swapped in */
    struct waitings waiting;     /* rows of a topic, in order */
    struct base_buf read_to;     /* positions behind what was handed over */
    struct base_buf applied_to;  /* positions behind what is in effect */
    uint64_t applied;
    char trouble[512];
    /* topics with event time */
    int64_t idle_ms;             /* 0: never idle */
    int64_t read_known_ms;       /* up to where versions are known behind what was handed over; under the lock */
    int64_t known_ms;            /* as of the last apply */
    int64_t floor_ms;            /* rows up to here are settled, as told by the last sweep */
    uint64_t late;
};
struct service_profiles {
    struct service_profiles_config config;
    struct profile *at;
    uint32_t count;
    uint32_t *by_table;          /* program table -> index + 1 */
    uint64_t generation;
    struct base_arena scratch;       /* loader thread */
    struct base_arena apply_scratch; /* host thread */
    pthread_mutex_t lock;
};

/* ---- make and free ---- */

static void free_waiting(struct profile *p)
{
    for (size_t i = 0; i < p->waiting.len; i++)
        base_free(p->waiting.at[i].row);
    BASE_VEC_FINISH(&p->waiting);
}

static void free_profile(struct profile *p)
{
    free_waiting(p);
    service_input_close(p->input);
    enrichment_table_destroy(p->current);
    enrichment_table_destroy(p->reading);
    enrichment_table_destroy(p->fresh);
    base_buf_finish(&p->read_to);
    base_buf_finish(&p->applied_to);
    base_free(p->types);
    base_free(p->keys);
    base_free(p->name);
}

void service_profiles_destroy(struct service_profiles *profiles)
{
    if (!profiles)
        return;
    for (uint32_t i = 0; i < profiles->count; i++)
        free_profile(&profiles->at[i]);
    base_free(profiles->at);
    base_free(profiles->by_table);
    base_arena_finish(&profiles->scratch);
    base_arena_finish(&profiles->apply_scratch);
    pthread_mutex_destroy(&profiles->lock);
    base_free(profiles);
}

static int open_input(struct service_profiles *profiles, struct profile *p, struct base_buf *reterr)
{
    struct service_input_config config = {
        .program = profiles->config.program, .table = p->table, .application_id = profiles->config.application_id,
        .base_dir = profiles->config.base_dir, .on_problem = profiles->config.on_problem, .ctx = profiles->config.ctx,
        .opener = profiles->config.opener, .opener_ctx = profiles->config.opener_ctx,
    };
    return service_input_open(&config, &p->input, reterr);
}

/* Hash of what is read and of the columns: tables with the same one hold the same rows. */
static int make_identity(const struct cep_program *program, const struct cep_table *table, char ret[33])
{
    static const char *const keys[] = { "connector", "topic", "path", "format", "value.format", "properties.bootstrap.servers" };
    struct base_buf text = { 0 };
    struct base_str name = cep_program_text(program, table->name);
    base_buf_put_bytes(&text, name.ptr, name.len);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct base_str value = cep_program_setting(program, table->options, keys[i]);
        base_buf_put_bytes(&text, value.ptr, value.len);
    }
    for (uint32_t i = 0; i < table->fields.count; i++) {
        const struct cep_field *field = cep_program_field(program, table->fields.first + i);
        struct base_str path = cep_program_text(program, field->path);
        base_buf_put_bytes(&text, path.ptr, path.len);
        base_buf_put_bytes(&text, &field->type, sizeof field->type);
    }
    for (uint32_t i = 0; i < table->key_fields.count; i++)
        base_buf_put_u32(&text, *cep_program_u32(program, table->key_fields.first + i));
    base_buf_put_u32(&text, table->rowtime_field);
    bool failed = text.failed;
    if (!failed)
        base_hash128_hex(text.ptr, text.len, ret);
    base_buf_finish(&text);
    return failed ? BASE_E_NOMEM : 0;
}

static int make_shape(const struct cep_program *program, struct profile *p)
{
    const struct cep_table *table = cep_program_table(program, p->table);
    p->types = base_calloc(table->fields.count + 1, sizeof *p->types);
    p->keys = base_calloc(table->key_fields.count + 1, sizeof *p->keys);
    if (!p->types || !p->keys)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < table->fields.count; i++) {
        const struct cep_field *field = cep_program_field(program, table->fields.first + i);
        p->types[i] = field->type;
    }
    for (uint32_t i = 0; i < table->key_fields.count; i++)
        p->keys[i] = *cep_program_u32(program, table->key_fields.first + i);
    p->shape = (struct enrichment_shape){ .types = p->types, .columns = table->fields.count, .key_columns = p->keys,
                                          .key_count = table->key_fields.count, .versioned = table->rowtime_field != CEP_NONE };
    return make_identity(program, table, p->identity);
}

static int64_t idle_timeout(const struct cep_program *program, uint32_t table)
{
    struct base_str text = cep_program_setting(program, cep_program_table(program, table)->options, "scan.watermark.idle-timeout");
    char copy[64];
    int64_t ms;
    snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    return service_parse_duration(copy, &ms) ? ms : IDLE_MS;
}

static int add_profile(struct service_profiles *profiles, uint32_t table, struct base_buf *reterr)
{
    struct profile *p = &profiles->at[profiles->count];
    p->table = table;
    profiles->count++;
    profiles->by_table[table] = profiles->count;
    int e = open_input(profiles, p, reterr);
    if (e < 0)
        return e;
    p->name = base_strdup(service_input_name(p->input));
    if (!p->name)
        return BASE_E_NOMEM;
    p->followed = !service_input_bounded(p->input);
    p->idle_ms = idle_timeout(profiles->config.program, table);
    p->floor_ms = BASE_TIME_MIN_MS;
    e = make_shape(profiles->config.program, p);
    if (e < 0)
        return e;
    p->read_known_ms = p->known_ms = p->followed && p->shape.versioned ? BASE_TIME_MIN_MS : BASE_TIME_MAX_MS;
    p->current = enrichment_table_create(&p->shape);
    p->reading = p->followed ? NULL : enrichment_table_create(&p->shape);
    return p->current && (p->followed || p->reading) ? 0 : BASE_E_NOMEM;
}

int service_profiles_create(const struct service_profiles_config *config, struct service_profiles **ret, struct base_buf *reterr)
{
    struct service_profiles *profiles = base_calloc(1, sizeof *profiles);
    if (!profiles)
        return BASE_E_NOMEM;
    uint32_t tables = cep_program_table_count(config->program);
    profiles->config = *config;
    pthread_mutex_init(&profiles->lock, NULL);
    profiles->at = base_calloc(tables + 1, sizeof *profiles->at);
    profiles->by_table = base_calloc(tables + 1, sizeof *profiles->by_table);
    int e = profiles->at && profiles->by_table ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < tables; i++) {
        if (cep_program_table(config->program, i)->is_profile && !enrichment_lookup_is(config->program, i))
            e = add_profile(profiles, i, reterr);
    }
    if (e < 0) {
        service_profiles_destroy(profiles);
        return e;
    }
    *ret = profiles;
    return 0;
}

static struct profile *profile_named(const struct service_profiles *profiles, const char *identity)
{
    for (uint32_t i = 0; i < profiles->count; i++) {
        if (memcmp(profiles->at[i].identity, identity, 32) == 0)
            return &profiles->at[i];
    }
    return NULL;
}

/* Place of each profile table of the program in profiles->at, plus one, by table. BASE_E_NOTFOUND: they are others. */
static int map_tables(const struct service_profiles *profiles, const struct cep_program *program, uint32_t **ret)
{
    uint32_t tables = cep_program_table_count(program), found = 0;
    uint32_t *by_table = base_calloc(tables + 1, sizeof *by_table);
    int e = by_table ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < tables; i++) {
        char identity[33];
        if (!cep_program_table(program, i)->is_profile || enrichment_lookup_is(program, i))
            continue;
        e = make_identity(program, cep_program_table(program, i), identity);
        struct profile *p = e == 0 ? profile_named(profiles, identity) : NULL;
        by_table[i] = p ? (uint32_t)(p - profiles->at) + 1 : 0;
        found++;
        if (e == 0 && !p)
            e = BASE_E_NOTFOUND;
    }
    if (e == 0 && found != profiles->count)
        e = BASE_E_NOTFOUND;
    if (e < 0)
        base_free(by_table);
    else
        *ret = by_table;
    return e;
}

bool service_profiles_same(const struct service_profiles *profiles, const struct cep_program *program)
{
    uint32_t *by_table = NULL;
    if (map_tables(profiles, program, &by_table) < 0)
        return false;
    base_free(by_table);
    return true;
}

int service_profiles_rebind(struct service_profiles *profiles, const struct cep_program *program, struct base_buf *reterr)
{
    uint32_t *by_table = NULL;
    int e = map_tables(profiles, program, &by_table);
    for (uint32_t i = 0; e == 0 && i < cep_program_table_count(program); i++) {
        if (!by_table[i])
            continue;
        struct profile *p = &profiles->at[by_table[i] - 1];
        p->table = i;
        if (p->input)
            e = service_input_rebind(p->input, program, i, reterr);
    }
    if (e < 0) {
        base_free(by_table);
        return e;
    }
    base_free(profiles->by_table);
    profiles->by_table = by_table;
    profiles->config.program = program;
    return 0;
}

uint32_t service_profiles_count(const struct service_profiles *profiles)
{
    return profiles->count;
}

/* ---- reading ---- */

static void set_trouble(struct service_profiles *profiles, struct profile *p, const char *text)
{
    pthread_mutex_lock(&profiles->lock);
    snprintf(p->trouble, sizeof p->trouble, "%s", text);
    pthread_mutex_unlock(&profiles->lock);
}

/* A number that changes when the file, or a file of the folder, does. 0: it is not there. */
static uint64_t file_mark(const struct service_profiles *profiles, const struct profile *p)
{
    const struct cep_program *program = profiles->config.program;
    struct base_str setting = cep_program_setting(program, cep_program_table(program, p->table)->options, "path");
    char path[4096];
    bool relative = setting.len && setting.ptr[0] != '/' && profiles->config.base_dir;
    int n = snprintf(path, sizeof path, "%s%s%.*s", relative ? profiles->config.base_dir : "", relative ? "/" : "", (int)setting.len,
                     setting.ptr ? setting.ptr : "");
    struct stat info;
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &info) < 0)
        return 0;
    uint64_t facts[] = { (uint64_t)info.st_mtim.tv_sec, (uint64_t)info.st_mtim.tv_nsec, (uint64_t)info.st_size, info.st_ino };
    uint64_t mark = base_hash64(facts, sizeof facts, 1);
    DIR *dir = S_ISDIR(info.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &info, 0) < 0)
            continue;
        uint64_t more[] = { (uint64_t)info.st_mtim.tv_sec, (uint64_t)info.st_mtim.tv_nsec, (uint64_t)info.st_size, info.st_ino };
        mark += base_hash64(more, sizeof more, 2); /* a sum: the order of readdir does not matter */
    }
    if (dir)
        closedir(dir);
    return mark ? mark : 1;
}

/* Rows of one batch into the table that is being read. */
static int fill(struct service_profiles *profiles, struct profile *p, const struct service_input_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->rows[i])
            continue;
        base_arena_reset(&profiles->scratch);
        int e = enrichment_table_put(p->reading, batch->rows[i], &profiles->scratch);
        if (e < 0 && e != BASE_E_INVALID) /* a row without key can never be found: it is left out */
            return e;
    }
    return 0;
}

static int read_file(struct service_profiles *profiles, struct profile *p, int timeout_ms, struct base_buf *reterr)
{
    int64_t now_us = base_clock_mono_us();
    if (!p->input) {
        if (now_us < p->look_at_us)
            return 0;
        p->look_at_us = now_us + profiles->config.poll_ms * 1000;
        if (file_mark(profiles, p) == p->seen)
            return 0;
        enrichment_table_destroy(p->reading);
        p->reading = enrichment_table_create(&p->shape);
        int e = p->reading ? open_input(profiles, p, reterr) : BASE_E_NOMEM;
        if (e < 0)
            return e;
    }
    if (!p->seen || p->complete)
        p->seen = file_mark(profiles, p);
    for (;;) {
        struct service_input_batch batch;
        int e = service_input_poll(p->input, BATCH, timeout_ms, &batch);
        if (e < 0) {
            const char *trouble = service_input_trouble(p->input, NULL);
            base_buf_printf(reterr, "table \"%s\": %s", service_input_name(p->input), *trouble ? trouble : base_error_text(e));
            return e;
        }
        e = fill(profiles, p, &batch);
        if (e < 0)
            return e;
        if (batch.finished)
            break;
        if (batch.count == 0) {
            set_trouble(profiles, p, service_input_trouble(p->input, NULL));
            return 0;
        }
    }
    service_input_close(p->input);
    p->input = NULL;
    pthread_mutex_lock(&profiles->lock);
    enrichment_table_destroy(p->fresh);
    p->fresh = p->reading;
    p->reading = NULL;
    p->complete = true;
    p->trouble[0] = '\0';
    pthread_mutex_unlock(&profiles->lock);
    return 0;
}

static int hand_over(struct service_profiles *profiles, struct profile *p, const struct service_input_batch *batch)
{
    int e = 0;
    pthread_mutex_lock(&profiles->lock);
    for (size_t i = 0; e == 0 && i < batch->count; i++) {
        if (!batch->rows[i])
            continue;
        size_t size = cep_row_size(batch->rows[i]);
        struct waiting waiting = { base_alloc(size) };
        if (waiting.row)
            memcpy(waiting.row, batch->rows[i], size);
        if (!waiting.row || !BASE_VEC_PUSH(&p->waiting, waiting)) {
            base_free(waiting.row);
            e = BASE_E_NOMEM;
        }
    }
    base_buf_clear(&p->read_to);
    service_input_save(p->input, &p->read_to);
    pthread_mutex_unlock(&profiles->lock);
    return e == 0 && p->read_to.failed ? BASE_E_NOMEM : e;
}

/* Takes the batch into the watermarks of its partitions. A tombstone has the record's time, not the table's: it moves nothing. */
static int take_times(struct profile *p, const struct service_input_batch *batch)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < batch->count; i++) {
        const struct cep_row *row = batch->rows[i];
        enum service_timing timing;
        if (row && row->change != CEP_DELETE)
            e = service_watermarks_row(service_input_watermarks(p->input), row->at.partition, row->time_ms, &timing);
    }
    return e;
}

/* Up to where the topic is known: a partition that has been at its end for long enough holds nobody back. */
static int64_t look_known(struct profile *p)
{
    struct service_watermarks *marks = service_input_watermarks(p->input);
    int64_t now_us = base_clock_mono_us();
    for (size_t i = 0; i < marks->len; i++) {
        struct service_partition *at = &marks->at[i];
        if (at->active_us == 0 || at->seen_rows || !service_input_partition_at_end(p->input, at->partition)) {
            at->active_us = now_us;
            at->seen_rows = false;
        } else if (p->idle_ms && now_us - at->active_us >= p->idle_ms * 1000) {
            at->idle = true;
        }
    }
    int64_t known_ms = service_watermarks_merge(marks);
    return service_watermarks_all_idle(marks) ? BASE_TIME_MAX_MS : known_ms;
}

static int read_topic(struct service_profiles *profiles, struct profile *p, int timeout_ms)
{
    struct service_input_batch batch;
    int e = service_input_poll(p->input, BATCH, timeout_ms, &batch);
    if (e < 0)
        return e;
    set_trouble(profiles, p, service_input_trouble(p->input, NULL));
    if (p->shape.versioned)
        e = take_times(p, &batch);
    int64_t known_ms = p->shape.versioned ? look_known(p) : BASE_TIME_MAX_MS;
    if (e == 0 && batch.count)
        e = hand_over(profiles, p, &batch);
    if (e == 0) {
        pthread_mutex_lock(&profiles->lock);
        p->read_known_ms = known_ms;
        pthread_mutex_unlock(&profiles->lock);
    }
    if (e == 0 && batch.at_end && service_input_ready(p->input))
        p->complete = true;
    return e;
}

int service_profiles_poll(struct service_profiles *profiles, int timeout_ms, bool *ret_ready, struct base_buf *reterr)
{
    bool ready = true;
    for (uint32_t i = 0; i < profiles->count; i++) {
        struct profile *p = &profiles->at[i];
        struct base_buf why = { .limit = 4096 };
        int e = p->followed ? read_topic(profiles, p, timeout_ms) : read_file(profiles, p, timeout_ms, &why);
        if (e < 0 && (e == BASE_E_NOMEM || !p->complete)) {
            base_buf_put(reterr, why.ptr, why.len);
            base_buf_finish(&why);
            return e;
        }
        if (e < 0) { /* the table in use stays */
            set_trouble(profiles, p, why.len ? why.ptr : base_error_text(e));
            service_input_close(p->input);
            p->input = NULL;
        }
        base_buf_finish(&why);
        ready = ready && p->complete;
    }
    *ret_ready = ready;
    return 0;
}

int service_profiles_load(struct service_profiles *profiles, struct base_buf *reterr)
{
    bool ready = profiles->count == 0;
    bool any;
    while (!ready) {
        int e = service_profiles_poll(profiles, 100, &ready, reterr);
        if (e < 0)
            return e;
    }
    return service_profiles_apply(profiles, NULL, NULL, &any);
}

/* ---- taking effect ---- */

static int apply_row(struct service_profiles *profiles, struct profile *p, const struct cep_row *row, service_profile_changed *changed, void *ctx)
{
    struct cep_tuple *key = NULL;
    base_arena_reset(&profiles->apply_scratch);
    int e = enrichment_table_key(p->current, row, &profiles->apply_scratch, &key);
    if (e == BASE_E_INVALID)
        return 0;
    bool gone = row->change == CEP_DELETE;
    if (e == 0 && gone && p->shape.versioned && !enrichment_table_find(p->current, key, BASE_TIME_MAX_MS))
        return 0; /* it was not there: nothing to remember */
    if (e == 0)
        e = gone ? enrichment_table_remove(p->current, key, row->time_ms) : enrichment_table_put(p->current, row, &profiles->apply_scratch);
    p->late += p->shape.versioned && row->time_ms <= p->floor_ms;
    struct service_profile_change change = { .identity = p->identity, .key = key, .row = gone && !p->shape.versioned ? NULL : row,
                                             .versioned = p->shape.versioned, .time_ms = row->time_ms };
    return e == 0 && changed ? changed(ctx, &change) : e;
}

static int apply_one(struct service_profiles *profiles, struct profile *p, service_profile_changed *changed, void *ctx, bool *any)
{
    int e = 0;
    if (p->fresh) {
        enrichment_table_destroy(p->current);
        p->current = p->fresh;
        p->fresh = NULL;
        p->applied++;
        *any = true;
    }
    for (size_t i = 0; e == 0 && i < p->waiting.len; i++) {
        e = apply_row(profiles, p, p->waiting.at[i].row, changed, ctx);
        *any = true;
    }
    p->known_ms = p->read_known_ms;
    if (e < 0 || !p->followed)
        return e;
    p->applied += p->waiting.len > 0;
    free_waiting(p);
    base_buf_clear(&p->applied_to);
    base_buf_put(&p->applied_to, p->read_to.ptr, p->read_to.len);
    return p->applied_to.failed ? BASE_E_NOMEM : 0;
}

int service_profiles_apply(struct service_profiles *profiles, service_profile_changed *changed, void *ctx, bool *ret_any)
{
    int e = 0;
    *ret_any = false;
    pthread_mutex_lock(&profiles->lock);
    for (uint32_t i = 0; e == 0 && i < profiles->count; i++)
        e = apply_one(profiles, &profiles->at[i], changed, ctx, ret_any);
    profiles->generation += *ret_any;
    pthread_mutex_unlock(&profiles->lock);
    return e;
}

const struct cep_row *service_profiles_find(const struct service_profiles *profiles, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms)
{
    uint32_t i = profiles->by_table[table];
    return i ? enrichment_table_find(profiles->at[i - 1].current, key, as_of_ms) : NULL;
}

int64_t service_profiles_watermark(const struct service_profiles *profiles, uint32_t table)
{
    uint32_t i = profiles->by_table[table];
    return i ? profiles->at[i - 1].known_ms : BASE_TIME_MAX_MS;
}

uint64_t service_profiles_generation(const struct service_profiles *profiles)
{
    return profiles->generation;
}

uint32_t service_profiles_versioned(const struct service_profiles *profiles, uint32_t i)
{
    const struct profile *p = &profiles->at[i];
    return p->followed && p->shape.versioned ? p->table : CEP_NONE;
}

struct sweep { struct service_profiles *profiles; struct profile *p; service_profile_changed *changed; void *ctx; };

static int drop_version(void *ctx, const struct cep_row *version)
{
    struct sweep *sweep = ctx;
    struct cep_tuple *key = NULL;
    base_arena_reset(&sweep->profiles->apply_scratch);
    int e = enrichment_table_key(sweep->p->current, version, &sweep->profiles->apply_scratch, &key);
    struct service_profile_change change = { .identity = sweep->p->identity, .key = key, .versioned = true, .time_ms = version->time_ms };
    return e == 0 ? sweep->changed(sweep->ctx, &change) : e;
}

int service_profiles_sweep(struct service_profiles *profiles, uint32_t i, int64_t floor_ms, service_profile_changed *changed, void *ctx)
{
    struct profile *p = &profiles->at[i];
    struct sweep sweep = { profiles, p, changed, ctx };
    if (floor_ms == BASE_TIME_MIN_MS || floor_ms == BASE_TIME_MAX_MS)
        return 0;
    p->floor_ms = floor_ms;
    return enrichment_table_sweep(p->current, floor_ms, SWEEP_BUCKETS, drop_version, &sweep);
}

/* ---- store ---- */

const char *service_profiles_identity(const struct service_profiles *profiles, uint32_t i)
{
    return profiles->at[i].followed ? profiles->at[i].identity : NULL;
}

int service_profiles_restore_row(struct service_profiles *profiles, uint32_t i, const void *row, size_t len)
{
    struct profile *p = &profiles->at[i];
    base_arena_reset(&profiles->apply_scratch);
    struct cep_row *copy = len >= sizeof *copy ? base_arena_alloc(&profiles->apply_scratch, len) : NULL;
    if (!copy)
        return len >= sizeof *copy ? BASE_E_NOMEM : BASE_E_CORRUPT;
    memcpy(copy, row, len);
    if (cep_row_size(copy) != len || !cep_tuple_valid(&copy->tuple, len - offsetof(struct cep_row, tuple), p->types, p->shape.columns))
        return BASE_E_CORRUPT;
    if (copy->change != CEP_DELETE)
        return enrichment_table_put(p->current, copy, &profiles->apply_scratch);
    struct cep_tuple *key = NULL;
    int e = enrichment_table_key(p->current, copy, &profiles->apply_scratch, &key);
    return e == 0 ? enrichment_table_remove(p->current, key, copy->time_ms) : BASE_E_CORRUPT;
}

void service_profiles_save(const struct service_profiles *profiles, struct base_buf *out)
{
    uint32_t followed = 0;
    for (uint32_t i = 0; i < profiles->count; i++)
        followed += profiles->at[i].followed && profiles->at[i].applied_to.len;
    base_buf_put_varint(out, followed);
    for (uint32_t i = 0; i < profiles->count; i++) {
        const struct profile *p = &profiles->at[i];
        if (!p->followed || !p->applied_to.len)
            continue;
        base_buf_put_bytes(out, p->identity, 32);
        base_buf_put_bytes(out, p->applied_to.ptr, p->applied_to.len);
    }
}

int service_profiles_restore(struct service_profiles *profiles, struct base_reader *in, struct base_buf *reterr)
{
    uint64_t count = base_read_varint(in);
    for (uint64_t k = 0; k < count && !in->failed; k++) {
        struct base_str identity = base_read_bytes(in);
        struct base_str blob = base_read_bytes(in);
        for (uint32_t i = 0; !in->failed && i < profiles->count; i++) {
            struct profile *p = &profiles->at[i];
            if (!p->followed || !base_str_equal(identity, base_str_of(p->identity)))
                continue;
            struct base_reader reader = base_reader_of(blob.ptr, blob.len);
            int e = service_input_restore(p->input, &reader, reterr);
            if (e < 0)
                return e;
            base_buf_clear(&p->read_to);
            base_buf_put(&p->read_to, blob.ptr, blob.len);
            base_buf_clear(&p->applied_to);
            base_buf_put(&p->applied_to, blob.ptr, blob.len);
        }
    }
    return in->failed ? BASE_E_CORRUPT : 0;
}

void service_profiles_stats(struct service_profiles *profiles, uint32_t i, struct service_profile_stats *ret, char *trouble, size_t trouble_bytes)
{
    pthread_mutex_lock(&profiles->lock);
    const struct profile *p = &profiles->at[i];
    ret->name = p->name;
    ret->rows = enrichment_table_count(p->current);
    ret->bytes = enrichment_table_bytes(p->current);
    ret->applied = p->applied;
    ret->late = p->late;
    ret->watermark_ms = p->known_ms;
    snprintf(trouble, trouble_bytes, "%s", p->trouble);
    ret->trouble = trouble;
    pthread_mutex_unlock(&profiles->lock);
}
