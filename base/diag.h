/* Diagnostics of rule texts and configuration: code, place, message, hint; one renderer for caret text and one for
 * JSON. At most BASE_DIAG_MAX errors are kept, the rest counted. Single-threaded. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/str.h"

#define BASE_DIAG_MAX 20

enum base_severity { BASE_SEVERITY_ERROR, BASE_SEVERITY_WARNING, BASE_SEVERITY_NOTE };

struct base_source {  /* one text that diagnostics point into */
    const char *name; /* file name as the user gave it */
    const char *text;
    size_t len;
};
struct base_diag {
    enum base_severity severity;
    const char *code;                 /* stable short word, e.g. "unknown-column" */
    const struct base_source *source; /* may be NULL: no place */
    size_t begin, end;                /* byte range in source->text */
    const char *message;              /* what is wrong */
    const char *hint;                 /* what to write instead; may be NULL */
};
struct base_diags {
    struct base_arena *arena; /* texts live here; borrowed */
    struct base_diag *at;     /* owned */
    size_t len, cap;
    size_t errors, warnings, notes; /* all that were added, kept or not */
};
void base_diags_init(struct base_diags *diags, struct base_arena *arena);
void base_diags_finish(struct base_diags *diags);
/* Formats message into the arena. hint may be NULL (it is copied). */
void base_diag_add(struct base_diags *diags, enum base_severity severity, const char *code,
                   const struct base_source *source, size_t begin, size_t end, const char *hint, const char *format,
                   ...) __attribute__((format(printf, 8, 9)));
/* 1-based line and column (in code points) of a byte offset. */
void base_source_place(const struct base_source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_column);
/* file:line:column: error: message [code] / source line / caret / hint, for each, then a count line if some were cut.
 */
void base_diags_render(const struct base_diags *diags, struct base_buf *out);
/* JSON array of {severity, code, file, line, column, end_line, end_column, message, hint}. */
void base_diags_render_json(const struct base_diags *diags, struct base_buf *out);

#endif
