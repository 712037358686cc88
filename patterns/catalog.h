/* The catalogue of one compile run: tables and views of all sources, by name, declared in any order. Tables are
 * resolved here (columns, keys, watermarks, options); views are bound by bind.c when somebody reads them.
 * Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_CATALOG_H
#define PATTERNS_CATALOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/map.h"
#include "cep/program.h"
#include "cep/row.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"
#include "patterns/relation.h"

struct patterns_plan;    /* plan.h */
struct patterns_counter; /* values.c */

/* Where the decoder finds a column. */
struct patterns_field_place {
    struct base_str path; /* segments joined by 0x1F; of metadata: empty */
    uint32_t ordinal;     /* among the declared columns of the record */
    enum cep_metadata metadata;
    bool not_null;
};
struct patterns_setting {
    struct base_str key, value;
};

struct patterns_table_info {
    struct base_str name;
    const struct patterns_statement *statement;
    struct patterns_setting *settings; /* WITH, variables substituted */
    uint32_t setting_count;
    struct patterns_relation
        fields; /* what can be decoded: physical and metadata columns, hidden fields of ROW columns */
    struct patterns_field_place *places; /* parallel to fields */
    struct patterns_relation columns;    /* as declared: fields plus computed columns, in order */
    const struct patterns_bound *
        *values;            /* parallel to columns: over fields; NULL: no computed column, columns == fields */
    uint32_t rowtime_field; /* index into fields or PATTERNS_NO_COLUMN */
    int64_t watermark_delay_ms;
    uint32_t *key; /* PRIMARY KEY: indexes into fields */
    uint32_t key_count;
    uint32_t declared_columns;
    uint64_t hash;                    /* name, connector and topic: which stream it is */
    const struct patterns_plan *plan; /* SOURCE, once somebody reads it as a stream */
};

enum patterns_object_kind { PATTERNS_OBJECT_TABLE, PATTERNS_OBJECT_VIEW };
enum patterns_object_state {
    PATTERNS_OBJECT_NEW,
    PATTERNS_OBJECT_BINDING,
    PATTERNS_OBJECT_READY,
    PATTERNS_OBJECT_FAILED
};
struct patterns_object {
    enum patterns_object_kind kind;
    enum patterns_object_state state;
    const struct patterns_statement *statement;
    const struct patterns_name *name;
    struct patterns_table_info *table;    /* TABLE, READY */
    const struct patterns_plan *plans[16]; /* VIEW: bound for [8 * settled + 4 * evidence + 2 * is_rule + eager] */
};

struct patterns_catalog {
    struct base_arena *arena;
    struct base_map names; /* folded name -> index of objects */
    struct patterns_object *objects;
    uint32_t count, cap;
    bool (*variable)(void *ctx, struct base_str name, struct base_str *ret); /* ${NAME}; NULL: none is known */
    void *variable_ctx;
    struct patterns_counter *counters; /* tables that stand below VALUES (values.c) */
    bool incomplete; /* some statement did not parse: unknown names may be its, so they are not told */
};

void patterns_catalog_init(struct patterns_catalog *catalog, struct base_arena *arena);
void patterns_catalog_finish(struct patterns_catalog *catalog);
/* Enters a CREATE TABLE or CREATE VIEW; a second one of that name is an error that names both places (IF NOT EXISTS:
 * the first stands). */
int patterns_catalog_declare(struct patterns_catalog *catalog, struct patterns_binder *binder,
                             const struct patterns_statement *statement) BASE_MUST_CHECK;
/* DROP TABLE, DROP VIEW: takes the name out. */
int patterns_catalog_drop(struct patterns_catalog *catalog, struct patterns_binder *binder,
                          const struct patterns_statement *statement) BASE_MUST_CHECK;
/* By the last part of the name; NULL if there is none. */
struct patterns_object *patterns_catalog_find(const struct patterns_catalog *catalog, struct base_str name);
/* Nearest name, for "did you mean"; empty if none is near. */
struct base_str patterns_catalog_nearest(const struct patterns_catalog *catalog, struct base_str name);
/* Columns, key, watermark and options of a table object, once. BASE_E_SYNTAX also if it failed before (told then). */
int patterns_catalog_table(struct patterns_catalog *catalog, struct patterns_binder *binder,
                           struct patterns_object *object) BASE_MUST_CHECK;
/* Value of a setting; ptr NULL if absent. */
struct base_str patterns_table_setting(const struct patterns_table_info *table, const char *key);

/* Text with every ${NAME} replaced. `where` gives the place of messages. */
int patterns_substitute(const struct patterns_catalog *catalog, struct patterns_binder *binder,
                        const struct base_source *source, uint32_t begin, uint32_t end, struct base_str text,
                        struct base_str *ret) BASE_MUST_CHECK;

#endif
