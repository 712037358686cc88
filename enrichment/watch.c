#include "enrichment/watch.h"

#include <sys/stat.h>

#include "base/hash.h"

uint64_t enrichment_watch_mark(const char *path)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return 0;
    uint64_t facts[] = { (uint64_t)info.st_mtim.tv_sec, (uint64_t)info.st_mtim.tv_nsec, (uint64_t)info.st_size, info.st_ino };
    uint64_t mark = base_hash64(facts, sizeof facts, 3);
    return mark ? mark : 1;
}

bool enrichment_watch_look(struct enrichment_watch *watch, const char *path)
{
    uint64_t mark = enrichment_watch_mark(path), before = watch->seen;
    watch->seen = mark;
    if (mark == 0 || mark == watch->used || mark != before)
        return false;
    watch->used = mark;
    return true;
}
