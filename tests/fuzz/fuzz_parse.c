/* Fuzz target: any bytes as a rule text. The parser must neither crash nor hang, and what it reads must print to a text
 * that gives the same tree. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/unit/patterns/round_trip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct round_trip t;
    const char *wrong = round_trip(&t, (const char *)data, size);
    if (wrong) {
        fprintf(stderr, "%s\n%s\n", wrong, t.said.ptr ? t.said.ptr : "");
        abort();
    }
    round_trip_finish(&t);
    return 0;
}
