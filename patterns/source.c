#include "patterns/source.h"

#include <string.h>
#include "base/str.h"
#include "patterns/ast.h"

bool patterns_source_check(const struct base_source *source, struct base_diags *diags)
{
    if (source->len > PATTERNS_MAX_TEXT_BYTES) {
        base_diag_add(diags, BASE_SEVERITY_ERROR, "limit", source, 0, 0, "split the rules over several files",
                      "the text has %zu bytes; the limit is %u", source->len, PATTERNS_MAX_TEXT_BYTES);
        return false;
    }
    if (source->len == 0)
        return true;
    size_t bad = base_utf8_check(source->text, source->len);
    if (bad < source->len) {
        base_diag_add(diags, BASE_SEVERITY_ERROR, "encoding", source, bad, bad + 1, "save the file as UTF-8",
                      "the text is not valid UTF-8 (byte 0x%02X at offset %zu)", (unsigned char)source->text[bad], bad);
        return false;
    }
    const char *nul = memchr(source->text, 0, source->len);
    if (nul) {
        size_t at = (size_t)(nul - source->text);
        base_diag_add(diags, BASE_SEVERITY_ERROR, "encoding", source, at, at + 1, "save the file as UTF-8",
                      "the text holds a NUL byte at offset %zu", at);
        return false;
    }
    return true;
}

size_t patterns_source_start(const struct base_source *source)
{
    return source->len >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}
