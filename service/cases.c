#include "service/cases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "service/case_run.h"

#define FILE_BYTES ((size_t)64 << 20)

void service_cases_finish(struct service_cases *cases)
{
    for (size_t i = 0; i < cases->list.len; i++) {
        struct service_case *c = &cases->list.at[i];
        for (size_t k = 0; k < c->rows.len; k++) {
            base_free(c->rows.at[k].lines.at);
            base_free(c->rows.at[k].lines.numbers);
        }
        BASE_VEC_FINISH(&c->rows);
        base_free(c->alerts.at);
        base_free(c->alerts.numbers);
        base_free(c->changes.at);
        base_free(c->changes.numbers);
    }
    BASE_VEC_FINISH(&cases->list);
    base_arena_finish(&cases->arena);
}

void service_case_result_finish(struct service_case_result *result)
{
    base_buf_finish(&result->report);
    base_buf_finish(&result->alerts_text);
    base_buf_finish(&result->changes_text);
    base_buf_finish(&result->steps);
}

static int add_line(struct service_case_lines *lines, struct base_str text, uint32_t number)
{
    size_t cap = lines->numbers_cap;
    if (lines->len == cap && !base_vec_grow((void **)&lines->numbers, &lines->numbers_cap, lines->len + 1, sizeof *lines->numbers))
        return BASE_E_NOMEM;
    lines->numbers[lines->len] = number;
    return BASE_VEC_PUSH(lines, text) ? 0 : BASE_E_NOMEM;
}

enum section { NONE, ROWS, ALERTS, CHANGES };
struct parse {
    struct service_cases *cases;
    struct service_case *now;
    enum section section;
    uint32_t number;
    size_t begin, end;      /* of the line, in the text */
    bool implicit;          /* the one case of a file without `-- case` */
    struct base_buf *reterr;
};

static int bad(const struct parse *p, const char *why)
{
    base_buf_printf(p->reterr, "%s:%u: %s", p->cases->path, p->number, why);
    return BASE_E_SYNTAX;
}

static int begin_case(struct parse *p, struct base_str name)
{
    struct service_case fresh = { .name = name, .line = p->number };
    if (p->cases->list.len)
        fresh.rules = p->cases->list.at[p->cases->list.len - 1].rules; /* until a case names others */
    if (!BASE_VEC_PUSH(&p->cases->list, fresh))
        return BASE_E_NOMEM;
    p->now = &p->cases->list.at[p->cases->list.len - 1];
    p->section = NONE;
    return 0;
}

static int need_case(struct parse *p)
{
    if (p->now)
        return 0;
    p->implicit = true;
    return begin_case(p, base_str_of(p->cases->path));
}

/* The rest of the line behind "-- word", if it is that word. */
static bool word_is(struct base_str line, const char *word, struct base_str *ret_rest)
{
    size_t len = strlen(word);
    if (line.len < len || memcmp(line.ptr, word, len) != 0 || (line.len > len && line.ptr[len] != ' '))
        return false;
    *ret_rest = base_str_trim((struct base_str){ line.ptr + len, line.len - len });
    return true;
}

static int begin_rows(struct parse *p, struct base_str table)
{
    struct service_case_rows rows = { .table = table };
    if (!table.len)
        return bad(p, "'-- rows' needs the name of a table");
    p->section = ROWS;
    return BASE_VEC_PUSH(&p->now->rows, rows) ? 0 : BASE_E_NOMEM;
}

static int directive(struct parse *p, struct base_str line)
{
    struct base_str rest;
    struct base_str text = base_str_trim((struct base_str){ line.ptr + 2, line.len - 2 });
    if (word_is(text, "case", &rest)) {
        if (p->implicit)
            return bad(p, "'-- case' must stand before the first section");
        return rest.len ? begin_case(p, rest) : bad(p, "'-- case' needs a name");
    }
    bool known = word_is(text, "rules", &rest) || word_is(text, "rows", &rest) || word_is(text, "alerts", &rest) || word_is(text, "changes", &rest);
    if (!known)
        return 0; /* a comment */
    int e = need_case(p);
    if (e < 0)
        return e;
    struct service_case *c = p->now;
    if (word_is(text, "rules", &rest)) {
        c->rules = rest;
        p->section = NONE;
        return rest.len ? 0 : bad(p, "'-- rules' needs at least one file");
    }
    if (word_is(text, "rows", &rest))
        return begin_rows(p, rest);
    bool alerts = word_is(text, "alerts", &rest);
    if (alerts ? c->has_alerts : c->has_changes)
        return bad(p, "a case has one such section");
    p->section = alerts ? ALERTS : CHANGES;
    if (alerts) {
        c->has_alerts = true;
        c->alerts_begin = c->alerts_end = p->end;
    } else {
        c->has_changes = true;
        c->changes_begin = c->changes_end = p->end;
    }
    return 0;
}

static int content(struct parse *p, struct base_str line)
{
    if (!base_str_trim(line).len)
        return 0;
    switch (p->section) {
    case NONE:
        return bad(p, "expected '-- case NAME', '-- rules FILE', '-- rows TABLE', '-- alerts' or '-- changes'");
    case ROWS:
        return add_line(&p->now->rows.at[p->now->rows.len - 1].lines, line, p->number);
    case ALERTS:
        p->now->alerts_end = p->end;
        return add_line(&p->now->alerts, line, p->number);
    case CHANGES:
        p->now->changes_end = p->end;
        return add_line(&p->now->changes, line, p->number);
    }
    return 0;
}

static int parse(struct service_cases *cases, struct base_buf *reterr)
{
    struct parse p = { .cases = cases, .reterr = reterr };
    int e = 0;
    for (size_t at = 0; e == 0 && at < cases->text.len; at = p.end) {
        const char *newline = memchr(cases->text.ptr + at, '\n', cases->text.len - at);
        size_t len = newline ? (size_t)(newline - (cases->text.ptr + at)) : cases->text.len - at;
        struct base_str line = { cases->text.ptr + at, len };
        if (len && line.ptr[len - 1] == '\r')
            line.len--;
        p.number++;
        p.begin = at;
        p.end = at + len + (newline ? 1 : 0);
        bool dashed = line.len >= 2 && line.ptr[0] == '-' && line.ptr[1] == '-';
        e = dashed ? directive(&p, line) : content(&p, line);
    }
    for (size_t i = 0; e == 0 && i < cases->list.len; i++) {
        const struct service_case *c = &cases->list.at[i];
        p.number = c->line;
        if (!c->rules.len)
            e = bad(&p, "the case names no rule file: '-- rules FILE'");
        else if (!c->has_alerts && !c->has_changes)
            e = bad(&p, "the case expects nothing: write '-- alerts' (with no lines if there shall be none)");
    }
    if (e == 0 && cases->list.len == 0)
        e = bad(&p, "there is no case in this file");
    return e;
}

int service_cases_read(const char *path, struct service_cases *ret, struct base_buf *reterr)
{
    *ret = (struct service_cases){ .path = path };
    FILE *file = fopen(path, "re");
    if (!file) {
        base_buf_printf(reterr, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? BASE_E_NOTFOUND : BASE_E_IO;
    }
    struct base_buf text = { .limit = FILE_BYTES };
    char chunk[16384];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        base_buf_put(&text, chunk, n);
    bool failed = ferror(file) || text.failed;
    fclose(file);
    char *copy = failed ? NULL : base_arena_strndup(&ret->arena, text.ptr ? text.ptr : "", text.len);
    ret->text = (struct base_str){ copy, text.len };
    base_buf_finish(&text);
    int e = 0;
    if (!copy) {
        base_buf_printf(reterr, "%s: cannot be read, or is larger than a case file may be", path);
        e = BASE_E_IO;
    }
    if (e == 0)
        e = parse(ret, reterr);
    if (e < 0)
        service_cases_finish(ret);
    return e;
}
