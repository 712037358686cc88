#include "base/vec.h"
#include "tests/unit/tap.h"

struct ints BASE_VEC(int);

int main(void)
{
    struct ints vec = { 0 };
    bool pushed = true, kept = true;
    for (int i = 0; i < 10000; i++)
        pushed = BASE_VEC_PUSH(&vec, i * 3) && pushed;
    for (int i = 0; i < 10000; i++)
        kept = kept && vec.at[i] == i * 3;
    OK(pushed && kept && vec.len == 10000, "10,000 elements pushed and kept");
    OK(BASE_VEC_RESERVE(&vec, 5) && vec.len == 10000, "a smaller reserve changes nothing");
    OK(BASE_VEC_RESERVE(&vec, 50000) && vec.cap >= 50000, "reserve");
    size_t cap = vec.cap;
    OK(!BASE_VEC_RESERVE(&vec, SIZE_MAX / 2) && vec.cap == cap, "an overflowing reserve is refused");
    BASE_VEC_FINISH(&vec);
    OK(vec.at == NULL && vec.len == 0 && vec.cap == 0, "finished");
    base_alloc_fail_at(1, false);
    OK(!BASE_VEC_PUSH(&vec, 1) && vec.len == 0, "no memory: not pushed");
    base_alloc_fail_at(0, false);
    int calls = 0;
    OK(BASE_VEC_PUSH(&vec, ++calls) && calls == 1 && vec.at[0] == 1, "the value is evaluated once");
    BASE_VEC_FINISH(&vec);
    return tap_done();
}
