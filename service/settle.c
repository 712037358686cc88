/* Journals are gone through by what they were made by: the same rules, the same number of shards, the same limits. A process that was killed may find others when it
 * starts again. Then an engine of the old ones is made once, without sources, from the texts that the store keeps; it goes through the journals and writes an
 * image, from which any rules and any number of shards go on. Coordinator only. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "service/journal.h"
#include "service/runtime_internal.h"

#define HEAD_VERSION 1
#define SETTLE_MS 1000

/* What journals are made by, decoded; texts are read on from `files`. */
struct maker {
    uint32_t shards;
    uint64_t mark;
    struct cep_limits limits;
    uint64_t file_count;
    struct base_reader files; /* name and text of each */
};

/* Do messages of one program mean the same in the other? Their nodes have the same places. */
static uint64_t mark_of(const struct cep_program *program)
{
    uint64_t mark = cep_program_node_count(program);
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        uint64_t parts[3] = { mark, node->kind, node->fingerprint };
        mark = base_hash64(parts, sizeof parts, SERVICE_JOURNAL_VERSION);
    }
    return mark;
}

static void put_limits(const struct cep_limits *limits, struct base_buf *out)
{
    base_buf_put_u32(out, limits->rows_per_key);
    base_buf_put_u32(out, limits->threads_per_key);
    base_buf_put_u32(out, limits->tail_rows);
    base_buf_put_u32(out, limits->evidence_rows);
    base_buf_put_u32(out, limits->output_per_row);
}

static int make_head(struct service_runtime *rt, struct base_buf *out)
{
    struct service_shared shared;
    const struct service_rulefiles *files = &rt->set->files;
    memset(&shared, 0, sizeof shared);
    service_runtime_fill_shared(rt, &shared);
    base_buf_clear(out);
    base_buf_put_u8(out, HEAD_VERSION);
    base_buf_put_u32(out, rt->shards);
    base_buf_put_u64(out, mark_of(rt->set->program));
    put_limits(&shared.limits, out);
    base_buf_put_varint(out, files->len);
    for (size_t i = 0; i < files->len; i++) {
        base_buf_put_bytes(out, files->at[i].name, strlen(files->at[i].name));
        base_buf_put_bytes(out, files->at[i].text, files->at[i].len);
    }
    return out->failed ? BASE_E_NOMEM : 0;
}

static int read_head(const struct base_buf *head, struct maker *ret)
{
    struct base_reader in = base_reader_of(head->ptr, head->len);
    uint8_t version = base_read_u8(&in);
    ret->shards = base_read_u32(&in);
    ret->mark = base_read_u64(&in);
    ret->limits = (struct cep_limits){ .rows_per_key = base_read_u32(&in) };
    ret->limits.threads_per_key = base_read_u32(&in);
    ret->limits.tail_rows = base_read_u32(&in);
    ret->limits.evidence_rows = base_read_u32(&in);
    ret->limits.output_per_row = base_read_u32(&in);
    ret->file_count = base_read_varint(&in);
    ret->files = in;
    if (in.failed || ret->shards == 0 || ret->shards > SERVICE_SHARDS_MOST)
        return BASE_E_CORRUPT;
    return version == HEAD_VERSION ? 0 : BASE_E_VERSION;
}

/* The head up to the texts: do they mean the same? */
static bool same_maker(const struct base_buf *a, const struct base_buf *b)
{
    size_t fixed = 1 + 4 + 8 + 5 * 4;
    return a->len >= fixed && b->len >= fixed && memcmp(a->ptr, b->ptr, fixed) == 0;
}

int service_runtime_open_journal(struct service_runtime *rt, uint64_t decided, uint64_t *image, struct base_str *watermarks, struct base_buf *reterr)
{
    struct service_batch *batch = NULL;
    uint64_t at = decided;
    base_buf_clear(&rt->image_watermarks);
    int e = service_epochs_image(rt->store, &at, &rt->image_watermarks);
    if (e == 0 && at < decided) {
        *image = at;
        *watermarks = (struct base_str){ rt->image_watermarks.ptr, rt->image_watermarks.len };
    }
    rt->first_journal = e == BASE_E_NOTFOUND; /* a new store, or one from before there were journals: all of its state is there */
    rt->first_image = decided;
    if (rt->first_journal)
        base_buf_put(&rt->image_watermarks, watermarks->ptr, watermarks->len);
    if (rt->image_watermarks.failed)
        e = BASE_E_NOMEM;
    if (e == 0 || e == BASE_E_NOTFOUND)
        e = service_journal_any(rt->store, decided + 1);
    if (e == 1) { /* of an epoch that was prepared and not decided */
        e = service_batch_create(&batch);
        if (e == 0)
            e = service_journal_forget(batch, SERVICE_SHARDS_MOST, decided + 1, UINT64_MAX);
        if (e == 0)
            e = service_store_write(rt->store, &batch, 1, false);
        service_batch_destroy(batch);
    }
    if (e == 0)
        e = make_head(rt, &rt->journal_head);
    rt->head_due = true;
    if (e == 0)
        service_epochs_begin(rt->epochs, *image < decided);
    rt->journal_bytes = *image < decided ? (uint64_t)rt->settings->number[SERVICE_STATE_JOURNAL] : 0; /* then an image comes first, so that no series of crashes adds up */
    if (e < 0)
        base_buf_printf(reterr, "the journals of the state cannot be opened: %s", base_error_text(e));
    return e;
}

/* ---- other rules ---- */

static int compile_old(struct service_runtime *rt, struct maker *maker, struct service_ruleset **ret, struct base_buf *reterr)
{
    struct service_ruleset *set = service_ruleset_create();
    int e = set ? 0 : BASE_E_NOMEM;
    for (uint64_t i = 0; e == 0 && i < maker->file_count; i++) {
        struct base_str name = base_read_bytes(&maker->files), text = base_read_bytes(&maker->files);
        if (maker->files.failed) {
            e = BASE_E_CORRUPT;
            break;
        }
        char *copy = base_arena_strndup(&set->arena, name.ptr, name.len);
        e = copy ? service_rulefiles_set(&set->files, copy, text) : BASE_E_NOMEM;
    }
    struct service_ruleset_config config = { .config = rt->settings, .funcs = rt->config.funcs, .book = rt->book, .optimise = true };
    if (e == 0)
        e = service_ruleset_compile(set, &config, reterr);
    if (e == 0 && mark_of(set->program) != maker->mark)
        e = BASE_E_VERSION;
    if (e < 0) {
        service_ruleset_unref(set);
        return e;
    }
    *ret = set;
    return 0;
}

static int write_image(struct service_runtime *rt, struct service_engine *engine, uint64_t epoch, struct base_buf *reterr)
{
    struct service_part **parts;
    uint32_t count = 0;
    service_engine_want_image(engine, true);
    int e = BASE_E_TIMEOUT;
    while (e == BASE_E_TIMEOUT && !atomic_load(&rt->stopping))
        e = service_engine_barrier(engine, SETTLE_MS, &parts, &count, reterr);
    if (e < 0)
        return e == BASE_E_TIMEOUT ? BASE_E_CLOSED : e;
    struct service_batch **batches = base_calloc(count + 1, sizeof *batches);
    struct service_batch *own = NULL;
    e = batches ? service_batch_create(&own) : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < count; i++) {
        batches[i] = parts[i]->image;
        service_batch_let_go(batches[i]);
    }
    if (e == 0) {
        batches[count] = own;
        e = service_epochs_put_image(own, epoch, (struct base_str){ parts[0]->watermarks.ptr, parts[0]->watermarks.len });
    }
    if (e == 0)
        e = service_journal_forget(own, SERVICE_SHARDS_MOST, 0, epoch + 1);
    if (e == 0)
        e = service_store_write(rt->store, batches, count + 1, true);
    service_batch_destroy(own);
    base_free(batches);
    return e;
}

/* An engine of the old rules, without sources, from the image through the journals. */
static int run_old(struct service_runtime *rt, const struct maker *maker, uint64_t image, struct base_buf *reterr)
{
    struct service_engine *engine = NULL;
    struct service_engine_config config = {
        .shards = maker->shards, .queue = (uint32_t)rt->settings->number[SERVICE_EXCHANGE_BATCHES], .batch = 1,
        .shard_watermarks = { rt->image_watermarks.ptr, rt->image_watermarks.len }, .ingest_watermarks = rt->record.ingest_watermarks,
        .epoch = rt->record.number + 1, .image = image, .decided = rt->record.number,
    };
    service_runtime_fill_shared(rt, &config.shared);
    config.shared.profiles = NULL; /* what tables gave is in the journals */
    uint64_t state_bytes = config.shared.limits.state_bytes;
    config.shared.limits = maker->limits;
    config.shared.limits.state_bytes = state_bytes;
    atomic_store(&config.shared.applied, rt->record.number);
    int e = service_engine_create(&config, &engine, reterr);
    if (e == 0)
        e = service_engine_start(engine);
    if (e == 0)
        e = write_image(rt, engine, rt->record.number, reterr);
    service_engine_destroy(engine);
    return e;
}

static int settle(struct service_runtime *rt, const struct base_buf *head, uint64_t image, struct base_buf *reterr)
{
    struct maker maker;
    struct service_ruleset *old = NULL, *set = rt->set;
    int e = read_head(head, &maker);
    if (e == 0)
        e = compile_old(rt, &maker, &old, reterr);
    if (e == 0) {
        base_logf(BASE_LOG_INFO, "journal", "the rules or the shards are not those of the last run: its journals are gone through first", "epochs %" PRIu64 " to %" PRIu64,
                  image + 1, rt->record.number);
        rt->set = old; /* nobody asks yet */
        e = run_old(rt, &maker, image, reterr);
        rt->set = set;
    }
    service_ruleset_unref(old);
    if (e < 0 && e != BASE_E_CLOSED) {
        base_buf_printf(reterr, "%sthe last run did not end by itself, and what it kept to go on from can only be gone through by its own rules and program (%s); start those "
                                "once and stop them with SIGTERM, or restore a savepoint, or remove the state folder and replay", reterr->len ? "; " : "", base_error_text(e));
    }
    return e;
}

int service_runtime_settle(struct service_runtime *rt, struct base_buf *reterr)
{
    struct base_buf head = { 0 }, now = { 0 };
    uint64_t image = 0;
    int e = service_epochs_last(rt->store, &rt->record);
    base_buf_clear(&rt->image_watermarks);
    if (e == 0)
        e = service_epochs_image(rt->store, &image, &rt->image_watermarks);
    if (e == 0 && image < rt->record.number)
        e = service_epochs_journal_head(rt->store, &head);
    else if (e == 0)
        e = BASE_E_NOTFOUND; /* nothing to be gone through */
    if (e == 0)
        e = make_head(rt, &now);
    if (e == 0 && !same_maker(&head, &now))
        e = settle(rt, &head, image, reterr);
    base_buf_finish(&head);
    base_buf_finish(&now);
    return e == BASE_E_NOTFOUND ? 0 : e;
}
