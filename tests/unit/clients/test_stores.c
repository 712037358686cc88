/* The clients of stores without a store: URLs, a scripted server on loopback that speaks Redis badly or well, nobody there, nobody answering. The real programs
 * are tested by tests/stores/. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "clients/postgres.h"
#include "clients/redis.h"
#include "clients/url.h"
#include "tests/unit/tap.h"

struct server {
    int listener;
    uint16_t port;
    const char *answer; /* NULL: never answers */
    char seen[4096];
};

static void *serve_one(void *ctx)
{
    struct server *server = ctx;
    int fd = accept(server->listener, NULL, NULL);
    ssize_t got = read(fd, server->seen, sizeof server->seen - 1);
    if (got > 0 && server->answer && write(fd, server->answer, strlen(server->answer)) < 0)
        perror("write");
    char byte;
    while (!server->answer && read(fd, &byte, 1) > 0)
        ;
    close(fd);
    return NULL;
}

static void listen_on(struct server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof address) || listen(server->listener, 4) ||
        getsockname(server->listener, (struct sockaddr *)&address, &len))
        abort();
    server->port = ntohs(address.sin_port);
}

static void test_urls(void)
{
    struct base_arena arena = { 0 };
    struct base_buf why = { 0 };
    struct clients_url url;
    IS_INT(clients_url_parse(BASE_STR("PostgreSQL://ann:p%40ss@db.example:5433/shop?sslmode=require&x=a%20b"), &arena, &url, &why), 0, "a whole URL");
    IS_STR(url.scheme, "postgresql", "scheme in lower case");
    IS_STR(url.user, "ann", "user");
    IS_STR(url.password, "p@ss", "password, decoded");
    IS_STR(url.host, "db.example", "host");
    IS_INT(url.port, 5433, "port");
    IS_STR(url.path, "shop", "path");
    IS_STR(clients_url_query(&url, &arena, "x"), "a b", "query value");
    OK(!clients_url_query(&url, &arena, "y"), "no such query value");
    IS_INT(clients_url_parse(BASE_STR("redis://[::1]/2"), &arena, &url, &why), 0, "IPv6 without port");
    IS_STR(url.host, "::1", "its host");
    IS_INT(url.port, 0, "no port");
    static const char *const bad[] = { "", "db", "://x", "redis:/x", "redis://h:0", "redis://h:99999", "redis://[::1", "redis://[::1]x" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        IS_INT(clients_url_parse(base_str_of(bad[i]), &arena, &url, &why), BASE_E_CONFIG, bad[i]);
    OK(why.len > 0 && strstr(why.ptr, "scheme://host:port/name"), "the reason shows what a URL looks like");
    base_buf_finish(&why);
    base_arena_finish(&arena);
}

struct seen { size_t count; struct clients_redis_answer last; char text[64]; int64_t sum; };

static int see(void *ctx, size_t index, const struct clients_redis_answer *answer)
{
    struct seen *seen = ctx;
    seen->count = index + 1;
    seen->last = *answer;
    snprintf(seen->text, sizeof seen->text, "%.*s", (int)answer->text.len, answer->text.ptr ? answer->text.ptr : "");
    for (size_t i = 0; answer->kind == CLIENTS_REDIS_LIST && i < answer->count; i++)
        seen->sum += clients_redis_item(answer, i).integer;
    return 0;
}

static int redis_exchange(const char *answer, uint32_t timeout_ms, const char *database, struct server *server, struct seen *seen, struct base_buf *why)
{
    char url[64];
    pthread_t thread;
    struct clients_redis *redis = NULL;
    *server = (struct server){ .answer = answer };
    listen_on(server);
    pthread_create(&thread, NULL, serve_one, server);
    snprintf(url, sizeof url, "redis://127.0.0.1:%u%s", server->port, database);
    struct clients_redis_options options = { .url = url, .timeout_ms = timeout_ms };
    if (clients_redis_create(&options, &redis, why))
        abort();
    struct base_str words[] = { BASE_STR("SET"), BASE_STR("k"), BASE_STR("a\r\nb") };
    if (clients_redis_add(redis, words, 3) || clients_redis_add(redis, words, 1))
        abort();
    int e = clients_redis_run(redis, see, seen, why);
    clients_redis_destroy(redis);
    pthread_join(thread, NULL);
    close(server->listener);
    return e;
}

static void test_redis(void)
{
    struct server server;
    struct seen seen = { 0 };
    struct base_buf why = { 0 };
    IS_INT(redis_exchange("+OK\r\n*2\r\n:4\r\n:5\r\n", 30000, "", &server, &seen, &why), 0, "two commands, two answers");
    IS_STR(server.seen, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n*1\r\n$3\r\nSET\r\n", "what the server saw");
    IS_INT(seen.count, 2, "both visited");
    IS_INT(seen.sum, 9, "items of a list");
    IS_INT(redis_exchange("-ERR wrong\r\n$-1\r\n", 30000, "", &server, &seen, &why), 0, "an error is an answer");
    IS_INT(seen.last.kind, CLIENTS_REDIS_NIL, "nothing is nil");
    IS_INT(redis_exchange("+OK\r\n", 30000, "", &server, &seen, &why), BASE_E_IO, "closed before the second answer");
    OK(strstr(why.ptr, "Redis at 127.0.0.1:") && strstr(why.ptr, "closed the connection"), "with place and cause");
    base_buf_clear(&why);
    IS_INT(redis_exchange("HTTP/1.1 400 Bad Request\r\n\r\n", 30000, "", &server, &seen, &why), BASE_E_IO, "not Redis");
    OK(strstr(why.ptr, "does not speak Redis"), "and it says so");
    base_buf_clear(&why);
    IS_INT(redis_exchange("-WRONGPASS no\r\n", 30000, "/3", &server, &seen, &why), BASE_E_CONFIG, "the database is refused");
    OK(strstr(why.ptr, "check the database number"), "with a remedy");
    base_buf_clear(&why);
    int64_t began_us = base_clock_mono_us();
    IS_INT(redis_exchange(NULL, 200, "", &server, &seen, &why), BASE_E_TIMEOUT, "nobody answers");
    OK(base_clock_mono_us() - began_us < 25000000, "in bounded time");
    base_buf_finish(&why);
}

static void test_nobody(void)
{
    struct base_buf why = { 0 };
    struct clients_redis *redis = NULL;
    struct clients_postgres *pg = NULL;
    struct base_str ping = BASE_STR("PING");
    struct clients_redis_options options = { .url = "redis://127.0.0.1:1" };
    IS_INT(clients_redis_create(&options, &redis, &why), 0, "a client needs no server yet");
    OK(clients_redis_add(redis, &ping, 1) == 0, "a command");
    IS_INT(clients_redis_run(redis, NULL, NULL, &why), BASE_E_IO, "refused");
    OK(strstr(why.ptr, "Connection refused"), "with the cause");
    int error = BASE_E_IO;
    int64_t wait_ms = 0;
    for (int i = 0; i < 7 && (error == BASE_E_IO || wait_ms == 0); i++) { /* the first pause may be over before we come; each is twice as long */
        OK(clients_redis_add(redis, &ping, 1) == 0, "again");
        error = clients_redis_run(redis, NULL, NULL, &why);
        wait_ms = clients_redis_wait_ms(redis);
    }
    IS_INT(error, BASE_E_AGAIN, "backing off");
    OK(wait_ms > 0, "for a while");
    clients_redis_interrupt(redis);
    OK(clients_redis_add(redis, &ping, 1) == 0, "once more");
    IS_INT(clients_redis_run(redis, NULL, NULL, &why), BASE_E_CLOSED, "interrupted for good");
    clients_redis_destroy(redis);
    options.url = "http://x";
    IS_INT(clients_redis_create(&options, &redis, &why), BASE_E_CONFIG, "no Redis URL");

    struct clients_postgres_options database = { .url = "jdbc:postgresql://127.0.0.1:1/shop", .password = "very secret" };
    IS_INT(clients_postgres_create(&database, &pg, &why), 0, "a PostgreSQL client needs no server yet");
    IS_STR(clients_postgres_place(pg), "127.0.0.1:1/shop", "its place");
    base_buf_clear(&why);
    struct clients_postgres_statement statement = { .sql = "SELECT 1" };
    IS_INT(clients_postgres_query(pg, &statement, NULL, NULL, &why), BASE_E_IO, "refused");
    OK(strstr(why.ptr, "refused") && !strstr(why.ptr, "very secret"), "with the cause, without the password");
    error = BASE_E_IO;
    for (int i = 0; i < 7 && error == BASE_E_IO; i++)
        error = clients_postgres_batch(pg, &statement, 1, &why);
    IS_INT(error, BASE_E_AGAIN, "backing off");
    clients_postgres_destroy(pg);
    database.url = "mysql://x";
    IS_INT(clients_postgres_create(&database, &pg, &why), BASE_E_CONFIG, "no PostgreSQL URL");
    base_buf_clear(&why);
    clients_postgres_quote(BASE_STR("a.b\"c"), &why);
    IS_STR(why.ptr, "\"a\".\"b\"\"c\"", "names are quoted");
    base_buf_finish(&why);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    test_urls();
    test_redis();
    test_nobody();
    return tap_done();
}
