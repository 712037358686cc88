/* CREATE MATERIALIZED VIEW as an end of its own: its options and the table that the service keeps its rows in. Called by compile.c. Single-threaded; memory is
 * the compile arena's. */
#ifndef PATTERNS_COMPILE_VIEW_H
#define PATTERNS_COMPILE_VIEW_H

#include "base/attr.h"
#include "patterns/bind.h"
#include "patterns/catalog.h"

/* What the view's operators forget: its 'state.ttl', or else. Its errors are told by patterns_view_bind. */
int64_t patterns_view_ttl(const struct patterns_create_view *view, int64_t otherwise_ms);
/* How late rows may be that correct its windows: its 'allowed-lateness', or else. */
int64_t patterns_view_lateness(const struct patterns_create_view *view, int64_t otherwise_ms);
/* Checks the options, binds the query and describes the view's rows: *ret_plan gives its columns, *ret names them and its key
 * ('key': columns of the query, by default the first one). 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_view_bind(struct patterns_catalog *catalog, struct patterns_binder *binder, const struct patterns_statement *statement,
                       const struct patterns_plan **ret_plan, struct patterns_table_info **ret) BASE_MUST_CHECK;

#endif
