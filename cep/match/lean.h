/* Lean keys: the form that a key of an eager pattern has most of the time. Its rows lie in the operator's log, its
 * classes are numbers of thread lists, each with its youngest start; it fits a few cache lines, and a row costs a look-up for each class. The usual match is told
 * in this form too (lean_match.c). Whatever is out of the ordinary - a match to be withdrawn, an error, a limit - first turns the key into its full form (struct match_key) by going through its rows again, and the full form does it. The
 * full form turns back once all is settled. docs/engine.md, "Lean keys", says why nothing can be told apart. Used by match.c, key.c and codec.c. */
#ifndef CEP_MATCH_LEAN_H
#define CEP_MATCH_LEAN_H

#include "cep/match/match.h"
#include "cep/match/config.h"
#include "cep/match/edges.h"
#include "cep/match/log.h"

#define LEAN_NO_START (UINT32_C(1) << 31) /* in a ref: the row is no start, whatever conditions say: a match skipped it */
#define LEAN_TIMES_MOST (UINT32_C(1) << 30) /* ms since base_ms; WITHIN must fit too */
#define LEAN_ENTRIES 2      /* in the key itself */
#define LEAN_ENTRIES_MANY 7 /* the least in a body */
#define LEAN_CLASSES 1      /* in the key itself, */
#define LEAN_CLASSES_BESIDE 2 /* and where its rows lie in a body */
#define LEAN_CLASSES_SOME 6
#define LEAN_CLASSES_MOST 32
#define LEAN_REFOLD_MOST 4096 /* rows gone through again for a late one; keys with more take their full form */
#define LEAN_DROP_SINGLY 32   /* rows that have settled leave one by one where there are no more; else an eighth of all together */
#define LEAN_SNAP_LEAST 3     /* so few settled rows are gone through again each time */
#define LEAN_SNAP_CLASSES 4
_Static_assert(LEAN_SNAP_LEAST >= LEAN_ENTRIES, "a key with a snap has a body");
#define LEAN_NO_STOP UINT32_MAX
#define LEAN_GROUP 64       /* rows of one stored piece */

struct match_lean_entry { uint32_t ref, at; }; /* a row of the log; its time in ms since base_ms */
struct match_lean_class { uint32_t config, earliest, youngest; }; /* low half of the earliest start's number; time of the youngest, since base_ms */
/* Classes as they were before some rows of a key that a late row came to, for the next one. Those of at[0] were all settled then, so that none comes among them; the others are
 * of rows that came last, and a late row before theirs makes them void. */
#define LEAN_SNAPS 3
#define LEAN_SNAP_VOID UINT32_MAX
struct match_lean_snap {
    uint32_t cap, turn;      /* classes that there is room for in each; the one that is made next, not 0 */
    struct { uint32_t seq /* low half */, count /* of its classes, or LEAN_SNAP_VOID */; } at[LEAN_SNAPS];
    struct match_lean_class classes[]; /* cap of at[0], cap of at[1], ... */
};
/* What was told and is not settled: its rows are no starts, but will be again if a late row changes the match. */
struct match_lean_told { struct match_tolds list; struct match_lean_told *next; /* while spare */ };
#define LEAN_TOLD_SPARE 64u

/* What few keys have: more rows than fit into the key, something that was told, pieces with other numbers than usual. */
struct match_lean_body {
    uint32_t cap;            /* entries that there is room for */
    uint32_t dirty;          /* offset of the first entry that is not stored as it is, or one before it */
    uint32_t bias;           /* number of a row's stored piece: its number / LEAN_GROUP + bias; without a body: 1 */
    uint32_t saved_first;    /* pieces from here on, below that of the first row, may be stored and must go; without a body: 1 */
    struct match_lean_snap *snap; /* NULL: none */
    struct match_lean_told *told; /* NULL: nothing */
    struct match_lean_entry entries[]; /* and behind all of them their sights */
};
/* With the key's own words and a name of eight bytes, 112 bytes. */
struct match_lean {
    int64_t base_ms;
    uint64_t first_seq : 48; /* of the first entry */
    uint64_t epoch : 16;     /* of the entries' sights: those of another one say nothing (config.h) */
    union {
        struct { struct match_lean_class classes[LEAN_CLASSES_BESIDE]; struct match_lean_body *body; };                                              /* has_body */
        struct { struct match_lean_class classes[LEAN_CLASSES]; struct match_lean_entry entries[LEAN_ENTRIES]; uint16_t sights[LEAN_ENTRIES]; } few; /* else */
        struct match_lean_class *many; /* class_cap: instead of the classes */
    };
    uint32_t count;          /* entries */
    uint8_t dirty;           /* without a body: as there */
    uint8_t has_body;
    uint8_t class_count, class_cap; /* class_cap 0: they are in the key */
};
#define LEAN_SEQ_MOST (UINT64_C(1) << 47) /* a key whose numbers have come so far takes its full form when next it is looked at; a row's number is below twice that */
_Static_assert(sizeof(struct match_lean) == 56, "a key's words, a tuple of 32 bytes and this are 112 bytes");
_Static_assert(offsetof(struct match_lean, classes) == offsetof(struct match_lean, few) && offsetof(struct match_lean, body) + sizeof(void *) == offsetof(struct match_lean, count), "without gaps");
/* A match that is to be told, by offsets in the view; same: it was told so and its rows are the same. Its rows and labels stand in the view's items; none: not known yet. */
struct match_lean_found { uint32_t start, accept, first_item, items; bool same; };
/* lean_each.c: where starts that have the same threads go together when something moves, at offset `row` in the view; next: which turn comes then. */
struct match_lean_turn { struct match_edges edges; uint32_t row, next; };
/* The rows of a key with a new one among them. */
struct match_lean_view {
    struct { const struct cep_row **at; size_t len, cap; } rows; /* NULL: still packed, cep_match_lean_view_row */
    struct base_arena arena; /* of the others but the new one */
    int64_t base_ms;         /* of the entries' times */
    struct { struct match_lean_entry *at; size_t len, cap; } entries;
    struct { uint16_t *at; size_t len, cap; } sights; /* 0: not known */
    uint16_t epoch;          /* of the sights */
    struct { struct match_lean_found *at; size_t len, cap; } found;
    struct match_items items;
    struct { uint32_t *at; size_t len, cap; } chain; /* lean_each.c: starts of one class, one behind the other; */
    struct { struct match_lean_turn *at; size_t len, cap; } turns;
    struct { uint32_t *at; size_t len, cap; } path; /* turns of one start */
};
struct match_lean_op {
    struct match_log log;
    struct base_arena row_arena; /* of cep_match_lean_log_row */
    struct base_buf piece;       /* of lean_codec.c: the piece under way */
    struct match_lean_class next[LEAN_CLASSES_MOST + 2]; /* classes behind the row under way */
    uint32_t next_count;
    uint64_t hand;           /* where the search for lonely rows goes on */
    uint32_t stop, stop_count; /* where going through the rows again for a late one found what only others can do, LEAN_NO_STOP: at once; the classes there */
    struct match_lean_class stop_classes[LEAN_CLASSES_MOST];
    bool tells;              /* the pattern's matches may be told in lean form */
    bool each;               /* ... and no match concerns another start (Claim 17) */
    struct match_lean_view view;
    struct match_edge_table edges;
    struct match_lean_told *spare_told; /* empty lists, for the next matches */
    uint32_t spare_count;
    struct cep_key *apart;   /* history.c: the key under way, which is in no table; NULL: there is none */
    uint32_t row_bytes;      /* what a row takes of the log, with the share of what is dead there; a multiple of CEP_STATE_UNIT */
};

/* Makes the operator keep lean keys if its pattern allows it; op->lean stays NULL otherwise. */
int cep_match_lean_init(struct match_op *op) BASE_MUST_CHECK;
void cep_match_lean_finish(struct match_op *op);
/* Has the key (with a state) the lean form now? */
static inline bool cep_match_is_lean(const struct match_op *op, const struct cep_key *key)
{
    return op->lean && key->state == cep_key_room((struct cep_key *)(uintptr_t)key);
}
/* The operator's functions, for keys in lean form or none yet; cep_match_lean_row also for those in full form of an operator with lean keys. */
int cep_match_lean_row(struct match_op *op, struct cep_key *key, const struct cep_event *event) BASE_MUST_CHECK;
int cep_match_lean_wake(struct match_op *op, struct cep_key *key) BASE_MUST_CHECK;
int64_t cep_match_lean_deadline(const struct match_op *op, const struct match_lean *lean);
void cep_match_lean_free(struct match_op *op, struct cep_key *key);
size_t cep_match_lean_bytes(const struct match_op *op, const struct match_lean *lean);
/* The rows, from the first one on, as long as lean keys can take them as they are: nothing accepts them, no limit, no error. *ret_done: how many; what is known and told
 * of the next one's key is as before. Arms and accounts. */
int cep_match_lean_quick(struct match_op *op, const struct cep_keyed_row *rows, uint32_t count, uint32_t *ret_done) BASE_MUST_CHECK;
void cep_match_lean_near(const struct match_op *op, const struct cep_key *key); /* brings near what a lean key has beyond its own block */
void cep_match_lean_bring(const struct match_op *op, uint32_t step, bool wakes); /* as struct cep_operator_ops says */
/* What must be done now and then, between rows: so many of them came since it was last done. */
int cep_match_lean_upkeep(struct match_op *op, uint32_t rows) BASE_MUST_CHECK;
/* ---- shared with quick.c and late.c ---- */
void cep_match_lean_begin(struct cep_key *key); /* the empty state */
/* The row, to a key in lean form. *ret_full: it completes a match, or only the full form can take it; what is known and told is as before, and *ret_at its place, or
 * CEP_NONE: that has not been found. Does not arm, account or count. */
int cep_match_lean_take(struct match_op *op, struct match_lean *lean, const struct cep_row *row, uint32_t *ret_at, bool *ret_full) BASE_MUST_CHECK;
void cep_match_lean_drop_settled(struct match_op *op, struct match_lean *lean);
/* Rows from `from` to before `end` leave, their time is up: the starts among them that live are reported. */
void cep_match_lean_tell_expired(const struct match_op *op, struct match_lean *lean, uint32_t from, uint32_t end);
/* The first n rows go. keep_room: rows soon come again, a body stays. */
void cep_match_lean_drop_front(struct match_op *op, struct match_lean *lean, uint32_t n, bool keep_room);
/* An empty key in lean form that is new takes a body that another one gave back; */
void cep_match_lean_lend(struct match_lean *lean, struct match_lean_body *body);
/* and gives it back, if it can do without or with a smaller one, which is made then: *ret, else NULL. It has one. BASE_E_NOMEM. */
int cep_match_lean_hand_back(struct match_lean *lean, struct match_lean_body **ret) BASE_MUST_CHECK;
/* One bit for each row that is no start, in as many bytes as that takes. Rows of what was told and is not settled are starts: going through them finds it again. */
void cep_match_lean_no_starts(const struct match_op *op, struct match_lean *lean, uint8_t *ret_bits);
int cep_match_lean_reserve(struct match_lean *lean, uint32_t entries) BASE_MUST_CHECK;
/* Its body, which is made if there is none; entries and sights may move. NULL: no memory. */
struct match_lean_body *cep_match_lean_body(struct match_lean *lean);
/* Without the snap; keys have few. */
void cep_match_lean_forget_snap(struct match_lean *lean);
/* The pieces' numbers of a key that has not been stored yet. */
int cep_match_lean_number(struct match_lean *lean, uint32_t bias, uint32_t saved_first) BASE_MUST_CHECK;
int cep_match_lean_set_classes(struct match_lean *lean, const struct match_lean_class *classes, uint32_t count) BASE_MUST_CHECK;
/* Puts an entry in, for which there is room. */
void cep_match_lean_insert(struct match_op *op, struct match_lean *lean, uint32_t at, struct match_lean_entry entry, uint32_t sight);
/* Steps classes over a row, and the row as a start (own NULL: it is none): op->lean->next. *ret_full: only the full form can tell. */
int cep_match_lean_step(struct match_op *op, const struct match_lean_class *classes, uint32_t count, const struct cep_row *row,
                        const struct match_lean_class *own, bool *ret_full) BASE_MUST_CHECK;
/* Those whose youngest start has not run out of time before time_ms. */
void cep_match_lean_expire(const struct match_op *op, const struct match_lean *lean, struct match_lean_class *classes, uint32_t *count, int64_t time_ms);
/* late.c: classes as they are behind the last row, for the next late one, if there is room for them. */
void cep_match_lean_note_snap(const struct match_op *op, struct match_lean *lean, struct match_lean_snap *snap);
/* A row has been put in at place `at`: classes that were kept of places behind it are so no more. */
void cep_match_lean_void_snaps(struct match_lean *lean, uint32_t at);
/* A row that stands before the one at place `at`. */
int cep_match_lean_late(struct match_op *op, struct match_lean *lean, uint32_t at, const struct cep_row *row, bool *ret_full) BASE_MUST_CHECK;
/* The same for one that is kept already and whose sight is known. *ret_full: it has not become one of the key's. */
struct match_lean_late { struct match_lean_entry entry; uint32_t sight; };
int cep_match_lean_late_entry(struct match_op *op, struct match_lean *lean, uint32_t at, const struct match_lean_late *late, bool *ret_full) BASE_MUST_CHECK;
/* Where going through the rows again must start for a new one at place `at`, with the classes (room for LEAN_CLASSES_MOST) as they are there. */
uint32_t cep_match_lean_fold_from(const struct match_lean *lean, uint32_t at, struct match_lean_class *classes, uint32_t *ret_count);
/* The row that an entry of that key says; good until the next call. NULL: no memory. */
const struct cep_row *cep_match_lean_log_row(struct match_op *op, const struct match_lean *lean, struct match_lean_entry entry);
/* The full form, from the rows. */
int cep_match_lean_inflate(struct match_op *op, struct cep_key *key) BASE_MUST_CHECK;
/* Runs the rows of a full form whose heads are empty: settled ones, then the others on top of a base. no_start: one bit per row, NULL: none. */
int cep_match_lean_run(struct match_op *op, struct match_key *state, const uint8_t *no_start) BASE_MUST_CHECK;
/* The lean form, if nothing stands in its way: all settled, nothing told. */
int cep_match_lean_deflate(struct match_op *op, struct cep_key *key) BASE_MUST_CHECK;

static inline uint16_t *cep_match_body_sights(struct match_lean_body *body) { return (uint16_t *)(void *)(body->entries + body->cap); }
static inline struct match_lean_entry *cep_match_lean_entries(struct match_lean *lean) { return lean->has_body ? lean->body->entries : lean->few.entries; }
static inline uint16_t *cep_match_lean_sights(struct match_lean *lean) { return lean->has_body ? cep_match_body_sights(lean->body) : lean->few.sights; }
static inline uint32_t cep_match_lean_cap(const struct match_lean *lean) { return lean->has_body ? lean->body->cap : LEAN_ENTRIES; }
/* What was told and is not settled; NULL: nothing. */
static inline struct match_lean_told *cep_match_lean_told(const struct match_lean *lean) { return lean->has_body ? lean->body->told : NULL; }
static inline struct match_lean_snap *cep_match_lean_snap(const struct match_lean *lean) { return lean->has_body ? lean->body->snap : NULL; }
/* The entry at this offset is not stored as it is now. */
static inline void cep_match_lean_changed(struct match_lean *lean, uint32_t at)
{
    if (lean->has_body)
        lean->body->dirty = lean->body->dirty < at ? lean->body->dirty : at;
    else
        lean->dirty = lean->dirty < at ? lean->dirty : (uint8_t)at;
}
static inline int64_t cep_match_lean_ms(struct match_lean *lean, uint32_t i) { return lean->base_ms + cep_match_lean_entries(lean)[i].at; }
/* Where they are of another epoch, nothing is known of them. */
static inline void cep_match_lean_renew_sights(const struct match_op *op, struct match_lean *lean)
{
    if (lean->epoch == op->steps->epoch)
        return;
    if (lean->count)
        memset(cep_match_lean_sights(lean), 0, lean->count * sizeof(uint16_t));
    lean->epoch = op->steps->epoch;
}
/* As it is kept with an entry. */
static inline uint16_t cep_match_lean_sight(const struct match_op *op, uint32_t sight) { return op->steps->epoch < MATCH_EPOCH_LAST ? (uint16_t)sight : 0; }
/* Into the class with this configuration, or as one of its own. False: there are too many. */
static inline bool cep_match_lean_join(struct match_lean_class *classes, uint32_t *count, struct match_lean_class class)
{
    for (uint32_t i = 0; i < *count; i++) {
        struct match_lean_class *other = &classes[i];
        if (other->config != class.config)
            continue;
        other->earliest = (int32_t)(class.earliest - other->earliest) < 0 ? class.earliest : other->earliest;
        other->youngest = class.youngest > other->youngest ? class.youngest : other->youngest;
        return true;
    }
    if (*count == LEAN_CLASSES_MOST)
        return false;
    classes[(*count)++] = class;
    return true;
}
/* What most rows do: nothing to any class, and as a start they are what one of the classes is made of already (own: where a start leads with such a row). Which one, `count` if the
 * row is no start; CEP_NONE: it is not such a row. */
static inline uint32_t cep_match_lean_stays(const struct match_configs *configs, const struct match_lean_class *classes, uint32_t count, uint32_t sight, uint32_t own,
                                            uint32_t at, uint32_t within)
{
    uint32_t joins = own == MATCH_CONFIG_DEAD ? count : CEP_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t config = classes[i].config;
        if (classes[i].youngest + within <= at || !cep_match_config_stays(configs, config, sight))
            return CEP_NONE;
        joins = config == own ? i : joins;
    }
    return joins;
}
/* Steps classes over a row at the time own.youngest that looks like that, and, if it is a start, the row as one: to `next`. False: not all of it is remembered, or
 * something else is to be done about it. */
static inline bool cep_match_lean_known(const struct match_op *op, const struct match_lean_class *classes, uint32_t count, uint32_t sight, struct match_lean_class own,
                                        bool starts, struct match_lean_class *next, uint32_t *ret_count)
{
    uint32_t to, within = op->within_ms ? (uint32_t)op->within_ms : LEAN_TIMES_MOST * 2, n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (classes[i].youngest + within <= own.youngest)
            continue; /* out of time */
        if (!cep_match_config_known(op->steps, classes[i].config, sight, &to) || cep_match_config_leaves(to))
            return false;
        if (to && !cep_match_lean_join(next, &n, (struct match_lean_class){ to, classes[i].earliest, classes[i].youngest }))
            return false;
    }
    if (starts) {
        if (!cep_match_config_start_known(op->steps, sight, &to) || cep_match_config_leaves(to))
            return false;
        own.config = to;
        if (to && !cep_match_lean_join(next, &n, own))
            return false;
    }
    *ret_count = n;
    return true;
}
/* Offset of the earliest row that one of the classes has a start at; `end`: there is none. */
static inline uint32_t cep_match_lean_first(const struct match_lean_class *classes, uint32_t count, uint32_t first_seq, uint32_t end)
{
    for (uint32_t i = 0; i < count && end; i++) {
        int32_t at = (int32_t)(classes[i].earliest - first_seq);
        uint32_t from = at < 0 ? 0 : (uint32_t)at; /* its class has lost its earliest ones */
        end = from < end ? from : end;
    }
    return end;
}
static inline struct match_lean_class *cep_match_lean_classes(struct match_lean *lean) { return lean->class_cap ? lean->many : lean->classes; }
/* Its share of op->starts: all rows from the earliest start on are counted as such. Whoever changes rows or classes adds the difference to the sum. */
static inline uint32_t cep_match_lean_starts(struct match_lean *lean)
{
    return lean->count - cep_match_lean_first(cep_match_lean_classes(lean), lean->class_count, (uint32_t)lean->first_seq, lean->count);
}
static inline uint32_t cep_match_lean_piece(const struct match_lean *lean, uint64_t seq) { return (uint32_t)(seq / LEAN_GROUP) + (lean->has_body ? lean->body->bias : 1); }

/* ---- lean_match.c: matches ---- */
void cep_match_lean_tells_init(struct match_op *op); /* says whether the pattern's matches are told in lean form */
void cep_match_lean_view_finish(struct match_lean_op *lean_op);
/* A row at its place, which completes a match or comes before the end of one that was told: what follows is found and told. *ret_full: nothing was done, only the
 * full form can. */
int cep_match_lean_complete(struct match_op *op, struct cep_key *key, const struct cep_row *row, uint32_t at, bool *ret_full) BASE_MUST_CHECK;
/* The same of a row that is kept already and whose sight is known (0: it is not): a row of columns, made if somebody reads it. */
int cep_match_lean_complete_entry(struct match_op *op, struct cep_key *key, const struct match_lean_late *late, uint32_t at, bool *ret_full) BASE_MUST_CHECK;
/* Tells what is settled so, and forgets it: before anything else is done with the key. */
int cep_match_lean_settle(struct match_op *op, struct cep_key *key) BASE_MUST_CHECK;
int64_t cep_match_lean_told_ms(const struct match_lean *lean); /* when the first of it is settled; BASE_TIME_MAX_MS: nothing was told */
bool cep_match_lean_told_behind(const struct match_lean *lean, uint32_t at); /* was something told that ends there or later? */
size_t cep_match_lean_told_bytes(const struct match_lean *lean);
void cep_match_lean_told_free(struct match_op *op, struct match_lean *lean);

/* ---- shared with lean_each.c: the view ---- */
/* Row i; good as long as the view is. NULL: no memory. */
const struct cep_row *cep_match_lean_view_row(struct match_op *op, uint32_t i);
/* Row i comes next into cep_match_config_next. */
int cep_match_lean_see(struct match_op *op, uint32_t i) BASE_MUST_CHECK;
static inline int64_t cep_match_lean_view_ms(const struct match_op *op, const struct match_lean *lean, uint32_t i) { return lean->base_ms + op->lean->view.entries.at[i].at; }
/* Is the row still alive as a start when row `at` comes? */
static inline bool cep_match_lean_alive(const struct match_op *op, uint32_t start, uint32_t at)
{
    const struct match_lean_entry *entries = op->lean->view.entries.at;
    return !op->within_ms || entries[start].at + op->within_ms > entries[at].at;
}
/* lean_each.c: finds all starts, from row `from` on, that row `last` completes, with their rows and labels. *ret_full: only the full form can tell. */
int cep_match_lean_each(struct match_op *op, const struct match_lean *lean, uint32_t from, uint32_t last, bool *ret_full) BASE_MUST_CHECK;

/* ---- lean_named.c ---- */
/* A match in the view: its start and the row that completes it, its rows and labels; told: what was told of it, NULL: nothing. */
struct match_lean_name { const struct cep_tuple *key; struct match_told *told; const struct match_item *items; size_t count; uint64_t first_seq; uint32_t start, accept; };
/* Tells it by its rows, if that can be; it was told so already and nothing has changed: also done. *ret_done false: nothing was done. */
int cep_match_lean_name(struct match_op *op, struct match_tolds *list, const struct match_lean_name *name, bool *ret_done) BASE_MUST_CHECK;
/* What was told by its rows becomes what it would be otherwise. */
int cep_match_lean_make_told(struct match_op *op, struct match_tolds *list) BASE_MUST_CHECK;

/* ---- lean_codec.c ---- */
int cep_match_lean_save(struct match_op *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx) BASE_MUST_CHECK;
void cep_match_lean_pieces(const struct match_lean *lean, uint32_t *ret_first, uint32_t *ret_end);

#endif
