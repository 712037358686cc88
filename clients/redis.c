#include "clients/redis.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "clients/backoff.h"
#include "clients/library.h"
#include "clients/stream.h"
#include "clients/url.h"

#define TEXT_OF(x) #x
#define SONAME(x) "libhiredis.so." TEXT_OF(x)
#define READ_BYTES 65536
#define ANSWER_BYTES (64u << 20)

/* What is used of hiredis: its parser. */
struct parser {
    redisReader *(*create)(void);
    void (*free)(redisReader *);
    int (*feed)(redisReader *, const char *, size_t);
    int (*get)(redisReader *, void **);
    void (*free_reply)(void *);
};

struct clients_redis {
    struct base_arena arena;           /* texts */
    struct parser parser;
    struct clients_stream_options stream_options;
    const char *user, *password;
    int64_t database;
    uint32_t timeout_ms, answer_bytes;
    char *place;
    struct clients_stream *stream;     /* NULL: not connected */
    redisReader *reader;
    struct clients_backoff backoff;
    uint64_t sessions;
    struct base_buf out, why;          /* why: the last failure, told again while backing off */
    size_t commands;
    _Atomic bool stop;
};

struct clients_redis_answer clients_redis_item(const struct clients_redis_answer *list, size_t i)
{
    const redisReply *reply = ((redisReply *const *)list->items)[i];
    struct clients_redis_answer answer = { .kind = CLIENTS_REDIS_NIL };
    switch (reply->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        answer.kind = reply->type == REDIS_REPLY_STRING ? CLIENTS_REDIS_TEXT : reply->type == REDIS_REPLY_STATUS ? CLIENTS_REDIS_STATUS : CLIENTS_REDIS_ERROR;
        answer.text = (struct base_str){ reply->str, reply->len };
        break;
    case REDIS_REPLY_INTEGER:
        answer.kind = CLIENTS_REDIS_INTEGER;
        answer.integer = reply->integer;
        break;
    case REDIS_REPLY_ARRAY:
        answer.kind = CLIENTS_REDIS_LIST;
        answer.count = reply->elements;
        answer.items = reply->element;
        break;
    default:
        break;
    }
    return answer;
}

static void cut_back(struct base_buf *text, size_t len)
{
    text->len = len;
    if (text->ptr)
        text->ptr[len] = 0;
}

/* ---- life ---- */

static int read_url(struct clients_redis *redis, const struct clients_redis_options *options, struct base_buf *reterr)
{
    struct clients_url url;
    int e = clients_url_parse(base_str_of(options->url), &redis->arena, &url, reterr);
    if (e < 0)
        return e;
    bool tls = strcmp(url.scheme, "rediss") == 0, local = strcmp(url.scheme, "unix") == 0;
    if (!tls && !local && strcmp(url.scheme, "redis") != 0) {
        base_buf_printf(reterr, "a Redis URL begins with redis://, rediss:// or unix://, not %s://", url.scheme);
        return BASE_E_CONFIG;
    }
    if (!local && *url.path && (!base_str_to_i64(base_str_of(url.path), &redis->database) || redis->database < 0 || redis->database > 65535)) {
        base_buf_printf(reterr, "behind the host of a Redis URL stands the number of a database, not \"%s\"", url.path);
        return BASE_E_CONFIG;
    }
    struct clients_stream_options *stream = &redis->stream_options;
    *stream = (struct clients_stream_options){ .host = *url.host ? url.host : "localhost", .port = url.port ? url.port : 6379, .tls = tls,
                                               .connect_timeout_ms = options->connect_timeout_ms, .stop = &redis->stop };
    if (local)
        stream->unix_path = base_arena_printf(&redis->arena, "/%s", url.path);
    stream->ca_file = base_arena_strndup(&redis->arena, options->ca_file ? options->ca_file : "", options->ca_file ? strlen(options->ca_file) : 0);
    const char *user = options->user && *options->user ? options->user : url.user;
    const char *password = options->password && *options->password ? options->password : url.password;
    redis->user = base_arena_strndup(&redis->arena, user, strlen(user));
    redis->password = base_arena_strndup(&redis->arena, password, strlen(password));
    redis->place = local ? base_arena_printf(&redis->arena, "/%s", url.path) : base_arena_printf(&redis->arena, "%s:%u", stream->host, stream->port);
    return redis->user && redis->password && redis->place && stream->ca_file && (!local || stream->unix_path) ? 0 : BASE_E_NOMEM;
}

int clients_redis_create(const struct clients_redis_options *options, struct clients_redis **ret, struct base_buf *reterr)
{
    struct base_buf ignored = { 0 };
    struct clients_redis *redis = base_calloc(1, sizeof *redis);
    if (!redis)
        return BASE_E_NOMEM;
    redis->timeout_ms = options->timeout_ms ? options->timeout_ms : 10000;
    redis->answer_bytes = options->answer_bytes ? options->answer_bytes : ANSWER_BYTES;
    const struct clients_symbol symbols[] = {
        { "redisReaderCreate", &redis->parser.create }, { "redisReaderFree", &redis->parser.free }, { "redisReaderFeed", &redis->parser.feed },
        { "redisReaderGetReply", &redis->parser.get },  { "freeReplyObject", &redis->parser.free_reply },
    };
    /* The structs of an answer differ between versions of hiredis: it must be the one of our header. */
    int e = clients_library_load(SONAME(HIREDIS_SONAME), "libhiredis0.14", symbols, sizeof symbols / sizeof symbols[0], reterr ? reterr : &ignored);
    if (e == 0)
        e = read_url(redis, options, reterr ? reterr : &ignored);
    base_buf_finish(&ignored);
    if (e < 0) {
        clients_redis_destroy(redis);
        return e;
    }
    *ret = redis;
    return 0;
}

static void disconnect(struct clients_redis *redis)
{
    clients_stream_close(redis->stream);
    redis->stream = NULL;
    if (redis->reader)
        redis->parser.free(redis->reader);
    redis->reader = NULL;
}

void clients_redis_destroy(struct clients_redis *redis)
{
    if (!redis)
        return;
    disconnect(redis);
    base_buf_finish(&redis->out);
    base_buf_finish(&redis->why);
    base_arena_finish(&redis->arena);
    base_free(redis);
}

const char *clients_redis_place(const struct clients_redis *redis)
{
    return redis->place;
}

void clients_redis_interrupt(struct clients_redis *redis)
{
    atomic_store(&redis->stop, true);
}

int64_t clients_redis_wait_ms(const struct clients_redis *redis)
{
    return (clients_backoff_left_us(&redis->backoff) + 999) / 1000;
}

uint64_t clients_redis_sessions(const struct clients_redis *redis)
{
    return redis->sessions;
}

/* ---- pipeline ---- */

static void put_command(struct base_buf *out, const struct base_str *words, size_t count)
{
    base_buf_printf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        base_buf_printf(out, "$%zu\r\n", words[i].len);
        base_buf_put_str(out, words[i]);
        base_buf_puts(out, "\r\n");
    }
}

int clients_redis_add(struct clients_redis *redis, const struct base_str *words, size_t count)
{
    put_command(&redis->out, words, count);
    redis->commands++;
    return redis->out.failed ? BASE_E_NOMEM : 0;
}

void clients_redis_clear(struct clients_redis *redis)
{
    base_buf_clear(&redis->out);
    redis->commands = 0;
}

/* The next answer, read as far as need be. */
static int next_answer(struct clients_redis *redis, int64_t until_us, size_t *inout_bytes, redisReply **ret, struct base_buf *reterr)
{
    for (;;) {
        void *reply = NULL;
        if (redis->parser.get(redis->reader, &reply) != REDIS_OK) {
            base_buf_printf(reterr, "what answers there does not speak Redis (%s)", redis->reader->errstr);
            return BASE_E_IO;
        }
        if (reply) {
            *ret = reply;
            return 0;
        }
        char bytes[READ_BYTES];
        size_t got = 0;
        int e = clients_stream_read(redis->stream, bytes, sizeof bytes, &got, until_us, reterr);
        if (e < 0)
            return e == BASE_E_EOF ? BASE_E_IO : e;
        *inout_bytes += got;
        if (*inout_bytes > redis->answer_bytes) {
            base_buf_printf(reterr, "the answers are larger than %u bytes", redis->answer_bytes);
            return BASE_E_LIMIT;
        }
        if (redis->parser.feed(redis->reader, bytes, got) != REDIS_OK)
            return BASE_E_NOMEM;
    }
}

/* One command of the handshake, which must be answered by OK. */
static int must_be_good(struct clients_redis *redis, const struct base_str *words, size_t count, struct base_buf *reterr)
{
    struct base_buf text = { 0 };
    int64_t until_us = base_clock_mono_us() + (int64_t)redis->timeout_ms * 1000;
    size_t bytes = 0;
    redisReply *reply = NULL;
    put_command(&text, words, count);
    int e = text.failed ? BASE_E_NOMEM : clients_stream_write(redis->stream, text.ptr, text.len, until_us, reterr);
    if (e == 0)
        e = next_answer(redis, until_us, &bytes, &reply, reterr);
    if (e == 0 && reply->type == REDIS_REPLY_ERROR) {
        bool select = base_str_equal(words[0], BASE_STR("SELECT"));
        base_buf_printf(reterr, "%.*s; %s", (int)reply->len, reply->str, select ? "check the database number" : "check user and password");
        e = select ? BASE_E_CONFIG : BASE_E_AUTH;
    }
    if (reply)
        redis->parser.free_reply(reply);
    base_buf_finish(&text);
    return e;
}

static int shake_hands(struct clients_redis *redis, struct base_buf *reterr)
{
    int e = 0;
    if (*redis->password) {
        struct base_str words[3] = { BASE_STR("AUTH"), base_str_of(redis->user), base_str_of(redis->password) };
        if (!*redis->user)
            words[1] = words[2];
        e = must_be_good(redis, words, *redis->user ? 3 : 2, reterr);
    }
    if (e == 0 && redis->database) {
        char digits[24];
        snprintf(digits, sizeof digits, "%lld", (long long)redis->database);
        struct base_str words[2] = { BASE_STR("SELECT"), base_str_of(digits) };
        e = must_be_good(redis, words, 2, reterr);
    }
    return e;
}

static int connect_now(struct clients_redis *redis, struct base_buf *reterr)
{
    if (clients_backoff_left_us(&redis->backoff) > 0) {
        base_buf_put(reterr, redis->why.ptr ? redis->why.ptr : "", redis->why.len);
        return BASE_E_AGAIN;
    }
    size_t start = reterr->len;
    base_buf_printf(reterr, "Redis at %s: ", redis->place);
    int e = clients_stream_connect(&redis->stream_options, &redis->stream, reterr);
    if (e == 0) {
        redis->reader = redis->parser.create();
        e = redis->reader ? shake_hands(redis, reterr) : BASE_E_NOMEM;
    }
    if (e == 0) {
        cut_back(reterr, start);
        redis->sessions++;
        return 0;
    }
    disconnect(redis);
    clients_backoff_failed(&redis->backoff);
    base_buf_clear(&redis->why);
    base_buf_put(&redis->why, reterr->ptr ? reterr->ptr + start : "", reterr->len - start);
    return e;
}

static int exchange(struct clients_redis *redis, clients_redis_visit *visit, void *ctx, struct base_buf *reterr)
{
    int64_t until_us = base_clock_mono_us() + (int64_t)redis->timeout_ms * 1000;
    size_t bytes = 0, start = reterr->len;
    base_buf_printf(reterr, "Redis at %s: ", redis->place);
    int e = clients_stream_write(redis->stream, redis->out.ptr, redis->out.len, until_us, reterr);
    bool visited = false;
    for (size_t i = 0; e == 0 && i < redis->commands; i++) {
        redisReply *reply = NULL;
        e = next_answer(redis, until_us, &bytes, &reply, reterr);
        if (e < 0)
            break;
        struct clients_redis_answer list = { .kind = CLIENTS_REDIS_LIST, .count = 1, .items = &reply }, answer = clients_redis_item(&list, 0);
        size_t had = reterr->len;
        e = visit ? visit(ctx, i, &answer) : 0;
        visited = e != 0;
        if (visited && reterr->len == had) /* the visitor's own matter: ours is no cause */
            cut_back(reterr, start);
        redis->parser.free_reply(reply);
    }
    if (e == 0) {
        cut_back(reterr, start);
        clients_backoff_good(&redis->backoff);
        return 0;
    }
    if (!visited) {
        clients_backoff_failed(&redis->backoff);
        base_buf_clear(&redis->why);
        base_buf_put(&redis->why, reterr->ptr ? reterr->ptr + start : "", reterr->len - start);
    }
    disconnect(redis);
    return e;
}

int clients_redis_run(struct clients_redis *redis, clients_redis_visit *visit, void *ctx, struct base_buf *reterr)
{
    struct base_buf ignored = { 0 };
    struct base_buf *why = reterr ? reterr : &ignored;
    int e = redis->out.failed ? BASE_E_NOMEM : 0;
    if (e == 0 && atomic_load(&redis->stop))
        e = BASE_E_CLOSED;
    if (e == 0 && redis->commands && !redis->stream)
        e = connect_now(redis, why);
    if (e == 0 && redis->commands)
        e = exchange(redis, visit, ctx, why);
    clients_redis_clear(redis);
    base_buf_finish(&ignored);
    return e;
}
