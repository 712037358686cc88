/* A row in few bytes, as the log of lean keys keeps it: without its time, which the key knows, without what the operator's first row said of its source already, numbers
 * by as many bytes as they need, texts without place and padding. 96 bytes become some 20. What is unpacked is the row bit for bit; a row that is laid out in
 * another way than cep_tuple_write would is kept as it is. Used by match/log.h; never touches anything but the bytes it is given. */
#ifndef CEP_MATCH_PACK_H
#define CEP_MATCH_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/row.h"

/* How rows of one schema are packed. */
struct match_pack {
    uint8_t *kinds;          /* of the columns: how each is written */
    uint32_t columns;
    bool brief;              /* few columns: what is written in halves of bytes is one word */
    bool begun;              /* a row was packed: the two words are its own, which most rows have too */
    uint64_t where, what;    /* partition, place and table; change and flags */
};
/* BASE_E_NOMEM. Zeroed it may be finished. */
int cep_match_pack_init(struct match_pack *pack, const struct cep_type *types, uint32_t columns) BASE_MUST_CHECK;
void cep_match_pack_finish(struct match_pack *pack);
/* So many bytes must be writable (packing), and readable (unpacking), from where a packed row of so many bytes begins; more than it takes. */
static inline size_t cep_match_pack_room(const struct match_pack *pack, size_t row_bytes) { return row_bytes + pack->columns / 2 + 32; }
/* Writes it at `to`; how many bytes it takes, at least 1. */
size_t cep_match_pack_put(struct match_pack *pack, const struct cep_row *row, char *to);
/* How many bytes the row has that is packed at `from`; *ret_packed: how many it takes there. */
size_t cep_match_pack_size(const struct match_pack *pack, const char *from, size_t *ret_packed);
/* Writes the row at `to` (8-byte aligned, as many bytes as cep_match_pack_size said). */
void cep_match_pack_get(const struct match_pack *pack, const char *from, int64_t time_ms, struct cep_row *to, size_t size);
/* Where it stood at its source. */
struct cep_position cep_match_pack_at(const struct match_pack *pack, const char *from);

#endif
