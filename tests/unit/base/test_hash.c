#include "base/hash.h"
#include "tests/unit/base/random.h"
#include "tests/unit/tap.h"

/* The sanity buffer of the reference implementation: bytes of a multiplicative generator. */
static void fill_sanity(uint8_t *at, size_t len)
{
    uint64_t generator = 2654435761u;
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(generator >> 56);
        generator *= UINT64_C(11400714785074694797);
    }
}

static void test_xxh64(void)
{
    static const struct {
        size_t len;
        uint64_t seed, hash;
    } vectors[] = {
        { 0, 0, UINT64_C(0xef46db3751d8e999) },
        { 0, 2654435761u, UINT64_C(0xac75fda2929b17ef) },
        { 1, 0, UINT64_C(0xe934a84adb052768) },
        { 1, 2654435761u, UINT64_C(0x5014607643a9b4c3) },
        { 4, 0, UINT64_C(0x9136a0dca57457ee) },
        { 14, 0, UINT64_C(0x8282dcc4994e35c8) },
        { 14, 2654435761u, UINT64_C(0xc3bd6bf63deb6df0) },
        { 222, 0, UINT64_C(0xb641ae8cb691c174) },
        { 222, 2654435761u, UINT64_C(0x20cb8ab7ae10c14a) },
    };
    uint8_t buffer[256];
    fill_sanity(buffer, sizeof buffer);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        OK(base_hash64(buffer, vectors[i].len, vectors[i].seed) == vectors[i].hash, "reference vector of XXH64");
    static const struct {
        const char *text;
        uint64_t hash;
    } texts[] = {
        { "a", UINT64_C(0xd24ec4f1a98c6e5b) },
        { "abc", UINT64_C(0x44bc2cf5ad770999) },
        { "Nobody inspects the spammish repetition", UINT64_C(0xfbcea83c8a378bf1) },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        OK(base_hash64(texts[i].text, strlen(texts[i].text), 0) == texts[i].hash, texts[i].text);
    uint8_t shifted[257];
    bool same = true;
    for (size_t len = 0; len <= 256; len++) {
        memcpy(shifted + 1, buffer, len);
        same = same && base_hash64(shifted + 1, len, 5) == base_hash64(buffer, len, 5);
    }
    OK(same, "the hash does not depend on the alignment");
}

static uint32_t crc_by_bit(uint32_t crc, const uint8_t *at, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void test_crc32c(void)
{
    uint8_t block[32];
    IS_INT(base_crc32c(0, "123456789", 9), 0xe3069283u, "check value");
    memset(block, 0, sizeof block);
    IS_INT(base_crc32c(0, block, 32), 0x8a9136aau, "32 zeros (RFC 3720)");
    memset(block, 0xff, sizeof block);
    IS_INT(base_crc32c(0, block, 32), 0x62a8ab43u, "32 ones (RFC 3720)");
    for (int i = 0; i < 32; i++)
        block[i] = (uint8_t)i;
    IS_INT(base_crc32c(0, block, 32), 0x46dd794eu, "ascending (RFC 3720)");
    IS_INT(base_crc32c(0, NULL, 0), 0, "nothing");
    uint64_t seed = 4;
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_next(&seed);
    bool same = true, joined = true;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        uint32_t whole = base_crc32c(0, bytes, len);
        size_t cut = len ? random_next(&seed) % len : 0;
        same = same && whole == crc_by_bit(0, bytes, len);
        joined = joined && base_crc32c(base_crc32c(0, bytes, cut), bytes + cut, len - cut) == whole;
    }
    OK(same, "equals the sum computed bit by bit");
    OK(joined, "can be continued at any byte");
}

static void test_hex(void)
{
    char text[33], other[33];
    base_hash128_hex("abc", 3, text);
    base_hash128_hex("abd", 3, other);
    OK(strlen(text) == 32 && strncmp(text, "44bc2cf5ad770999", 16) == 0, "128 bits begin with the hash of seed 0");
    OK(strcmp(text, other) != 0 && strncmp(text, text + 16, 16) != 0, "and go on with another");
}

int main(void)
{
    test_xxh64();
    test_crc32c();
    test_hex();
    return tap_done();
}
