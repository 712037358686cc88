/* Automata: golden listings of each construct, and for random patterns and rows the same derivations in the same order
 * of preference as a matcher that backtracks over the tree. */
#include "patterns/automaton.h"

#include <stdlib.h>

#include "tests/unit/tap.h"

#define ROWS_MAX 6
#define FOUND_MAX 400
#define STEPS_MAX 60000

/* ---- trees by hand: a reader of compact texts, one upper-case letter a variable ---- */

struct reader {
    struct base_arena *arena;
    const char *at;
};

static struct patterns_pat *node(struct reader *r, enum patterns_pat_kind kind, uint32_t count)
{
    struct patterns_pat *pat = base_arena_zalloc(r->arena, 1, sizeof *pat);
    pat->kind = kind;
    pat->children = base_arena_zalloc(r->arena, count + 1, sizeof *pat->children);
    pat->count = count;
    return pat;
}

static struct patterns_pat *read_choice(struct reader *r);

static void blanks(struct reader *r)
{
    while (*r->at == ' ')
        r->at++;
}

static bool take(struct reader *r, const char *text)
{
    blanks(r);
    if (strncmp(r->at, text, strlen(text)) != 0)
        return false;
    r->at += strlen(text);
    return true;
}

static struct patterns_pat *read_primary(struct reader *r)
{
    struct patterns_pat *pat;
    if (take(r, "()"))
        return node(r, PATTERNS_PAT_EMPTY, 0);
    if (take(r, "^"))
        return node(r, PATTERNS_PAT_START, 0);
    if (take(r, "$"))
        return node(r, PATTERNS_PAT_END, 0);
    if (take(r, "{-")) {
        pat = node(r, PATTERNS_PAT_EXCLUDE, 1);
        pat->children[0] = read_choice(r);
        take(r, "-}");
        return pat;
    }
    if (take(r, "%(")) { /* PERMUTE */
        pat = node(r, PATTERNS_PAT_PERMUTE, 6);
        pat->count = 0;
        do
            pat->children[pat->count++] = read_choice(r);
        while (take(r, ","));
        take(r, ")");
        return pat;
    }
    if (take(r, "(")) {
        pat = read_choice(r);
        take(r, ")");
        return pat;
    }
    blanks(r);
    pat = node(r, PATTERNS_PAT_VAR, 0);
    pat->var = (uint32_t)(*r->at++ - 'A');
    return pat;
}

static struct patterns_pat *read_repeat(struct reader *r)
{
    struct patterns_pat *pat = read_primary(r);
    for (;;) {
        uint32_t min = 0, max = PATTERNS_UNBOUNDED;
        int used = 0;
        if (take(r, "*"))
            min = 0;
        else if (take(r, "+"))
            min = 1;
        else if (take(r, "?"))
            max = 1;
        else if (*r->at == '{' && r->at[1] != '-' && sscanf(r->at, "{%u,%u}%n", &min, &max, &used) == 2 && used)
            r->at += used;
        else
            return pat;
        struct patterns_pat *loop = node(r, PATTERNS_PAT_LOOP, 1);
        loop->children[0] = pat;
        loop->min = min;
        loop->max = max;
        loop->greed = take(r, "?") ? PATTERNS_RELUCTANT : take(r, "+") ? PATTERNS_POSSESSIVE : PATTERNS_GREEDY;
        pat = loop;
    }
}

static struct patterns_pat *read_element(struct reader *r)
{
    bool any = take(r, "->>"), arrow = any || take(r, "->");
    if (take(r, "!")) {
        struct patterns_pat *pat = node(r, PATTERNS_PAT_NOT, 0);
        blanks(r);
        patterns_varset_add(&pat->set, (uint32_t)(*r->at++ - 'A'));
        pat->arrow = arrow;
        if (take(r, "@"))
            pat->for_ms = 1000;
        return pat;
    }
    if (!arrow)
        return read_repeat(r);
    struct patterns_pat *pat = node(r, PATTERNS_PAT_RELAX, 1);
    pat->children[0] = read_repeat(r);
    pat->any = any;
    return pat;
}

static bool at_end(struct reader *r)
{
    blanks(r);
    return *r->at == '\0' || *r->at == ')' || *r->at == '|' || *r->at == ',' || strncmp(r->at, "-}", 2) == 0;
}

static struct patterns_pat *read_choice(struct reader *r)
{
    struct patterns_pat *choice = node(r, PATTERNS_PAT_ALT, 8);
    choice->count = 0;
    do {
        struct patterns_pat *seq = node(r, PATTERNS_PAT_SEQ, 16);
        seq->count = 0;
        while (!at_end(r))
            seq->children[seq->count++] = read_element(r);
        choice->children[choice->count++] = seq->count == 1 ? seq->children[0] : seq;
    } while (take(r, "|"));
    return choice->count == 1 ? choice->children[0] : choice;
}

static struct patterns_pat *read_text(struct base_arena *arena, const char *text)
{
    struct reader r = { arena, text };
    return read_choice(&r);
}

/* ---- golden listings ---- */

static const struct base_str names[26] = { { "A", 1 }, { "B", 1 }, { "C", 1 }, { "D", 1 }, { "E", 1 }, { "F", 1 } };

static void listing(const char *text, int64_t within_ms, const char *want)
{
    struct base_arena arena = { 0 };
    struct patterns_automaton *m = NULL;
    struct patterns_fault fault = { 0 };
    struct base_buf out = { 0 };
    int r = patterns_automaton_build(&arena, read_text(&arena, text), within_ms, &fault, &m);
    if (r)
        base_buf_puts(&out, fault.code);
    else
        patterns_automaton_print(m, names, &out);
    IS_STR(out.ptr, want, text);
    base_buf_finish(&out);
    base_arena_finish(&arena);
}

static void test_listings(void)
{
    listing("A B", 0, "0 take A -> 1\n1 take B -> 2\n2 match\n");
    listing("A | B", 0, "0 split 1 3\n1 take A -> 2\n2 match\n3 take B -> 2\n");
    listing("A*", 0, "0 split 1 2\n1 take A -> 0\n2 match\n");
    listing("A+?", 0, "0 take A -> 1\n1 split 2 3\n2 match\n3 take A -> 1\n");
    listing("A{1,3}", 0, "0 take A -> 1\n1 split 2 5\n2 take A -> 3\n3 split 4 5\n4 take A -> 5\n5 match\n");
    listing("A*+ B", 0, "0 split 1 2\n1 take A -> 0\n2 possessive A -> 3\n3 take B -> 4\n4 match\n");
    listing("A{1,2}+ B", 0, "0 take A -> 1\n1 split 2 5\n2 take A -> 3\n3 take B -> 4\n4 match\n5 possessive A -> 3\n");
    listing("A -> B", 0, "0 take A -> 1\n1 wait B -> 2\n2 take B -> 3\n3 match\n");
    listing("A ->> (B C | D)", 0,
            "0 take A -> 1\n1 wait-any B,D -> 2\n2 split 3 6\n3 take B -> 4\n4 take C -> 5\n5 match\n6 take D -> 5\n");
    listing("A -> B? C", 0, "0 take A -> 1\n1 split 2 4\n2 wait B -> 3\n3 take B -> 4\n4 take C -> 5\n5 match\n");
    listing("A -> (B? C?) D", 0,
            "0 take A -> 1\n1 split 2 8\n2 wait B,C -> 3\n3 take B -> 4\n4 split 5 6\n5 take C -> 6\n6 take D -> 7\n7 match\n"
            "8 split 9 6\n9 wait B,C -> 10\n10 take C -> 6\n");
    listing(
        "(A (-> A)*)? -> B", 0,
        "0 split 1 8\n1 take A -> 2\n2 split 3 5\n3 wait A -> 4\n4 take A -> 2\n5 wait B -> 6\n6 take B -> 7\n7 match\n"
        "8 take B -> 7\n");
    listing("A (-> !C -> B)*+ -> D", 0,
            "0 take A -> 1\n1 split 2 5\n2 not C -> 3\n3 wait B -> 4\n4 take B -> 1\n5 possessive B until C -> 6\n6 "
            "wait D -> 7\n7 take D -> 8\n8 match\n");
    listing("A !B C", 0, "0 take A -> 1\n1 not-ahead B -> 2\n2 take C -> 3\n3 match\n");
    listing("A !B -> C", 0, "0 take A -> 1\n1 not B -> 2\n2 wait C -> 3\n3 take C -> 4\n4 match\n");
    listing("A -> !B C", 0, "0 take A -> 1\n1 not B -> 2\n2 take C -> 3\n3 match\n");
    listing("A !B", 0, "0 take A -> 1\n1 not-next B -> 2\n2 match\n");
    listing("A -> !B", 60000, "0 take A -> 1\n1 not B -> 2\n2 absent 0 -> 3\n3 match\n");
    listing("A -> !B@", 0, "0 take A -> 1\n1 not B -> 2\n2 absent 1000 -> 3\n3 match\n");
    listing("A (-> !C -> B)* !C -> D", 0,
            "0 take A -> 1\n1 split 2 5\n2 not C -> 3\n3 wait B -> 4\n4 take B -> 1\n5 not C -> 6\n6 wait D -> 7\n"
            "7 take D -> 8\n8 match\n");
    listing("%(A,B)", 0, "0 split 1 4\n1 take A -> 2\n2 take B -> 3\n3 match\n4 take B -> 5\n5 take A -> 3\n");
    listing("A {- B C -}", 0, "0 take A -> 1\n1 take- B -> 2\n2 take- C -> 3\n3 match\n");
    listing("^ A $", 0, "0 start -> 1\n1 take A -> 2\n2 end -> 3\n3 match\n");
    listing("(A?\?)*", 0,
            "0 split 1 4\n1 loop-in 0 -> 2\n2 split 3 5\n3 loop-out 0 -> 0 empty 4\n4 match\n5 take A -> 3\n");
    listing("()", 0, "0 match\n");
}

static void test_refusals(void)
{
    listing("A -> !B", 0, "missing-within");
    listing("-> A", 0, "pattern-start");
    listing("A? -> !B@", 0, "pattern-start");
    listing("(!B A)", 0, "pattern-start");
    listing("A -> !B@ -> C", 0, "pattern-not");
    listing("A{1000,1000}{1000,1000}", 0, "limit");
    listing("A -> (B? $ C?)", 0,
            "0 take A -> 1\n1 split 2 8\n2 wait B,C -> 3\n3 take B -> 4\n4 end -> 5\n5 split 6 7\n6 take C -> 7\n7 match\n"
            "8 end -> 9\n9 split 10 7\n10 wait B,C -> 11\n11 take C -> 7\n");
    listing("A -> (!B C | D)", 0,
            "0 take A -> 1\n1 split 2 6\n2 not-ahead B -> 3\n3 wait C,D -> 4\n4 take C -> 5\n5 match\n6 wait C,D -> 7\n7 take D -> 5\n");
    listing("A ->> (!B C | D)", 0, "not-supported");
}

static void test_tree(void)
{
    struct base_arena arena = { 0 };
    struct patterns_varset a = { { 1 } };
    struct patterns_pat *pat = read_text(&arena, "A (B | C A){2,5} D?");
    OK(!patterns_pat_nullable(pat), "a pattern with a mandatory row");
    OK(patterns_pat_nullable(read_text(&arena, "A* (B? | C)")), "a pattern of optional rows");
    IS_INT(patterns_pat_min_rows(pat, NULL), 3, "least number of rows");
    IS_INT(patterns_pat_max_rows(pat, NULL), 12, "greatest number of rows");
    IS_INT(patterns_pat_max_rows(pat, &a), 6, "greatest number of rows of A");
    IS_INT(patterns_pat_min_rows(pat, &a), 1, "least number of rows of A");
    IS_INT(patterns_pat_max_rows(read_text(&arena, "A+ B"), NULL), PATTERNS_UNBOUNDED, "no greatest number");
    base_arena_finish(&arena);
}

/* ---- derivations: sequences of (row, variable), in order of preference ---- */

struct found {
    uint8_t len;
    uint8_t row[ROWS_MAX], var[ROWS_MAX];
};
struct founds {
    uint32_t count;
    struct found at[FOUND_MAX];
};
struct way {
    uint32_t pos;
    struct found path;
    struct {
        uint8_t kind, var, lifts;
    } guards[12];
    uint32_t guard_count;
};

struct run {
    uint32_t rows[ROWS_MAX]; /* bit per variable that holds there */
    uint32_t row_count;
    struct founds *out;
    uint32_t steps; /* given up beyond STEPS_MAX: the case is skipped */
};

static bool row_is(const struct run *run, uint32_t row, uint32_t var)
{
    return row < run->row_count && (run->rows[row] >> var & 1);
}

static void note(struct run *run, const struct found *path)
{
    for (uint32_t i = 0; i < run->out->count; i++) {
        if (memcmp(&run->out->at[i], path, sizeof *path) == 0)
            return;
    }
    if (run->out->count < FOUND_MAX)
        run->out->at[run->out->count++] = *path;
}

static bool breaks(const struct run *run, const struct way *way, uint32_t row, bool taken)
{
    for (uint32_t i = 0; i < way->guard_count; i++) {
        if (!(taken && way->guards[i].kind == CEP_GUARD_NOT) && row_is(run, row, way->guards[i].var))
            return true;
    }
    return false;
}

/* The row was passed over: what speaks of the next row is over, and guards that it lifts. */
static void pass_over(const struct run *run, struct way *way)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < way->guard_count; i++) {
        if (way->guards[i].kind != CEP_GUARD_NOT_NEXT && way->guards[i].kind != CEP_GUARD_NOT_AHEAD && !(way->guards[i].lifts & run->rows[way->pos]))
            way->guards[kept++] = way->guards[i];
    }
    way->guard_count = kept;
}

static void add_guard(struct way *way, enum cep_guard_kind kind, uint32_t var, uint32_t lifts)
{
    for (uint32_t i = 0; i < way->guard_count; i++) {
        if (way->guards[i].kind == kind && way->guards[i].var == var && way->guards[i].lifts == lifts)
            return;
    }
    way->guards[way->guard_count].kind = (uint8_t)kind;
    way->guards[way->guard_count].lifts = (uint8_t)lifts;
    way->guards[way->guard_count++].var = (uint8_t)var;
}

static void complete(struct run *run, const struct way *way)
{
    for (uint32_t i = 0; i < way->guard_count; i++) {
        if (way->guards[i].kind == CEP_GUARD_NOT_NEXT && row_is(run, way->pos, way->guards[i].var))
            return;
    }
    note(run, &way->path);
}

/* ---- the tree, by backtracking ---- */

struct then {
    void (*fn)(struct run *run, struct way way, const struct then *then);
    const struct patterns_pat *pat;
    uint32_t number, taken;
    bool relaxed;
    const struct way *saved; /* of an arrow: where it stood */
    const struct then *next;
};

static void match_tree(struct run *run, const struct patterns_pat *pat, struct way way, bool relaxed,
                       const struct then *then);

static void go_on(struct run *run, struct way way, const struct then *then)
{
    if (run->steps++ > STEPS_MAX)
        return;
    then->fn(run, way, then);
}

static void end_fn(struct run *run, struct way way, const struct then *then)
{
    (void)then;
    complete(run, &way);
}

static bool tree_starts_relaxed(const struct patterns_pat *pat)
{
    return pat->kind == PATTERNS_PAT_RELAX || (pat->kind == PATTERNS_PAT_NOT && pat->arrow) ||
           (pat->kind == PATTERNS_PAT_SEQ && tree_starts_relaxed(pat->children[0]));
}

static void seq_fn(struct run *run, struct way way, const struct then *then)
{
    if (then->number == then->pat->count) {
        go_on(run, way, then->next);
        return;
    }
    struct then rest = *then;
    rest.number++;
    bool relaxed = then->number + 1 < then->pat->count && tree_starts_relaxed(then->pat->children[then->number + 1]);
    match_tree(run, then->pat->children[then->number], way, relaxed, &rest);
}

static void loop_fn(struct run *run, struct way way, const struct then *then);

/* Bits of the variables of NOTs before its first row that hold until then. */
static uint32_t tree_first_nots(const struct patterns_pat *pat)
{
    uint32_t found = 0;
    if (pat->kind == PATTERNS_PAT_LOOP || pat->kind == PATTERNS_PAT_EXCLUDE || pat->kind == PATTERNS_PAT_RELAX)
        return tree_first_nots(pat->children[0]);
    for (uint32_t i = 0; pat->kind == PATTERNS_PAT_SEQ && i < pat->count; i++) {
        const struct patterns_pat *child = pat->children[i];
        if (child->kind == PATTERNS_PAT_NOT &&
            (child->arrow || (i + 1 < pat->count && tree_starts_relaxed(pat->children[i + 1]))))
            found |= (uint32_t)child->set.words[0];
        found |= child->kind == PATTERNS_PAT_NOT ? 0 : tree_first_nots(child);
        if (!patterns_pat_nullable(child))
            break;
    }
    return found;
}

static void loop_leave(struct run *run, struct way way, const struct then *then)
{
    const struct patterns_pat *loop = then->pat;
    if (loop->greed == PATTERNS_POSSESSIVE && then->number < loop->max) {
        struct patterns_varset set = { { 0 } };
        patterns_pat_firsts(loop->children[0], &set);
        for (uint32_t v = 0; v < 6; v++) {
            if (patterns_varset_has(&set, v))
                add_guard(&way, CEP_GUARD_POSSESSIVE, v, tree_first_nots(loop->children[0]));
        }
    }
    go_on(run, way, then->next);
}

/* number iterations are done; `taken` rows were taken before the last one. An empty iteration beyond the minimum leaves
 * an unbounded loop. */
static void loop_fn(struct run *run, struct way way, const struct then *then)
{
    const struct patterns_pat *loop = then->pat;
    if (loop->max == PATTERNS_UNBOUNDED && then->number > loop->min && way.path.len == then->taken) {
        loop_leave(run, way, then);
        return;
    }
    struct then again = *then;
    again.number++;
    again.taken = way.path.len;
    if (then->number < loop->min) {
        match_tree(run, loop->children[0], way, false, &again);
        return;
    }
    if (loop->greed == PATTERNS_RELUCTANT)
        loop_leave(run, way, then);
    if (then->number < loop->max)
        match_tree(run, loop->children[0], way, false, &again);
    if (loop->greed != PATTERNS_RELUCTANT)
        loop_leave(run, way, then);
}

static void permute_fn(struct run *run, struct way way, const struct then *then)
{
    if (then->number + 1 == 1u << then->pat->count) {
        go_on(run, way, then->next);
        return;
    }
    for (uint32_t i = 0; i < then->pat->count; i++) {
        struct then rest = *then;
        rest.number |= 1u << i;
        if (!(then->number >> i & 1))
            match_tree(run, then->pat->children[i], way, false, &rest);
    }
}

enum ways { WAYS_ALL, WAYS_EMPTY, WAYS_OTHER };

/* Does its preferred way take no row? */
static bool tree_prefers_empty(const struct patterns_pat *pat)
{
    bool all = true;
    if (pat->kind == PATTERNS_PAT_VAR)
        return false;
    if (pat->kind == PATTERNS_PAT_LOOP && pat->min == 0 && pat->greed == PATTERNS_RELUCTANT)
        return true;
    for (uint32_t i = 0; i < pat->count && !(i && pat->kind == PATTERNS_PAT_ALT); i++)
        all = all && tree_prefers_empty(pat->children[i]);
    return all;
}

/* Behind the element of an arrow: a way through it that took no row is its empty choice, which passes over nothing. */
static void relax_fn(struct run *run, struct way way, const struct then *then)
{
    struct way back = *then->saved;
    if (way.path.len > then->taken) {
        if (then->number != WAYS_EMPTY)
            go_on(run, way, then->next);
    } else if (then->number != WAYS_OTHER) {
        for (uint32_t i = 0; i < way.guard_count; i++) /* those of possessive loops that were left at once */
            add_guard(&back, way.guards[i].kind, way.guards[i].var, way.guards[i].lifts);
        go_on(run, back, then->next);
    }
}

static void match_relaxed(struct run *run, const struct patterns_pat *pat, struct way way, const struct then *then)
{
    struct patterns_varset firsts = { { 0 } };
    const struct way saved = way;
    if (way.path.len == 0) { /* nothing to skip before the first row */
        match_tree(run, pat->children[0], way, false, then);
        return;
    }
    patterns_pat_firsts(pat->children[0], &firsts);
    struct way empty = way;
    empty.pos = run->row_count; /* takes nothing */
    struct then only_empty = { relax_fn, pat, WAYS_EMPTY, saved.path.len, false, &saved, then };
    if (pat->any && tree_prefers_empty(pat->children[0]))
        match_tree(run, pat->children[0], empty, false, &only_empty);
    for (bool first = true;; first = false) {
        bool starts = false, blocked = false;
        while (!starts && !blocked && way.pos < run->row_count) {
            for (uint32_t v = 0; v < 6; v++)
                starts |= patterns_varset_has(&firsts, v) && row_is(run, way.pos, v);
            blocked = !starts && breaks(run, &way, way.pos, false);
            if (!starts && !blocked) {
                pass_over(run, &way);
                way.pos++;
            }
        }
        if (blocked)
            way.pos = run->row_count; /* takes nothing */
        match_tree(run, pat->children[0], way, false,
                   &(struct then){ relax_fn, pat, pat->any || !first ? WAYS_OTHER : WAYS_ALL, saved.path.len, false, &saved, then });
        if (!starts || !pat->any || breaks(run, &way, way.pos, false))
            break;
        pass_over(run, &way);
        way.pos++;
    }
    if (pat->any && !tree_prefers_empty(pat->children[0]))
        match_tree(run, pat->children[0], empty, false, &only_empty);
}

/* Is nothing written behind what goes on so? */
static bool is_last(const struct then *then)
{
    for (; then && then->fn != end_fn; then = then->next) {
        bool more = then->fn == seq_fn ? then->number < then->pat->count : then->fn == loop_fn ? then->pat->max > 1 : then->fn == permute_fn;
        if (more)
            return false;
    }
    return true;
}

static void match_tree(struct run *run, const struct patterns_pat *pat, struct way way, bool relaxed,
                       const struct then *then)
{
    if (run->steps++ > STEPS_MAX)
        return;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY: go_on(run, way, then); break;
    case PATTERNS_PAT_VAR:
        if (!row_is(run, way.pos, pat->var) || breaks(run, &way, way.pos, true))
            break;
        way.path.row[way.path.len] = (uint8_t)way.pos++;
        way.path.var[way.path.len++] = (uint8_t)pat->var;
        way.guard_count = 0;
        go_on(run, way, then);
        break;
    case PATTERNS_PAT_SEQ: seq_fn(run, way, &(struct then){ seq_fn, pat, 0, 0, relaxed, NULL, then }); break;
    case PATTERNS_PAT_ALT:
        for (uint32_t i = 0; i < pat->count; i++)
            match_tree(run, pat->children[i], way, relaxed, then);
        break;
    case PATTERNS_PAT_PERMUTE:
        permute_fn(run, way, &(struct then){ permute_fn, pat, 0, 0, relaxed, NULL, then });
        break;
    case PATTERNS_PAT_LOOP:
        loop_fn(run, way, &(struct then){ loop_fn, pat, 0, ROWS_MAX + 1, relaxed, NULL, then });
        break;
    case PATTERNS_PAT_START:
        if (way.pos == 0)
            go_on(run, way, then);
        break;
    case PATTERNS_PAT_END:
        if (way.pos == run->row_count)
            go_on(run, way, then);
        break;
    case PATTERNS_PAT_EXCLUDE: match_tree(run, pat->children[0], way, relaxed, then); break;
    case PATTERNS_PAT_RELAX: match_relaxed(run, pat, way, then); break;
    case PATTERNS_PAT_NOT:
        for (uint32_t v = 0; v < 6; v++) {
            if (patterns_varset_has(&pat->set, v) && !(way.path.len == 0 && (pat->arrow || relaxed)))
                add_guard(&way, pat->arrow || relaxed ? CEP_GUARD_NOT : is_last(then) ? CEP_GUARD_NOT_NEXT : CEP_GUARD_NOT_AHEAD, v, 0);
        }
        go_on(run, way, then);
        break;
    }
}

/* ---- the automaton, by the same search ---- */

static void walk(struct run *run, const struct patterns_automaton *m, uint32_t pc, struct way way,
                 const uint8_t *entered)
{
    uint8_t loops[PATTERNS_LOOPS_MAX];
    const struct patterns_state *s = &m->states[pc];
    if (run->steps++ > STEPS_MAX)
        return;
    switch ((enum cep_nfa_op)s->op) {
    case CEP_NFA_MATCH: complete(run, &way); break;
    case CEP_NFA_TAKE:
        if (s->var >= 6 || !row_is(run, way.pos, s->var) || breaks(run, &way, way.pos, true))
            break;
        way.path.row[way.path.len] = (uint8_t)way.pos++;
        way.path.var[way.path.len++] = (uint8_t)s->var;
        way.guard_count = 0;
        walk(run, m, s->a, way, entered);
        break;
    case CEP_NFA_SPLIT:
        walk(run, m, s->a, way, entered);
        walk(run, m, s->b, way, entered);
        break;
    case CEP_NFA_WAIT:
        for (; way.pos < run->row_count; way.pos++) {
            bool starts = false;
            for (uint32_t v = 0; v < 6; v++)
                starts |= patterns_varset_has(&s->firsts, v) && row_is(run, way.pos, v);
            if (starts)
                walk(run, m, s->a, way, entered);
            if ((starts && !s->any) || breaks(run, &way, way.pos, false))
                break;
            pass_over(run, &way);
        }
        break;
    case CEP_NFA_START:
        if (way.pos == 0)
            walk(run, m, s->a, way, entered);
        break;
    case CEP_NFA_END:
        if (way.pos == run->row_count)
            walk(run, m, s->a, way, entered);
        break;
    case CEP_NFA_GUARD:
        for (uint32_t v = 0; v < 6; v++) {
            if (patterns_varset_has(&m->guards[s->guard].set, v))
                add_guard(&way, m->guards[s->guard].kind, v, (uint32_t)m->guards[s->guard].lifts.words[0]);
        }
        walk(run, m, s->a, way, entered);
        break;
    case CEP_NFA_ABSENT: break; /* needs time: not among the generated patterns */
    case CEP_NFA_LOOP_IN:
        memcpy(loops, entered, sizeof loops);
        loops[s->loop] = way.path.len;
        walk(run, m, s->a, way, loops);
        break;
    case CEP_NFA_LOOP_OUT: walk(run, m, entered[s->loop] == way.path.len ? s->b : s->a, way, entered); break;
    }
}

/* ---- random cases ---- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t pick(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(next_random(seed) % n);
}

static void random_text(uint64_t *seed, int depth, bool front, struct base_buf *out)
{
    static const char *const quantifiers[] = { "*",  "+",  "?",     "*?",     "+?",     "?\?",  "*+",
                                               "++", "?+", "{1,2}", "{0,2}?", "{1,3}+", "{2,2}" };
    uint32_t what = depth == 0 ? 0 : pick(seed, 10);
    const char *arrow =
        front ? "" : (const char *[]){ "", "", "", "", "-> ", "->> ", "!C -> ", "!C ", "-> !C ", "" }[pick(seed, 10)];
    if (what <= 3) {
        base_buf_printf(out, "%s%c", arrow, 'A' + (char)pick(seed, 4));
    } else if (what <= 5) { /* sequence */
        base_buf_puts(out, "(");
        uint32_t n = 2 + pick(seed, 2);
        for (uint32_t i = 0; i < n; i++) {
            base_buf_puts(out, i ? " " : "");
            random_text(seed, depth - 1, front && i == 0, out);
        }
        base_buf_puts(out, ")");
    } else if (what == 6) {
        base_buf_puts(out, "(");
        random_text(seed, depth - 1, true, out);
        base_buf_puts(out, " | ");
        random_text(seed, depth - 1, true, out);
        base_buf_puts(out, pick(seed, 4) ? ")" : " | ())");
    } else if (what == 7) {
        base_buf_puts(out, "%(");
        random_text(seed, depth - 1, true, out);
        base_buf_puts(out, ",");
        random_text(seed, depth - 1, true, out);
        base_buf_puts(out, ")");
    } else {
        base_buf_printf(out, "%s(", pick(seed, 2) ? arrow : "");
        random_text(seed, depth - 1, true, out);
        base_buf_printf(out, ")%s", quantifiers[pick(seed, sizeof quantifiers / sizeof *quantifiers)]);
    }
}

/* A NOT whose next element lies outside of its group: how it begins is asked of the tree as a whole there, which the
 * matcher above does not do. */
static bool not_at_group_end(const struct patterns_pat *pat, bool top)
{
    for (uint32_t i = 0; i < pat->count; i++) {
        const struct patterns_pat *child = pat->children[i];
        if (child->kind == PATTERNS_PAT_NOT &&
            (pat->kind != PATTERNS_PAT_SEQ || i + 1 == pat->count ||
             (pat->children[i + 1]->kind != PATTERNS_PAT_VAR && pat->children[i + 1]->kind != PATTERNS_PAT_RELAX)))
            return true;
        if (not_at_group_end(child, false))
            return true;
    }
    return top && pat->kind == PATTERNS_PAT_NOT;
}

/* The same ways, in the same order of preference? */
static bool same_founds(const struct founds *a, const struct founds *b)
{
    return a->count == b->count && memcmp(a->at, b->at, a->count * sizeof *a->at) == 0;
}

static void test_random(uint64_t seed, uint32_t patterns)
{
    static struct founds by_tree, by_automaton;
    uint32_t compared = 0, bad = 0;
    printf("# seed %llu\n", (unsigned long long)seed);
    for (uint32_t n = 0; n < patterns && bad < 3; n++) {
        struct base_arena arena = { 0 };
        struct base_buf text = { 0 };
        struct patterns_fault fault = { 0 };
        struct patterns_automaton *m;
        random_text(&seed, 3, true, &text);
        struct patterns_pat *pat = read_text(&arena, text.ptr);
        if (!not_at_group_end(pat, true) && patterns_automaton_build(&arena, pat, 1000, &fault, &m) == 0) {
            for (int k = 0; k < 6 && bad < 3; k++) {
                struct run run = { .row_count = pick(&seed, ROWS_MAX + 1) };
                uint8_t loops[PATTERNS_LOOPS_MAX] = { 0 };
                for (uint32_t i = 0; i < run.row_count; i++)
                    run.rows[i] = pick(&seed, 16);
                struct run again = run;
                struct then end = { .fn = end_fn };
                by_tree.count = by_automaton.count = 0;
                run.out = &by_tree;
                match_tree(&run, pat, (struct way){ 0 }, false, &end);
                again.out = &by_automaton;
                walk(&again, m, 0, (struct way){ 0 }, loops);
                if (run.steps > STEPS_MAX || again.steps > STEPS_MAX)
                    continue;
                compared++;
                if (!same_founds(&by_tree, &by_automaton)) {
                    bad++;
                    printf("# %s: tree %u ways, automaton %u\n", text.ptr, by_tree.count, by_automaton.count);
                }
            }
        }
        base_buf_finish(&text);
        base_arena_finish(&arena);
    }
    IS_INT(bad, 0, "automata give the derivations of their trees in order");
    OK(compared > patterns, "most random patterns were compared");
}

int main(void)
{
    test_listings();
    test_refusals();
    test_tree();
    test_random(20240601, 20000);
    return tap_done();
}
