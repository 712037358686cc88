/* A client of PostgreSQL over libpq, which is loaded with the first client: queries with parameters and batches of statements in one round trip and one
 * transaction. Used by the PostgreSQL sink and source and by lookup joins. Connects when it must, backs off after a failure, bounds every wait; never repeats a
 * statement by itself. One thread at a time per client, but for interrupt. */
#ifndef CLIENTS_POSTGRES_H
#define CLIENTS_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct clients_postgres_options {
    const char *url;             /* postgresql://[user[:password]@]host[:port]/database[?sslmode=require&…], also with jdbc: in front; texts are copied */
    const char *user, *password; /* instead of those of the URL; NULL or "" */
    const char *ca_file;         /* PEM bundle; then the server's certificate and name are checked (sslmode=verify-full) unless the URL has another sslmode */
    const char *application;     /* shown in pg_stat_activity; NULL: "cepheid" */
    uint32_t connect_timeout_ms; /* 0: 5,000 */
    uint32_t timeout_ms;         /* one query or batch, 0: 15,000; also set as statement_timeout */
};
struct clients_postgres_param { const char *text; size_t len; }; /* text NULL: NULL; NUL-terminated (len is what is looked at for limits) */
struct clients_postgres_statement {
    const char *sql;             /* $1, $2, …; the server infers their types */
    const struct clients_postgres_param *params;
    uint32_t param_count;
};

struct clients_postgres;
/* No network. BASE_E_CONFIG: bad URL; BASE_E_UNSUPPORTED: libpq is not installed; BASE_E_NOMEM. Reason appended to reterr (may be NULL). */
int clients_postgres_create(const struct clients_postgres_options *options, struct clients_postgres **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void clients_postgres_destroy(struct clients_postgres *postgres); /* NULL allowed */
const char *clients_postgres_place(const struct clients_postgres *postgres); /* host:port/database, for messages */

/* A row of an answer, borrowed for the visit. */
struct clients_postgres_row { const struct clients_postgres *postgres; const void *result; int number; uint32_t columns; };
/* Text of a column; ptr NULL: NULL. */
struct base_str clients_postgres_get(const struct clients_postgres_row *row, uint32_t column);
/* visit returns 0 to go on; anything else ends the walk and is returned. */
typedef int clients_postgres_visit(void *ctx, const struct clients_postgres_row *row);
/* One query by itself. Plans are kept per text of the statement (the last 64), so use parameters.
 * BASE_E_AGAIN: still backing off, nothing was sent; BASE_E_IO, BASE_E_TIMEOUT: it may or may not have been run; BASE_E_AUTH: refused by password or rights;
 * BASE_E_CONFIG: no such database, table or column, or a bad statement: trying again is no use before somebody mends it; BASE_E_CONFLICT: serialization or deadlock: again;
 * BASE_E_MALFORMED: the server refuses a value (out of range, NOT NULL, a constraint); BASE_E_CLOSED: interrupted. Reason with cause and remedy appended. */
int clients_postgres_query(struct clients_postgres *postgres, const struct clients_postgres_statement *statement, clients_postgres_visit *visit, void *ctx,
                           struct base_buf *reterr) BASE_MUST_CHECK;
/* All statements in one transaction, in order, in one round trip; rows of answers are dropped. On an error nothing of it counts (BASE_E_IO, BASE_E_TIMEOUT: or
 * all of it). Errors as query. */
int clients_postgres_batch(struct clients_postgres *postgres, const struct clients_postgres_statement *statements, size_t count, struct base_buf *reterr)
    BASE_MUST_CHECK;
/* Milliseconds until the next attempt to connect is allowed; 0: at once. */
int64_t clients_postgres_wait_ms(const struct clients_postgres *postgres);
uint64_t clients_postgres_sessions(const struct clients_postgres *postgres); /* connections made so far */
/* Ends a running and every later call with BASE_E_CLOSED. Any thread. */
void clients_postgres_interrupt(struct clients_postgres *postgres);
/* "name" with quotes doubled, a part before a dot is the schema ("a.b" gives "a"."b"). */
void clients_postgres_quote(struct base_str name, struct base_buf *out);

#endif
