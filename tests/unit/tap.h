/* The smallest possible TAP producer: ok/is checks, counted, with the place of a failure. Include in one .c per test. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed;

static inline bool tap_check(bool good, const char *what, const char *file, int line)
{
    tap_run++;
    if (!good) {
        tap_failed++;
        printf("not ok %d - %s\n# at %s:%d\n", tap_run, what, file, line);
    } else {
        printf("ok %d - %s\n", tap_run, what);
    }
    return good;
}
#define OK(cond, what) tap_check((cond), (what), __FILE__, __LINE__)
#define IS_INT(got, want, what)                                                                                \
    do {                                                                                                       \
        int64_t g_ = (int64_t)(got), w_ = (int64_t)(want);                                                     \
        if (!tap_check(g_ == w_, (what), __FILE__, __LINE__))                                                  \
            printf("#  got %" PRId64 "\n# want %" PRId64 "\n", g_, w_);                                        \
    } while (0)
#define IS_STR(got, want, what)                                                                                \
    do {                                                                                                       \
        const char *g_ = (got), *w_ = (want);                                                                  \
        if (!tap_check(g_ && w_ && strcmp(g_, w_) == 0, (what), __FILE__, __LINE__))                           \
            printf("#  got %s\n# want %s\n", g_ ? g_ : "(null)", w_ ? w_ : "(null)");                          \
    } while (0)
static inline int tap_done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed != 0;
}

#endif
