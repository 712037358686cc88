/* The tree of a rule text, as written: nothing is looked up, typed or folded here. Made by parse.c, read by the binder,
 * the catalogue and print.c; ast.c knows only the names of its enums and units. Never changed after the parse.
 *
 * All nodes live in the arena given to the parser and die with it; texts are arena copies or slices of the source, so
 * the source must live as long as the tree. Every node starts with its kind and carries `source` and the byte range
 * [begin, end) in source->text. Arrays are pointer + count; a count of 0 may stand with a NULL pointer. Nodes are
 * never NULL unless the field's comment says so. No tree is deeper than PATTERNS_MAX_TREE_DEPTH, so recursion over it
 * is safe; chains of AND, OR and || are one flat node. */
#ifndef PATTERNS_AST_H
#define PATTERNS_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/diag.h"
#include "base/str.h"

/* ---- limits; each is a diagnostic "limit" that names it ---- */
#define PATTERNS_MAX_TEXT_BYTES (1u << 20) /* one source */
#define PATTERNS_MAX_DEPTH 200             /* nesting: expressions, patterns, queries, types together */
#define PATTERNS_MAX_TREE_DEPTH 1000       /* height of an expression or pattern, chains like a + b + c included */
#define PATTERNS_MAX_TABLES 200            /* tables joined in one FROM, mixed set operations in one query */
#define PATTERNS_MAX_TOKENS 100000         /* tokens of one statement */
#define PATTERNS_MAX_LIST 10000            /* elements of one list (columns, arguments, IN list, options) */
#define PATTERNS_MAX_QUANTIFIER 10000      /* a bound in {n,m} */
#define PATTERNS_MAX_PERMUTE 6             /* elements of PERMUTE */
#define PATTERNS_MAX_IDENT_BYTES 255       /* one name */

/* ---- names ---- */

struct patterns_ident {
    struct base_str text; /* without quotes, doubled quotes undone */
    bool quoted;          /* written in "..." or `...`: compared exactly; otherwise case is folded */
    uint32_t begin, end;
};
/* `a`, `a.b`, `a.b.c`; count >= 1. */
struct patterns_name {
    const struct patterns_ident *parts;
    uint32_t count;
    uint32_t begin, end;
};

/* ---- types ---- */

/* Of intervals, EXTRACT, FLOOR ... TO, TIMESTAMPADD. */
enum patterns_unit {
    PATTERNS_UNIT_NONE,
    PATTERNS_UNIT_YEAR,
    PATTERNS_UNIT_QUARTER,
    PATTERNS_UNIT_MONTH,
    PATTERNS_UNIT_WEEK,
    PATTERNS_UNIT_DAY,
    PATTERNS_UNIT_HOUR,
    PATTERNS_UNIT_MINUTE,
    PATTERNS_UNIT_SECOND,
    PATTERNS_UNIT_MILLISECOND,
    PATTERNS_UNIT_MICROSECOND,
    PATTERNS_UNIT_NANOSECOND,
    PATTERNS_UNIT_EPOCH, /* this and below: EXTRACT only */
    PATTERNS_UNIT_DOW,
    PATTERNS_UNIT_ISODOW,
    PATTERNS_UNIT_DOY,
    PATTERNS_UNIT_ISOYEAR,
    PATTERNS_UNIT_CENTURY,
    PATTERNS_UNIT_DECADE,
    PATTERNS_UNIT_MILLENNIUM
};
enum patterns_type_kind {
    PATTERNS_TYPE_STRING,  /* STRING, VARCHAR without length */
    PATTERNS_TYPE_VARCHAR, /* precision: length */
    PATTERNS_TYPE_CHAR,    /* precision: length */
    PATTERNS_TYPE_BOOLEAN,
    PATTERNS_TYPE_TINYINT,
    PATTERNS_TYPE_SMALLINT,
    PATTERNS_TYPE_INT,
    PATTERNS_TYPE_BIGINT,
    PATTERNS_TYPE_FLOAT, /* FLOAT, REAL */
    PATTERNS_TYPE_DOUBLE,
    PATTERNS_TYPE_DECIMAL, /* precision, scale; DECIMAL, DEC, NUMERIC */
    PATTERNS_TYPE_DATE,
    PATTERNS_TYPE_TIME,          /* precision */
    PATTERNS_TYPE_TIMESTAMP,     /* precision; without time zone */
    PATTERNS_TYPE_TIMESTAMP_LTZ, /* precision; TIMESTAMP_LTZ, TIMESTAMP WITH LOCAL TIME ZONE */
    PATTERNS_TYPE_INTERVAL,      /* from, to, precision, scale (fraction) */
    PATTERNS_TYPE_BYTES,         /* BYTES, BINARY, VARBINARY; precision: length */
    PATTERNS_TYPE_ARRAY,         /* element */
    PATTERNS_TYPE_MULTISET,      /* element */
    PATTERNS_TYPE_MAP,           /* key, element */
    PATTERNS_TYPE_ROW            /* fields */
};
struct patterns_type;
struct patterns_field {
    struct patterns_ident name;
    const struct patterns_type *type;
};
struct patterns_type {
    enum patterns_type_kind kind;
    const struct base_source *source;
    uint32_t begin, end;
    int32_t precision;                   /* -1: not written */
    int32_t scale;                       /* -1: not written */
    bool not_null;                       /* NOT NULL stands behind it */
    enum patterns_unit from, to;         /* INTERVAL; to is NONE if a single unit */
    const struct patterns_type *key;     /* MAP */
    const struct patterns_type *element; /* ARRAY, MULTISET, MAP (value) */
    const struct patterns_field *fields; /* ROW */
    uint32_t field_count;
};

/* ---- expressions ---- */

enum patterns_expr_kind {
    PATTERNS_EXPR_NULL,
    PATTERNS_EXPR_BOOLEAN,       /* boolean */
    PATTERNS_EXPR_NUMBER,        /* number */
    PATTERNS_EXPR_STRING,        /* text, '' undone */
    PATTERNS_EXPR_DATE,          /* text of DATE '...' */
    PATTERNS_EXPR_TIME,          /* text of TIME '...' */
    PATTERNS_EXPR_TIMESTAMP,     /* text of TIMESTAMP '...' */
    PATTERNS_EXPR_TIMESTAMP_LTZ, /* text of TIMESTAMP_LTZ '...' or TIMESTAMP WITH LOCAL TIME ZONE '...' */
    PATTERNS_EXPR_INTERVAL,      /* interval */
    PATTERNS_EXPR_NAME,          /* name: column, variable.column, nested field: the binder decides */
    PATTERNS_EXPR_STAR,          /* star: `*`, `A.*`; as argument of COUNT and as SELECT item only */
    PATTERNS_EXPR_FIELD,         /* field: field of an expression that is no plain name: a[1].b, (x).b */
    PATTERNS_EXPR_INDEX,         /* args[0] [ args[1] ] */
    PATTERNS_EXPR_CALL,          /* call */
    PATTERNS_EXPR_UNARY,         /* op, args[0] */
    PATTERNS_EXPR_BINARY,   /* op, args[0], args[1]; AND, OR, CONCAT: two or more args, a AND b AND c is one node */
    PATTERNS_EXPR_BETWEEN,  /* args[0] [NOT] BETWEEN args[1] AND args[2]; negated, symmetric */
    PATTERNS_EXPR_IN,       /* args[0] [NOT] IN (args[1..]); negated */
    PATTERNS_EXPR_IN_QUERY, /* args[0] [NOT] IN (query); negated, query */
    PATTERNS_EXPR_LIKE,     /* args[0] [NOT] LIKE args[1] [ESCAPE args[2]]; negated */
    PATTERNS_EXPR_SIMILAR,  /* args[0] [NOT] SIMILAR TO args[1] [ESCAPE args[2]]; negated */
    PATTERNS_EXPR_CAST,     /* cast: args[0] to type */
    PATTERNS_EXPR_CASE,     /* case_when */
    PATTERNS_EXPR_ARRAY,    /* ARRAY[args...] */
    PATTERNS_EXPR_MAP,      /* MAP[key, value, ...]: args in pairs */
    PATTERNS_EXPR_ROW,      /* ROW(args...) or (a, b, ...) */
    PATTERNS_EXPR_EXISTS,   /* EXISTS (query) */
    PATTERNS_EXPR_SUBQUERY  /* scalar (query) */
};
enum patterns_op {
    /* unary */
    PATTERNS_OP_NEG,
    PATTERNS_OP_PLUS,
    PATTERNS_OP_NOT,
    PATTERNS_OP_IS_NULL,
    PATTERNS_OP_IS_NOT_NULL,
    PATTERNS_OP_IS_TRUE,
    PATTERNS_OP_IS_NOT_TRUE,
    PATTERNS_OP_IS_FALSE,
    PATTERNS_OP_IS_NOT_FALSE,
    PATTERNS_OP_IS_UNKNOWN,
    PATTERNS_OP_IS_NOT_UNKNOWN,
    /* binary */
    PATTERNS_OP_OR,
    PATTERNS_OP_AND,
    PATTERNS_OP_EQ,
    PATTERNS_OP_NE,
    PATTERNS_OP_LT,
    PATTERNS_OP_LE,
    PATTERNS_OP_GT,
    PATTERNS_OP_GE,
    PATTERNS_OP_IS_DISTINCT,     /* IS DISTINCT FROM */
    PATTERNS_OP_IS_NOT_DISTINCT, /* IS NOT DISTINCT FROM */
    PATTERNS_OP_CONCAT,          /* || */
    PATTERNS_OP_ADD,
    PATTERNS_OP_SUB,
    PATTERNS_OP_MUL,
    PATTERNS_OP_DIV,
    PATTERNS_OP_MOD /* % */
};
enum patterns_number_kind {
    PATTERNS_NUMBER_INTEGER, /* digits only */
    PATTERNS_NUMBER_DECIMAL, /* 12.30 is DECIMAL(4, 2) */
    PATTERNS_NUMBER_DOUBLE   /* with exponent: 1e3 */
};
/* Unsigned; a sign is a NEG around it. */
struct patterns_number {
    enum patterns_number_kind kind;
    struct base_str text; /* as written: "12.30", ".5", "1e3" */
};
/* INTERVAL [-] 'text' FROM[(precision)] [TO to[(fraction)]] */
struct patterns_interval {
    struct base_str text;    /* between the quotes, unparsed: "1", "1-2", "10 00:00:00", "-5" */
    bool negative;           /* a minus stands before the quote */
    enum patterns_unit from; /* YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND */
    enum patterns_unit to;   /* NONE: single unit */
    int32_t precision;       /* of `from`; -1: not written */
    int32_t fraction;        /* of SECOND; -1: not written */
};
struct patterns_expr;
struct patterns_query;
struct patterns_order_item {
    const struct patterns_expr *expr;
    bool descending;
    enum { PATTERNS_NULLS_DEFAULT, PATTERNS_NULLS_FIRST, PATTERNS_NULLS_LAST } nulls;
};

enum patterns_frame_unit { PATTERNS_FRAME_NONE, PATTERNS_FRAME_ROWS, PATTERNS_FRAME_RANGE };
enum patterns_frame_bound_kind {
    PATTERNS_BOUND_AT_UNBOUNDED_PRECEDING,
    PATTERNS_BOUND_AT_PRECEDING, /* expr */
    PATTERNS_BOUND_AT_CURRENT_ROW,
    PATTERNS_BOUND_AT_FOLLOWING, /* expr */
    PATTERNS_BOUND_AT_UNBOUNDED_FOLLOWING
};
struct patterns_frame_bound {
    enum patterns_frame_bound_kind kind;
    const struct patterns_expr *expr; /* NULL unless PRECEDING, FOLLOWING */
};
/* OVER (...), OVER name, or an item of the WINDOW clause. */
struct patterns_window {
    const struct base_source *source;
    uint32_t begin, end;
    const struct patterns_ident *base; /* OVER w, OVER (w ...): name of a WINDOW; NULL: none */
    bool bare;                         /* OVER w, without parentheses: nothing but base is set */
    const struct patterns_expr *const *partition_by;
    uint32_t partition_count;
    const struct patterns_order_item *order_by;
    uint32_t order_count;
    enum patterns_frame_unit unit; /* NONE: no frame written */
    struct patterns_frame_bound from;
    struct patterns_frame_bound to; /* CURRENT_ROW if BETWEEN was not written */
};

enum patterns_call_syntax {
    PATTERNS_CALL_PLAIN,     /* F(args); arg names possible: f(x => 1) */
    PATTERNS_CALL_BARE,      /* no parentheses: CURRENT_TIMESTAMP, CURRENT_DATE, LOCALTIMESTAMP, ... */
    PATTERNS_CALL_EXTRACT,   /* EXTRACT(unit FROM args[0]) */
    PATTERNS_CALL_TO_UNIT,   /* FLOOR(args[0] TO unit), CEIL(args[0] TO unit) */
    PATTERNS_CALL_UNIT_ARG,  /* TIMESTAMPADD(unit, args...), TIMESTAMPDIFF(unit, args...) */
    PATTERNS_CALL_POSITION,  /* POSITION(args[0] IN args[1]) */
    PATTERNS_CALL_SUBSTRING, /* SUBSTRING(args[0] FROM args[1] [FOR args[2]]); the comma form is PLAIN */
    PATTERNS_CALL_TRIM,      /* TRIM([side] [args[1]] FROM args[0]); TRIM(x) is PLAIN */
    PATTERNS_CALL_OVERLAY    /* OVERLAY(args[0] PLACING args[1] FROM args[2] [FOR args[3]]) */
};
enum patterns_trim { PATTERNS_TRIM_BOTH, PATTERNS_TRIM_LEADING, PATTERNS_TRIM_TRAILING };
enum patterns_mode { PATTERNS_MODE_NONE, PATTERNS_MODE_RUNNING, PATTERNS_MODE_FINAL };
enum patterns_call_nulls { PATTERNS_CALL_NULLS_NONE, PATTERNS_CALL_NULLS_IGNORE, PATTERNS_CALL_NULLS_RESPECT };
/* Function call of any sort: scalar, aggregate, PREV/NEXT/FIRST/LAST, CLASSIFIER, MATCH_NUMBER, window functions. The
 * name is as written: compare case-insensitively; a quoted name never means one of the pattern functions. COUNT(*) has
 * one STAR argument. */
struct patterns_call {
    enum patterns_call_syntax syntax;
    struct patterns_ident name;
    const struct patterns_expr *const *args;
    uint32_t arg_count;
    const struct patterns_ident *const *arg_names;  /* parallel to args, entries NULL if unnamed; NULL: none named */
    enum patterns_unit unit;                        /* EXTRACT, TO_UNIT, UNIT_ARG */
    enum patterns_trim trim;                        /* TRIM */
    enum patterns_mode mode;                        /* RUNNING f(x), FINAL f(x) */
    bool distinct;                                  /* f(DISTINCT x) */
    enum patterns_call_nulls nulls;                 /* f(x) IGNORE NULLS */
    const struct patterns_order_item *within_group; /* f(x) WITHIN GROUP (ORDER BY ...) */
    uint32_t within_count;
    const struct patterns_expr *filter; /* FILTER (WHERE ...); NULL: none */
    const struct patterns_window *over; /* NULL: none */
};
struct patterns_when {
    const struct patterns_expr *condition; /* value to compare with, if the CASE has an operand */
    const struct patterns_expr *result;
};
struct patterns_case {
    const struct patterns_expr *operand; /* CASE x WHEN ...; NULL: CASE WHEN ... */
    const struct patterns_when *whens;   /* one or more */
    uint32_t when_count;
    const struct patterns_expr *otherwise; /* ELSE; NULL: none */
};
struct patterns_expr {
    enum patterns_expr_kind kind;
    const struct base_source *source;
    uint32_t begin, end;
    uint32_t depth;                          /* height of the subtree, 1 for a leaf */
    enum patterns_op op;                     /* UNARY, BINARY */
    bool negated;                            /* BETWEEN, IN, IN_QUERY, LIKE, SIMILAR */
    bool symmetric;                          /* BETWEEN */
    bool try_cast;                           /* CAST: TRY_CAST */
    const struct patterns_expr *const *args; /* operands, see the kind; CALL has its own */
    uint32_t arg_count;
    union {
        bool boolean;                          /* BOOLEAN */
        struct patterns_number number;         /* NUMBER */
        struct base_str text;                  /* STRING, DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ */
        struct patterns_interval interval;     /* INTERVAL */
        struct patterns_name name;             /* NAME; STAR: the qualifier, count 0: bare `*` */
        struct patterns_ident field;           /* FIELD: of args[0] */
        const struct patterns_call *call;      /* CALL */
        const struct patterns_type *type;      /* CAST */
        const struct patterns_case *case_when; /* CASE */
        const struct patterns_query *query;    /* IN_QUERY, EXISTS, SUBQUERY */
    };
};

/* ---- row patterns ---- */

enum patterns_pattern_kind {
    PATTERNS_PATTERN_VARIABLE, /* name */
    PATTERNS_PATTERN_EMPTY,    /* () */
    PATTERNS_PATTERN_START,    /* ^ */
    PATTERNS_PATTERN_END,      /* $ */
    PATTERNS_PATTERN_SEQUENCE, /* items, two or more, in order */
    PATTERNS_PATTERN_CHOICE,   /* items, two or more, preferred first: a | b */
    PATTERNS_PATTERN_PERMUTE,  /* items, one or more */
    PATTERNS_PATTERN_EXCLUDE,  /* {- items[0] -} */
    PATTERNS_PATTERN_REPEAT,   /* items[0], min, max, greed; items[0] may be a REPEAT itself (A+{2}) */
    PATTERNS_PATTERN_FOLLOW,   /* -> items[0] or ->> items[0]; the quantifier is inside: -> B+ is FOLLOW(REPEAT(B)) */
    PATTERNS_PATTERN_NOT       /* [->] NOT items[0] [FOR INTERVAL]; items[0] is a VARIABLE or a CHOICE in parentheses */
};
enum patterns_greed { PATTERNS_GREEDY, PATTERNS_RELUCTANT, PATTERNS_POSSESSIVE };
enum patterns_arrow { PATTERNS_ARROW_NONE, PATTERNS_ARROW_NEXT /* -> */, PATTERNS_ARROW_ANY /* ->> */ };
#define PATTERNS_UNBOUNDED UINT32_MAX
/* Parentheses leave no node: (A B) C is SEQUENCE(SEQUENCE(A, B), C). A NOT stands in a SEQUENCE (or alone, or inside a
 * loop); it speaks of the rows up to the next taken one. Whether it may stand where it stands is the binder's affair.
 */
struct patterns_pattern {
    enum patterns_pattern_kind kind;
    const struct base_source *source;
    uint32_t begin, end;
    uint32_t depth;             /* height of the subtree, 1 for a leaf */
    struct patterns_ident name; /* VARIABLE */
    const struct patterns_pattern *const *items;
    uint32_t item_count;
    uint32_t min, max;                /* REPEAT: min <= max, max >= 1, max may be PATTERNS_UNBOUNDED */
    enum patterns_greed greed;        /* REPEAT */
    enum patterns_arrow arrow;        /* FOLLOW: never NONE; NOT: the arrow before NOT, or NONE */
    const struct patterns_expr *hold; /* NOT ... FOR INTERVAL '5' MINUTE: an INTERVAL expression; NULL: none */
};

enum patterns_rows {
    PATTERNS_ROWS_ONE,          /* ONE ROW PER MATCH (also when nothing is written) */
    PATTERNS_ROWS_ALL_SHOW,     /* ALL ROWS PER MATCH [SHOW EMPTY MATCHES] */
    PATTERNS_ROWS_ALL_OMIT,     /* ... OMIT EMPTY MATCHES */
    PATTERNS_ROWS_ALL_UNMATCHED /* ... WITH UNMATCHED ROWS */
};
enum patterns_skip {
    PATTERNS_SKIP_PAST_LAST_ROW, /* also when nothing is written */
    PATTERNS_SKIP_TO_NEXT_ROW,
    PATTERNS_SKIP_TO_CURRENT_ROW,
    PATTERNS_SKIP_TO_FIRST, /* skip_target */
    PATTERNS_SKIP_TO_LAST   /* skip_target; also SKIP TO v */
};
struct patterns_measure {
    const struct patterns_expr *expr;
    struct patterns_ident name;
    uint32_t begin, end;
};
struct patterns_subset {
    struct patterns_ident name;
    const struct patterns_ident *members; /* one or more */
    uint32_t member_count;
    uint32_t begin, end;
};
struct patterns_define {
    struct patterns_ident name;
    const struct patterns_expr *condition;
    uint32_t begin, end;
};
/* What stands in MATCH_RECOGNIZE ( ... ). */
struct patterns_match {
    const struct base_source *source;
    uint32_t begin, end;
    const struct patterns_expr *const *partition_by;
    uint32_t partition_count;
    const struct patterns_order_item *order_by;
    uint32_t order_count;
    const struct patterns_measure *measures;
    uint32_t measure_count;
    enum patterns_rows rows;
    bool rows_written;
    bool timeout_rows; /* WITH TIMEOUT ROWS */
    bool all_matches;  /* ALL MATCHES */
    enum patterns_skip skip;
    bool skip_written;                 /* an AFTER MATCH clause stands there */
    struct patterns_ident skip_target; /* SKIP_TO_FIRST, SKIP_TO_LAST */
    uint32_t skip_begin, skip_end;     /* place of the AFTER MATCH clause, 0,0 without one */
    const struct patterns_pattern *pattern;
    const struct patterns_expr *within; /* WITHIN e: usually an INTERVAL expression; NULL: none */
    const struct patterns_expr *delay;  /* PATTERN (...) INTERVAL '10' SECOND: output held; NULL: none */
    bool or_terminated;                 /* ... OR TERMINATED */
    const struct patterns_subset *subsets;
    uint32_t subset_count;
    const struct patterns_define *defines;
    uint32_t define_count;
};

/* ---- queries ---- */

enum patterns_table_kind {
    PATTERNS_TABLE_NAME,  /* name, as_of */
    PATTERNS_TABLE_QUERY, /* query: (SELECT ...), (VALUES ...) */
    PATTERNS_TABLE_JOIN,  /* join */
    PATTERNS_TABLE_MATCH, /* match: input MATCH_RECOGNIZE (...) */
    PATTERNS_TABLE_WINDOW /* window_tvf: TABLE(TUMBLE(...)) */
};
enum patterns_join_kind {
    PATTERNS_JOIN_INNER,
    PATTERNS_JOIN_LEFT,
    PATTERNS_JOIN_RIGHT,
    PATTERNS_JOIN_FULL,
    PATTERNS_JOIN_CROSS /* CROSS JOIN and the comma */
};
enum patterns_window_kind {
    PATTERNS_WINDOW_TUMBLE,   /* size [, offset] */
    PATTERNS_WINDOW_HOP,      /* slide, size [, offset] */
    PATTERNS_WINDOW_CUMULATE, /* slide (its step), size [, offset] */
    PATTERNS_WINDOW_SESSION   /* size (its gap); partition_by */
};
struct patterns_table;
struct patterns_join {
    enum patterns_join_kind kind;
    const struct patterns_table *left, *right;
    const struct patterns_expr *on;             /* NULL: none (CROSS, USING) */
    const struct patterns_ident *using_columns; /* USING (a, b) */
    uint32_t using_count;
};
struct patterns_table_match {
    const struct patterns_table *input;
    const struct patterns_match *match;
};
/* Missing arguments are refused by the parser: table, time, size (and slide for HOP, CUMULATE) are never NULL. */
struct patterns_window_tvf {
    enum patterns_window_kind kind;
    const struct patterns_table *table;              /* TABLE t or (query): a NAME or QUERY */
    const struct patterns_expr *const *partition_by; /* SESSION(TABLE t PARTITION BY k, ...) */
    uint32_t partition_count;
    struct patterns_name time;                         /* DESCRIPTOR(time) */
    const struct patterns_expr *size, *slide, *offset; /* slide, offset: may be NULL */
};
struct patterns_table {
    enum patterns_table_kind kind;
    const struct base_source *source;
    uint32_t begin, end;
    const struct patterns_ident *alias;         /* NULL: none */
    const struct patterns_ident *alias_columns; /* AS t (a, b) */
    uint32_t alias_column_count;
    const struct patterns_expr *as_of; /* NAME: FOR SYSTEM_TIME AS OF e; NULL: none */
    union {
        struct patterns_name name;                    /* NAME */
        const struct patterns_query *query;           /* QUERY */
        struct patterns_join join;                    /* JOIN (has no alias) */
        struct patterns_table_match match;            /* MATCH */
        const struct patterns_window_tvf *window_tvf; /* WINDOW */
    };
};
struct patterns_select_item {
    const struct patterns_expr *expr;   /* STAR for * and t.* */
    const struct patterns_ident *alias; /* NULL: none */
    uint32_t begin, end;
};
struct patterns_named_window {
    struct patterns_ident name;
    const struct patterns_window *window;
};
struct patterns_select {
    bool distinct;
    const struct patterns_select_item *items; /* one or more */
    uint32_t item_count;
    const struct patterns_table *from; /* NULL: SELECT without FROM; a comma list is a chain of CROSS joins */
    const struct patterns_expr *where; /* NULL: none */
    const struct patterns_expr *const *group_by;
    uint32_t group_count;
    const uint32_t *set_sizes; /* grouping sets: group_by holds the keys of the first set, then those of the next ...; NULL: one set */
    uint32_t set_count;
    const struct patterns_expr *having; /* NULL: none */
    const struct patterns_named_window *windows;
    uint32_t window_count;
};
enum patterns_query_kind {
    PATTERNS_QUERY_SELECT, /* select */
    PATTERNS_QUERY_SET,    /* set */
    PATTERNS_QUERY_VALUES  /* rows: each an EXPR_ROW */
};
enum patterns_set_op { PATTERNS_SET_UNION, PATTERNS_SET_INTERSECT, PATTERNS_SET_EXCEPT };
struct patterns_set {
    enum patterns_set_op op;
    bool all;
    const struct patterns_query *const *inputs; /* two or more: a UNION ALL b UNION ALL c is one node, in order */
    uint32_t input_count;
};
struct patterns_cte {
    struct patterns_ident name;
    const struct patterns_ident *columns;
    uint32_t column_count;
    const struct patterns_query *query;
    uint32_t begin, end;
};
struct patterns_query {
    enum patterns_query_kind kind;
    const struct base_source *source;
    uint32_t begin, end;
    const struct patterns_cte *ctes; /* WITH ... */
    uint32_t cte_count;
    const struct patterns_order_item *order_by; /* of the whole query */
    uint32_t order_count;
    const struct patterns_expr *limit;  /* LIMIT n, FETCH FIRST n ROWS ONLY; NULL: none */
    const struct patterns_expr *offset; /* OFFSET n; NULL: none */
    union {
        const struct patterns_select *select; /* SELECT */
        struct patterns_set set;              /* SET */
        struct {
            const struct patterns_expr *const *rows;
            uint32_t row_count;
        } values; /* VALUES */
    };
};

/* ---- statements ---- */

/* 'key' = 'value'; texts with '' undone. ${NAME} is left as it stands. */
struct patterns_option {
    struct base_str key, value;
    uint32_t begin, end; /* the whole */
    uint32_t key_begin, key_end;
    uint32_t value_begin, value_end; /* with quotes */
};
enum patterns_column_kind {
    PATTERNS_COLUMN_PHYSICAL, /* type */
    PATTERNS_COLUMN_COMPUTED, /* expr */
    PATTERNS_COLUMN_METADATA  /* type, metadata_key, is_virtual */
};
struct patterns_column_def {
    enum patterns_column_kind kind;
    struct patterns_ident name;
    uint32_t begin, end;
    const struct patterns_type *type; /* NULL if computed; its not_null flag is the column's */
    const struct patterns_expr *expr; /* COMPUTED */
    struct base_str metadata_key;     /* METADATA FROM 'key'; empty: the column's name */
    bool is_virtual;
    bool primary_key;        /* PRIMARY KEY NOT ENFORCED stands at the column */
    struct base_str comment; /* empty: none */
};
struct patterns_watermark {
    struct patterns_name column;
    const struct patterns_expr *expr;
    uint32_t begin, end;
};
struct patterns_create_table {
    struct patterns_name name;
    bool temporary, if_not_exists;
    const struct patterns_column_def *columns;
    uint32_t column_count;
    const struct patterns_watermark *watermark; /* NULL: none */
    const struct patterns_ident *primary_key;   /* PRIMARY KEY (a, b) NOT ENFORCED, wherever it was written */
    uint32_t primary_key_count;
    const struct patterns_ident *partitioned_by;
    uint32_t partitioned_count;
    struct base_str comment;
    const struct patterns_option *options;
    uint32_t option_count;
};
struct patterns_create_view {
    struct patterns_name name;
    bool temporary, if_not_exists, materialized;
    const struct patterns_ident *columns; /* v (a, b) AS */
    uint32_t column_count;
    struct base_str comment;
    const struct patterns_option *options; /* WITH (...) of a materialized view */
    uint32_t option_count;
    const struct patterns_query *query;
};
struct patterns_create_rule {
    struct patterns_name name;
    bool if_not_exists;
    const struct patterns_option *options;
    uint32_t option_count;
    const struct patterns_query *query;
};
struct patterns_insert {
    struct patterns_name name;
    const struct patterns_ident *columns; /* INSERT INTO t (a, b) */
    uint32_t column_count;
    const struct patterns_query *query;
};
enum patterns_drop_kind { PATTERNS_DROP_TABLE, PATTERNS_DROP_VIEW, PATTERNS_DROP_RULE };
struct patterns_drop {
    enum patterns_drop_kind what;
    bool if_exists;
    struct patterns_name name;
};
enum patterns_statement_kind {
    PATTERNS_STATEMENT_CREATE_TABLE, /* create_table */
    PATTERNS_STATEMENT_CREATE_VIEW,  /* create_view */
    PATTERNS_STATEMENT_CREATE_RULE,  /* create_rule */
    PATTERNS_STATEMENT_INSERT,       /* insert */
    PATTERNS_STATEMENT_DROP,         /* drop */
    PATTERNS_STATEMENT_EXPLAIN,      /* explained: the statement behind EXPLAIN (a query, INSERT or CREATE RULE) */
    PATTERNS_STATEMENT_SET,          /* set: SET 'key' = 'value' */
    PATTERNS_STATEMENT_SELECT        /* query: a bare SELECT */
};
struct patterns_statement {
    enum patterns_statement_kind kind;
    const struct base_source *source;
    uint32_t begin, end; /* without the semicolon */
    union {
        struct patterns_create_table create_table;
        struct patterns_create_view create_view;
        struct patterns_create_rule create_rule;
        struct patterns_insert insert;
        struct patterns_drop drop;
        const struct patterns_statement *explained;
        struct patterns_option set;
        const struct patterns_query *query;
    };
};
/* The statements that parsed, in order of the text; those with errors are left out. */
struct patterns_script {
    const struct base_source *source;
    const struct patterns_statement *const *statements;
    uint32_t statement_count;
};

/* ---- names of enums; static texts, never NULL ---- */

const char *patterns_unit_name(enum patterns_unit unit);           /* "MINUTE"; "" for NONE */
enum patterns_unit patterns_unit_of(struct base_str text);         /* any case, plural too ("days"); NONE: not a unit */
const char *patterns_op_text(enum patterns_op op);                 /* "<>", "AND", "IS NOT NULL" */
const char *patterns_expr_kind_name(enum patterns_expr_kind kind); /* "between" */
const char *patterns_statement_kind_name(enum patterns_statement_kind kind); /* "CREATE TABLE" */
const char *patterns_type_kind_name(enum patterns_type_kind kind);           /* "BIGINT" */

#endif
