#include "base/arena.h"
#include "base/alloc.h"
#include "tests/unit/base/random.h"
#include "tests/unit/tap.h"

static void test_many(void)
{
    uint64_t blocks = base_alloc_live_blocks(), seed = 1;
    struct base_arena arena = { 0 };
    enum { COUNT = 3000 };
    static unsigned char *at[COUNT];
    static size_t size[COUNT];
    bool aligned = true, intact = true;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            size[i] = random_next(&seed) % (i % 100 == 0 ? 40000 : 200);
            at[i] = base_arena_alloc(&arena, size[i]);
            aligned = aligned && at[i] && (uintptr_t)at[i] % 16 == 0;
            memset(at[i], i & 0xff, size[i]);
        }
        for (int i = 0; i < COUNT; i++)
            for (size_t j = 0; j < size[i]; j++)
                intact = intact && at[i][j] == (i & 0xff);
        base_arena_reset(&arena);
        IS_INT(base_alloc_live_blocks(), blocks + 1, "a reset keeps one block");
    }
    OK(aligned, "every allocation is aligned to 16");
    OK(intact, "no two allocations overlap");
    OK(!arena.failed, "nothing was refused");
    base_arena_finish(&arena);
    IS_INT(base_alloc_live_blocks(), blocks, "finish frees all");
    OK(base_arena_alloc(&arena, 0) != NULL, "size 0 gives a pointer, and a finished arena can be used again");
    base_arena_finish(&arena);
}

static void test_big_and_limit(void)
{
    struct base_arena arena = { 0 };
    char *small = base_arena_alloc(&arena, 16);
    OK(base_arena_alloc(&arena, 4 << 20) != NULL, "an allocation larger than a block");
    char *next = base_arena_alloc(&arena, 16);
    OK(next == small + 16, "the current block stays in use behind a big allocation");
    base_arena_reset(&arena);
    OK(arena.total_bytes <= 1 << 20, "a reset gives a big block back");
    OK(base_arena_alloc(&arena, SIZE_MAX - 3) == NULL && arena.failed,
       "an overflowing size is refused, and that sticks");
    OK(base_arena_zalloc(&arena, SIZE_MAX / 2, 3) == NULL, "an overflowing product is refused");
    base_arena_reset(&arena);
    OK(!arena.failed, "a reset clears the failure");
    base_arena_finish(&arena);

    struct base_arena limited = { .limit_bytes = 10000 };
    size_t got = 0;
    while (base_arena_alloc(&limited, 100))
        got += 112;
    OK(limited.failed && limited.total_bytes <= 10000, "the limit holds");
    OK(got > 9000, "and most of it can be used");
    base_arena_finish(&limited);
}

static void test_texts(void)
{
    struct base_arena arena = { 0 };
    IS_STR(base_arena_strndup(&arena, "hello", 4), "hell", "strndup");
    IS_STR(base_arena_strndup(&arena, NULL, 0), "", "strndup of nothing");
    IS_STR(base_arena_printf(&arena, "%d-%s", 7, "x"), "7-x", "printf");
    char *text = base_arena_printf(&arena, "%1000d", 5);
    OK(text && strlen(text) == 1000 && text[999] == '5', "printf longer than its first guess");
    char *zero = base_arena_zalloc(&arena, 100, 3);
    bool all = true;
    for (int i = 0; i < 300; i++)
        all = all && zero[i] == 0;
    OK(all, "zalloc zeroes");
    base_alloc_fail_at(1, true);
    OK(base_arena_alloc(&arena, 100000) == NULL && arena.failed, "no memory is reported and sticks");
    base_alloc_fail_at(0, false);
    base_arena_finish(&arena);
}

int main(void)
{
    test_many();
    test_big_and_limit();
    test_texts();
    return tap_done();
}
