/* The parts of a program that say how rows are aggregated: aggregates, groups, windows, OVER frames. Included by
 * cep/program.h. Any thread; read-only. */
#ifndef CEP_PROGRAM_AGG_H
#define CEP_PROGRAM_AGG_H

#include <stdint.h>
#include "cep/list.h"
#include "cep/value.h"

/* Stored in programs and state: never renumber. */
enum cep_agg_kind {
    CEP_AGG_COUNT = 1,          /* without argument: rows; else values that are not NULL */
    CEP_AGG_SUM = 2,            /* exact: integers, decimals and doubles alike */
    CEP_AGG_AVG = 3,
    CEP_AGG_MIN = 4,
    CEP_AGG_MAX = 5,
    CEP_AGG_VAR_POP = 6,
    CEP_AGG_VAR_SAMP = 7,
    CEP_AGG_STDDEV_POP = 8,
    CEP_AGG_STDDEV_SAMP = 9,
    CEP_AGG_FIRST = 10,         /* first value that is not NULL, by the rows' order */
    CEP_AGG_LAST = 11,
    CEP_AGG_LISTAGG = 12,       /* texts in the rows' order; param: the separator */
    CEP_AGG_PERCENTILE = 13,    /* exact, between two values by their distance; param: the fraction */
    CEP_AGG_APPROX_PERCENTILE = 14, /* within 1 % of the value; param: the fraction */
    CEP_AGG_APPROX_DISTINCT = 15,   /* HyperLogLog, 1.6 % */
    CEP_AGG_EWMA = 16,              /* of doubles in the rows' order, of the newest 4,096; param: the weight of the newest */
    CEP_AGG_ARRAY = 17,         /* of arrays of one element in the rows' order: all elements in one */
    CEP_AGG_LAG = 18,           /* OVER alone: the value of the row that stands as many rows before as its ROWS frame reaches */
    CEP_AGG_ZSCORE = 19         /* OVER alone: how many sample deviations the row's value lies from the mean of the frame's other values */
};
#define CEP_AGG_KINDS 20
struct cep_agg {
    uint32_t kind;              /* enum cep_agg_kind */
    uint32_t arg;               /* codes over the input row; CEP_NONE: COUNT(*) */
    uint32_t filter;            /* codes: BOOLEAN, or CEP_NONE */
    uint32_t param;             /* consts, or CEP_NONE */
    uint32_t distinct;          /* 1: each value once */
    uint32_t retracts;          /* 1: values are also taken back, in any order */
    struct cep_type arg_type;   /* kind NULL without argument */
    struct cep_type type;       /* of the result */
};
/* What a column of the output row is: a class and a number, CEP_AGG_OUT(class, number). */
#define CEP_AGG_OUT(class, number) ((uint32_t)(class) << 24 | (number))
#define CEP_AGG_OUT_CLASS(out) ((out) >> 24)
#define CEP_AGG_OUT_NUMBER(out) ((out)&0xffffffu)
enum cep_agg_out { CEP_AGG_OUT_KEY = 0, CEP_AGG_OUT_AGG = 1, CEP_AGG_OUT_WINDOW = 2 /* 0 start, 1 end, 2 time */, CEP_AGG_OUT_COLUMN = 3 /* of the input row */ };
/* Group aggregate. The node's keys are the group's. Eager: each change of a group's row is told; else one row per group once the input has ended; a
 * bounded query without keys has one group, which gives its row for empty input too (`query` runs in one flow). */
struct cep_group {
    struct cep_list aggs;       /* aggs */
    struct cep_list outs;       /* u32s: CEP_AGG_OUT, one per column */
    uint32_t eager;             /* 1: a changelog; 2: at once, and never changed (keys alone, of rows that stay); 0: at the end */
    uint32_t opens;             /* 1: without keys and final: the group is there from the start */
    int64_t ttl_ms;             /* a group that no row came to for so long (event time) is forgotten; 0: never */
};
enum cep_window_kind { CEP_WINDOW_TUMBLE = 1, CEP_WINDOW_HOP = 2, CEP_WINDOW_CUMULATE = 3, CEP_WINDOW_SESSION = 4 };
/* Window aggregate; or, with `assigns`, each row once for every window that it lies in, with the window's columns behind its own. */
struct cep_window {
    struct cep_list aggs;       /* aggs */
    struct cep_list outs;       /* u32s: CEP_AGG_OUT */
    uint32_t kind;              /* enum cep_window_kind */
    uint32_t time;              /* codes over the input row: a timestamp */
    int64_t size_ms;            /* SESSION: the gap */
    int64_t slide_ms;           /* HOP: slide; CUMULATE: step; TUMBLE: size; SESSION: 0 */
    int64_t offset_ms;
    uint32_t eager;             /* 1: told at each row and corrected, 0: once, when the watermark has passed the window */
    uint32_t assigns;
    int64_t late_ms;            /* eager: > 0: told first when the watermark is so far before the window's end, then corrected until the end has passed */
};
struct cep_over_frame {
    struct cep_list aggs;       /* aggs */
    uint32_t rows;              /* 1: ROWS, 0: RANGE */
    uint32_t unbounded;         /* 1: UNBOUNDED PRECEDING */
    int64_t back;               /* rows or ms before the current row */
};
/* OVER aggregates of one PARTITION BY and ORDER BY: the row, with the aggregates behind its columns. */
struct cep_over {
    struct cep_list frames;     /* frames */
    struct cep_list outs;       /* u32s: CEP_AGG_OUT; aggregates are numbered through all frames in order */
    uint32_t time;              /* codes over the input row: ORDER BY, a timestamp */
    uint32_t eager;
};

#endif
