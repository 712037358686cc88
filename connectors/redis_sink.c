/* Changes into Redis: a hash per key, a member of a sorted set per key, or increments of scores. Upserts are repeated without harm; increments are counted once
 * by a position that the same script advances. */
#include <string.h>

#include "base/error.h"
#include "base/vec.h"
#include "clients/redis.h"
#include "connectors/store_sink_internal.h"

#define POSITIONS "cepheid:positions"

enum mode { MODE_HASH, MODE_SORTED_SET, MODE_INCREMENT };

struct words BASE_VEC(struct base_str);
struct sink {
    struct connectors_store_sink base;
    struct clients_redis *redis;
    enum mode mode;
    const char *prefix;            /* hash: in front of the key's text; sorted set: its key */
    const char *member, *score;    /* columns; NULL: not named */
    const char *positions, *owner; /* increments */
    const char *ttl_ms;            /* hash; NULL: keys stay */
    struct words words;            /* of the command that is being made */
    struct base_arena scratch;     /* texts of the batch */
    size_t wanted;                 /* answers of the transaction */
    struct base_buf *why;
};

/* All keys are looked at before the first write, so that a script writes wholly or not at all. */
static const char increment_script[] =
    "local done = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')\n"
    "for i = 2, #KEYS do\n"
    "  local t = redis.call('TYPE', KEYS[i]).ok\n"
    "  if t ~= 'none' and t ~= 'zset' then return redis.error_reply('WRONGTYPE key ' .. KEYS[i] .. ' is a ' .. t .. ', not a sorted set') end\n"
    "end\n"
    "for i = 3, #ARGV, 4 do\n"
    "  if tonumber(ARGV[i]) > done then redis.call('ZINCRBY', KEYS[tonumber(ARGV[i + 1])], ARGV[i + 3], ARGV[i + 2]) end\n"
    "end\n"
    "if tonumber(ARGV[2]) > done then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end\n"
    "return redis.status_reply('OK')";

static void sink_interrupt(struct connectors_store_sink *base)
{
    clients_redis_interrupt(((struct sink *)base)->redis);
}

static void sink_close(struct connectors_store_sink *base)
{
    struct sink *sink = (struct sink *)base;
    clients_redis_destroy(sink->redis);
    BASE_VEC_FINISH(&sink->words);
    base_arena_finish(&sink->scratch);
    connectors_store_free(base);
}

/* ---- commands ---- */

static bool word(struct sink *sink, struct base_str text)
{
    return BASE_VEC_PUSH(&sink->words, text);
}

static int add_words(struct sink *sink, bool good)
{
    int e = good ? clients_redis_add(sink->redis, sink->words.at, sink->words.len) : BASE_E_NOMEM;
    sink->words.len = 0;
    sink->wanted++;
    return e;
}

static const struct connectors_cell *cell_of(const struct connectors_change *change, const char *name)
{
    for (uint32_t i = 0; name && i < change->count; i++) {
        if (base_str_equal(change->cells[i].name, base_str_of(name)))
            return &change->cells[i];
    }
    return NULL;
}

/* Prefix and the texts of the key cells but `without`, joined by ':'. */
static struct base_str key_of(struct sink *sink, const struct connectors_change *change, const struct connectors_cell *without)
{
    struct base_buf text = { 0 };
    base_buf_puts(&text, sink->prefix);
    for (uint32_t i = 0; i < change->count; i++) {
        if (!change->cells[i].key || &change->cells[i] == without)
            continue;
        if (text.len && text.ptr[text.len - 1] != ':')
            base_buf_putc(&text, ':');
        base_buf_put_str(&text, change->cells[i].text);
    }
    struct base_str key = { text.failed ? NULL : base_arena_strndup(&sink->scratch, text.ptr ? text.ptr : "", text.len), text.len };
    base_buf_finish(&text);
    return key;
}

static int put_hash(struct sink *sink, const struct connectors_change *change)
{
    struct base_str key = key_of(sink, change, NULL);
    uint32_t nulls = 0;
    bool good = key.ptr != NULL;
    if (change->remove) {
        good = good && word(sink, BASE_STR("DEL")) && word(sink, key);
        return add_words(sink, good);
    }
    good = good && word(sink, BASE_STR("HSET")) && word(sink, key);
    for (uint32_t i = 0; i < change->count; i++) {
        nulls += change->cells[i].kind == CONNECTORS_CELL_NULL;
        if (change->cells[i].kind != CONNECTORS_CELL_NULL)
            good = good && word(sink, change->cells[i].name) && word(sink, change->cells[i].text);
    }
    int e = add_words(sink, good);
    if (e == 0 && nulls) {
        good = word(sink, BASE_STR("HDEL")) && word(sink, key);
        for (uint32_t i = 0; i < change->count; i++) {
            if (change->cells[i].kind == CONNECTORS_CELL_NULL)
                good = good && word(sink, change->cells[i].name);
        }
        e = add_words(sink, good);
    }
    if (e == 0 && sink->ttl_ms)
        e = add_words(sink, word(sink, BASE_STR("PEXPIRE")) && word(sink, key) && word(sink, base_str_of(sink->ttl_ms)));
    return e;
}

static int member_and_score(struct sink *sink, const struct connectors_change *change, const struct connectors_cell **ret_member,
                            const struct connectors_cell **ret_score, struct base_buf *reterr)
{
    *ret_member = cell_of(change, sink->member);
    *ret_score = cell_of(change, sink->score);
    if (!*ret_member || !*ret_score) {
        base_buf_printf(reterr, "the table has no column \"%s\"; name a column by '%s'", *ret_member ? sink->score : sink->member,
                        *ret_member ? "score-column" : "member-column");
        return BASE_E_CONFIG;
    }
    bool number = (*ret_score)->kind == CONNECTORS_CELL_NUMBER;
    if (!change->remove && !number) {
        base_buf_printf(reterr, "the score of \"%.*s\" is no number", (int)(*ret_member)->text.len, (*ret_member)->text.ptr);
        return BASE_E_MALFORMED;
    }
    return 0;
}

static int put_member(struct sink *sink, const struct connectors_change *change, struct base_buf *reterr)
{
    const struct connectors_cell *member, *score;
    int e = member_and_score(sink, change, &member, &score, reterr);
    if (e < 0)
        return e;
    struct base_str key = key_of(sink, change, member);
    bool good = key.ptr != NULL;
    if (change->remove)
        good = good && word(sink, BASE_STR("ZREM")) && word(sink, key) && word(sink, member->text);
    else
        good = good && word(sink, BASE_STR("ZADD")) && word(sink, key) && word(sink, score->text) && word(sink, member->text);
    return add_words(sink, good);
}

/* ---- answers ---- */

static int refused(struct sink *sink, struct base_str text)
{
    base_buf_printf(sink->why, "Redis at %s: %.*s", sink->base.place, (int)text.len, text.ptr);
    if (base_str_starts(text, BASE_STR("WRONGTYPE")))
        base_buf_puts(sink->why, "; another program uses this key: choose another 'key' or delete it");
    if (base_str_starts(text, BASE_STR("NOAUTH")) || base_str_starts(text, BASE_STR("NOPERM")) || base_str_starts(text, BASE_STR("WRONGPASS")))
        return BASE_E_AUTH;
    return base_str_starts(text, BASE_STR("OOM")) ? BASE_E_FULL : BASE_E_IO;
}

/* Answers of MULTI, QUEUED and so on, and at last of EXEC, whose items are those of the commands. */
static int on_answer(void *ctx, size_t index BASE_UNUSED, const struct clients_redis_answer *answer)
{
    struct sink *sink = ctx;
    if (answer->kind == CLIENTS_REDIS_ERROR && !base_str_starts(answer->text, BASE_STR("EXECABORT")))
        return refused(sink, answer->text);
    if (answer->kind == CLIENTS_REDIS_ERROR || answer->kind == CLIENTS_REDIS_NIL)
        return BASE_E_IO;
    for (size_t i = 0; answer->kind == CLIENTS_REDIS_LIST && i < answer->count; i++) {
        struct clients_redis_answer item = clients_redis_item(answer, i);
        if (item.kind == CLIENTS_REDIS_ERROR)
            return refused(sink, item.text);
    }
    return 0;
}

static int transaction(struct sink *sink, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    int e = add_words(sink, word(sink, BASE_STR("MULTI")));
    for (size_t i = 0; e == 0 && i < batch->count; i++)
        e = sink->mode == MODE_HASH ? put_hash(sink, &batch->changes[i]) : put_member(sink, &batch->changes[i], reterr);
    if (e == 0)
        e = add_words(sink, word(sink, BASE_STR("EXEC")));
    return e;
}

/* Number of a key among KEYS (from 1) as text; added if it is new. */
static const char *number_of_key(struct sink *sink, struct words *keys, struct base_str key)
{
    size_t i = 0;
    while (i < keys->len && !base_str_equal(keys->at[i], key))
        i++;
    if (i == keys->len && !BASE_VEC_PUSH(keys, key))
        return NULL;
    return base_arena_printf(&sink->scratch, "%zu", i + 1);
}

/* -12.5 of 12.5 and the other way round. */
static struct base_str negated(struct sink *sink, struct base_str number)
{
    if (number.len && number.ptr[0] == '-')
        return (struct base_str){ number.ptr + 1, number.len - 1 };
    const char *text = base_arena_printf(&sink->scratch, "-%.*s", (int)number.len, number.ptr);
    return base_str_of(text);
}

static int increments(struct sink *sink, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct words keys = { 0 }, values = { 0 };
    bool good = BASE_VEC_PUSH(&keys, base_str_of(sink->positions));
    const char *upto = base_arena_printf(&sink->scratch, "%llu", (unsigned long long)batch->to_seq);
    good = good && BASE_VEC_PUSH(&values, base_str_of(sink->owner)) && BASE_VEC_PUSH(&values, base_str_of(upto));
    int e = 0;
    for (size_t i = 0; e == 0 && good && i < batch->count; i++) {
        const struct connectors_change *change = &batch->changes[i];
        const struct connectors_cell *member, *score;
        e = member_and_score(sink, change, &member, &score, reterr);
        if (e < 0 || score->kind != CONNECTORS_CELL_NUMBER) /* taking back a NULL changes nothing */
            continue;
        struct base_str key = key_of(sink, change, member);
        const char *seq = base_arena_printf(&sink->scratch, "%llu", (unsigned long long)change->seq);
        const char *number = key.ptr ? number_of_key(sink, &keys, key) : NULL;
        good = seq && number && BASE_VEC_PUSH(&values, base_str_of(seq)) && BASE_VEC_PUSH(&values, base_str_of(number)) && BASE_VEC_PUSH(&values, member->text) &&
               BASE_VEC_PUSH(&values, change->remove ? negated(sink, score->text) : score->text);
    }
    const char *count = base_arena_printf(&sink->scratch, "%zu", keys.len);
    good = good && count && word(sink, BASE_STR("EVAL")) && word(sink, base_str_of(increment_script)) && word(sink, base_str_of(count));
    for (size_t i = 0; good && i < keys.len; i++)
        good = word(sink, keys.at[i]);
    for (size_t i = 0; good && i < values.len; i++)
        good = word(sink, values.at[i]);
    if (e == 0)
        e = add_words(sink, good);
    BASE_VEC_FINISH(&keys);
    BASE_VEC_FINISH(&values);
    return e;
}

static int sink_apply(struct connectors_store_sink *base, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    base_arena_reset(&sink->scratch);
    sink->words.len = 0;
    sink->why = reterr;
    int e = sink->mode == MODE_INCREMENT ? increments(sink, batch, reterr) : transaction(sink, batch, reterr);
    if (e < 0) {
        clients_redis_clear(sink->redis);
        sink->words.len = 0;
        return e;
    }
    return clients_redis_run(sink->redis, on_answer, sink, reterr);
}

static const struct connectors_store_sink_ops ops = { sink_apply, sink_interrupt, sink_close };

/* ---- opening ---- */

static int read_mode(struct sink *sink, const struct connectors_store_config *config, struct base_buf *reterr)
{
    static const char *const names[] = { "hash", "sorted-set", "sorted-set-increment" };
    const char *mode = connectors_store_option(config, &sink->base.arena, "mode", "hash");
    size_t i = 0;
    while (mode && i < 3 && strcmp(mode, names[i]) != 0)
        i++;
    if (!mode || i == 3) {
        base_buf_printf(reterr, "option 'mode' must be 'hash', 'sorted-set' or 'sorted-set-increment', not '%s'", mode ? mode : "");
        return mode ? BASE_E_CONFIG : BASE_E_NOMEM;
    }
    sink->mode = (enum mode)i;
    if (sink->mode != MODE_INCREMENT && !config->keyed) {
        base_buf_printf(reterr, "'mode' = '%s' writes rows by their key: the table needs a PRIMARY KEY (…) NOT ENFORCED", mode);
        return BASE_E_CONFIG;
    }
    int e = 0;
    if (sink->mode != MODE_HASH) {
        e = connectors_store_need(config, "key", "top10", reterr);
        if (e == 0)
            e = connectors_store_need(config, "member-column", "song", reterr);
        if (e == 0)
            e = connectors_store_need(config, "score-column", "plays", reterr);
    }
    return e;
}

static int read_options(struct connectors_store_sink *base, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    struct base_arena *arena = &base->arena;
    int e = connectors_store_need(config, "url", "redis://localhost:6379", reterr);
    if (e == 0)
        e = read_mode(sink, config, reterr);
    if (e < 0)
        return e;
    sink->prefix = sink->mode == MODE_HASH ? connectors_store_option(config, arena, "key-prefix", base_arena_printf(arena, "%s:", config->name))
                                           : connectors_store_option(config, arena, "key", "");
    sink->member = connectors_store_option(config, arena, "member-column", NULL);
    sink->score = connectors_store_option(config, arena, "score-column", NULL);
    sink->positions = connectors_store_option(config, arena, "position-key", POSITIONS);
    sink->owner = connectors_store_owner(config, arena, '/');
    sink->ttl_ms = connectors_store_option(config, arena, "ttl-ms", NULL);
    int64_t ttl;
    if (sink->ttl_ms && (!base_str_to_i64(base_str_of(sink->ttl_ms), &ttl) || ttl < 1)) {
        base_buf_puts(reterr, "option 'ttl-ms' must be a number of milliseconds above 0");
        return BASE_E_CONFIG;
    }
    struct connectors_store_login login;
    e = connectors_store_read_login(config, arena, &login);
    if (e < 0 || arena->failed)
        return BASE_E_NOMEM;
    e = clients_redis_create(&(struct clients_redis_options){ .url = login.url, .user = login.user, .password = login.password, .ca_file = login.ca_file },
                             &sink->redis, reterr);
    base->keep_all = sink->mode == MODE_INCREMENT;
    base->place = e == 0 ? clients_redis_place(sink->redis) : NULL;
    return e;
}

int connectors_redis_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    return connectors_store_make(config, sizeof(struct sink), &ops, read_options, ret, reterr);
}
