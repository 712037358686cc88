/* Every rule text of the conformance cases and of the rule packs is read, and comes back from its printed form.
 * usage: test_parse_corpus SOURCE_ROOT */
#include <dirent.h>
#include "base/alloc.h"
#include "tests/unit/patterns/round_trip.h"
#include "tests/unit/tap.h"

#define FILE_BYTES_MOST (16u << 20)

struct tally {
    int read, refused, wrong;
};

static bool read_file(const char *path, struct base_buf *out)
{
    FILE *file = fopen(path, "rb");
    char block[65536];
    size_t got;
    if (!file)
        return false;
    base_buf_clear(out);
    while (out->len < FILE_BYTES_MOST && (got = fread(block, 1, sizeof block, file)) > 0)
        base_buf_put(out, block, got);
    fclose(file);
    return !out->failed;
}

static void check(const char *where, const char *text, size_t len, bool may_fail, struct tally *tally)
{
    struct round_trip t;
    const char *wrong = round_trip(&t, text, len);
    if (!wrong && t.diags.errors > 0 && !may_fail)
        wrong = "it is refused";
    if (wrong) {
        printf("# %s: %s\n# %.*s\n# %s\n", where, wrong, (int)(len < 400 ? len : 400), text,
               t.said.ptr ? t.said.ptr : "");
        tally->wrong++;
    } else if (t.diags.errors > 0) {
        tally->refused++;
    } else {
        tally->read++;
    }
    round_trip_finish(&t);
}

/* The JSON string that starts behind `at`, without its escapes (texts of the cases are ASCII). */
static const char *unescape(const char *at, const char *end, struct base_buf *out)
{
    base_buf_clear(out);
    for (; at < end && *at != '"'; at++) {
        if (*at != '\\')
            base_buf_putc(out, *at);
        else if (++at < end)
            base_buf_putc(out, *at == 'n' ? '\n' : *at == 't' ? '\t' : *at);
    }
    return at;
}

/* One case stands on one line. */
static void check_case(const char *where, const char *line, size_t len, struct tally *tally)
{
    static const char *const keys[] = { "\"rule\": \"", "\"pattern_a\": \"", "\"pattern_b\": \"" };
    bool may_fail = memmem(line, len, "\"expect_error\"", 14) != NULL;
    struct base_buf text = { 0 };
    struct base_buf rule = { 0 };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *at = memmem(line, len, keys[i], strlen(keys[i]));
        if (!at)
            continue;
        (void)unescape(at + strlen(keys[i]), line + len, &text);
        base_buf_clear(&rule);
        if (i == 0)
            base_buf_put(&rule, text.ptr, text.len);
        else
            base_buf_printf(&rule, "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (%s))", text.ptr);
        check(where, rule.ptr, rule.len, may_fail, tally);
    }
    base_buf_finish(&text);
    base_buf_finish(&rule);
}

static void check_cases(const char *path, struct tally *tally)
{
    struct base_buf file = { 0 };
    if (read_file(path, &file)) {
        for (size_t at = 0; at < file.len;) {
            const char *end = memchr(file.ptr + at, '\n', file.len - at);
            size_t len = end ? (size_t)(end - file.ptr) - at : file.len - at;
            check_case(path, file.ptr + at, len, tally);
            at += len + 1;
        }
    }
    base_buf_finish(&file);
}

/* Files of a folder with this ending, folders in it too. */
static void walk(const char *folder, const char *ending, int depth, struct tally *tally)
{
    DIR *dir = depth < 4 ? opendir(folder) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct base_buf file = { 0 };
        if (!base_str_ends(base_str_of(path), base_str_of(ending)))
            walk(path, ending, depth + 1, tally);
        else if (strcmp(ending, ".json") == 0)
            check_cases(path, tally);
        else if (read_file(path, &file))
            check(path, file.ptr, file.len, false, tally);
        base_buf_finish(&file);
    }
    if (dir)
        closedir(dir);
}

int main(int argc, char **argv)
{
    char folder[1024];
    struct tally cases = { 0 };
    struct tally packs = { 0 };
    const char *root = argc > 1 ? argv[1] : ".";
    snprintf(folder, sizeof folder, "%s/tests/conformance/cases", root);
    walk(folder, ".json", 0, &cases);
    OK(cases.wrong == 0, "the conformance cases are read and come back");
    OK(cases.read > 300, "there are many of them");
    OK(cases.refused > 0 && cases.refused < 20, "few errors of the cases show in the text alone");
    printf("# %d read, %d refused\n", cases.read, cases.refused);
    snprintf(folder, sizeof folder, "%s/rules", root);
    walk(folder, ".sql", 0, &packs);
    OK(packs.wrong == 0 && packs.read > 10, "the rule packs are read and come back");
    printf("# %d files\n", packs.read);
    return tap_done();
}
