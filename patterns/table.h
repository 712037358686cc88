/* Resolves one CREATE TABLE: columns and their places in the record, nested fields of ROW columns, computed columns,
 * watermark, primary key, options. Called by the catalogue only. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_TABLE_H
#define PATTERNS_TABLE_H

#include "base/attr.h"
#include "patterns/catalog.h"

int patterns_table_resolve(struct patterns_catalog *catalog, struct patterns_binder *binder,
                           const struct patterns_statement *statement,
                           struct patterns_table_info **ret) BASE_MUST_CHECK;

#endif
