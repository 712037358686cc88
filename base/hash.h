/* XXH64 (Yann Collet's published algorithm), used for key groups, maps, fingerprints and checksums: its values are part
 * of stored formats and never change. Any thread. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t base_hash64(const void *bytes, size_t len, uint64_t seed);
/* CRC-32C of bytes, continued from crc (0 to start); guards stored values. */
uint32_t base_crc32c(uint32_t crc, const void *bytes, size_t len);
/* 128 bits as two XXH64 with different seeds, written as 32 lower-case hex digits and a NUL. */
void base_hash128_hex(const void *bytes, size_t len, char ret[33]);

#endif
