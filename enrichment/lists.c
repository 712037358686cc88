#include "enrichment/lists.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/map.h"
#include "enrichment/watch.h"

#define NAME_BYTES 64
#define PATH_BYTES 4352
#define FILE_BYTES ((size_t)256 << 20)

struct list {
    char name[NAME_BYTES + 1];
    struct base_map entries;
    struct enrichment_watch watch;
};
/* Lists are never dropped before the close: rules hold pointers to them. */
static struct {
    pthread_rwlock_t lock;    /* the entries */
    pthread_mutex_t writing;  /* one change of a file or of the set of lists at a time; taken before lock */
    char folder[4096];
    struct list *at[ENRICHMENT_LISTS_MOST];
    uint32_t count;
} lists = { .lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP, .writing = PTHREAD_MUTEX_INITIALIZER };

static bool good_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len <= NAME_BYTES;
}

static void path_of(const char *name, const char *suffix, char ret[PATH_BYTES])
{
    snprintf(ret, PATH_BYTES, "%s/%s.txt%s", lists.folder, name, suffix);
}

static int io_error(struct base_buf *reterr, const char *path)
{
    base_buf_printf(reterr, "%s: %s", path, strerror(errno));
    return errno == ENOENT ? BASE_E_NOTFOUND : BASE_E_IO;
}

/* ---- files ---- */

static int read_file(const char *path, struct base_buf *text, struct base_buf *reterr)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return io_error(reterr, path);
    text->limit = FILE_BYTES;
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        base_buf_put(text, chunk, n);
    bool bad = ferror(file) != 0;
    fclose(file);
    if (bad || text->failed) {
        base_buf_printf(reterr, "%s: %s", path, bad ? "it cannot be read" : "it is larger than a list may be, or there is no memory for it");
        return bad ? BASE_E_IO : BASE_E_LIMIT;
    }
    return 0;
}

/* Next entry of a text; comments and blank lines are passed over. False: no more. */
static bool next_entry(struct base_str *inout, struct base_str *ret, struct base_str *ret_line)
{
    while (inout->len) {
        const char *end = memchr(inout->ptr, '\n', inout->len);
        size_t len = end ? (size_t)(end - inout->ptr) + 1 : inout->len;
        *ret_line = (struct base_str){ inout->ptr, len };
        *inout = (struct base_str){ inout->ptr + len, inout->len - len };
        *ret = base_str_trim(*ret_line);
        if (ret->len && ret->ptr[0] != '#')
            return true;
    }
    return false;
}

static int parse(struct base_str text, const char *path, struct base_map *entries, struct base_buf *reterr)
{
    struct base_str entry, line;
    while (next_entry(&text, &entry, &line)) {
        uint64_t *at = entries->count < ENRICHMENT_LIST_ENTRIES ? base_map_put(entries, entry, NULL) : NULL;
        if (!at) {
            bool full = entries->count >= ENRICHMENT_LIST_ENTRIES;
            base_buf_printf(reterr, "%s: %s", path, full ? "more entries than a list may have" : "out of memory");
            return full ? BASE_E_LIMIT : BASE_E_NOMEM;
        }
    }
    return 0;
}

/* The file into the list; on an error the list stays. Under writing. */
static int load(struct list *list, struct base_buf *reterr)
{
    char path[PATH_BYTES];
    struct base_buf text = { 0 };
    struct base_map fresh = { 0 };
    path_of(list->name, "", path);
    uint64_t mark = enrichment_watch_mark(path);
    int e = read_file(path, &text, reterr);
    if (e == 0)
        e = parse((struct base_str){ text.ptr, text.len }, path, &fresh, reterr);
    base_buf_finish(&text);
    if (e == 0) {
        pthread_rwlock_wrlock(&lists.lock);
        struct base_map old = list->entries;
        list->entries = fresh;
        pthread_rwlock_unlock(&lists.lock);
        fresh = old;
        list->watch.used = list->watch.seen = mark;
    }
    base_map_finish(&fresh);
    return e;
}

/* The list of a name, read if it is new. Under writing. */
static int find(const char *name, struct list **ret, struct base_buf *reterr)
{
    if (!good_name(name)) {
        base_buf_printf(reterr, "the name of a list consists of at most %d letters, digits, '-' and '_'", NAME_BYTES);
        return BASE_E_INVALID;
    }
    for (uint32_t i = 0; i < lists.count; i++) {
        if (strcmp(lists.at[i]->name, name) == 0) {
            *ret = lists.at[i];
            return 0;
        }
    }
    if (lists.count == ENRICHMENT_LISTS_MOST) {
        base_buf_printf(reterr, "there are %d lists already", ENRICHMENT_LISTS_MOST);
        return BASE_E_LIMIT;
    }
    struct list *list = base_calloc(1, sizeof *list);
    if (!list)
        return BASE_E_NOMEM;
    snprintf(list->name, sizeof list->name, "%s", name);
    int e = load(list, reterr);
    if (e < 0) {
        base_free(list);
        return e;
    }
    lists.at[lists.count++] = list;
    *ret = list;
    return 0;
}

void enrichment_lists_refresh(void)
{
    pthread_mutex_lock(&lists.writing);
    for (uint32_t i = 0; i < lists.count; i++) {
        char path[PATH_BYTES];
        struct base_buf why = { .limit = 4096 };
        path_of(lists.at[i]->name, "", path);
        if (!enrichment_watch_look(&lists.at[i]->watch, path))
            continue;
        int e = load(lists.at[i], &why);
        if (e < 0)
            base_logf(BASE_LOG_WARN, "lists", "a list stays as it was", "%s", why.len ? why.ptr : base_error_text(e));
        else
            base_logf(BASE_LOG_INFO, "lists", "read anew", "%s, %zu entries", lists.at[i]->name, lists.at[i]->entries.count);
        base_buf_finish(&why);
    }
    pthread_mutex_unlock(&lists.writing);
}

/* ---- changes ---- */

static int check_entry(struct base_str entry, struct base_buf *reterr)
{
    bool good = entry.len > 0 && entry.len <= ENRICHMENT_LIST_ENTRY_BYTES && base_str_trim(entry).len == entry.len && entry.ptr[0] != '#' &&
                base_utf8_check(entry.ptr, entry.len) == entry.len;
    for (size_t i = 0; good && i < entry.len; i++)
        good = (unsigned char)entry.ptr[i] >= 0x20;
    if (good)
        return 0;
    base_buf_printf(reterr, "an entry is a text of at most %d bytes without control characters, blanks around it or a # in front", ENRICHMENT_LIST_ENTRY_BYTES);
    return BASE_E_INVALID;
}

/* Writes all of text to the end of a new file and makes it durable. */
static int write_all(int fd, struct base_str text, const char *path, struct base_buf *reterr)
{
    size_t done = 0;
    while (done < text.len) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_error(reterr, path);
        done += (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : io_error(reterr, path);
}

static int sync_folder(struct base_buf *reterr)
{
    int fd = open(lists.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int e = fd >= 0 && fsync(fd) == 0 ? 0 : io_error(reterr, lists.folder);
    if (fd >= 0)
        close(fd);
    return e;
}

/* The whole text in place of the file, at once. */
static int replace_file(const char *name, struct base_str text, struct base_buf *reterr)
{
    char path[PATH_BYTES], part[PATH_BYTES];
    path_of(name, "", path);
    path_of(name, ".part", part);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return io_error(reterr, part);
    int e = write_all(fd, text, part, reterr);
    close(fd);
    if (e == 0 && rename(part, path) < 0)
        e = io_error(reterr, path);
    if (e < 0)
        (void)unlink(part);
    return e < 0 ? e : sync_folder(reterr);
}

/* The file's text with the entry added, or with all lines of it left out. */
static int change_text(const char *path, struct base_str entry, bool put, struct base_buf *out, struct base_buf *reterr)
{
    struct base_buf text = { 0 };
    int e = read_file(path, &text, reterr);
    if (e == BASE_E_NOTFOUND && put) {
        base_buf_clear(reterr);
        e = 0;
    }
    struct base_str rest = { text.ptr, text.len }, line, found;
    if (e == 0 && put) {
        base_buf_put(out, text.ptr, text.len);
        if (text.len && text.ptr[text.len - 1] != '\n')
            base_buf_putc(out, '\n');
        base_buf_put_str(out, entry);
        base_buf_putc(out, '\n');
    }
    const char *kept = rest.ptr;
    while (e == 0 && !put && next_entry(&rest, &found, &line)) {
        if (!base_str_equal(found, entry))
            continue;
        base_buf_put(out, kept, (size_t)(line.ptr - kept));
        kept = line.ptr + line.len;
    }
    if (e == 0 && !put && kept)
        base_buf_put(out, kept, (size_t)(text.ptr + text.len - kept));
    base_buf_finish(&text);
    return e == 0 && out->failed ? BASE_E_NOMEM : e;
}

static int change(const char *name, struct base_str entry, bool put, bool *ret_changed, struct base_buf *reterr)
{
    char path[PATH_BYTES];
    struct list *list = NULL;
    int e = check_entry(entry, reterr);
    if (e < 0)
        return e;
    *ret_changed = false;
    pthread_mutex_lock(&lists.writing);
    e = find(name, &list, reterr);
    bool fresh = e == BASE_E_NOTFOUND && put;
    if (fresh) {
        base_buf_clear(reterr);
        e = mkdir(lists.folder, 0750) == 0 || errno == EEXIST ? 0 : io_error(reterr, lists.folder);
    }
    if (e == 0 && (fresh || (base_map_find(&list->entries, entry) != NULL) != put)) {
        struct base_buf text = { .limit = FILE_BYTES };
        path_of(name, "", path);
        e = change_text(path, entry, put, &text, reterr);
        if (e == 0)
            e = replace_file(name, (struct base_str){ text.ptr, text.len }, reterr);
        base_buf_finish(&text);
        if (e == 0)
            e = fresh ? find(name, &list, reterr) : load(list, reterr);
        *ret_changed = e == 0;
    }
    pthread_mutex_unlock(&lists.writing);
    return e;
}

int enrichment_lists_put(const char *name, struct base_str entry, bool *ret_changed, struct base_buf *reterr)
{
    return change(name, entry, true, ret_changed, reterr);
}

int enrichment_lists_remove(const char *name, struct base_str entry, bool *ret_changed, struct base_buf *reterr)
{
    return change(name, entry, false, ret_changed, reterr);
}

/* ---- questions ---- */

static int find_quietly(const char *name, struct list **ret)
{
    struct base_buf why = { .limit = 4096 };
    pthread_mutex_lock(&lists.writing);
    int e = find(name, ret, &why);
    pthread_mutex_unlock(&lists.writing);
    base_buf_finish(&why);
    return e;
}

static bool has(struct list *list, struct base_str entry)
{
    pthread_rwlock_rdlock(&lists.lock);
    bool yes = base_map_find(&list->entries, entry) != NULL;
    pthread_rwlock_unlock(&lists.lock);
    return yes;
}

int enrichment_lists_has(const char *name, struct base_str entry, bool *ret)
{
    struct list *list = NULL;
    int e = find_quietly(name, &list);
    if (e == 0)
        *ret = has(list, entry);
    return e;
}

int enrichment_lists_each(const char *name, uint64_t *inout_at, uint32_t limit, void (*each)(void *ctx, struct base_str entry), void *ctx)
{
    struct list *list = NULL;
    int e = find_quietly(name, &list);
    if (e < 0)
        return e;
    pthread_rwlock_rdlock(&lists.lock);
    size_t at = (size_t)*inout_at;
    const struct base_map_entry *entry = NULL;
    for (uint32_t n = 0; n < limit && (entry = base_map_next(&list->entries, &at)); n++)
        each(ctx, (struct base_str){ entry->key, entry->key_len });
    size_t peek = at;
    *inout_at = base_map_next(&list->entries, &peek) ? at : 0;
    pthread_rwlock_unlock(&lists.lock);
    return 0;
}

int enrichment_lists_names(void (*each)(void *ctx, const char *name, uint64_t entries), void *ctx)
{
    DIR *dir = opendir(lists.folder);
    if (!dir)
        return errno == ENOENT ? 0 : BASE_E_IO;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct base_str file = base_str_of(entry->d_name);
        char name[NAME_BYTES + 1];
        if (file.len <= 4 || file.len - 4 > NAME_BYTES || !base_str_ends(file, BASE_STR(".txt")))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(file.len - 4), file.ptr);
        struct list *list = NULL;
        if (!good_name(name) || find_quietly(name, &list) < 0)
            continue;
        pthread_rwlock_rdlock(&lists.lock);
        uint64_t count = list->entries.count;
        pthread_rwlock_unlock(&lists.lock);
        each(ctx, name, count);
    }
    closedir(dir);
    return 0;
}

/* ---- the function ---- */

static bool resolve(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    want[0] = want[1] = CEP_TYPE(STRING);
    *ret = CEP_TYPE(BOOLEAN);
    return cep_cast_exists(args[0], want[0], true) && cep_cast_exists(args[1], want[1], true);
}

static int prepare(const struct cep_value *constants, const bool *constant, uint32_t n BASE_UNUSED, struct base_arena *arena, const char **ret_error, void **ret)
{
    struct list *list = NULL;
    struct base_buf why = { .limit = 4096 };
    *ret = NULL;
    if (!constant[1] || constants[1].null) {
        *ret_error = "the name of the list must be a constant, like 'blocked_cards'";
        return BASE_E_INVALID;
    }
    const char *name = base_arena_strndup(arena, constants[1].s.ptr, constants[1].s.len);
    if (!name)
        return BASE_E_NOMEM;
    pthread_mutex_lock(&lists.writing);
    int e = find(name, &list, &why);
    pthread_mutex_unlock(&lists.writing);
    if (e < 0) {
        *ret_error = base_arena_printf(arena, "list \"%s\": %s; its file is %s/%s.txt, one entry a line, or PUT /v1/lists/%s/{entry} makes it", name,
                                       e == BASE_E_NOTFOUND ? "there is none" : why.len ? why.ptr : base_error_text(e), lists.folder, name, name);
        e = e == BASE_E_NOMEM ? e : BASE_E_CONFIG;
    }
    base_buf_finish(&why);
    *ret = list;
    return e;
}

static int run(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    if (!call->prepared)
        return BASE_E_CONFIG;
    *ret = cep_int(has(call->prepared, (struct base_str){ args[0].s.ptr, args[0].s.len }));
    return 0;
}

static void unprepare(void *prepared BASE_UNUSED)
{
}

static const struct cep_func TABLE[] = {
    { "IN_LIST", 2, 2, CEP_FUNC_VOLATILE, resolve, run, prepare, unprepare, "IN_LIST(text, 'list')",
      "Is the text an entry of the managed list? The list is a file of the lists folder, or kept through REST (/v1/lists)." },
};

int enrichment_lists_register(struct cep_funcs *funcs, const char *folder)
{
    snprintf(lists.folder, sizeof lists.folder, "%s", folder && *folder ? folder : "lists");
    return cep_funcs_add(funcs, TABLE, sizeof TABLE / sizeof TABLE[0]);
}

void enrichment_lists_close(void)
{
    for (uint32_t i = 0; i < lists.count; i++) {
        base_map_finish(&lists.at[i]->entries);
        base_free(lists.at[i]);
    }
    lists.count = 0;
}
