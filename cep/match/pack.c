/* Half a byte for each thing that is written, all of them first, then their bytes: how partition, place, table and change are written, how many bytes the offset has, and
 * for each column how many bytes its number has, how long its text is, or that it is NULL. */
#include "cep/match/pack.h"

#include "base/alloc.h"
#include "base/error.h"

enum kind { NUMBER, TIME, FRACTION, WIDE, TEXT }; /* TIME: by what it differs from the row's; FRACTION: DOUBLE, whose last bytes are often 0; WIDE: DECIMAL of 16 bytes */

#define THINGS_BEFORE 2u  /* the columns */
#define BRIEF_MOST 14u    /* columns: with those before them, halves of one word */
#define AS_USUAL 0u       /* partition, place, table, change: those of the first row */
#define SMALL_PARTITION 1u /* all but the partition, which has one byte */
#define IN_WORDS 2u       /* two words */
#define AS_IT_IS 15u      /* the whole row, by its length */
#define TEXT_MOST 12u     /* bytes of a text whose length is said in half a byte, */
#define TEXT_BYTE 13u     /* by a byte, */
#define TEXT_WORD 14u     /* by four */
#define IS_NULL 15u

/* The two words of a row that say it. */
#define WHERE (offsetof(struct cep_row, at) + offsetof(struct cep_position, partition))
#define WHAT offsetof(struct cep_row, change)
_Static_assert(WHERE + 8 == WHAT && WHAT + 8 == offsetof(struct cep_row, tuple), "two words between the offset and the tuple");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written with their last bytes first");

int cep_match_pack_init(struct match_pack *pack, const struct cep_type *types, uint32_t columns)
{
    *pack = (struct match_pack){ .kinds = base_alloc(columns + 1), .columns = columns, .brief = columns && columns <= BRIEF_MOST };
    if (!pack->kinds)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < columns; i++) {
        uint8_t kind = types[i].kind;
        bool time = kind == CEP_KIND_TIMESTAMP || kind == CEP_KIND_TIMESTAMP_LTZ, wide = kind == CEP_KIND_DECIMAL && types[i].precision > 18;
        pack->kinds[i] = cep_kind_is_text(kind) ? TEXT : wide ? WIDE : time ? TIME : kind == CEP_KIND_DOUBLE ? FRACTION : NUMBER;
        pack->brief &= pack->kinds[i] != WIDE && pack->kinds[i] != FRACTION;
    }
    return 0;
}

void cep_match_pack_finish(struct match_pack *pack)
{
    base_free(pack->kinds);
    *pack = (struct match_pack){ 0 };
}

static inline uint64_t load(const void *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline void store(void *to, uint64_t word) { memcpy(to, &word, sizeof word); }

/* How many bytes the number needs. */
static inline uint32_t bytes_of(uint64_t number) { return number ? (71 - (uint32_t)__builtin_clzll(number)) / 8 : 0; }

static inline uint64_t first_bytes(const char *from, uint32_t bytes) { return bytes ? load(from) << (64 - 8 * bytes) >> (64 - 8 * bytes) : 0; }

/* So that small negative numbers have few bytes, too. */
static inline uint64_t zigzag(uint64_t number) { return number << 1 ^ (uint64_t)((int64_t)number >> 63); }
static inline uint64_t zagzig(uint64_t number) { return number >> 1 ^ (0 - (number & 1)); }

/* ---- packing ---- */

struct packing { char *halves; uint64_t pending; uint32_t count; char *at; };

/* At the places of the halves stand no other bytes yet, or those that are put there once more. */
static inline void put_half(struct packing *to, uint64_t half)
{
    to->pending |= half << (to->count % 16 * 4);
    if (BASE_UNLIKELY(++to->count % 16 == 0)) {
        store(to->halves + to->count / 2 - 8, to->pending);
        to->pending = 0;
    }
}

static inline void put_number(struct packing *to, uint64_t number)
{
    uint32_t bytes = bytes_of(number);
    put_half(to, bytes);
    store(to->at, number);
    to->at += bytes;
}

static inline void put_text(struct packing *to, const char *text, uint32_t len)
{
    if (BASE_LIKELY(len <= TEXT_MOST)) {
        put_half(to, len);
        if (len > 8) {
            store(to->at, load(text));
            store(to->at + len - 8, load(text + len - 8));
        } else if (len) { /* in front of a text stands at least the row's header: eight bytes back from its end are the row's */
            store(to->at, load(text + len - 8) >> (64 - 8 * len));
        }
        to->at += len;
        return;
    }
    put_half(to, len < 256 ? TEXT_BYTE : TEXT_WORD);
    memcpy(to->at, &len, sizeof len);
    to->at += len < 256 ? 1 : sizeof len;
    memcpy(to->at, text, len);
    to->at += len;
}

static size_t put_as_it_is(const struct cep_row *row, char *to)
{
    uint32_t size = (uint32_t)cep_row_size(row);
    *to = AS_IT_IS;
    memcpy(to + 1, &size, sizeof size);
    memcpy(to + 1 + sizeof size, row, size);
    return 1 + sizeof size + size;
}

static inline void put_source(struct match_pack *pack, struct packing *to, const struct cep_row *row)
{
    uint64_t where = load((const char *)row + WHERE), what = load((const char *)row + WHAT);
    if (BASE_UNLIKELY(!pack->begun)) {
        pack->begun = true;
        pack->where = where;
        pack->what = what;
    }
    bool same = what == pack->what, small = where >> 32 == pack->where >> 32 && (uint32_t)where < 256;
    put_half(to, same && where == pack->where ? AS_USUAL : same && small ? SMALL_PARTITION : IN_WORDS);
    if (BASE_LIKELY(same && (where == pack->where || small))) {
        *to->at = (char)where;
        to->at += where != pack->where;
    } else {
        store(to->at, where);
        store(to->at + 8, what);
        to->at += 16;
    }
    put_number(to, (uint64_t)row->at.offset);
}

/* The same for what is usual: few columns of numbers and short texts, none of them NULL, from the source that the first row came from. 0: it is not. */
static inline size_t put_brief(const struct match_pack *pack, const struct cep_row *row, char *to)
{
    const struct cep_tuple *tuple = &row->tuple;
    const uint64_t *slots = tuple->data + 1;
    uint32_t columns = pack->columns, tail = (uint32_t)sizeof *tuple + (1 + columns) * 8, shift = THINGS_BEFORE * 4, bytes = bytes_of((uint64_t)row->at.offset);
    uint64_t where = load((const char *)row + WHERE), halves = (uint64_t)bytes << 4;
    char *at = to + (THINGS_BEFORE + columns + 1) / 2;
    if (BASE_UNLIKELY(!pack->begun || load((const char *)row + WHAT) != pack->what || load(tuple) >> 32 != columns || tuple->data[0] || tuple->size_bytes < tail))
        return 0;
    if (BASE_UNLIKELY(where != pack->where)) {
        if (where >> 32 != pack->where >> 32 || (uint32_t)where > 255)
            return 0;
        halves |= SMALL_PARTITION;
        *at++ = (char)where;
    }
    store(at, (uint64_t)row->at.offset);
    at += bytes;
    for (uint32_t i = 0; i < columns; i++, shift += 4) {
        uint64_t slot = slots[i];
        if (pack->kinds[i] != TEXT) {
            slot = zigzag(pack->kinds[i] == TIME ? slot - (uint64_t)row->time_ms : slot);
            bytes = bytes_of(slot);
            store(at, slot);
        } else {
            bytes = (uint32_t)(slot >> 32);
            if (BASE_UNLIKELY((uint32_t)slot != tail || bytes > TEXT_MOST || tail + bytes > tuple->size_bytes))
                return 0;
            const char *text = (const char *)tuple + tail;
            tail += bytes;
            if (BASE_UNLIKELY(bytes > 8)) {
                store(at, load(text));
                store(at + bytes - 8, load(text + bytes - 8));
            } else { /* as in put_text; of an empty one nothing counts */
                store(at, load(text + bytes - 8) >> (-(bytes * 8) & 63));
            }
        }
        halves |= (uint64_t)bytes << shift;
        at += bytes;
    }
    uint64_t padding = (tuple->size_bytes - tail) * 8; /* bits: 0 to 56 */
    if (BASE_UNLIKELY(padding > 56 || load((const char *)tuple + tuple->size_bytes - 8) >> 1 >> (63 - padding)))
        return 0;
    uint64_t mask = ~UINT64_C(0) << ((shift + 4) / 8 * 8 - 1) << 1;
    store(to, (load(to) & mask) | halves);
    return (size_t)(at - to);
}

size_t cep_match_pack_put(struct match_pack *pack, const struct cep_row *row, char *to)
{
    size_t brief = BASE_LIKELY(pack->brief) ? put_brief(pack, row, to) : 0;
    if (BASE_LIKELY(brief))
        return brief;
    const struct cep_tuple *tuple = &row->tuple;
    uint32_t columns = pack->columns, words = cep_tuple_null_words(columns), tail = (uint32_t)sizeof *tuple + (words + columns) * 8;
    size_t head = (THINGS_BEFORE + columns + 1) / 2;
    struct packing out = { .halves = to, .at = to + head };
    if (BASE_UNLIKELY(tuple->columns != columns || tuple->reserved || tuple->size_bytes < tail))
        return put_as_it_is(row, to);
    put_source(pack, &out, row);
    for (uint32_t i = 0; i < columns; i++) {
        uint64_t slot = tuple->data[words + i];
        if (BASE_UNLIKELY(cep_tuple_is_null(tuple, i))) {
            if (slot)
                return put_as_it_is(row, to);
            put_half(&out, IS_NULL);
            continue;
        }
        switch ((enum kind)pack->kinds[i]) {
        case NUMBER: put_number(&out, zigzag(slot)); continue;
        case TIME: put_number(&out, zigzag(slot - (uint64_t)row->time_ms)); continue;
        case FRACTION: put_number(&out, __builtin_bswap64(slot)); continue;
        case WIDE:
        case TEXT: break;
        }
        uint32_t len = (uint32_t)(slot >> 32);
        if (BASE_UNLIKELY((uint32_t)slot != tail || len > tuple->size_bytes - tail || (pack->kinds[i] == WIDE && len != 16)))
            return put_as_it_is(row, to);
        put_text(&out, (const char *)tuple + tail, len);
        tail += len;
    }
    if (BASE_UNLIKELY(tuple->size_bytes != ((tail + 7) & ~7u) || (tail % 8 && load((const char *)tuple + tuple->size_bytes - 8) >> (tail % 8 * 8))))
        return put_as_it_is(row, to);
    if (BASE_UNLIKELY(columns % 64 && tuple->data[words - 1] >> columns % 64))
        return put_as_it_is(row, to);
    uint32_t left = out.count % 16; /* those that are not written: in front of what stands behind them */
    if (left) {
        char *at = to + (out.count - left) / 2;
        uint64_t mask = ~UINT64_C(0) << ((left + 1) / 2 * 8 - 1) << 1;
        store(at, (load(at) & mask) | out.pending);
    }
    return (size_t)(out.at - to);
}

/* ---- unpacking ---- */

static inline uint32_t half_at(const char *from, uint32_t i) { return (uint32_t)(uint8_t)from[i / 2] >> (i % 2 * 4) & 15; }

/* Length of a text, and where it begins. */
static inline uint32_t text_len(uint32_t half, const char **at)
{
    uint32_t len = half;
    if (half == TEXT_BYTE) {
        len = (uint8_t)**at;
        *at += 1;
    } else if (half == TEXT_WORD) {
        memcpy(&len, *at, sizeof len);
        *at += sizeof len;
    }
    return len;
}

static uint32_t size_as_it_is(const char *from)
{
    uint32_t size;
    memcpy(&size, from + 1, sizeof size);
    return size;
}

static inline const char *source_end(const struct match_pack *pack, const char *from)
{
    uint32_t source = half_at(from, 0);
    return from + (THINGS_BEFORE + pack->columns + 1) / 2 + (source == SMALL_PARTITION ? 1 : source == IN_WORDS ? 16 : 0);
}

size_t cep_match_pack_size(const struct match_pack *pack, const char *from, size_t *ret_packed)
{
    if (half_at(from, 0) == AS_IT_IS) {
        *ret_packed = 1 + sizeof(uint32_t) + size_as_it_is(from);
        return size_as_it_is(from);
    }
    const char *at = source_end(pack, from) + half_at(from, 1);
    size_t tail = 0;
    for (uint32_t i = 0; i < pack->columns; i++) {
        uint32_t half = half_at(from, THINGS_BEFORE + i);
        if (half == IS_NULL)
            continue;
        bool text = pack->kinds[i] == TEXT || pack->kinds[i] == WIDE;
        uint32_t len = text ? text_len(half, &at) : half;
        tail += text ? len : 0;
        at += len;
    }
    *ret_packed = (size_t)(at - from);
    return sizeof(struct cep_row) + (cep_tuple_null_words(pack->columns) + pack->columns) * 8 + ((tail + 7) & ~(size_t)7);
}

static struct cep_position position(const struct match_pack *pack, const char *from, uint64_t *ret_what)
{
    const char *at = from + (THINGS_BEFORE + pack->columns + 1) / 2;
    uint32_t source = half_at(from, 0);
    uint64_t where = pack->where;
    *ret_what = pack->what;
    if (source == SMALL_PARTITION) {
        where = (where >> 32 << 32) | (uint8_t)*at++;
    } else if (source == IN_WORDS) {
        where = load(at);
        *ret_what = load(at + 8);
        at += 16;
    }
    struct cep_position ret = { .offset = (int64_t)first_bytes(at, half_at(from, 1)) };
    store((char *)&ret + WHERE - offsetof(struct cep_row, at), where);
    return ret;
}

struct cep_position cep_match_pack_at(const struct match_pack *pack, const char *from)
{
    uint64_t what;
    struct cep_position ret;
    if (half_at(from, 0) != AS_IT_IS)
        return position(pack, from, &what);
    memcpy(&ret, from + 1 + sizeof(uint32_t) + offsetof(struct cep_row, at), sizeof ret);
    return ret;
}

void cep_match_pack_get(const struct match_pack *pack, const char *from, int64_t time_ms, struct cep_row *to, size_t size)
{
    if (half_at(from, 0) == AS_IT_IS) {
        memcpy(to, from + 1 + sizeof(uint32_t), size);
        return;
    }
    uint32_t columns = pack->columns, words = cep_tuple_null_words(columns), tail = (uint32_t)sizeof to->tuple + (words + columns) * 8;
    struct cep_tuple *tuple = &to->tuple;
    uint64_t what;
    store((char *)to + size - 8, 0); /* what the last text leaves of its last word */
    to->at = position(pack, from, &what);
    store((char *)to + WHAT, what);
    to->time_ms = time_ms;
    tuple->size_bytes = (uint32_t)(size - offsetof(struct cep_row, tuple));
    tuple->columns = (uint16_t)columns;
    tuple->reserved = 0;
    memset(tuple->data, 0, words * sizeof *tuple->data);
    const char *at = source_end(pack, from) + half_at(from, 1);
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t half = half_at(from, THINGS_BEFORE + i);
        uint64_t slot = 0;
        if (half == IS_NULL) {
            tuple->data[i / 64] |= UINT64_C(1) << i % 64;
        } else if (pack->kinds[i] == TEXT || pack->kinds[i] == WIDE) {
            uint32_t len = text_len(half, &at);
            memcpy((char *)tuple + tail, at, len);
            slot = tail | (uint64_t)len << 32;
            tail += len;
            at += len;
        } else {
            slot = first_bytes(at, half);
            at += half;
            slot = pack->kinds[i] == FRACTION ? __builtin_bswap64(slot) : zagzig(slot) + (pack->kinds[i] == TIME ? (uint64_t)time_ms : 0);
        }
        tuple->data[words + i] = slot;
    }
}
