#include "base/diag.h"
#include "base/alloc.h"
#include "tests/unit/tap.h"

static struct base_source source_of(const char *text)
{
    return (struct base_source){ .name = "rules/a.sql", .text = text, .len = strlen(text) };
}

static void test_place(void)
{
    struct base_source source = source_of("ab\n\xc3\xa4"
                                          "c\r\n\nx");
    static const struct {
        size_t offset;
        uint32_t line, column;
    } cases[] = {
        { 0, 1, 1 }, { 2, 1, 3 }, { 3, 2, 1 },  { 5, 2, 2 },  { 6, 2, 3 },
        { 8, 3, 1 }, { 9, 4, 1 }, { 10, 4, 2 }, { 99, 4, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t line, column;
        base_source_place(&source, cases[i].offset, &line, &column);
        IS_INT(line, cases[i].line, "line");
        IS_INT(column, cases[i].column, "column");
    }
}

static void test_render(void)
{
    struct base_arena arena = { 0 };
    struct base_diags diags;
    base_diags_init(&diags, &arena);
    struct base_source source = source_of("SELECT a,\n\tcontry FROM t\nEND");
    char hint[] = "did you mean \"country\"?";
    base_diag_add(&diags, BASE_SEVERITY_ERROR, "unknown-column", &source, 11, 17, hint, "unknown column \"%s\"",
                  "contry");
    hint[0] = 'X'; /* was copied */
    base_diag_add(&diags, BASE_SEVERITY_WARNING, "unbounded", NULL, 0, 0, NULL, "no WITHIN");
    base_diag_add(&diags, BASE_SEVERITY_NOTE, "portability", &source, 28, 28, NULL, "ends here");
    struct base_buf out = { 0 };
    base_diags_render(&diags, &out);
    IS_STR(out.ptr,
           "rules/a.sql:2:2: error: unknown column \"contry\" [unknown-column]\n"
           "  \tcontry FROM t\n"
           "  \t^~~~~~\n"
           "  hint: did you mean \"country\"?\n"
           "warning: no WITHIN [unbounded]\n"
           "rules/a.sql:3:4: note: ends here [portability]\n"
           "  END\n"
           "     ^\n",
           "caret text");
    base_buf_clear(&out);
    base_diags_render_json(&diags, &out);
    IS_STR(out.ptr,
           "[{\"severity\":\"error\",\"code\":\"unknown-column\",\"file\":\"rules/"
           "a.sql\",\"line\":2,\"column\":2,\"end_line\":2,"
           "\"end_column\":8,\"message\":\"unknown column \\\"contry\\\"\",\"hint\":\"did you mean \\\"country\\\"?\"},"
           "{\"severity\":\"warning\",\"code\":\"unbounded\",\"file\":null,\"line\":null,\"column\":null,\"end_line\":"
           "null,"
           "\"end_column\":null,\"message\":\"no WITHIN\",\"hint\":null},"
           "{\"severity\":\"note\",\"code\":\"portability\",\"file\":\"rules/"
           "a.sql\",\"line\":3,\"column\":4,\"end_line\":3,"
           "\"end_column\":4,\"message\":\"ends here\",\"hint\":null}]",
           "JSON");
    base_buf_finish(&out);
    base_diags_finish(&diags);
    base_arena_finish(&arena);
}

static void test_hostile_source(void)
{
    struct base_arena arena = { 0 };
    struct base_diags diags;
    base_diags_init(&diags, &arena);
    size_t len = 1 << 20;
    char *text = base_alloc(len + 1);
    memset(text, 'x', len);
    text[len] = 0;
    struct base_source source = source_of(text);
    base_diag_add(&diags, BASE_SEVERITY_ERROR, "long", &source, len / 2, len / 2 + 3, NULL, "in a line of a mebibyte");
    struct base_source control = source_of("a\x1b[31m\xff"
                                           "b\r\n");
    base_diag_add(&diags, BASE_SEVERITY_ERROR, "control", &control, 7, 100, NULL, "behind an escape, in \"%s\"",
                  control.text);
    struct base_source empty = source_of("");
    base_diag_add(&diags, BASE_SEVERITY_ERROR, "empty", &empty, 5, 2, NULL, "in nothing");
    struct base_buf out = { 0 };
    base_diags_render(&diags, &out);
    OK(out.len < 2000, "a long line is cut around the place");
    OK(strstr(out.ptr, "\xe2\x80\xa6xxx") && strstr(out.ptr, "^~~\n"), "and still shows the place");
    OK(!strchr(out.ptr, '\x1b') && base_utf8_check(out.ptr, out.len) == out.len,
       "no escape and no broken UTF-8 reaches the terminal");
    OK(strstr(out.ptr, "behind an escape, in \"a?[31m?b?\n\"") != NULL, "not by way of a message either");
    OK(strstr(out.ptr, "  a?[31m?b\n         ^\n") != NULL,
       "the caret stands below the byte, and goes no further than its line");
    OK(strstr(out.ptr, "rules/a.sql:1:1: error: in nothing [empty]\n  \n  ^\n") != NULL, "a place in an empty text");
    base_buf_finish(&out);
    base_diags_finish(&diags);
    base_free(text);
    base_arena_finish(&arena);
}

static void test_many(void)
{
    struct base_arena arena = { 0 };
    struct base_diags diags;
    base_diags_init(&diags, &arena);
    for (int i = 0; i < 100; i++)
        base_diag_add(&diags, BASE_SEVERITY_WARNING, "w", NULL, 0, 0, NULL, "warning %d", i);
    for (int i = 0; i < BASE_DIAG_MAX + 1; i++)
        base_diag_add(&diags, BASE_SEVERITY_ERROR, "e", NULL, 0, 0, NULL, "error %d", i);
    IS_INT(diags.errors, BASE_DIAG_MAX + 1, "all errors are counted");
    IS_INT(diags.len, 2 * BASE_DIAG_MAX, "20 of each severity are kept: warnings take no error's place");
    struct base_buf out = { 0 };
    base_diags_render(&diags, &out);
    OK(strstr(out.ptr, "\n1 more error not shown\n80 more warnings not shown\n") != NULL,
       "the text says how many were cut");
    base_buf_finish(&out);
    char longer[3000];
    memset(longer, 'm', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    base_diag_add(&diags, BASE_SEVERITY_NOTE, "n", NULL, 0, 0, NULL, "%s", longer);
    OK(strlen(diags.at[diags.len - 1].message) == 1023, "a long message is cut");
    base_diags_finish(&diags);
    base_arena_finish(&arena);
}

static void test_no_memory(void)
{
    struct base_source source = source_of("SELECT contry FROM t");
    bool good = true, swept = false;
    for (uint64_t nth = 1; nth < 100 && !swept; nth++) {
        uint64_t live = base_alloc_live_blocks();
        struct base_arena arena = { 0 };
        struct base_diags diags;
        struct base_buf out = { 0 };
        base_diags_init(&diags, &arena);
        base_alloc_fail_at(nth, false);
        for (int i = 0; i < 30; i++)
            base_diag_add(&diags, BASE_SEVERITY_ERROR, "unknown-column", &source, 7, 13, "hint",
                          "unknown column \"%0200d\"", i);
        base_diags_render(&diags, &out);
        bool text_failed = out.failed;
        base_buf_clear(&out);
        base_diags_render_json(&diags, &out);
        swept = !base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        good = good && diags.errors == 30 && (!swept || !text_failed);
        base_buf_finish(&out);
        base_diags_finish(&diags);
        base_arena_finish(&arena);
        good = good && base_alloc_live_blocks() == live;
    }
    OK(good && swept, "with each allocation failing in turn every error is still counted, and nothing leaks");
}

int main(void)
{
    test_place();
    test_render();
    test_hostile_source();
    test_many();
    test_no_memory();
    return tap_done();
}
