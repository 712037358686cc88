/* Rule files: names, folders in order, replacing, limits, writing by rename. */
#include "service/rulefiles.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/unit/tap.h"

static void test_names(void)
{
    OK(service_rulefiles_name_good("a.sql"), "plain");
    OK(service_rulefiles_name_good("pack/rule-1_b.sql"), "in a folder");
    OK(!service_rulefiles_name_good("../a.sql"), "no way up");
    OK(!service_rulefiles_name_good("a/../b.sql"), "not in the middle either");
    OK(!service_rulefiles_name_good("/a.sql"), "not absolute");
    OK(!service_rulefiles_name_good(".a.sql"), "not hidden");
    OK(!service_rulefiles_name_good("a//b.sql"), "no empty part");
    OK(!service_rulefiles_name_good("a.txt"), "another ending");
    OK(!service_rulefiles_name_good("a b.sql"), "no blanks");
}

int main(void)
{
    char folder[] = "/tmp/cepheid-test-files-XXXXXX", command[128];
    struct base_arena arena = { 0 };
    struct base_buf why = { 0 };
    struct service_rulefiles files;
    test_names();
    if (!mkdtemp(folder))
        return 1;
    IS_INT(service_rulefiles_write(folder, "b.sql", BASE_STR("two"), &why), 0, "written");
    IS_INT(service_rulefiles_write(folder, "a/x.sql", BASE_STR("one"), &why), 0, "with its folder");
    IS_INT(service_rulefiles_write(folder, "b.sql", BASE_STR("two again"), &why), 0, "written over");
    IS_INT(service_rulefiles_write(folder, "../b.sql", BASE_STR(""), &why), BASE_E_INVALID, "but not outside");
    service_rulefiles_init(&files, &arena);
    IS_INT(service_rulefiles_add(&files, folder, &why), 0, "read");
    IS_INT(files.len, 2, "both are found");
    IS_STR(files.at[0].text, "one", "in the order of names");
    IS_STR(files.at[1].text, "two again", "with the last content");
    uint64_t mark = 0;
    IS_INT(service_rulefiles_mark(folder, &mark), 0, "the mark");
    OK(mark == files.mark, "is the same without reading");
    IS_INT(service_rulefiles_set(&files, files.at[1].name, BASE_STR("three")), 0, "replaced");
    IS_INT(files.len, 2, "not added");
    IS_INT(service_rulefiles_write(folder, "b.sql", BASE_STR("another length"), &why), 0, "changed on disk");
    uint64_t later = 0;
    IS_INT(service_rulefiles_mark(folder, &later), 0, "the mark again");
    OK(later != mark, "has changed");
    files.file_bytes = 4;
    IS_INT(service_rulefiles_add(&files, folder, &why), BASE_E_LIMIT, "a file beyond the limit is refused");
    IS_INT(service_rulefiles_add(&files, "/no/such/place", &why), BASE_E_NOTFOUND, "a path that is not there");
    service_rulefiles_finish(&files);
    base_arena_finish(&arena);
    base_buf_finish(&why);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "cleaned up");
    return tap_done();
}
