/* Fuzz target: JSON lines read in blocks, straight into columns, against the same lines read record by record. The first two bytes say with which options, and
 * where blocks end. */
#include <stdlib.h>
#include "tests/unit/formats/ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[][5] = { { "format", "json" }, { "format", "json", "json.ignore-parse-errors", "true" }, { "format", "json", "max-record-bytes", "230" } };
    if (size < 2 || size > 1 << 14)
        return 0;
    uint32_t by_block;
    const struct table_spec spec = { fields, FIELDS, options[data[0] % 3], data[0] & 4 ? -1 : TS, 0 };
    if (!both_ways_same(&spec, NULL, (const char *)data + 2, size - 2, 1 + 16u * data[1], &by_block)) {
        fprintf(stderr, "not the same both ways: %.*s\n", (int)size - 2, (const char *)data + 2);
        abort();
    }
    return 0;
}
