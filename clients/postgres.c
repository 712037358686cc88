#include "clients/postgres.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "clients/backoff.h"
#include "clients/library.h"
#include "clients/url.h"

#define SLICE_MS 100
#define PREPARED_MAX 64
#define NAMES_MAX 4096
#define PARAMS_MAX 1664 /* columns of a PostgreSQL table at most */

/* What is used of libpq. */
#define FUNCTIONS(X) \
    X(PQconnectStartParams) X(PQconnectPoll) X(PQstatus) X(PQsocket) X(PQfinish) X(PQerrorMessage) X(PQsetnonblocking) X(PQflush) X(PQconsumeInput) X(PQisBusy) \
    X(PQgetResult) X(PQclear) X(PQresultStatus) X(PQresultErrorField) X(PQresultErrorMessage) X(PQntuples) X(PQnfields) X(PQgetvalue) X(PQgetlength) X(PQgetisnull) \
    X(PQsendPrepare) X(PQsendQueryPrepared) X(PQenterPipelineMode) X(PQexitPipelineMode) X(PQpipelineSync) X(PQsetNoticeProcessor)
struct libpq {
#define X(name) __typeof__(&name) name;
    FUNCTIONS(X)
#undef X
};

struct clients_postgres {
    struct base_arena arena;       /* texts */
    struct libpq pq;
    const char *keys[12], *values[12];
    char *place;
    uint32_t connect_timeout_ms, timeout_ms;
    PGconn *connection;            /* NULL: not connected */
    char *texts[PREPARED_MAX];     /* owned: statements that this connection has prepared, by the name c<number> */
    uint32_t names[PREPARED_MAX], next_name, next_slot;
    struct clients_backoff backoff;
    uint64_t sessions;
    struct base_buf why;           /* the last failure, told again while backing off */
    _Atomic bool stop;
};

static void cut_back(struct base_buf *text, size_t len)
{
    text->len = len;
    if (text->ptr)
        text->ptr[len] = 0;
}

/* ---- life ---- */

static int read_url(struct clients_postgres *pg, const struct clients_postgres_options *options, struct base_buf *reterr)
{
    struct clients_url url;
    struct base_str text = base_str_of(options->url);
    if (base_str_starts(text, BASE_STR("jdbc:")))
        text = (struct base_str){ text.ptr + 5, text.len - 5 };
    int e = clients_url_parse(text, &pg->arena, &url, reterr);
    if (e < 0)
        return e;
    if (strcmp(url.scheme, "postgresql") != 0 && strcmp(url.scheme, "postgres") != 0) {
        base_buf_printf(reterr, "a PostgreSQL URL begins with postgresql:// (or jdbc:postgresql://), not %s://", url.scheme);
        return BASE_E_CONFIG;
    }
    const char *host = clients_url_query(&url, &pg->arena, "host"); /* a folder with a socket stands there */
    const char *mode = clients_url_query(&url, &pg->arena, "sslmode"), *ca = options->ca_file && *options->ca_file ? options->ca_file : clients_url_query(&url, &pg->arena, "sslrootcert");
    const char *user = options->user && *options->user ? options->user : url.user, *password = options->password && *options->password ? options->password : url.password;
    host = host ? host : *url.host ? url.host : "localhost";
    mode = mode ? mode : ca ? "verify-full" : NULL;
    const char *port = base_arena_printf(&pg->arena, "%u", url.port ? url.port : 5432);
    const char *settings = base_arena_printf(&pg->arena, "-c statement_timeout=%u -c datestyle=ISO -c timezone=UTC -c extra_float_digits=1", pg->timeout_ms);
    const struct { const char *key, *value; } pairs[] = {
        { "host", host }, { "port", port }, { "dbname", *url.path ? url.path : NULL }, { "user", *user ? user : NULL }, { "password", *password ? password : NULL },
        { "sslmode", mode }, { "sslrootcert", ca }, { "application_name", options->application ? options->application : "cepheid" },
        { "options", settings }, { "client_encoding", "UTF8" }, { "keepalives_idle", "30" },
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!pairs[i].value)
            continue;
        pg->keys[count] = pairs[i].key;
        pg->values[count] = base_arena_strndup(&pg->arena, pairs[i].value, strlen(pairs[i].value));
        if (!pg->values[count++])
            return BASE_E_NOMEM;
    }
    pg->place = base_arena_printf(&pg->arena, "%s:%s/%s", host, port ? port : "", url.path);
    return pg->place && port && settings ? 0 : BASE_E_NOMEM;
}

int clients_postgres_create(const struct clients_postgres_options *options, struct clients_postgres **ret, struct base_buf *reterr)
{
    struct base_buf ignored = { 0 };
    struct clients_postgres *pg = base_calloc(1, sizeof *pg);
    if (!pg)
        return BASE_E_NOMEM;
    pg->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 5000;
    pg->timeout_ms = options->timeout_ms ? options->timeout_ms : 15000;
    const struct clients_symbol symbols[] = {
#define X(name) { #name, &pg->pq.name },
        FUNCTIONS(X)
#undef X
    };
    int e = clients_library_load("libpq.so.5", "libpq5", symbols, sizeof symbols / sizeof symbols[0], reterr ? reterr : &ignored);
    if (e == 0)
        e = read_url(pg, options, reterr ? reterr : &ignored);
    base_buf_finish(&ignored);
    if (e < 0) {
        clients_postgres_destroy(pg);
        return e;
    }
    *ret = pg;
    return 0;
}

static void disconnect(struct clients_postgres *pg)
{
    if (pg->connection)
        pg->pq.PQfinish(pg->connection);
    pg->connection = NULL;
    for (uint32_t i = 0; i < PREPARED_MAX; i++) {
        base_free(pg->texts[i]);
        pg->texts[i] = NULL;
    }
}

void clients_postgres_destroy(struct clients_postgres *pg)
{
    if (!pg)
        return;
    disconnect(pg);
    base_buf_finish(&pg->why);
    base_arena_finish(&pg->arena);
    base_free(pg);
}

const char *clients_postgres_place(const struct clients_postgres *pg)
{
    return pg->place;
}

void clients_postgres_interrupt(struct clients_postgres *pg)
{
    atomic_store(&pg->stop, true);
}

int64_t clients_postgres_wait_ms(const struct clients_postgres *pg)
{
    return (clients_backoff_left_us(&pg->backoff) + 999) / 1000;
}

uint64_t clients_postgres_sessions(const struct clients_postgres *pg)
{
    return pg->sessions;
}

void clients_postgres_quote(struct base_str name, struct base_buf *out)
{
    base_buf_putc(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.') {
            base_buf_puts(out, "\".\"");
            continue;
        }
        if (name.ptr[i] == '"')
            base_buf_putc(out, '"');
        base_buf_putc(out, name.ptr[i]);
    }
    base_buf_putc(out, '"');
}

/* ---- errors ---- */

/* libpq's texts end with a line break and may have more than one line. */
static void put_line(struct base_buf *out, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    for (size_t i = 0; i < len; i++)
        base_buf_putc(out, text[i] == '\n' || text[i] == '\t' ? ' ' : text[i]);
}

static int connection_error(struct clients_postgres *pg, struct base_buf *reterr)
{
    const char *text = pg->connection ? pg->pq.PQerrorMessage(pg->connection) : "";
    put_line(reterr, text);
    if (strstr(text, "password authentication failed") || strstr(text, "no password supplied") || strstr(text, "no pg_hba.conf entry") ||
        strstr(text, "authentication failed") || strstr(text, "certificate"))
        return BASE_E_AUTH;
    if (strstr(text, "database \"") && strstr(text, "does not exist"))
        return BASE_E_CONFIG;
    return BASE_E_IO;
}

/* SQLSTATE classes, PostgreSQL's appendix A. */
static int code_of(const char *state)
{
    if (!state)
        return BASE_E_IO;
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
        return BASE_E_CONFLICT;
    if (strcmp(state, "57014") == 0)
        return BASE_E_TIMEOUT;
    if (strncmp(state, "28", 2) == 0 || strcmp(state, "42501") == 0)
        return BASE_E_AUTH;
    if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0)
        return BASE_E_MALFORMED;
    if (strncmp(state, "42", 2) == 0 || strncmp(state, "3D", 2) == 0 || strncmp(state, "3F", 2) == 0 || strncmp(state, "0A", 2) == 0)
        return BASE_E_CONFIG;
    if (strncmp(state, "53", 2) == 0)
        return BASE_E_FULL;
    return BASE_E_IO;
}

static int result_error(struct clients_postgres *pg, const PGresult *result, struct base_buf *reterr)
{
    const char *state = pg->pq.PQresultErrorField(result, PG_DIAG_SQLSTATE), *text = pg->pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = pg->pq.PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL), *hint = pg->pq.PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    put_line(reterr, text ? text : pg->pq.PQresultErrorMessage(result));
    if (detail && (!state || strncmp(state, "23", 2) != 0)) { /* of a constraint the detail repeats the row's values */
        base_buf_puts(reterr, "; ");
        put_line(reterr, detail);
    }
    if (hint) {
        base_buf_puts(reterr, "; ");
        put_line(reterr, hint);
    }
    return code_of(state);
}

/* ---- waiting ---- */

static int wait_socket(struct clients_postgres *pg, short events, int64_t until_us, struct base_buf *reterr)
{
    for (;;) {
        if (atomic_load(&pg->stop))
            return BASE_E_CLOSED;
        int64_t left_ms = (until_us - base_clock_mono_us() + 999) / 1000;
        if (left_ms <= 0) {
            base_buf_puts(reterr, "no answer in time");
            return BASE_E_TIMEOUT;
        }
        struct pollfd at = { .fd = pg->pq.PQsocket(pg->connection), .events = events };
        int ready = poll(&at, 1, (int)(left_ms < SLICE_MS ? left_ms : SLICE_MS));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR) {
            base_buf_puts(reterr, strerror(errno));
            return BASE_E_IO;
        }
    }
}

static void ignore_notice(void *ctx BASE_UNUSED, const char *text BASE_UNUSED)
{
}

static int shake_hands(struct clients_postgres *pg, struct base_buf *reterr)
{
    int64_t until_us = base_clock_mono_us() + (int64_t)pg->connect_timeout_ms * 1000;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (pg->pq.PQstatus(pg->connection) == CONNECTION_BAD || state == PGRES_POLLING_FAILED)
            return connection_error(pg, reterr);
        int e = wait_socket(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_us, reterr);
        if (e < 0)
            return e;
        state = pg->pq.PQconnectPoll(pg->connection);
    }
    if (pg->pq.PQsetnonblocking(pg->connection, 1) != 0)
        return connection_error(pg, reterr);
    return 0;
}

static void note_failure(struct clients_postgres *pg, const struct base_buf *reterr, size_t start)
{
    clients_backoff_failed(&pg->backoff);
    base_buf_clear(&pg->why);
    base_buf_put(&pg->why, reterr->ptr ? reterr->ptr + start : "", reterr->len - start);
}

static int need_connection(struct clients_postgres *pg, struct base_buf *reterr)
{
    if (atomic_load(&pg->stop))
        return BASE_E_CLOSED;
    if (pg->connection && pg->next_name > NAMES_MAX)
        disconnect(pg); /* a new session forgets what the server keeps prepared for us */
    if (pg->connection)
        return 0;
    pg->next_name = 0;
    if (clients_backoff_left_us(&pg->backoff) > 0) {
        base_buf_put(reterr, pg->why.ptr ? pg->why.ptr : "", pg->why.len);
        return BASE_E_AGAIN;
    }
    size_t start = reterr->len;
    base_buf_printf(reterr, "PostgreSQL at %s: ", pg->place);
    pg->connection = pg->pq.PQconnectStartParams(pg->keys, pg->values, 0);
    if (pg->connection)
        pg->pq.PQsetNoticeProcessor(pg->connection, ignore_notice, NULL);
    int e = pg->connection ? shake_hands(pg, reterr) : BASE_E_NOMEM;
    if (e == 0) {
        cut_back(reterr, start);
        pg->sessions++;
        return 0;
    }
    note_failure(pg, reterr, start);
    disconnect(pg);
    return e;
}

/* ---- statements: all go in pipeline mode, so that sending never waits for an answer ---- */

/* Slot of a prepared statement. *ret_new: it must be made first. */
static int slot_of(struct clients_postgres *pg, const char *sql, uint32_t *ret, bool *ret_new)
{
    for (uint32_t i = 0; i < PREPARED_MAX; i++) {
        if (pg->texts[i] && strcmp(pg->texts[i], sql) == 0) {
            *ret = i;
            *ret_new = false;
            return 0;
        }
    }
    char *copy = base_strdup(sql);
    if (!copy)
        return BASE_E_NOMEM;
    uint32_t slot = pg->next_slot++ % PREPARED_MAX;
    base_free(pg->texts[slot]);
    pg->texts[slot] = copy;
    pg->names[slot] = pg->next_name++;
    *ret = slot;
    *ret_new = true;
    return 0;
}

static int send_one(struct clients_postgres *pg, const struct clients_postgres_statement *statement, struct base_buf *reterr)
{
    uint32_t slot = 0;
    bool is_new = false;
    char name[16];
    if (statement->param_count > PARAMS_MAX)
        return BASE_E_LIMIT;
    int e = slot_of(pg, statement->sql, &slot, &is_new);
    if (e < 0)
        return e;
    snprintf(name, sizeof name, "c%u", pg->names[slot]);
    if (is_new && !pg->pq.PQsendPrepare(pg->connection, name, statement->sql, 0, NULL))
        return connection_error(pg, reterr);
    const char **values = base_calloc(statement->param_count + 1, sizeof *values);
    if (!values)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < statement->param_count; i++)
        values[i] = statement->params[i].text;
    int sent = pg->pq.PQsendQueryPrepared(pg->connection, name, (int)statement->param_count, values, NULL, NULL, 0);
    base_free(values);
    return sent ? 0 : connection_error(pg, reterr);
}

/* Sends what is queued and takes in what comes, until a result can be had without waiting. */
static int turn(struct clients_postgres *pg, int64_t until_us, struct base_buf *reterr)
{
    for (;;) {
        int left = pg->pq.PQflush(pg->connection);
        if (left < 0)
            return connection_error(pg, reterr);
        if (!pg->pq.PQisBusy(pg->connection))
            return 0;
        int e = wait_socket(pg, left ? POLLIN | POLLOUT : POLLIN, until_us, reterr);
        if (e < 0)
            return e;
        if (!pg->pq.PQconsumeInput(pg->connection))
            return connection_error(pg, reterr);
    }
}

struct taking { clients_postgres_visit *visit; void *ctx; int error; bool by_visit, synced; };

static void take_result(struct clients_postgres *pg, const PGresult *result, struct taking *taking, struct base_buf *reterr)
{
    switch (pg->pq.PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        taking->synced = true;
        break;
    case PGRES_TUPLES_OK:
        for (int i = 0; taking->error == 0 && taking->visit && i < pg->pq.PQntuples(result); i++) {
            struct clients_postgres_row row = { pg, result, i, (uint32_t)pg->pq.PQnfields(result) };
            taking->error = taking->visit(taking->ctx, &row);
            taking->by_visit = taking->error != 0;
        }
        break;
    case PGRES_FATAL_ERROR:
        if (taking->error == 0)
            taking->error = result_error(pg, result, reterr);
        break;
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_COPY_BOTH:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_ABORTED:
        break;
    }
}

/* Answers up to the synchronisation point. */
static int take_answers(struct clients_postgres *pg, struct taking *taking, struct base_buf *reterr)
{
    int64_t until_us = base_clock_mono_us() + ((int64_t)pg->timeout_ms + 1000) * 1000; /* the server's own limit comes first */
    int nothing = 0;
    while (!taking->synced) {
        int e = turn(pg, until_us, reterr);
        if (e < 0)
            return e;
        PGresult *result = pg->pq.PQgetResult(pg->connection);
        if (!result) { /* the end of one statement's results; twice in a row: the connection is gone */
            if (++nothing > 1)
                return connection_error(pg, reterr);
            continue;
        }
        nothing = 0;
        take_result(pg, result, taking, reterr);
        pg->pq.PQclear(result);
        if (pg->pq.PQstatus(pg->connection) == CONNECTION_BAD)
            return taking->error ? BASE_E_IO : connection_error(pg, reterr);
    }
    return 0;
}

static int run_batch(struct clients_postgres *pg, const struct clients_postgres_statement *statements, size_t count, struct taking *taking,
                     struct base_buf *reterr)
{
    int e = pg->pq.PQenterPipelineMode(pg->connection) ? 0 : connection_error(pg, reterr);
    for (size_t i = 0; e == 0 && i < count; i++)
        e = send_one(pg, &statements[i], reterr);
    if (e == 0 && !pg->pq.PQpipelineSync(pg->connection))
        e = connection_error(pg, reterr);
    if (e == 0)
        e = take_answers(pg, taking, reterr);
    if (e == 0 && !pg->pq.PQexitPipelineMode(pg->connection))
        e = connection_error(pg, reterr);
    return e;
}

static int run(struct clients_postgres *pg, const struct clients_postgres_statement *statements, size_t count, struct taking *taking, struct base_buf *reterr)
{
    struct base_buf ignored = { 0 };
    struct base_buf *why = reterr ? reterr : &ignored;
    size_t start = why->len;
    int e = need_connection(pg, why);
    if (e < 0) {
        base_buf_finish(&ignored);
        return e;
    }
    base_buf_printf(why, "PostgreSQL at %s: ", pg->place);
    e = run_batch(pg, statements, count, taking, why);
    if (e < 0) {
        note_failure(pg, why, start);
        disconnect(pg);
    } else if (taking->error && !taking->by_visit) {
        disconnect(pg); /* which statements are prepared is not known any more */
        e = taking->error;
    } else {
        cut_back(why, start);
        clients_backoff_good(&pg->backoff);
        e = taking->error;
    }
    base_buf_finish(&ignored);
    return e;
}

struct base_str clients_postgres_get(const struct clients_postgres_row *row, uint32_t column)
{
    const struct libpq *pq = &row->postgres->pq;
    if (column >= row->columns || pq->PQgetisnull(row->result, row->number, (int)column))
        return (struct base_str){ 0 };
    return (struct base_str){ pq->PQgetvalue(row->result, row->number, (int)column), (size_t)pq->PQgetlength(row->result, row->number, (int)column) };
}

int clients_postgres_query(struct clients_postgres *pg, const struct clients_postgres_statement *statement, clients_postgres_visit *visit, void *ctx,
                           struct base_buf *reterr)
{
    struct taking taking = { .visit = visit, .ctx = ctx };
    return run(pg, statement, 1, &taking, reterr);
}

int clients_postgres_batch(struct clients_postgres *pg, const struct clients_postgres_statement *statements, size_t count, struct base_buf *reterr)
{
    struct taking taking = { 0 };
    return count ? run(pg, statements, count, &taking, reterr) : 0;
}
