#include "cep/match/park.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "cep/demand.h"

#define COLUMNS_MOST 8
#define DEMANDS_MOST MATCH_PARK_DEMANDS

/* What a condition demands. */
struct park_want {
    uint32_t column;
    uint32_t reg;      /* CEP_NONE: a constant, and hash is that of its value */
    uint64_t hash;
    bool some, calm;
};
struct match_park {
    struct park_want *wants;   /* per condition */
    uint32_t columns[COLUMNS_MOST], column_count;
    bool calm[COLUMNS_MOST];   /* a row with NULL there leads to nothing, not even to an error */
};

struct park_entry { uint32_t at, next; uint32_t first_link, links; }; /* at: of the class in bytes; next: 1 + next one in its bucket of equal lists */
struct park_link { uint64_t hash; uint32_t entry, next; };            /* next: 1 + next one in its bucket of values */
/* Entries whose class has no id are dead; they go when they are many. */
struct match_parked {
    char *bytes; uint32_t used, cap;
    struct park_entry *entries; uint32_t count, entry_cap;
    struct park_link *links; uint32_t link_count, link_cap;
    uint32_t *by_value, value_cap; /* powers of two */
    uint32_t *by_list, list_cap;
    uint32_t *places, place_cap;   /* by class id: 1 + entry */
    uint32_t live;
};

/* ---- what conditions demand ---- */

/* Values that compare as equal have one hash. */
static uint64_t hash_of(struct cep_type type, uint32_t column, struct cep_value value)
{
    uint64_t bits = value.dec.lo, high = 0;
    if (cep_kind_is_text(type.kind))
        return base_hash64(value.s.ptr, value.s.len, column);
    if (type.kind == CEP_KIND_DOUBLE && value.d == 0)
        bits = 0; /* -0.0 is 0.0 */
    if (type.kind == CEP_KIND_DECIMAL)
        high = value.dec.hi;
    bits = (bits ^ high * UINT64_C(0xbf58476d1ce4e5b9) ^ column) * UINT64_C(0x9e3779b97f4a7c15);
    return bits ^ bits >> 32;
}

static uint32_t column_place(struct match_park *park, uint32_t column)
{
    uint32_t i = 0;
    while (i < park->column_count && park->columns[i] != column)
        i++;
    if (i == park->column_count && i < COLUMNS_MOST) {
        park->columns[i] = column;
        park->calm[i] = true;
        park->column_count++;
    }
    return i;
}

static void look_at_pred(const struct match_op *op, struct match_park *park, uint32_t pred)
{
    struct cep_demand demand;
    struct park_want *want = &park->wants[pred];
    uint32_t code = op->preds[pred].code;
    if (code == CEP_NONE)
        return;
    want->reg = CEP_NONE;
    if (cep_demand_of(op->program, code, true, &demand)) {
        want->reg = demand.operand;
    } else if (!cep_demand_of(op->program, code, false, &demand) || cep_program_value(op->program, demand.operand).null) {
        return;
    } else {
        want->hash = hash_of(op->types[demand.column], demand.column, cep_program_value(op->program, demand.operand));
    }
    uint32_t place = column_place(park, demand.column);
    if (place == COLUMNS_MOST)
        return;
    want->column = demand.column;
    want->calm = demand.calm;
    want->some = true;
    park->calm[place] &= demand.calm;
}

int cep_match_park_init(struct match_op *op)
{
    op->park = NULL;
    if (!cep_demand_finds_waits(op->program, op->m, op->absorb != NULL))
        return 0;
    struct match_park *park = base_calloc(1, sizeof *park);
    if (!park)
        return BASE_E_NOMEM;
    op->park = park;
    park->wants = base_calloc((size_t)op->m->preds.count + 1, sizeof *park->wants);
    if (!park->wants)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < op->m->preds.count; i++)
        look_at_pred(op, park, i);
    cep_match_absorb_finish(op);
    return 0;
}

void cep_match_park_finish(struct match_op *op)
{
    if (!op->park)
        return;
    base_free(op->park->wants);
    base_free(op->park);
    op->park = NULL;
}

/* ---- what a class waits for ---- */

/* False: the thread may care about other rows, too. */
static bool add_demands(const struct match_op *op, struct cep_list preds, const struct cep_nfa *nfa, const struct cep_tuple *regs, struct match_demands *demands)
{
    for (uint32_t i = 0; i < preds.count; i++) {
        const struct park_want *want = &op->park->wants[op->u32s[preds.first + i]];
        uint64_t hash = want->hash;
        if (!want->some)
            return false;
        if (want->reg != CEP_NONE) {
            uint32_t r = 0;
            while (r < nfa->live.count && op->u32s[nfa->live.first + r] != want->reg)
                r++;
            if (r == nfa->live.count || !regs)
                return false;
            struct cep_value value = cep_tuple_get(regs, r, op->live_types[want->reg]);
            if (value.null && want->calm)
                continue; /* equals nothing */
            if (value.null)
                return false;
            hash = hash_of(op->types[want->column], want->column, value);
        }
        uint32_t k = 0;
        while (k < demands->count && demands->at[k] != hash)
            k++;
        if (k == DEMANDS_MOST)
            return false;
        demands->at[k] = hash;
        demands->count += k == demands->count;
    }
    return true;
}

static bool thread_demands(const struct match_op *op, uint32_t pc, uint32_t guards, const struct cep_tuple *regs, struct match_demands *demands)
{
    const struct cep_nfa *nfa = &op->nfas[pc];
    if (nfa->op != CEP_NFA_WAIT || (guards & op->guard_next_mask) || !add_demands(op, nfa->firsts, nfa, regs, demands))
        return false;
    for (uint32_t bits = guards; bits; bits &= bits - 1) {
        const struct cep_guard *guard = &op->guards[__builtin_ctz(bits)];
        if (guard->lifts.count || !add_demands(op, guard->preds, nfa, regs, demands))
            return false;
    }
    return true;
}

/* The values without which a row leaves the class as it is. False: other rows may change it. */
static bool demands_of(const struct match_op *op, const struct match_class *class, struct match_demands *ret)
{
    const char *at = (const char *)(class + 1);
    ret->count = 0;
    for (uint32_t i = 0; i < class->threads; i++) {
        struct match_stored_thread stored;
        memcpy(&stored, at, sizeof stored);
        const struct cep_tuple *regs = stored.regs_bytes ? (const struct cep_tuple *)(const void *)(at + sizeof stored) : NULL;
        at += sizeof stored + stored.regs_bytes;
        if (!thread_demands(op, stored.pc, stored.guards, regs, ret))
            return false;
    }
    return class->threads > 0;
}

bool cep_match_park_demands(const struct match_op *op, const struct match_threads *threads, struct match_demands *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < threads->len; i++)
        if (!thread_demands(op, threads->at[i].pc, threads->at[i].guards, threads->at[i].regs, ret))
            return false;
    return true;
}

bool cep_match_park_passes(const struct match_op *op, const struct match_demands *demands, const struct cep_row *row)
{
    for (uint32_t i = 0; i < op->park->column_count; i++) {
        uint32_t column = op->park->columns[i];
        struct cep_value value = cep_tuple_get(&row->tuple, column, op->types[column]);
        uint64_t hash = value.null ? 0 : hash_of(op->types[column], column, value);
        if (value.null && !op->park->calm[i])
            return false;
        for (uint32_t k = 0; k < demands->count && !value.null; k++)
            if (demands->at[k] == hash)
                return false;
    }
    return true;
}

/* ---- the store ---- */

static struct match_class *class_of(const struct match_parked *parked, uint32_t entry)
{
    return (struct match_class *)(void *)(parked->bytes + parked->entries[entry].at);
}

static bool is_dead(const struct match_parked *parked, uint32_t entry) { return class_of(parked, entry)->id == MATCH_NO_CLASS; }

/* Room for `need` things of `size` bytes. */
static int make_room(void *array, uint32_t *cap, uint32_t need, size_t size, uint32_t most)
{
    void **at = array;
    if (need <= *cap)
        return 0;
    if (need > most)
        return BASE_E_LIMIT;
    uint32_t to = *cap + *cap / 2;
    to = to < 64 ? 64 : to;
    to = to < need ? need : to;
    void *grown = base_realloc(*at, to * size);
    if (!grown)
        return BASE_E_NOMEM;
    *at = grown;
    *cap = to;
    return 0;
}

/* A larger table, empty. */
static int make_table(uint32_t **table, uint32_t *cap, uint32_t need)
{
    uint32_t to = *cap ? *cap : 64;
    while (to < need)
        to *= 2;
    uint32_t *fresh = base_calloc(to, sizeof *fresh);
    if (!fresh)
        return BASE_E_NOMEM;
    base_free(*table);
    *table = fresh;
    *cap = to;
    return 0;
}

static void into_value(struct match_parked *parked, uint32_t link)
{
    uint32_t *head = &parked->by_value[parked->links[link].hash & (parked->value_cap - 1)];
    parked->links[link].next = *head;
    *head = link + 1;
}

static void into_list(struct match_parked *parked, uint32_t entry)
{
    uint32_t *head = &parked->by_list[class_of(parked, entry)->hash & (parked->list_cap - 1)];
    parked->entries[entry].next = *head;
    *head = entry + 1;
}

/* Both tables anew, of what is there. */
static void fill_tables(struct match_parked *parked)
{
    memset(parked->by_value, 0, parked->value_cap * sizeof *parked->by_value);
    memset(parked->by_list, 0, parked->list_cap * sizeof *parked->by_list);
    for (uint32_t i = 0; i < parked->count; i++) {
        if (is_dead(parked, i))
            continue;
        into_list(parked, i);
        for (uint32_t k = 0; k < parked->entries[i].links; k++)
            into_value(parked, parked->entries[i].first_link + k);
    }
}

/* Dead ones go. */
static void squeeze(struct match_parked *parked)
{
    uint32_t used = 0, links = 0, count = 0;
    for (uint32_t i = 0; i < parked->count; i++) {
        struct park_entry entry = parked->entries[i];
        struct match_class *class = class_of(parked, i);
        if (class->id == MATCH_NO_CLASS)
            continue;
        uint32_t bytes = class->bytes;
        parked->places[class->id] = count + 1;
        memmove(parked->bytes + used, class, bytes);
        for (uint32_t k = 0; k < entry.links; k++) {
            struct park_link link = parked->links[entry.first_link + k];
            link.entry = count;
            parked->links[links + k] = link;
        }
        parked->entries[count++] = (struct park_entry){ .at = used, .first_link = links, .links = entry.links };
        used += bytes;
        links += entry.links;
    }
    parked->used = used;
    parked->link_count = links;
    parked->count = count;
    fill_tables(parked);
}

static int room_for(struct match_parked *parked, const struct match_class *class)
{
    int rc = 0;
    if (parked->count > 2 * parked->live + 64)
        squeeze(parked);
    rc = make_room(&parked->bytes, &parked->cap, parked->used + class->bytes, 1, 1u << 30);
    if (!rc)
        rc = make_room(&parked->entries, &parked->entry_cap, parked->count + 1, sizeof *parked->entries, 1u << 26);
    if (!rc)
        rc = make_room(&parked->links, &parked->link_cap, parked->link_count + DEMANDS_MOST, sizeof *parked->links, 1u << 28);
    uint32_t had = parked->place_cap;
    if (!rc)
        rc = make_room(&parked->places, &parked->place_cap, class->id + 1, sizeof *parked->places, 1u << 27);
    if (!rc && parked->place_cap > had)
        memset(parked->places + had, 0, (parked->place_cap - had) * sizeof *parked->places);
    bool grown = false;
    if (!rc && parked->link_count + DEMANDS_MOST > parked->value_cap) {
        rc = make_table(&parked->by_value, &parked->value_cap, 2 * (parked->link_count + DEMANDS_MOST));
        grown = true;
    }
    if (!rc && parked->count >= parked->list_cap) {
        rc = make_table(&parked->by_list, &parked->list_cap, 2 * (parked->count + 1));
        grown = true;
    }
    if (grown && parked->by_value && parked->by_list)
        fill_tables(parked);
    return rc;
}

/* An equal list there; the dead ones on the way are let go. */
static struct match_class *find_equal(struct match_parked *parked, const struct match_class *class)
{
    uint32_t *at = parked->list_cap ? &parked->by_list[class->hash & (parked->list_cap - 1)] : NULL;
    while (at && *at) {
        uint32_t entry = *at - 1;
        struct match_class *other = class_of(parked, entry);
        if (other->id == MATCH_NO_CLASS) {
            *at = parked->entries[entry].next;
            continue;
        }
        if (other->hash == class->hash && other->bytes == class->bytes && memcmp(other + 1, class + 1, class->bytes - sizeof *class) == 0)
            return other;
        at = &parked->entries[entry].next;
    }
    return NULL;
}

/* Takes a class of the blob in, if it waits for values alone. */
static int park_one(const struct match_op *op, struct match_head *head, const struct match_class *class, bool *ret)
{
    struct match_parked *parked = head->parked;
    struct match_demands demands;
    *ret = false;
    if (!demands_of(op, class, &demands))
        return 0;
    struct match_class *equal = find_equal(parked, class);
    if (equal) {
        head->parents[class->id] = equal->id;
        equal->pad += class->pad;
        equal->min_seq = class->min_seq < equal->min_seq ? class->min_seq : equal->min_seq;
        *ret = true;
        return 0;
    }
    int rc = room_for(parked, class);
    if (rc)
        return rc;
    uint32_t entry = parked->count++;
    parked->entries[entry] = (struct park_entry){ .at = parked->used, .first_link = parked->link_count, .links = demands.count };
    memcpy(parked->bytes + parked->used, class, class->bytes);
    parked->used += class->bytes;
    into_list(parked, entry);
    for (uint32_t i = 0; i < demands.count; i++) {
        parked->links[parked->link_count] = (struct park_link){ .hash = demands.at[i], .entry = entry };
        into_value(parked, parked->link_count++);
    }
    parked->places[class->id] = entry + 1;
    parked->live++;
    *ret = true;
    return 0;
}

/* Back into the blob. */
static int wake_one(struct match_head *head, uint32_t entry)
{
    struct match_class *class = class_of(head->parked, entry);
    int rc = cep_match_head_reserve(head, 0, 0, head->blob_used + class->bytes);
    if (rc)
        return rc;
    memcpy(head->blob + head->blob_used, class, class->bytes);
    head->blob_used += class->bytes;
    head->classes++;
    head->parked->places[class->id] = 0;
    head->parked->live--;
    class->id = MATCH_NO_CLASS;
    return 0;
}

static int wake_value(struct match_head *head, uint64_t hash)
{
    struct match_parked *parked = head->parked;
    uint32_t *at = &parked->by_value[hash & (parked->value_cap - 1)];
    int rc = 0;
    while (*at && !rc) {
        struct park_link *link = &parked->links[*at - 1];
        if (link->hash == hash && !is_dead(parked, link->entry))
            rc = wake_one(head, link->entry);
        if (!rc && is_dead(parked, link->entry))
            *at = link->next;
        else
            at = &link->next;
    }
    return rc;
}

static int wake_all(struct match_head *head)
{
    int rc = 0;
    for (uint32_t i = 0; i < head->parked->count && !rc; i++)
        if (!is_dead(head->parked, i))
            rc = wake_one(head, i);
    return rc;
}

int cep_match_park_wake(struct match_op *op, struct match_head *head, const struct cep_row *row)
{
    int rc = 0;
    for (uint32_t i = 0; head->parked && head->parked->live && i < op->park->column_count && !rc; i++) {
        uint32_t column = op->park->columns[i];
        struct cep_value value = cep_tuple_get(&row->tuple, column, op->types[column]);
        if (!value.null)
            rc = wake_value(head, hash_of(op->types[column], column, value));
        else if (!op->park->calm[i])
            rc = wake_all(head); /* what else conditions say of it may be an error to be told */
    }
    return rc;
}

/* Counts the starts of each class; the store is empty. */
static int engage(struct match_head *head)
{
    struct match_parked *parked = base_calloc(1, sizeof *parked);
    if (!parked)
        return BASE_E_NOMEM;
    uint32_t places = head->parent_count + 64;
    parked->places = base_calloc(places, sizeof *parked->places);
    if (!parked->places) {
        base_free(parked);
        return BASE_E_NOMEM;
    }
    parked->place_cap = places;
    for (uint32_t i = head->class_skip; i < head->class_len; i++) {
        uint32_t id = cep_match_find(head, head->starts[i].id);
        if (id != MATCH_NO_CLASS)
            parked->places[id]++;
    }
    for (uint32_t off = 0; off < head->blob_used;) {
        struct match_class *class = (struct match_class *)(void *)(head->blob + off);
        class->pad = parked->places[class->id];
        off += class->bytes;
    }
    memset(parked->places, 0, places * sizeof *parked->places);
    head->parked = parked;
    return 0;
}

int cep_match_park_row(struct match_op *op, struct match_head *head)
{
    int rc = 0;
    uint32_t to = 0;
    if (!head->parked) {
        if (!op->park || head->classes < cep_flow_limits(op->op.flow)->park_classes)
            return 0;
        rc = engage(head);
        if (rc)
            return rc;
    }
    for (uint32_t off = 0; off < head->blob_used;) {
        struct match_class *class = (struct match_class *)(void *)(head->blob + off);
        uint32_t bytes = class->bytes;
        bool parked = false;
        if (!rc)
            rc = park_one(op, head, class, &parked);
        if (parked) {
            head->classes--;
        } else {
            if (to < off)
                memmove(head->blob + to, class, bytes);
            to += bytes;
        }
        off += bytes;
    }
    head->blob_used = to;
    return rc || head->parked->live ? rc : cep_match_unpark(head);
}

int cep_match_unpark(struct match_head *head)
{
    struct match_parked *parked = head->parked;
    uint64_t bytes = head->blob_used;
    if (!parked)
        return 0;
    for (uint32_t i = 0; i < parked->count; i++)
        bytes += is_dead(parked, i) ? 0 : class_of(parked, i)->bytes;
    int rc = bytes > UINT32_MAX ? BASE_E_LIMIT : cep_match_head_reserve(head, 0, 0, (uint32_t)bytes);
    uint32_t had = parked->place_cap;
    if (!rc)
        rc = make_room(&parked->places, &parked->place_cap, head->parent_count, sizeof *parked->places, 1u << 27);
    if (!rc && parked->place_cap > had)
        memset(parked->places + had, 0, (parked->place_cap - had) * sizeof *parked->places);
    if (!rc)
        rc = wake_all(head);
    if (rc)
        return rc;
    /* earliest starts, exactly; places serve as a list of what stands in the blob */
    for (uint32_t off = 0; off < head->blob_used;) {
        struct match_class *class = (struct match_class *)(void *)(head->blob + off);
        class->pad = 0;
        parked->places[class->id] = off + 1;
        off += class->bytes;
    }
    for (uint64_t seq = head->first_start; seq < cep_match_starts_end(head); seq++) {
        uint32_t id = cep_match_class_at(head, seq);
        if (id == MATCH_NO_CLASS || !parked->places[id])
            continue;
        ((struct match_class *)(void *)(head->blob + parked->places[id] - 1))->min_seq = seq;
        parked->places[id] = 0;
    }
    cep_match_parked_free(head);
    return 0;
}

uint32_t cep_match_parked_count(const struct match_head *head) { return head->parked ? head->parked->live : 0; }

struct match_class *cep_match_parked_class(const struct match_head *head, uint32_t id)
{
    const struct match_parked *parked = head->parked;
    return parked && id < parked->place_cap && parked->places[id] ? class_of(parked, parked->places[id] - 1) : NULL;
}

void cep_match_parked_kill(struct match_head *head, uint32_t id)
{
    struct match_class *class = cep_match_parked_class(head, id), *other;
    if (class && --class->pad == 0) {
        head->parents[id] = MATCH_NO_CLASS;
        head->parked->places[id] = 0;
        head->parked->live--;
        class->id = MATCH_NO_CLASS;
    } else if (!class && (other = cep_match_class_in(head->blob, head->blob_used, id)) != NULL && --other->pad == 0) {
        cep_match_remove_class(head, other);
    }
}

uint32_t cep_match_parked_renumber(struct match_head *head, uint32_t next)
{
    struct match_parked *parked = head->parked;
    for (uint32_t i = 0; parked && i < parked->count; i++) {
        struct match_class *class = class_of(parked, i);
        if (class->id == MATCH_NO_CLASS)
            continue;
        parked->places[class->id] = 0;
        head->parents[class->id] = next;
        class->id = next++;
    }
    return next;
}

void cep_match_parked_placed(struct match_head *head)
{
    struct match_parked *parked = head->parked;
    for (uint32_t i = 0; parked && i < parked->count; i++)
        if (!is_dead(parked, i))
            parked->places[class_of(parked, i)->id] = i + 1;
}

static int copy_array(const void *from, uint32_t count, uint32_t from_cap, void *array, uint32_t *cap, size_t size)
{
    void **at = array;
    if (from_cap > *cap || *cap > 4 * (uint64_t)from_cap + 256) {
        void *fresh = from_cap ? base_alloc(from_cap * size) : NULL;
        if (from_cap && !fresh)
            return BASE_E_NOMEM;
        base_free(*at);
        *at = fresh;
        *cap = from_cap;
    }
    if (count)
        memcpy(*at, from, count * size);
    return 0;
}

int cep_match_parked_copy(const struct match_head *from, struct match_head *to)
{
    const struct match_parked *a = from->parked;
    if (!a) {
        cep_match_parked_free(to);
        return 0;
    }
    struct match_parked *b = to->parked ? to->parked : base_calloc(1, sizeof *b);
    if (!b)
        return BASE_E_NOMEM;
    to->parked = b;
    int rc = copy_array(a->bytes, a->used, a->cap, &b->bytes, &b->cap, 1);
    if (!rc)
        rc = copy_array(a->entries, a->count, a->entry_cap, &b->entries, &b->entry_cap, sizeof *a->entries);
    if (!rc)
        rc = copy_array(a->links, a->link_count, a->link_cap, &b->links, &b->link_cap, sizeof *a->links);
    /* tables of the same size: a place in them is a hash modulo that */
    uint32_t *tables[3] = { a->by_value, a->by_list, a->places }, caps[3] = { a->value_cap, a->list_cap, a->place_cap };
    uint32_t **ats[3] = { &b->by_value, &b->by_list, &b->places }, *to_caps[3] = { &b->value_cap, &b->list_cap, &b->place_cap };
    for (int i = 0; i < 3 && !rc; i++) {
        if (*to_caps[i] != caps[i])
            *to_caps[i] = 0;
        rc = copy_array(tables[i], caps[i], caps[i], ats[i], to_caps[i], sizeof(uint32_t));
    }
    if (rc) {
        cep_match_parked_free(to);
        return rc;
    }
    b->used = a->used;
    b->count = a->count;
    b->link_count = a->link_count;
    b->live = a->live;
    return 0;
}

void cep_match_parked_free(struct match_head *head)
{
    struct match_parked *parked = head->parked;
    head->parked = NULL;
    if (!parked)
        return;
    base_free(parked->bytes);
    base_free(parked->entries);
    base_free(parked->links);
    base_free(parked->by_value);
    base_free(parked->by_list);
    base_free(parked->places);
    base_free(parked);
}

size_t cep_match_parked_bytes(const struct match_head *head)
{
    const struct match_parked *p = head->parked;
    if (!p)
        return 0;
    return sizeof *p + p->cap + p->entry_cap * sizeof *p->entries + p->link_cap * sizeof *p->links + (p->value_cap + p->list_cap + p->place_cap) * sizeof(uint32_t);
}
