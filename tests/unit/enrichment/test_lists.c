/* Managed lists: files, changes entry by entry, changes by hand, the function. */
#include "enrichment/lists.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/unit/tap.h"

static struct cep_funcs *funcs;
static char folder[] = "/tmp/cepheid-lists-XXXXXX";

static const char *file_text(const char *name)
{
    static char text[4096];
    char path[256];
    snprintf(path, sizeof path, "%s/sub/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
    return file ? text : "no file";
}

static void write_file(const char *name, const char *text)
{
    char path[256], part[300];
    snprintf(path, sizeof path, "%s/sub/%s", folder, name);
    snprintf(part, sizeof part, "%s.new", path);
    FILE *file = fopen(part, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(part, path) != 0)
        printf("# %s cannot be written\n", path);
}

static int put(const char *name, const char *entry, bool in)
{
    struct base_buf why = { 0 };
    bool changed = false;
    int e = in ? enrichment_lists_put(name, base_str_of(entry), &changed, &why) : enrichment_lists_remove(name, base_str_of(entry), &changed, &why);
    if (e < 0)
        printf("# %s\n", why.ptr ? why.ptr : "");
    base_buf_finish(&why);
    return e < 0 ? e : changed;
}

/* The function, linked and called: 1, 0, or the error of linking. */
static int in_list(const char *text, const char *list)
{
    struct base_arena arena = { 0 };
    const struct cep_func *func = cep_funcs_find(funcs, BASE_STR("in_list"), NULL);
    struct cep_value args[2] = { cep_string(text, strlen(text)), cep_string(list, strlen(list)) }, got = cep_null();
    bool constant[2] = { false, true };
    const char *error = NULL;
    struct cep_call call = { .arena = &arena, .args = 2 };
    int e = func->prepare(args, constant, 2, &arena, &error, &call.prepared);
    if (e == 0)
        e = func->run(&call, args, &got);
    else
        printf("# %s\n", error);
    base_arena_finish(&arena);
    return e < 0 ? e : (int)got.i;
}

static void test_changes(void)
{
    bool yes = true;
    IS_INT(in_list("x", "cards"), BASE_E_CONFIG, "a rule that names no list is refused");
    IS_INT(enrichment_lists_has("cards", BASE_STR("x"), &yes), BASE_E_NOTFOUND, "and there is none");
    IS_INT(put("cards", "x", false), BASE_E_NOTFOUND, "nothing to take out of it");
    IS_INT(put("cards", "4111 1111", true), 1, "the first entry makes the list");
    IS_INT(put("cards", "4111 1111", true), 0, "twice is once");
    IS_INT(put("cards", "größe/8", true), 1, "another one");
    IS_STR(file_text("cards.txt"), "4111 1111\ngröße/8\n", "the file holds them");
    IS_INT(in_list("größe/8", "cards"), 1, "the function finds it");
    IS_INT(in_list("4111", "cards"), 0, "and nothing else");
    IS_INT(put("cards", "4111 1111", false), 1, "taken out");
    IS_INT(put("cards", "4111 1111", false), 0, "twice is once");
    IS_INT(in_list("4111 1111", "cards"), 0, "no longer found");
    IS_INT(put("../cards", "x", true), BASE_E_INVALID, "a name that leads elsewhere");
    IS_INT(put("cards", "", true), BASE_E_INVALID, "an empty entry");
    IS_INT(put("cards", "a\nb", true), BASE_E_INVALID, "an entry of two lines");
    IS_INT(put("cards", "#a", true), BASE_E_INVALID, "a comment");
}

static void count_list(void *ctx, const char *name, uint64_t entries)
{
    (void)name;
    *(uint64_t *)ctx += 1000 + entries;
}

static void join(void *ctx, struct base_str entry)
{
    base_buf_put_str(ctx, entry);
    base_buf_putc(ctx, ' ');
}

static void test_files(void)
{
    write_file("tor.txt", "# exits\n\n  1.2.3.4  \r\n5.6.7.8");
    IS_INT(in_list("1.2.3.4", "tor"), 1, "a file by hand, with comments and blanks");
    IS_INT(put("tor", "9.9.9.9", true), 1, "an entry behind a line without end");
    IS_STR(file_text("tor.txt"), "# exits\n\n  1.2.3.4  \r\n5.6.7.8\n9.9.9.9\n", "the rest of the file stays as it is");
    IS_INT(put("tor", "1.2.3.4", false), 1, "an entry between others is taken out");
    IS_STR(file_text("tor.txt"), "# exits\n\n5.6.7.8\n9.9.9.9\n", "with its line");
    write_file("tor.txt", "a\nb\nc\n");
    enrichment_lists_refresh();
    IS_INT(in_list("a", "tor"), 0, "a changed file has to rest for one look");
    enrichment_lists_refresh();
    IS_INT(in_list("a", "tor"), 1, "then it is read");
    IS_INT(in_list("9.9.9.9", "tor"), 0, "as a whole");
    char path[256];
    snprintf(path, sizeof path, "%s/sub/tor.txt", folder);
    unlink(path);
    enrichment_lists_refresh();
    enrichment_lists_refresh();
    IS_INT(in_list("a", "tor"), 1, "a file that is gone leaves its list");
    write_file("tor.txt", "a\nb\nc\n");
    uint64_t sum = 0, at = 0;
    IS_INT(enrichment_lists_names(count_list, &sum), 0, "names");
    IS_INT(sum, 2000 + 1 + 3, "two lists, with one and three entries");
    struct base_buf out = { 0 };
    IS_INT(enrichment_lists_each("tor", &at, 2, join, &out), 0, "the first two entries");
    IS_STR(out.ptr, "a b ", "in order");
    OK(at != 0, "there are more");
    IS_INT(enrichment_lists_each("tor", &at, 2, join, &out), 0, "the others");
    IS_STR(out.ptr, "a b c ", "in order");
    IS_INT(at, 0, "no more");
    base_buf_finish(&out);
}

static _Atomic bool stop;

static void *reader(void *ctx)
{
    int *good = ctx;
    while (!atomic_load(&stop))
        *good += in_list("always", "busy") == 1;
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[2];
    int good[2] = { 0 }, changed = 0;
    put("busy", "always", true);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, reader, &good[i]);
    for (int i = 0; i < 20; i++)
        changed += put("busy", "sometimes", i % 2 == 0);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    OK(changed == 20 && good[0] > 0 && good[1] > 0, "questions while entries come and go");
}

int main(void)
{
    char path[256];
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/sub", folder);
    funcs = cep_funcs_create();
    IS_INT(enrichment_lists_register(funcs, path), 0, "registered");
    test_changes();
    test_files();
    test_threads();
    enrichment_lists_close();
    cep_funcs_destroy(funcs);
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    OK(system(command) == 0, "cleaned up");
    return tap_done();
}
