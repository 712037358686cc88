#include "service/imager.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"
#include "service/epochs.h"
#include "service/journal.h"
#include "service/segments.h"
#include "service/store_tables.h"

#define SLICE_BYTES ((size_t)256 << 10) /* a write of an epoch waits for one of these at most */
#define FILES_KEY BASE_STR("image-files")
#define FILES_VERSION 1
#define TABLES_VERSION 2 /* with tables: their number, a bit for each family; the files are put into their places before */

enum phase { RESTS, OFFERED, GOES, FAILED };

struct held { /* what a shard gave */
    struct service_batch *batch;
    struct service_order *orders; /* of its sections; NULL: not known yet */
};
struct service_imager {
    struct service_store *store;
    struct service_segments *segments;
    pthread_t thread;
    bool started;
    size_t slice_bytes;
    uint64_t tables_least;                        /* bytes of an image that is written as tables */
    struct BASE_VEC(struct service_place) places; /* imager's thread, as what follows */
    uint32_t families;                            /* that have a table; 0: the image on its way has none */
    struct BASE_VEC(struct held) helds;           /* the first `count` are the image on its way, the others keep their memory; grows at rest alone */

    pthread_mutex_t lock;    /* what follows; sections and their order, where they are given up or made */
    pthread_cond_t changed;
    size_t count;
    enum phase phase;
    bool works;              /* the thread is at it */
    bool ordered;            /* all sections are */
    bool stops, closes;      /* what is on its way ends where it stands; the thread ends */
    uint64_t epoch, announced;
    uint32_t shards;
    struct base_buf watermarks, error;
    int code;
};

/* ---- what is announced ---- */

static int put_files(struct service_imager *imager, struct service_batch *batch)
{
    struct base_buf value = { 0 };
    base_buf_put_u8(&value, imager->families ? TABLES_VERSION : FILES_VERSION);
    if (imager->families) {
        base_buf_put_u64(&value, imager->epoch);
        base_buf_put_u32(&value, imager->families);
    }
    base_buf_put_varint(&value, imager->places.len);
    for (size_t i = 0; i < imager->places.len; i++)
        service_place_put(&imager->places.at[i], &value);
    int e = value.failed ? BASE_E_NOMEM : service_batch_put(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, FILES_KEY, (struct base_str){ value.ptr, value.len });
    base_buf_finish(&value);
    return e;
}

/* It stands in the store whole. Synced: then the file can go. */
static int forget_files(struct service_store *store)
{
    struct service_batch *batch = NULL;
    int e = service_batch_create(&batch);
    if (e == 0)
        e = service_batch_delete(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, FILES_KEY);
    if (e == 0)
        e = service_store_write(store, &batch, 1, true);
    service_batch_destroy(batch);
    return e;
}

/* One section of a file into its place. */
static int put_again(struct service_store *store, const struct service_place *place, struct base_buf *bytes)
{
    struct service_order order = { 0 };
    base_buf_clear(bytes);
    int e = service_segments_read(service_store_path(store), SERVICE_SEGMENTS_IMAGE, place, bytes);
    struct base_str section = { bytes->ptr, bytes->len };
    if (e == 0)
        e = service_section_order(section, &order);
    if (e == 0)
        e = service_store_write_section(store, section, &order, SLICE_BYTES);
    service_order_finish(&order);
    return e;
}

int service_imager_settle(struct service_store *store, struct base_buf *reterr)
{
    struct base_buf value = { 0 }, bytes = { 0 };
    int e = service_store_get(store, SERVICE_CF_META, FILES_KEY, &value);
    if (e == BASE_E_NOTFOUND)
        return 0;
    struct base_reader in = base_reader_of(value.ptr, value.len);
    uint8_t version = e == 0 ? base_read_u8(&in) : 0;
    if (e == 0 && version != FILES_VERSION && version != TABLES_VERSION)
        e = BASE_E_VERSION;
    uint64_t number = version == TABLES_VERSION ? base_read_u64(&in) : 0;
    uint32_t families = version == TABLES_VERSION ? base_read_u32(&in) : 0;
    uint64_t count = e == 0 ? base_read_varint(&in) : 0;
    for (uint64_t i = 0; e == 0 && i < count; i++) {
        struct service_place place = service_place_read(&in);
        e = in.failed ? BASE_E_CORRUPT : put_again(store, &place, &bytes);
    }
    if (e == 0 && (in.failed || in.at != in.end))
        e = BASE_E_CORRUPT;
    if (e == 0 && families)
        e = service_tables_take(store, number, families);
    if (e == 0)
        e = forget_files(store);
    if (e < 0) {
        struct base_buf why = { .limit = 4096 };
        if (families)
            service_store_error(store, &why);
        base_buf_printf(reterr, "an image of the state that was not in its place yet cannot be put there from %s/%s: %s; restore a savepoint, or remove the state folder and replay",
                        service_store_path(store), families ? SERVICE_TABLES_FOLDER : SERVICE_SEGMENTS_IMAGE, why.len ? why.ptr : base_error_text(e));
        base_buf_finish(&why);
    }
    base_buf_finish(&value);
    base_buf_finish(&bytes);
    return e;
}

/* ---- the thread ---- */

static bool told_to_stop(struct service_imager *imager)
{
    pthread_mutex_lock(&imager->lock);
    bool stops = imager->stops || imager->closes;
    pthread_mutex_unlock(&imager->lock);
    return stops;
}

/* Nobody changes a section while it is here: it is read without the lock. */
static int order_held(struct service_imager *imager, struct held *held)
{
    size_t count = service_batch_sections(held->batch);
    struct service_order *orders = base_calloc(count + 1, sizeof *orders);
    int e = !orders ? BASE_E_NOMEM : service_batch_whole(held->batch) ? 0 : BASE_E_INVALID;
    for (size_t i = 0; e == 0 && i < count; i++) {
        uint32_t group;
        e = told_to_stop(imager) ? BASE_E_CLOSED : service_section_order(service_batch_section(held->batch, i, &group), &orders[i]);
    }
    for (size_t i = 0; e < 0 && orders && i < count; i++)
        service_order_finish(&orders[i]);
    if (e < 0) {
        base_free(orders);
        return e;
    }
    pthread_mutex_lock(&imager->lock);
    held->orders = orders;
    pthread_mutex_unlock(&imager->lock);
    return 0;
}

static int order_all(struct service_imager *imager)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < imager->count; i++)
        e = order_held(imager, &imager->helds.at[i]);
    return e;
}

/* The ith to be written: what lies behind the batches of the threads comes in front of them, since it clears ranges that they may put something into. */
static struct held *nth(struct service_imager *imager, size_t i)
{
    return &imager->helds.at[(i + imager->shards + 1) % imager->count];
}

static bool must_stop(void *ctx) { return told_to_stop(ctx); }

static int by_group(const void *a, const void *b)
{
    const struct service_table_part *x = a, *y = b;
    return x->group < y->group ? -1 : x->group > y->group;
}

/* What stands in tables goes into its place with them. */
static bool in_table(const struct service_imager *imager, const struct held *held, size_t section)
{
    return imager->families && held->orders[section].count;
}

/* The sections that are in order, by their groups. */
static int find_parts(struct service_imager *imager, struct service_table_part **ret, size_t *ret_count, uint64_t *ret_bytes)
{
    size_t count = 0, most = 0;
    for (size_t i = 0; i < imager->count; i++)
        most += service_batch_sections(imager->helds.at[i].batch);
    struct service_table_part *found = base_calloc(most + 1, sizeof *found);
    *ret = found;
    for (size_t i = 0; found && i < imager->count; i++) {
        const struct held *held = &imager->helds.at[i];
        for (size_t s = 0; s < service_batch_sections(held->batch); s++) {
            if (!held->orders[s].count)
                continue;
            struct service_table_part *part = &found[count++];
            part->section = service_batch_section(held->batch, s, &part->group);
            part->order = &held->orders[s];
            *ret_bytes += part->section.len;
        }
    }
    if (count)
        qsort(found, count, sizeof *found, by_group);
    *ret_count = count;
    return found ? 0 : BASE_E_NOMEM;
}

/* An image that is worth it becomes tables, as far as it is in order. */
static int write_tables(struct service_imager *imager)
{
    struct service_table_part *found = NULL;
    size_t count = 0;
    uint64_t bytes = 0;
    uint32_t families = 0;
    imager->families = 0;
    int e = find_parts(imager, &found, &count, &bytes);
    if (e == 0 && count && bytes >= imager->tables_least) {
        service_tables_remove(imager->store); /* of images that came to nothing */
        e = service_tables_make(imager->store, imager->epoch, found, count, must_stop, imager, &families);
    }
    base_free(found);
    imager->families = e == 0 ? families : 0;
    if (e == BASE_E_UNSUPPORTED)
        service_tables_remove(imager->store);
    return e == BASE_E_UNSUPPORTED ? 0 : e; /* then by files and slices */
}

static int write_files(struct service_imager *imager, struct base_buf *why)
{
    int e = write_tables(imager);
    imager->places.len = 0;
    for (size_t i = 0; e == 0 && i < imager->count; i++) {
        const struct held *held = nth(imager, i);
        const struct service_batch *batch = held->batch;
        for (size_t s = 0; e == 0 && s < service_batch_sections(batch); s++) {
            struct service_place place;
            uint32_t group;
            if (in_table(imager, held, s))
                continue;
            e = told_to_stop(imager) ? BASE_E_CLOSED : service_segments_append(imager->segments, service_batch_section(batch, s, &group), &place, why);
            if (e == 0 && !BASE_VEC_PUSH(&imager->places, place))
                e = BASE_E_NOMEM;
            service_segments_ease(imager->segments);
        }
    }
    return e == 0 ? service_segments_sync(imager->segments, why) : e;
}

static int announce(struct service_imager *imager)
{
    struct service_batch *batch = NULL;
    int e = service_batch_create(&batch);
    if (e == 0)
        e = service_epochs_put_image(batch, imager->epoch, (struct base_str){ imager->watermarks.ptr, imager->watermarks.len });
    if (e == 0)
        e = service_journal_forget(batch, imager->shards, 0, imager->epoch + 1);
    if (e == 0)
        e = put_files(imager, batch);
    if (e == 0)
        e = service_store_write(imager->store, &batch, 1, true);
    service_batch_destroy(batch);
    pthread_mutex_lock(&imager->lock);
    if (e == 0)
        imager->announced = imager->epoch;
    pthread_mutex_unlock(&imager->lock);
    return e;
}

static int put_into_place(struct service_imager *imager, struct held *held)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < service_batch_sections(held->batch); i++) {
        uint32_t group;
        if (in_table(imager, held, i))
            continue;
        e = told_to_stop(imager) ? BASE_E_CLOSED
                                 : service_store_write_section(imager->store, service_batch_section(held->batch, i, &group), &held->orders[i], imager->slice_bytes);
        pthread_mutex_lock(&imager->lock);
        if (e == 0) { /* from now on the store is asked */
            service_order_finish(&held->orders[i]);
            service_batch_release(held->batch, i);
        }
        pthread_mutex_unlock(&imager->lock);
    }
    return e;
}

static int take_tables(struct service_imager *imager)
{
    int e = told_to_stop(imager) ? BASE_E_CLOSED : service_tables_take(imager->store, imager->epoch, imager->families);
    pthread_mutex_lock(&imager->lock);
    for (size_t i = 0; e == 0 && i < imager->count; i++) {
        struct held *held = &imager->helds.at[i];
        for (size_t s = 0; s < service_batch_sections(held->batch); s++) {
            service_order_finish(&held->orders[s]);
            service_batch_release(held->batch, s);
        }
    }
    pthread_mutex_unlock(&imager->lock);
    return e;
}

static int write_image(struct service_imager *imager, struct base_buf *why)
{
    int e = write_files(imager, why);
    if (e == 0)
        e = announce(imager);
    for (size_t i = 0; e == 0 && i < imager->count; i++)
        e = put_into_place(imager, nth(imager, i));
    if (e == 0 && imager->families)
        e = take_tables(imager);
    if (e == 0)
        e = forget_files(imager->store);
    if (e == 0 && imager->families)
        service_tables_remove(imager->store);
    if (e == 0 && imager->families)
        base_alloc_trim(); /* sections of that size are many blocks, each too small to go back to the system by itself */
    if (e == 0) {
        service_segments_retire(imager->segments);
        service_segments_sweep(imager->segments);
    }
    return e;
}

/* Under the lock, nobody at it. */
static void let_go(struct service_imager *imager)
{
    for (size_t i = 0; i < imager->count; i++) {
        struct held *held = &imager->helds.at[i];
        for (size_t s = 0; held->orders && s < service_batch_sections(held->batch); s++)
            service_order_finish(&held->orders[s]);
        base_free(held->orders);
        held->orders = NULL;
        service_batch_clear(held->batch);
    }
    imager->count = 0;
    imager->ordered = false;
    imager->phase = RESTS;
}

/* Under the lock, which is given up meanwhile: the next step of what is on its way. */
static void work(struct service_imager *imager)
{
    struct base_buf why = { .limit = 4096 };
    bool order = !imager->ordered;
    imager->works = true;
    pthread_mutex_unlock(&imager->lock);
    int e = order ? order_all(imager) : write_image(imager, &why);
    if (e < 0 && !why.len && e != BASE_E_NOMEM && e != BASE_E_CLOSED)
        service_store_error(imager->store, &why);
    pthread_mutex_lock(&imager->lock);
    imager->works = false;
    if (e < 0) {
        imager->phase = FAILED;
        imager->code = e;
        base_buf_clear(&imager->error);
        base_buf_put(&imager->error, why.ptr, why.len);
    } else if (order) {
        imager->ordered = true;
    } else {
        let_go(imager);
    }
    base_buf_finish(&why);
    pthread_cond_broadcast(&imager->changed);
}

static void *run(void *arg)
{
    struct service_imager *imager = arg;
    pthread_mutex_lock(&imager->lock);
    while (!imager->closes) {
        if (imager->phase == GOES && !imager->stops)
            work(imager);
        else
            pthread_cond_wait(&imager->changed, &imager->lock);
    }
    pthread_mutex_unlock(&imager->lock);
    return NULL;
}

/* ---- the coordinator ---- */

int service_imager_open(struct service_store *store, uint64_t least_bytes, uint64_t tables_least, struct service_imager **ret, struct base_buf *reterr)
{
    struct service_imager *imager = base_calloc(1, sizeof *imager);
    if (!imager)
        return BASE_E_NOMEM;
    imager->store = store;
    imager->slice_bytes = SLICE_BYTES;
    imager->tables_least = tables_least;
    pthread_mutex_init(&imager->lock, NULL);
    pthread_cond_init(&imager->changed, NULL);
    int e = service_segments_open(service_store_path(store), SERVICE_SEGMENTS_IMAGE, least_bytes, &imager->segments);
    if (e == 0)
        e = service_imager_restart(imager, reterr);
    if (e < 0) {
        service_imager_close(imager);
        return e;
    }
    *ret = imager;
    return 0;
}

void service_imager_close(struct service_imager *imager)
{
    if (!imager)
        return;
    pthread_mutex_lock(&imager->lock);
    imager->closes = true;
    pthread_cond_broadcast(&imager->changed);
    pthread_mutex_unlock(&imager->lock);
    if (imager->started)
        pthread_join(imager->thread, NULL);
    let_go(imager);
    for (size_t i = 0; i < imager->helds.len; i++)
        service_batch_destroy(imager->helds.at[i].batch);
    BASE_VEC_FINISH(&imager->helds);
    BASE_VEC_FINISH(&imager->places);
    service_segments_close(imager->segments);
    base_buf_finish(&imager->watermarks);
    base_buf_finish(&imager->error);
    pthread_cond_destroy(&imager->changed);
    pthread_mutex_destroy(&imager->lock);
    base_free(imager);
}

bool service_imager_wants(const struct service_imager *imager, uint64_t bytes)
{
    return service_segments_wants(imager->segments, bytes);
}

int service_imager_offer(struct service_imager *imager, struct service_batch **inout_batch)
{
    pthread_mutex_lock(&imager->lock);
    struct held fresh = { 0 };
    int e = imager->count < imager->helds.len ? 0 : service_batch_create(&fresh.batch);
    if (e == 0 && fresh.batch && !BASE_VEC_PUSH(&imager->helds, fresh)) {
        service_batch_destroy(fresh.batch);
        e = BASE_E_NOMEM;
    }
    if (e == 0) {
        struct held *held = &imager->helds.at[imager->count++];
        struct service_batch *given = *inout_batch;
        *inout_batch = held->batch;
        held->batch = given;
        imager->phase = OFFERED;
    }
    pthread_mutex_unlock(&imager->lock);
    return e;
}

int service_imager_go(struct service_imager *imager, uint64_t epoch, struct base_str watermarks, uint32_t shards)
{
    pthread_mutex_lock(&imager->lock);
    int e = imager->started || pthread_create(&imager->thread, NULL, run, imager) == 0 ? 0 : BASE_E_NOMEM;
    imager->started = imager->started || e == 0;
    base_buf_clear(&imager->watermarks);
    base_buf_put(&imager->watermarks, watermarks.ptr, watermarks.len);
    if (e == 0 && imager->watermarks.failed)
        e = BASE_E_NOMEM;
    if (e == 0) {
        imager->epoch = epoch;
        imager->shards = shards;
        imager->phase = GOES;
        pthread_cond_broadcast(&imager->changed);
    }
    pthread_mutex_unlock(&imager->lock);
    return e;
}

void service_imager_stop(struct service_imager *imager)
{
    pthread_mutex_lock(&imager->lock);
    imager->stops = true;
    while (imager->works)
        pthread_cond_wait(&imager->changed, &imager->lock);
    let_go(imager);
    imager->stops = false;
    imager->code = 0;
    base_buf_clear(&imager->error);
    pthread_mutex_unlock(&imager->lock);
}

int service_imager_restart(struct service_imager *imager, struct base_buf *reterr)
{
    service_imager_stop(imager);
    int e = service_imager_settle(imager->store, reterr);
    if (e == 0) {
        service_segments_retire(imager->segments); /* none is announced, and that is durable */
        service_segments_sweep(imager->segments);
        service_tables_remove(imager->store);
    }
    return e;
}

bool service_imager_rests(struct service_imager *imager)
{
    pthread_mutex_lock(&imager->lock);
    bool rests = imager->phase == RESTS || imager->phase == FAILED;
    pthread_mutex_unlock(&imager->lock);
    return rests;
}

int service_imager_wait(struct service_imager *imager, struct base_buf *reterr)
{
    pthread_mutex_lock(&imager->lock);
    while (imager->phase == GOES)
        pthread_cond_wait(&imager->changed, &imager->lock);
    int e = imager->phase == FAILED ? imager->code : 0;
    if (e < 0)
        base_buf_printf(reterr, "an image of the state cannot be written: %s", imager->error.len ? imager->error.ptr : base_error_text(e));
    pthread_mutex_unlock(&imager->lock);
    return e;
}

uint64_t service_imager_announced(struct service_imager *imager)
{
    pthread_mutex_lock(&imager->lock);
    uint64_t epoch = imager->announced;
    pthread_mutex_unlock(&imager->lock);
    return epoch;
}

int service_imager_find(struct service_imager *imager, uint32_t shard, uint32_t group, enum service_cf family, struct base_str key, struct base_buf *ret)
{
    static const struct service_order none = { 0 };
    int e = BASE_E_NOTFOUND;
    if (!imager)
        return e;
    pthread_mutex_lock(&imager->lock);
    const struct held *held = shard < imager->count ? &imager->helds.at[shard] : NULL;
    for (size_t i = 0; held && i < service_batch_sections(held->batch); i++) {
        uint32_t of;
        struct base_str section = service_batch_section(held->batch, i, &of);
        if (of != group)
            continue;
        e = service_section_find(imager->store, section, held->orders ? &held->orders[i] : &none, family, key, ret);
        break;
    }
    pthread_mutex_unlock(&imager->lock);
    return e;
}

void service_imager_slices(struct service_imager *imager, size_t bytes)
{
    imager->slice_bytes = bytes;
}
