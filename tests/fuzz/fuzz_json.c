/* Fuzz target: the JSON decoder in strict mode against Jansson. */
#include <stdlib.h>
#include "tests/unit/formats/json_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_oracle oracle;
    if (!oracle.decoder && !json_oracle_open(&oracle))
        abort();
    if (size > 1 << 16)
        return 0;
    const char *what = json_oracle_check(&oracle, (const char *)data, size);
    if (what) {
        fprintf(stderr, "%s: %.*s\nours: %s\n", what, (int)size, (const char *)data, oracle.said.last.reason);
        abort();
    }
    return 0;
}
