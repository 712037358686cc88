#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/vec.h"

#define MESSAGE_BYTES 1024
/* Of a long line only this many code points around the place are shown. */
#define LINE_CODE_POINTS 160
#define LINE_BEFORE 100

void base_diags_init(struct base_diags *diags, struct base_arena *arena)
{
    *diags = (struct base_diags){ .arena = arena };
}

void base_diags_finish(struct base_diags *diags)
{
    base_free(diags->at);
    diags->at = NULL;
    diags->len = diags->cap = 0;
}

static size_t *counter(struct base_diags *diags, enum base_severity severity)
{
    switch (severity) {
    case BASE_SEVERITY_ERROR: return &diags->errors;
    case BASE_SEVERITY_WARNING: return &diags->warnings;
    case BASE_SEVERITY_NOTE: return &diags->notes;
    }
    return &diags->errors;
}

void base_diag_add(struct base_diags *diags, enum base_severity severity, const char *code,
                   const struct base_source *source, size_t begin, size_t end, const char *hint, const char *format,
                   ...)
{
    /* Counted first: an error that cannot be kept must still be known to have happened. */
    size_t *count = counter(diags, severity);
    if ((*count)++ >= BASE_DIAG_MAX)
        return;
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        text[0] = 0;
    else if ((size_t)len >= sizeof text) /* cut between characters */
        text[base_utf8_check(text, sizeof text - 1)] = 0;
    const char *message = base_arena_strndup(diags->arena, text, strlen(text));
    size_t source_len = source ? source->len : 0;
    begin = begin < source_len ? begin : source_len;
    end = end < source_len ? end : source_len;
    struct base_diag diag = {
        .severity = severity,
        .code = code,
        .source = source,
        .begin = begin,
        .end = end > begin ? end : begin,
        .message = message ? message : "out of memory while this message was written",
        .hint = hint ? base_arena_strndup(diags->arena, hint, strlen(hint)) : NULL,
    };
    (void)BASE_VEC_PUSH(diags, diag); /* without memory it stays counted and is reported as not shown */
}

void base_source_place(const struct base_source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
    if (offset > source->len)
        offset = source->len;
    uint32_t line = 1;
    size_t line_begin = 0;
    for (size_t i = 0; i < offset; i++) {
        if (source->text[i] == '\n') {
            line++;
            line_begin = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = 1 + (uint32_t)base_utf8_length(source->text + line_begin, offset - line_begin);
}

static const char *severity_name(enum base_severity severity)
{
    switch (severity) {
    case BASE_SEVERITY_ERROR: return "error";
    case BASE_SEVERITY_WARNING: return "warning";
    case BASE_SEVERITY_NOTE: return "note";
    }
    return "error";
}

/* Control characters of a foreign text must not reach a terminal. */
static void put_code_point(struct base_buf *out, const char *at, size_t step, uint32_t code_point)
{
    bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    if (code_point == '\t')
        base_buf_putc(out, '\t');
    else if (control || code_point == 0xfffd)
        base_buf_putc(out, '?');
    else
        base_buf_put(out, at, step);
}

/* A message may quote the foreign text. */
static void put_clean(struct base_buf *out, const char *text)
{
    for (size_t i = 0, len = strlen(text); i < len;) {
        uint32_t code_point;
        size_t step = base_utf8_next(text + i, len - i, &code_point);
        if (code_point == '\n')
            base_buf_putc(out, '\n');
        else
            put_code_point(out, text + i, step, code_point);
        i += step;
    }
}

/* The source line around the place, then the caret line: ^~~~ below the range as far as it goes on this line. */
static void put_source_line(struct base_buf *out, const struct base_diag *diag)
{
    const struct base_source *source = diag->source;
    size_t line_begin = diag->begin, line_end = diag->begin;
    while (line_begin > 0 && source->text[line_begin - 1] != '\n')
        line_begin--;
    while (line_end < source->len && source->text[line_end] != '\n')
        line_end++;
    if (line_end > line_begin && source->text[line_end - 1] == '\r' && line_end - 1 >= diag->begin)
        line_end--;
    size_t before = base_utf8_length(source->text + line_begin, diag->begin - line_begin);
    size_t from = line_begin;
    if (before > LINE_BEFORE)
        from += base_utf8_prefix(source->text + line_begin, line_end - line_begin, before - LINE_BEFORE);
    struct base_buf carets = { 0 };
    base_buf_puts(out, "  ");
    base_buf_puts(&carets, "  ");
    if (from > line_begin) {
        base_buf_puts(out, "\xe2\x80\xa6");
        base_buf_putc(&carets, ' ');
    }
    size_t shown = 0, i = from;
    for (; i < line_end && shown < LINE_CODE_POINTS; shown++) {
        uint32_t code_point;
        size_t step = base_utf8_next(source->text + i, line_end - i, &code_point);
        put_code_point(out, source->text + i, step, code_point);
        if (i < diag->begin)
            base_buf_putc(&carets, code_point == '\t' ? '\t' : ' ');
        else if (i > diag->begin && i < diag->end)
            base_buf_putc(&carets, '~');
        else if (i == diag->begin)
            base_buf_putc(&carets, '^');
        i += step;
    }
    if (i < line_end)
        base_buf_puts(out, "\xe2\x80\xa6");
    if (diag->begin >= i)
        base_buf_putc(&carets, '^'); /* at the end of the line */
    base_buf_putc(out, '\n');
    if (carets.failed)
        out->failed = true;
    base_buf_put(out, carets.ptr, carets.len);
    base_buf_putc(out, '\n');
    base_buf_finish(&carets);
}

static void render_one(const struct base_diag *diag, struct base_buf *out)
{
    if (diag->source) {
        uint32_t line, column;
        base_source_place(diag->source, diag->begin, &line, &column);
        base_buf_printf(out, "%s:%u:%u: ", diag->source->name, line, column);
    }
    base_buf_printf(out, "%s: ", severity_name(diag->severity));
    put_clean(out, diag->message);
    base_buf_printf(out, " [%s]\n", diag->code);
    if (diag->source)
        put_source_line(out, diag);
    if (diag->hint) {
        base_buf_puts(out, "  hint: ");
        put_clean(out, diag->hint);
        base_buf_putc(out, '\n');
    }
}

static size_t kept(const struct base_diags *diags, enum base_severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < diags->len; i++)
        count += diags->at[i].severity == severity;
    return count;
}

static void put_cut(struct base_buf *out, const char *name, size_t cut)
{
    if (cut > 0)
        base_buf_printf(out, "%zu more %s%s not shown\n", cut, name, cut == 1 ? "" : "s");
}

void base_diags_render(const struct base_diags *diags, struct base_buf *out)
{
    for (size_t i = 0; i < diags->len; i++)
        render_one(&diags->at[i], out);
    put_cut(out, "error", diags->errors - kept(diags, BASE_SEVERITY_ERROR));
    put_cut(out, "warning", diags->warnings - kept(diags, BASE_SEVERITY_WARNING));
    put_cut(out, "note", diags->notes - kept(diags, BASE_SEVERITY_NOTE));
}

static void put_json_text(struct base_buf *out, const char *name, const char *text)
{
    base_buf_printf(out, "\"%s\":", name);
    if (text)
        base_buf_put_json(out, base_str_of(text));
    else
        base_buf_puts(out, "null");
}

void base_diags_render_json(const struct base_diags *diags, struct base_buf *out)
{
    base_buf_putc(out, '[');
    for (size_t i = 0; i < diags->len; i++) {
        const struct base_diag *diag = &diags->at[i];
        base_buf_puts(out, i ? ",{" : "{");
        put_json_text(out, "severity", severity_name(diag->severity));
        base_buf_putc(out, ',');
        put_json_text(out, "code", diag->code);
        base_buf_putc(out, ',');
        put_json_text(out, "file", diag->source ? diag->source->name : NULL);
        if (diag->source) {
            uint32_t line, column, end_line, end_column;
            base_source_place(diag->source, diag->begin, &line, &column);
            base_source_place(diag->source, diag->end, &end_line, &end_column);
            base_buf_printf(out, ",\"line\":%u,\"column\":%u,\"end_line\":%u,\"end_column\":%u,", line, column,
                            end_line, end_column);
        } else {
            base_buf_puts(out, ",\"line\":null,\"column\":null,\"end_line\":null,\"end_column\":null,");
        }
        put_json_text(out, "message", diag->message);
        base_buf_putc(out, ',');
        put_json_text(out, "hint", diag->hint);
        base_buf_putc(out, '}');
    }
    base_buf_putc(out, ']');
}
