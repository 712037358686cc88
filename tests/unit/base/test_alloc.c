#include "base/alloc.h"
#include "tests/unit/tap.h"

static void test_blocks(void)
{
    uint64_t before = base_alloc_live_blocks();
    void *a = base_alloc(0);
    unsigned char *b = base_calloc(10, 100);
    OK(a != NULL, "size 0 gives a pointer");
    bool zero = true;
    for (int i = 0; i < 1000; i++)
        zero = zero && b[i] == 0;
    OK(zero, "calloc zeroes");
    IS_INT(base_alloc_live_blocks(), before + 2, "two blocks live");
    a = base_realloc(a, 5000);
    IS_INT(base_alloc_live_blocks(), before + 2, "realloc keeps the count");
    void *c = base_realloc(NULL, 8);
    IS_INT(base_alloc_live_blocks(), before + 3, "realloc of NULL allocates");
    char *text = base_strndup("abcdef", 3);
    IS_STR(text, "abc", "strndup cuts and ends the copy");
    char *whole = base_strdup("xyz");
    IS_STR(whole, "xyz", "strdup");
    char *empty = base_strndup(NULL, 0);
    IS_STR(empty, "", "strndup of the empty slice");
    base_free(a);
    base_free(b);
    base_free(c);
    base_free(text);
    base_free(whole);
    base_free(empty);
    base_free(NULL);
    IS_INT(base_alloc_live_blocks(), before, "all freed");
}

static void test_faults(void)
{
    base_alloc_fail_at(2, false);
    void *a = base_alloc(1), *b = base_alloc(1), *c = base_alloc(1);
    OK(a && !b && c, "the second call fails, once");
    OK(base_alloc_fault_fired(), "the hook says that it fired");
    base_alloc_fail_at(1, true);
    OK(!base_alloc_fault_fired(), "setting the hook clears fired");
    void *d = base_calloc(1, 1);
    void *e = base_realloc(a, 100);
    OK(!d && !e, "with repeat all later calls fail");
    base_alloc_fail_at(0, false);
    void *f = base_realloc(a, 100);
    OK(f != NULL, "switched off; a failed realloc left the block valid");
    OK(!base_alloc_fault_fired(), "nothing fired after switching off");
    base_free(f);
    base_free(c);
}

static void test_sizes(void)
{
    size_t out = 7;
    OK(!base_size_mul(SIZE_MAX / 2, 3, &out) && out == 7, "mul overflow leaves the result alone");
    OK(!base_size_add(SIZE_MAX, 1, &out) && out == 7, "add overflow leaves the result alone");
    OK(base_size_mul(6, 7, &out) && out == 42, "mul");
    OK(base_size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX, "add up to the edge");
    OK(base_calloc(SIZE_MAX / 2, 4) == NULL, "calloc refuses an overflowing product");
    OK(base_strndup("", SIZE_MAX) == NULL, "strndup refuses an overflowing length");
}

int main(void)
{
    test_blocks();
    test_faults();
    test_sizes();
    return tap_done();
}
