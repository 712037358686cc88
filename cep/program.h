/* The flat program: what the compiler makes of a rule set and the engine runs. One immutable block: sections of plain structs that refer to each
 * other by index, no pointers, so it can be hashed, dumped, compared and verified. Nothing of SQL reaches further than this file.
 *
 * A program is a dataflow graph. Nodes stand in topological order (a node's inputs have lower indexes). A path goes
 *   SOURCE -> CALC* -> EXCHANGE -> LOOKUP* -> keyed operator (MATCH, windows, joins, ...) -> CALC* [-> EXCHANGE ...] -> ALERT? -> SINK
 * What stands before the first EXCHANGE of a path is stateless and runs where the source is decoded; what stands behind runs in the shard that owns
 * the key group. A keyed operator finds its key by its own key codes (equal to those of the EXCHANGE before it).
 * Any thread; read-only. */
#ifndef CEP_PROGRAM_H
#define CEP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/func.h"
#include "cep/list.h"
#include "cep/program_agg.h"
#include "cep/value.h"

#define CEP_NONE UINT32_MAX
#define CEP_KEY_GROUPS 128

enum cep_opcode {
#define X(name, operands, meaning) CEP_OP_##name,
#include "cep/opcodes.def"
#undef X
    CEP_OP_COUNT_
};

struct cep_insn {
    uint16_t op;      /* enum cep_opcode */
    uint16_t d, a, b; /* slots */
    uint32_t c;
    int32_t e;
};


/* A piece of expression code. Jumps are relative to first. */
struct cep_code {
    uint32_t first, count; /* insns */
    uint32_t slots;        /* size of the evaluation frame */
    struct cep_type type;  /* of the result; kind NULL for codes without result */
    int16_t nav_min, nav_max; /* least and greatest signed distance read by NAV or LABEL (0, 0: none) */
    uint32_t flags;        /* enum cep_code_flags */
    uint32_t origin_begin, origin_end; /* byte range in the rule text, for error reports and explain */
};
enum cep_code_flags {
    CEP_CODE_REGS = 1,        /* reads registers: depends on the partial match */
    CEP_CODE_LABEL = 2,       /* reads labels */
    CEP_CODE_NAV = 4,         /* reads neighbours in the partition */
    CEP_CODE_NUMBER = 8,      /* reads MATCH_NUMBER */
    CEP_CODE_VOLATILE = 16,   /* calls a volatile function or reads the clock */
    CEP_CODE_FALLIBLE = 32,   /* may end in an error */
    CEP_CODE_CONST = 64       /* depends on nothing */
};
struct cep_const { struct cep_type type; uint8_t null; uint8_t pad[7]; uint64_t lo, hi; }; /* lo: i, bits of d, dec.lo or text offset; hi: dec.hi or text length */
struct cep_callsite { struct cep_text name; struct cep_list arg_types; /* types */ struct cep_list arg_consts; /* u32s: const index or CEP_NONE each */ struct cep_type ret; };

struct cep_column { struct cep_text name; struct cep_type type; };
struct cep_option { struct cep_text key, value; };
struct cep_schema { struct cep_list columns; /* columns */ uint32_t rowtime; /* column or CEP_NONE */ };

/* A column of a table as the decoder fills it: where it is found in the record. */
struct cep_field {
    struct cep_text name;   /* column's name */
    struct cep_text path;   /* dotted path in nested JSON, e.g. "device.ip" (segments joined by byte 0x1F); for CSV the header name */
    struct cep_type type;
    uint32_t ordinal;       /* position among the table's declared columns (CSV without header) */
    uint8_t metadata;       /* 0: from the record; else enum cep_metadata */
    uint8_t not_null;
    uint8_t pad[2];
};
enum cep_metadata { CEP_META_NONE, CEP_META_TIMESTAMP, CEP_META_PARTITION, CEP_META_OFFSET, CEP_META_KEY, CEP_META_TOPIC, CEP_META_FILE };

struct cep_table {
    struct cep_text name;
    struct cep_list options;       /* options: the WITH clause, values substituted */
    struct cep_list fields;        /* fields that are decoded, in the order of the source node's schema (profile tables: all columns) */
    struct cep_list key_fields;    /* u32s: indexes into fields that form the PRIMARY KEY */
    uint32_t rowtime_field;        /* index into fields or CEP_NONE */
    uint32_t changes;              /* 1: its records are changes of rows that are known by key_fields, in the order of the log: none is ever late */
    int64_t watermark_delay_ms;    /* WATERMARK FOR ts AS ts - INTERVAL; 0 if AS ts */
    uint32_t is_profile;           /* 1: read through LOOKUP only (a profile table), not as a stream */
    uint32_t declared_columns;     /* columns of the table as declared, decoded or not */
};

enum cep_node_kind {
    CEP_NODE_SOURCE = 1,   /* rows of a table */
    CEP_NODE_CALC = 2,     /* filter, then projection */
    CEP_NODE_UNION = 3,    /* UNION ALL; inputs have one schema; an input's index is its rows' place */
    CEP_NODE_EXCHANGE = 4, /* hands each row to the owner of its key */
    CEP_NODE_LOOKUP = 5,   /* temporal join with a profile table */
    CEP_NODE_MATCH = 6,    /* row pattern recognition */
    CEP_NODE_ALERT = 7,    /* a rule's end: revisions, suppression */
    CEP_NODE_SINK = 8,     /* INSERT INTO a table, a query's result, or the alerts of a rule */
    CEP_NODE_WINDOW = 9,   /* window aggregate */
    CEP_NODE_OVER = 10,    /* OVER aggregate */
    CEP_NODE_GROUP = 11,   /* group aggregate */
    CEP_NODE_JOIN = 12,    /* interval or regular join */
    CEP_NODE_TOPN = 13,    /* top-N, deduplication */
    CEP_NODE_SORT = 14     /* ORDER BY [LIMIT] of a bounded query's result */
};
struct cep_node {
    uint32_t kind;          /* enum cep_node_kind */
    struct cep_list inputs; /* u32s: node indexes */
    struct cep_list outputs;/* u32s: node indexes that read this one (filled by finish) */
    uint32_t schema;        /* schemas: of the rows it gives */
    struct cep_list keys;   /* u32s: codes over the input row (EXCHANGE, keyed operators); an ALERT has none: it bears the key its row came with */
    struct cep_list key_columns; /* columns: names and types of the key (for alerts) */
    uint32_t detail;        /* index into tables (SOURCE), calcs, lookups, matches, groups, rules (ALERT), sinks, sorts, windows, overs by kind; CEP_NONE */
    uint32_t stage;         /* number of exchanges before it on its longest path (filled by finish) */
    uint32_t rule;          /* rules: the rule that it belongs to alone, or CEP_NONE where shared */
    uint32_t clock;         /* SOURCE: 1: its rows bear the time at which they come in, its watermark is the host's clock (cep_flow_clock) */
    uint64_t fingerprint;   /* of the bound subplan below and with this node: names its state across reloads */
    int64_t late_ms;        /* SOURCE: its watermark stays so far behind the table's: it also takes rows that are late by less */
};
struct cep_calc { uint32_t filter; /* codes or CEP_NONE */ struct cep_list outputs; /* u32s: codes, one per column; empty: passes the row on */
                  uint32_t rowtime_code; /* codes: new event time, or CEP_NONE to keep it */ uint32_t pad; };
struct cep_lookup {
    uint32_t table;            /* tables */
    struct cep_list keys;      /* u32s: codes over the left row, in order of the table's key_fields */
    uint32_t left_outer;       /* 1: LEFT JOIN */
    uint32_t as_of;            /* codes: the time asked for, or CEP_NONE: processing time */
    uint32_t filter;           /* codes over left ++ right columns: rest of the ON condition, or CEP_NONE */
    struct cep_list columns;   /* u32s: fields of the table that are appended to the left row */
    uint32_t eager;            /* 1: told at once and corrected when the table's past changes; 0: told when it cannot (tables with event time) */
    uint32_t pad;
};
struct cep_sort { struct cep_list keys; /* orders */ uint64_t limit; /* UINT64_MAX: none */ uint64_t offset; uint32_t changes; /* 1: its input is a changelog; what stands at the end counts */ uint32_t pad; };
/* Top-N and deduplication: rows of a key in order; those at ranks [first, last] (from 1) stand in the result. Its rows are the input's, with the rank behind
 * if rank_column is not CEP_NONE. Ties stand in the order of semantics.md 10. */
enum cep_topn_mode {
    CEP_TOPN_RANKS = 0,        /* a changelog */
    CEP_TOPN_FIRST_FINAL = 1,  /* rank 1 by time, no changes in: the first row, once the watermark has passed it; never taken back */
    CEP_TOPN_FIRST_NOW = 2,    /* as they come: the first row, at once; never taken back */
    CEP_TOPN_LATEST = 3        /* the input's rows are a table's changes by its PRIMARY KEY: the row that stands, a changelog (operators/latest.c) */
};
struct cep_topn {
    struct cep_list keys;      /* orders */
    uint64_t first, last;
    uint32_t mode;             /* enum cep_topn_mode */
    uint32_t append_only;      /* 1: no updates or deletes come in: what falls out never comes back and is forgotten */
    uint32_t rank_column;      /* column of the row it gives, the last one, or CEP_NONE */
    uint32_t newest_first;     /* 1: rows that the keys leave equal stand newest first */
    int64_t ttl_ms;            /* 0: none; a key without rows for so long, in event time, is forgotten */
};
/* Join of two inputs with equal keys (input 0 left, input 1 right): columns left ++ right. */
enum cep_join_outer { CEP_JOIN_OUTER_LEFT = 1, CEP_JOIN_OUTER_RIGHT = 2 };
enum cep_join_time { CEP_JOIN_TIME_LEFT = 0, CEP_JOIN_TIME_RIGHT = 1, CEP_JOIN_TIME_LATEST = 2 };
struct cep_join {
    uint32_t interval;         /* 1: lo_ms <= time(left) - time(right) <= hi_ms, inputs without changes; 0: any rows of equal keys */
    uint32_t outer;            /* enum cep_join_outer, or'ed */
    int64_t lo_ms, hi_ms;
    uint32_t filter;           /* codes over left ++ right: rest of the condition, or CEP_NONE */
    uint32_t time;             /* enum cep_join_time: event time of what it gives */
    int64_t ttl_ms;            /* interval 0: rows older than that, in event time, are forgotten; 0: never */
};
struct cep_order { uint32_t code; uint8_t descending, nulls_first; uint8_t pad[2]; };
enum cep_sink_kind { CEP_SINK_QUERY = 1, CEP_SINK_TABLE = 2, CEP_SINK_RULE = 3, CEP_SINK_VIEW = 4 /* rows kept by the host, to be asked for */ };
struct cep_sink { uint32_t kind; uint32_t detail; /* tables (VIEW: name, columns, key) or rules */ uint32_t accepts_changes; /* 1: takes update and delete rows */ uint32_t pad; };

struct cep_rule {
    struct cep_text name, severity, title, mode;   /* mode: live | shadow | off */
    struct cep_text sinks;         /* comma-separated names; empty: all */
    struct cep_text fingerprint;   /* 32 hex digits: the bound, normalised rule before optimisation (semantics.md 18) */
    struct cep_text stability;     /* "stable", "unstable", "not proved" */
    struct cep_text witness;       /* why, in words; may be empty */
    struct cep_text text;          /* the statement as written */
    struct cep_text file;          /* name of its source */
    struct cep_list options;       /* options */
    int64_t suppress_ms;           /* 0: none */
    uint32_t alert_node;           /* nodes */
    uint32_t match_node;           /* nodes or CEP_NONE */
    uint32_t eager;                /* 1: 'emit' = 'eager' */
    uint32_t version;              /* from 'version', default 1 */
};

/* ---- row patterns ---- */

/* The automaton: a Thompson program with ordered alternatives. States where a partial match rests between rows: TAKE, WAIT, END, ABSENT (and MATCH while a guard
 * NEXT_ONLY is unresolved); the others are passed through without a row. pcs are indexes into the pattern's own run of the nfas section. */
enum cep_nfa_op {
    CEP_NFA_MATCH = 1,   /* accept */
    CEP_NFA_TAKE = 2,    /* take the row as variable `var` if its condition holds; go to a. Clears all guards. */
    CEP_NFA_SPLIT = 3,   /* a preferred, then b */
    CEP_NFA_WAIT = 4,    /* `->`: if the row starts the element (one of `firsts` holds) it must be taken: go to a with this row; else stay. any (`->>`): if the row
                          * starts the element, also stay, less preferred. A row that is passed over must violate no active guard. */
    CEP_NFA_START = 5,   /* ^ : only before the partition's first row; go to a */
    CEP_NFA_END = 6,     /* $ : only at the end of the partition; go to a */
    CEP_NFA_GUARD = 7,   /* activates guard `guard` (NOT, possessive exit); go to a */
    CEP_NFA_ABSENT = 8,  /* trailing absence: rests until the deadline, then goes to a; a row that violates an active guard kills it */
    CEP_NFA_LOOP_IN = 9, /* entry of an iteration of loop `loop` whose body may be empty; go to a */
    CEP_NFA_LOOP_OUT = 10/* end of such an iteration: if it took no row go to b (leave, Perl's rule), else to a (loop head) */
};
struct cep_nfa {
    uint8_t op;        /* enum cep_nfa_op */
    uint8_t excluded;  /* TAKE: within {- -} */
    uint8_t any;       /* WAIT: `->>` */
    uint8_t loop;      /* LOOP_*: loop number < 64 */
    uint16_t var;      /* TAKE */
    uint16_t guard;    /* GUARD: index of the pattern's guards */
    uint32_t a, b;     /* next pcs */
    struct cep_list firsts; /* WAIT: u32s: predicates (indexes into the pattern's preds) */
    int64_t absent_ms; /* ABSENT: > 0: deadline = time of the last taken row + this; 0: the WITHIN of the pattern */
    struct cep_list live;   /* u32s: predicate-live registers while resting here (resting states only) */
};
enum cep_guard_kind {
    CEP_GUARD_NOT = 1,        /* `-> NOT N ->`: no row that is passed over until the next taken one may be N (the taken row may) */
    CEP_GUARD_NOT_NEXT = 2,   /* `A NOT N B`: the very next row may not be N, taken or not; unknown until it is there */
    CEP_GUARD_POSSESSIVE = 3, /* a possessive loop was left: no row up to and including the next taken one may be one that the loop could take */
    CEP_GUARD_NOT_AHEAD = 4   /* as NOT_NEXT of a NOT that is not written last: nothing at the end of the match */
};
struct cep_guard { uint32_t kind; struct cep_list preds; /* u32s: any of these true violates */
                   struct cep_list lifts; /* u32s, POSSESSIVE: a row that is passed over and holds one of these ends the guard: the loop could not be entered any more */
                   uint32_t pad; };
struct cep_pred {
    uint32_t code;   /* codes; BOOLEAN result; CEP_NONE: always true. Evaluated with the row under test as current row and the registers as they stood before it */
    uint32_t unary;  /* 1: depends on the row and its neighbours alone: evaluated once per row for all partial matches */
    uint32_t shared; /* index of equal unary predicates over all patterns of one input, for interning */
    uint32_t var;    /* the variable that it defines, or CEP_NONE */
};
struct cep_var {
    struct cep_text name;    /* as CLASSIFIER() gives it */
    uint32_t pred;           /* index into the pattern's preds */
    uint32_t live_update;    /* codes or CEP_NONE: new values of predicate-live registers when a row is taken as this variable */
    uint32_t out_update;     /* codes or CEP_NONE: new values of output registers */
};
struct cep_reg { struct cep_type type; uint32_t init; /* consts: value before any row */ uint32_t pad; };
enum cep_rows_mode { CEP_ROWS_ONE = 0, CEP_ROWS_ALL_SHOW_EMPTY = 1, CEP_ROWS_ALL_OMIT_EMPTY = 2, CEP_ROWS_ALL_UNMATCHED = 3 };
enum cep_skip { CEP_SKIP_PAST_LAST = 0, CEP_SKIP_NEXT_ROW = 1, CEP_SKIP_CURRENT_ROW = 2, CEP_SKIP_FIRST = 3, CEP_SKIP_LAST = 4 };
enum cep_out_kind { CEP_OUT_COLUMN = 0, CEP_OUT_MEASURE = 1 };
/* One output column: a column of the row (NULL-free of the match) or a measure (NULL on unmatched rows). */
struct cep_out { uint32_t kind; uint32_t code; uint32_t column; /* OUT_COLUMN: input column */ uint32_t pad; };
struct cep_match {
    struct cep_list nfas;        /* nfas; pc 0 is the start */
    struct cep_list vars;        /* vars */
    struct cep_list preds;       /* preds */
    struct cep_list guards;      /* guards, at most 32 */
    struct cep_list live_regs;   /* regs: predicate-live registers (the engine's) */
    struct cep_list out_regs;    /* regs: output registers (measures') */
    struct cep_list outs;        /* outs: the columns of an output row */
    struct cep_list order;       /* orders: ORDER BY behind the event time (tie-breaks), or all of it with batch_sort */
    struct cep_list skip_vars;   /* u32s: vars that SKIP TO [FIRST|LAST] names (a SUBSET: several) */
    int64_t within_ms;           /* 0: none; last - first < this */
    uint32_t rows;               /* enum cep_rows_mode */
    uint32_t skip;               /* enum cep_skip */
    uint32_t all_matches;        /* 1: ALL MATCHES */
    uint32_t timeout_rows;       /* 1: WITH TIMEOUT ROWS */
    uint32_t eager;              /* 1: emit eager, 0: final */
    uint32_t batch_sort;         /* 1: no usable event-time order: rows wait for the end of input and are sorted then */
    uint32_t lookahead;          /* rows behind the current one that NEXT reads (0: none) */
    uint32_t lookback;           /* rows before the current one that PREV reads */
    uint32_t reads_number;       /* 1: some condition reads MATCH_NUMBER() */
    uint32_t evidence;           /* 1: matched rows are kept for the alert or ALL ROWS */
    uint32_t last_time_reg;      /* live register that holds the time of the last taken row (for FOR INTERVAL), or CEP_NONE */
    uint32_t can_match_empty;    /* 1 */
    uint32_t hold_ms_hi;         /* reserved, 0 */
    uint32_t nullable_loops;     /* number of loops with LOOP_IN/OUT */
    int64_t hold_ms;             /* Esper's INTERVAL: a complete match is held until first + this, extended meanwhile; 0: none */
    uint64_t max_rows;           /* limit: rows kept per key, 0: the engine's default */
};

enum cep_section {
    CEP_SEC_STRINGS, CEP_SEC_U32S, CEP_SEC_TYPES, CEP_SEC_CONSTS, CEP_SEC_INSNS, CEP_SEC_CODES, CEP_SEC_CALLSITES, CEP_SEC_COLUMNS,
    CEP_SEC_OPTIONS, CEP_SEC_SCHEMAS, CEP_SEC_FIELDS, CEP_SEC_TABLES, CEP_SEC_NODES, CEP_SEC_CALCS, CEP_SEC_LOOKUPS, CEP_SEC_SORTS,
    CEP_SEC_ORDERS, CEP_SEC_SINKS, CEP_SEC_RULES, CEP_SEC_MATCHES, CEP_SEC_NFAS, CEP_SEC_GUARDS, CEP_SEC_PREDS, CEP_SEC_VARS, CEP_SEC_REGS,
    CEP_SEC_OUTS, CEP_SEC_GROUPS, CEP_SEC_TOPNS, CEP_SEC_JOINS, CEP_SEC_AGGS, CEP_SEC_WINDOWS, CEP_SEC_OVERS, CEP_SEC_FRAMES, CEP_SEC_COUNT_
};
#define CEP_PROGRAM_MAGIC 0x43455031u /* "CEP1" */
struct cep_program {
    uint32_t magic, version;
    uint64_t size_bytes;
    struct { uint64_t off; uint64_t count; } sections[CEP_SEC_COUNT_]; /* off from the block's start, 8-byte aligned */
};
#define CEP_AT_(name, type, sec)                                                                               \
    static inline const type *cep_program_##name(const struct cep_program *p, uint32_t i)                      \
    {                                                                                                          \
        return (const type *)(const void *)((const char *)p + p->sections[sec].off) + i;                       \
    }                                                                                                          \
    static inline uint32_t cep_program_##name##_count(const struct cep_program *p) { return (uint32_t)p->sections[sec].count; }
CEP_AT_(u32, uint32_t, CEP_SEC_U32S)
CEP_AT_(type, struct cep_type, CEP_SEC_TYPES)
CEP_AT_(const, struct cep_const, CEP_SEC_CONSTS)
CEP_AT_(insn, struct cep_insn, CEP_SEC_INSNS)
CEP_AT_(code, struct cep_code, CEP_SEC_CODES)
CEP_AT_(callsite, struct cep_callsite, CEP_SEC_CALLSITES)
CEP_AT_(column, struct cep_column, CEP_SEC_COLUMNS)
CEP_AT_(option, struct cep_option, CEP_SEC_OPTIONS)
CEP_AT_(schema, struct cep_schema, CEP_SEC_SCHEMAS)
CEP_AT_(field, struct cep_field, CEP_SEC_FIELDS)
CEP_AT_(table, struct cep_table, CEP_SEC_TABLES)
CEP_AT_(node, struct cep_node, CEP_SEC_NODES)
CEP_AT_(calc, struct cep_calc, CEP_SEC_CALCS)
CEP_AT_(lookup, struct cep_lookup, CEP_SEC_LOOKUPS)
CEP_AT_(sort, struct cep_sort, CEP_SEC_SORTS)
CEP_AT_(order, struct cep_order, CEP_SEC_ORDERS)
CEP_AT_(sink, struct cep_sink, CEP_SEC_SINKS)
CEP_AT_(rule, struct cep_rule, CEP_SEC_RULES)
CEP_AT_(match, struct cep_match, CEP_SEC_MATCHES)
CEP_AT_(nfa, struct cep_nfa, CEP_SEC_NFAS)
CEP_AT_(guard, struct cep_guard, CEP_SEC_GUARDS)
CEP_AT_(pred, struct cep_pred, CEP_SEC_PREDS)
CEP_AT_(var, struct cep_var, CEP_SEC_VARS)
CEP_AT_(reg, struct cep_reg, CEP_SEC_REGS)
CEP_AT_(out, struct cep_out, CEP_SEC_OUTS)
CEP_AT_(group, struct cep_group, CEP_SEC_GROUPS)
CEP_AT_(topn, struct cep_topn, CEP_SEC_TOPNS)
CEP_AT_(join, struct cep_join, CEP_SEC_JOINS)
CEP_AT_(agg, struct cep_agg, CEP_SEC_AGGS)
CEP_AT_(window, struct cep_window, CEP_SEC_WINDOWS)
CEP_AT_(over, struct cep_over, CEP_SEC_OVERS)
CEP_AT_(frame, struct cep_over_frame, CEP_SEC_FRAMES)
static inline struct base_str cep_program_text(const struct cep_program *p, struct cep_text t)
{
    return (struct base_str){ (const char *)p + p->sections[CEP_SEC_STRINGS].off + t.off, t.len };
}
/* Value of option `key` in a run of options; an empty slice with ptr NULL if absent. Keys compare exactly. */
struct base_str cep_program_setting(const struct cep_program *p, struct cep_list options, const char *key);
/* A constant as a value; texts lie in the program. */
struct cep_value cep_program_value(const struct cep_program *p, uint32_t index);
void cep_program_free(struct cep_program *program); /* NULL allowed */
/* Checks every index, list, jump, slot and section bound: a program that passes cannot make the engine read outside of it. BASE_E_CORRUPT. */
int cep_program_verify(const struct cep_program *program, uint64_t bytes) BASE_MUST_CHECK;
uint64_t cep_program_hash(const struct cep_program *program);
/* Disassembly of one code / of the whole program, for explain and golden tests. */
void cep_program_print_code(const struct cep_program *program, uint32_t code, struct base_buf *out);
void cep_program_print(const struct cep_program *program, struct base_buf *out);

/* ---- building ---- */
struct cep_builder; /* growing sections */
struct cep_builder *cep_builder_create(void);
void cep_builder_destroy(struct cep_builder *builder);
/* Appends `count` elements (element size by section) and returns the index of the first; CEP_NONE after a failed allocation, which also makes finish fail. */
uint32_t cep_builder_add(struct cep_builder *builder, enum cep_section section, const void *elements, uint32_t count);
/* The element, to be changed in place until finish (moves at the next add). */
void *cep_builder_at(struct cep_builder *builder, enum cep_section section, uint32_t index);
uint32_t cep_builder_count(const struct cep_builder *builder, enum cep_section section);
struct cep_text cep_builder_text(struct cep_builder *builder, struct base_str text); /* interned */
uint32_t cep_builder_const(struct cep_builder *builder, struct cep_type type, struct cep_value value); /* interned */
uint32_t cep_builder_type(struct cep_builder *builder, struct cep_type type);         /* interned; index for opcodes that name a type */
struct cep_list cep_builder_u32s(struct cep_builder *builder, const uint32_t *values, uint32_t count);
/* Makes the block (outputs, stages filled in; verified). The builder stays to be destroyed. BASE_E_NOMEM, BASE_E_CORRUPT (a compiler fault). */
int cep_builder_finish(struct cep_builder *builder, struct cep_program **ret) BASE_MUST_CHECK;

#endif
