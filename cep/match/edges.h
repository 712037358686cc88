/* Which thread came from which, and with which label, in the steps that config.h remembers: so the rows and labels of a match are read off without running the
 * automaton again (docs/engine.md, "Lean keys"). A small table of pairs per operator that forgets with the memo, filled by the steps that fill it. Used by
 * lean_match.c and lean_each.c; never for patterns
 * whose matches may be told in several ways (ALL MATCHES). */
#ifndef CEP_MATCH_EDGES_H
#define CEP_MATCH_EDGES_H

#include "cep/match/config.h"

#define MATCH_EDGES_MOST 6       /* threads of a list; those with more are explained by replay */
#define MATCH_EDGE_WAITED UINT16_MAX

struct match_edge { uint8_t from; uint8_t excluded; uint16_t var; }; /* the thread it comes from; the label that the row got, MATCH_EDGE_WAITED: none */
struct match_edges {
    uint32_t config, sight; /* sight 0: free */
    uint32_t to;
    uint8_t count;          /* threads of `to`; MATCH_CONFIG_ACCEPTED: 1, the accepted one; 0: not known */
    bool idle;              /* nothing moved: `to` is `config`, and every thread waited where it is */
    struct match_edge at[MATCH_EDGES_MOST];
};
struct match_edge_record { uint64_t seq; struct match_edges edges; };
struct match_edge_table {
    struct match_edges *at;
    uint32_t cap, missed, life;
    bool forward;             /* as cep_match_edges_forward says */
    struct { struct match_edge_record *at; size_t len, cap; } walk; /* rows of the match under way that moved something */
};
/* Does each step lead on in the automaton and never back, and is there nothing in it but rows that are taken and waited for? */
bool cep_match_edges_forward(const struct match_op *op);
/* Steps the list `from` over the row under way, as cep_match_config_next does where nothing is remembered, and notes the edges. */
int cep_match_edges_step(struct match_op *op, struct match_edge_table *table, uint32_t from, uint32_t *ret) BASE_MUST_CHECK;
/* The step from a list over the row under way: remembered, or made now in scratch. *ret is good until the next call. */
int cep_match_edges_of(struct match_op *op, struct match_edge_table *table, uint32_t from, struct match_edges *scratch, const struct match_edges **ret) BASE_MUST_CHECK;
void cep_match_edges_finish(struct match_edge_table *table);
/* A start and the rows up to the one that accepts it with no thread left: places in the lean view. */
struct match_edge_rows {
    uint32_t first, count;
    uint64_t seq;           /* of the start */
};
/* Their labels: op->items. *ret_found false: this way cannot tell (too many threads, an error), replay can. BASE_E_NOMEM. */
int cep_match_edges_explain(struct match_op *op, struct match_edge_table *table, const struct match_edge_rows *of, bool *ret_found) BASE_MUST_CHECK;

#endif
