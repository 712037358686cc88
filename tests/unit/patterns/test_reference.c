/* docs/opcodes.md is what the table of opcodes says; every function has its line. Argument: the project's folder. With
 * a second one, "bless", the page is written anew. */
#include <stdlib.h>
#include "patterns/reference.h"
#include "tests/unit/tap.h"

static void test_opcodes(const char *root, bool bless)
{
    struct base_buf want = { 0 };
    char path[1024];
    patterns_reference_opcodes(&want);
    snprintf(path, sizeof path, "%s/docs/opcodes.md", root);
    FILE *file = fopen(path, bless ? "wb" : "rb");
    OK(file != NULL, "docs/opcodes.md opens");
    if (file && bless)
        OK(fwrite(want.ptr, 1, want.len, file) == want.len, "written");
    if (file && !bless) {
        char *text = calloc(1, want.len + 2);
        size_t len = text ? fread(text, 1, want.len + 1, file) : 0;
        OK(len == want.len && text && memcmp(text, want.ptr, len) == 0,
           "docs/opcodes.md is as generated (bless: run this test with the argument bless)");
        free(text);
    }
    if (file)
        fclose(file);
    base_buf_finish(&want);
}

static void test_functions(void)
{
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_buf page = { 0 };
    const struct cep_func *func;
    OK(funcs != NULL, "functions");
    if (!funcs)
        return;
    patterns_reference_functions(funcs, &page);
    OK(!page.failed && page.ptr, "the page is written");
    bool all = true;
    for (uint32_t i = 0; page.ptr && (func = cep_funcs_at(funcs, i)); i++) {
        char call[128];
        snprintf(call, sizeof call, "| `%s(", func->name);
        if (strstr(page.ptr, call) || (func->signature && strstr(page.ptr, func->signature)))
            continue;
        printf("# %s is missing\n", func->name);
        all = false;
    }
    OK(all, "every function stands in it");
    base_buf_finish(&page);
    cep_funcs_destroy(funcs);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        test_opcodes(argv[1], argc > 2 && strcmp(argv[2], "bless") == 0);
    test_functions();
    return tap_done();
}
