#include "connectors/file_source.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "connectors/file_list.h"
#include "connectors/lines.h"
#include "connectors/reader.h"

#define BATCH_RECORDS 4096
#define HINT_VERSION 1
#define HINT_BYTES 17
#define FOLLOW_WAIT_MS 50

struct file_source {
    struct connectors_source base;
    char *path;                        /* as configured; NULL: standard input */
    bool csv, follow, directory;
    struct connectors_file_list files;
    size_t next_file;                  /* of files: to be opened next */
    struct connectors_reader *reader;  /* NULL: none is open */
    char *open_path;                   /* of the open file; NULL: standard input */
    uint64_t inode;                    /* of the open file, to see that it was replaced */
    struct connectors_lines lines;
    struct base_buf head;              /* first record of the file, CSV only */
    struct cep_origin origin;
    int64_t next_offset;
    int64_t skip_to;                   /* records before this offset are not handed out */
    bool head_next;                    /* the next record is the file's first */
    struct cep_record records[BATCH_RECORDS];
    struct connectors_position position;
};

/* ---- one file ---- */

static void close_file(struct file_source *source)
{
    connectors_reader_close(source->reader);
    source->reader = NULL;
}

/* Reads more of the open file into lines; *ret_got 0 with eof not set: nothing right now. */
static int fill(struct file_source *source, int timeout_ms, size_t *ret_got)
{
    struct connectors_read read = { .timeout_ms = timeout_ms };
    *ret_got = 0;
    int r = connectors_lines_room(&source->lines, &read.to, &read.size);
    if (r < 0)
        return r;
    bool first = source->lines.end == 0 && connectors_lines_place(&source->lines) == 0;
    r = connectors_reader_read(source->reader, read, ret_got, source->base.error, sizeof source->base.error);
    if (r < 0)
        return r;
    connectors_lines_filled(&source->lines, *ret_got);
    if (first && *ret_got >= 3 && memcmp(read.to, "\xef\xbb\xbf", 3) == 0)
        connectors_lines_drop(&source->lines, 3); /* a byte order mark */
    return 0;
}

static int seek_file(struct file_source *source, uint64_t place)
{
    int r = connectors_reader_seek(source->reader, place, source->base.error, sizeof source->base.error);
    if (r == 0)
        connectors_lines_restart(&source->lines, place);
    return r;
}

/* First record of the open file into head; reading starts again from the file's start afterwards, if it can. */
static int read_head(struct file_source *source)
{
    struct connectors_line line;
    size_t got = 1;
    base_buf_clear(&source->head);
    source->origin.head = (struct base_str){ 0 };
    while (!connectors_lines_next(&source->lines, &line)) {
        if (source->lines.eof)
            return seek_file(source, 0);
        int r = fill(source, -1, &got);
        if (r == BASE_E_AGAIN)
            continue;
        if (r < 0)
            return r;
        source->lines.eof = got == 0;
    }
    base_buf_put_str(&source->head, line.bytes);
    if (source->head.failed)
        return BASE_E_NOMEM;
    source->origin.head = (struct base_str){ source->head.ptr, source->head.len };
    return seek_file(source, 0);
}

static int open_next(struct file_source *source)
{
    base_free(source->open_path);
    source->open_path = source->path ? base_strdup(source->files.paths[source->next_file]) : NULL;
    if (source->path && !source->open_path)
        return BASE_E_NOMEM;
    const char *path = source->open_path;
    struct stat info = { 0 };
    int r = connectors_reader_open(path, 0, &source->reader, source->base.error, sizeof source->base.error);
    if (r < 0)
        return r;
    source->next_file++;
    if (path && stat(path, &info) == 0)
        source->inode = info.st_ino;
    source->origin.name = base_str_of(path ? connectors_file_name(path) : "stdin");
    source->origin.number++;
    source->head_next = true;
    connectors_lines_restart(&source->lines, 0);
    if (source->csv && path && S_ISREG(info.st_mode))
        r = read_head(source);
    if (r < 0) {
        close_file(source);
        source->next_file--;
    }
    return r;
}

/* ---- batches ---- */

static void note_position(struct file_source *source)
{
    struct connectors_position *position = &source->position;
    uint64_t place = connectors_lines_place(&source->lines);
    uint64_t name = base_hash64(source->origin.name.ptr, source->origin.name.len, 0);
    position->offset = source->next_offset;
    position->partition = 0;
    position->hint_len = source->path ? HINT_BYTES : 0;
    position->hint[0] = HINT_VERSION;
    for (size_t b = 0; b < 8; b++) {
        position->hint[1 + b] = (uint8_t)(name >> (8 * b));
        position->hint[9 + b] = (uint8_t)(place >> (8 * b));
    }
}

static size_t split(struct file_source *source, size_t most)
{
    struct connectors_line line;
    size_t count = 0;
    while (count < most && connectors_lines_next(&source->lines, &line)) {
        bool head = source->head_next;
        source->head_next = false;
        if (source->csv && head && !source->origin.head.ptr) { /* a pipe cannot be read ahead */
            base_buf_clear(&source->head);
            base_buf_put_str(&source->head, line.bytes);
            source->origin.head = (struct base_str){ source->head.ptr, source->head.len };
        }
        int64_t offset = source->next_offset++;
        if (offset < source->skip_to)
            continue;
        source->records[count++] = (struct cep_record){
            .bytes = line.bytes, .origin = &source->origin, .time_ms = BASE_TIME_MIN_MS, .offset = offset, .partition = 0,
            .error = line.too_long ? BASE_E_LIMIT : 0,
            .whole_bytes = line.too_long ? line.whole_bytes : 0,
            .flags = (uint16_t)((line.too_long ? 0 : CEP_RECORD_PADDED) | (head ? CEP_RECORD_HEAD : 0)),
        };
        if (line.too_long)
            break; /* its bytes live in a buffer that the next such line reuses */
    }
    return count;
}

/* New files behind the last one; true if there are some. */
static bool find_more(struct file_source *source)
{
    struct connectors_file_list now = { 0 };
    const char *last = source->files.len ? source->files.paths[source->files.len - 1] : "";
    bool more = false;
    if (source->follow && source->directory &&
        connectors_file_list_read(&now, source->path, source->base.error, sizeof source->base.error) == 0 && now.len > 0 &&
        strcmp(now.paths[now.len - 1], last) > 0) {
        size_t next = 0;
        while (strcmp(now.paths[next], last) <= 0)
            next++;
        struct connectors_file_list old = source->files;
        source->files = now;
        source->next_file = next;
        now = old;
        more = true;
    }
    connectors_file_list_finish(&now);
    return more;
}

/* The open file was replaced, or cut shorter than what was read: read the new one from its start. */
static bool replaced(const struct file_source *source)
{
    struct stat info;
    if (!source->follow || !source->path || stat(source->open_path, &info) < 0)
        return false;
    return info.st_ino != source->inode || (uint64_t)info.st_size < connectors_lines_place(&source->lines);
}

static bool is_last(const struct file_source *source)
{
    return !source->path || source->next_file >= source->files.len;
}

/* At the end of what is open. *ret_more: reading can go on (what is left is a record, the next file). */
static int at_file_end(struct file_source *source, struct connectors_batch *batch, int timeout_ms, bool *ret_more)
{
    *ret_more = true;
    if (source->follow && is_last(source) && !source->lines.eof) {
        if (replaced(source)) {
            close_file(source);
            source->next_file--;
            return 0;
        }
        if (!find_more(source)) {
            batch->at_end = true;
            *ret_more = false;
            if (timeout_ms > 0)
                (void)poll(NULL, 0, timeout_ms < FOLLOW_WAIT_MS ? timeout_ms : FOLLOW_WAIT_MS); /* a sleep */
            return 0;
        }
    }
    if (!source->lines.eof) {
        source->lines.eof = true;
        return 0;
    }
    note_position(source);
    close_file(source);
    return 0;
}

/* Opens, reads, splits until there are records or nothing more is to be had. */
static int gather(struct file_source *source, size_t most, int timeout_ms, struct connectors_batch *batch)
{
    for (bool more = true; more;) {
        size_t got = 0;
        int r = 0;
        if (!source->reader) {
            if ((source->path ? is_last(source) : source->next_file > 0) && !find_more(source)) {
                batch->at_end = true;
                batch->finished = !source->follow;
                return 0;
            }
            r = open_next(source);
            if (r < 0)
                return r;
        }
        batch->count = split(source, most);
        if (batch->count > 0)
            return 0;
        if (!source->lines.eof)
            r = fill(source, timeout_ms, &got);
        if (r == BASE_E_AGAIN) {
            batch->at_end = true;
            return 0;
        }
        if (r < 0)
            return r;
        if (got == 0)
            r = at_file_end(source, batch, timeout_ms, &more);
        if (r < 0)
            return r;
    }
    return 0;
}

static int file_poll(struct connectors_source *base, size_t max_records, int timeout_ms, struct connectors_batch *ret)
{
    struct file_source *source = (struct file_source *)base;
    struct connectors_batch batch = { .records = source->records };
    int r = gather(source, max_records < BATCH_RECORDS ? max_records : BATCH_RECORDS, timeout_ms, &batch);
    if (r < 0) {
        if (r == BASE_E_NOMEM)
            snprintf(base->error, sizeof base->error, "out of memory");
        return r;
    }
    if (batch.count > 0) {
        note_position(source);
        batch.positions = &source->position;
        batch.position_count = 1;
        batch.at_end = batch.finished = false;
    }
    *ret = batch;
    return 0;
}

/* ---- seeking ---- */

static uint64_t hint_number(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (size_t b = 0; b < 8; b++)
        value |= (uint64_t)bytes[b] << (8 * b);
    return value;
}

static int seek_by_hint(struct file_source *source, const struct connectors_position *position)
{
    uint64_t name = hint_number(position->hint + 1), place = hint_number(position->hint + 9);
    for (size_t i = 0; i < source->files.len; i++) {
        const char *file = connectors_file_name(source->files.paths[i]);
        if (base_hash64(file, strlen(file), 0) != name)
            continue;
        source->next_file = i;
        int r = open_next(source);
        if (r == 0 && place > 0) {
            r = seek_file(source, place);
            source->head_next = false;
        }
        source->next_offset = source->skip_to = position->offset;
        return r;
    }
    snprintf(source->base.error, sizeof source->base.error, "the file that was read last is no longer in \"%s\"", source->path);
    return BASE_E_NOTFOUND;
}

static int file_seek(struct connectors_source *base, const struct connectors_position *position)
{
    struct file_source *source = (struct file_source *)base;
    if (!source->path && position->offset < source->next_offset) {
        snprintf(base->error, sizeof base->error, "standard input cannot be read again");
        return BASE_E_NOTFOUND;
    }
    if (source->path && position->hint_len == HINT_BYTES && position->hint[0] == HINT_VERSION) {
        close_file(source);
        return seek_by_hint(source, position);
    }
    if (source->path) {
        close_file(source);
        source->next_file = 0;
        source->next_offset = 0;
    }
    source->skip_to = position->offset;
    return 0;
}

static void file_close(struct connectors_source *base)
{
    struct file_source *source = (struct file_source *)base;
    close_file(source);
    connectors_file_list_finish(&source->files);
    connectors_lines_finish(&source->lines);
    base_buf_finish(&source->head);
    base_free(source->open_path);
    base_free(source->path);
    base_free(source);
}

static const struct connectors_source_ops ops = { file_poll, file_seek, file_close };

bool connectors_source_at_rest(const struct connectors_source *base)
{
    const struct file_source *source = (const struct file_source *)base;
    struct stat info;
    return base->ops == &ops && base->bounded && source->path && stat(source->path, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
}

/* ---- blocks ---- */

int connectors_source_block(struct connectors_source *base, struct connectors_block *ret)
{
    *ret = (struct connectors_block){ 0 };
    if (base->ops != &ops)
        return 0;
    struct file_source *source = (struct file_source *)base;
    const struct connectors_lines *lines = &source->lines;
    size_t got = 1;
    while (source->reader && !source->head_next && !lines->skipping && !lines->eof && source->next_offset >= source->skip_to && got > 0) {
        size_t end = lines->end;
        while (end > lines->begin && lines->data[end - 1] != '\n')
            end--;
        if (end > lines->begin) {
            *ret = (struct connectors_block){ { lines->data + lines->begin, end - lines->begin }, &source->origin, source->next_offset, 0 };
            return 0;
        }
        int r = fill(source, 0, &got);
        if (r < 0)
            return r == BASE_E_AGAIN ? 0 : r;
    }
    return 0;
}

void connectors_source_took(struct connectors_source *base, size_t bytes, uint64_t records)
{
    struct file_source *source = (struct file_source *)base;
    connectors_lines_drop(&source->lines, bytes);
    source->next_offset += (int64_t)records;
}

/* ---- opening ---- */

static int load_csv_options(struct file_source *source, const struct connectors_source_config *config, char *ret_error, size_t error_bytes)
{
    struct base_str format = connectors_option(config, "format", "");
    source->csv = base_str_equal_fold(format, BASE_STR("csv"));
    if (!source->csv)
        return 0;
    bool no_quotes = false;
    int r = connectors_option_bool(config, "csv.disable-quote-character", &no_quotes, ret_error, error_bytes);
    struct base_str quote = connectors_option(config, "csv.quote-character", "\""), delimiter = connectors_option(config, "csv.field-delimiter", ",");
    source->lines.quote = no_quotes || quote.len != 1 ? 0 : quote.ptr[0];
    source->lines.delimiter = delimiter.len == 1 ? delimiter.ptr[0] : '\t'; /* longer spellings mean a tab; others the decoder has refused */
    return r;
}

static int load_options(struct file_source *source, const struct connectors_source_config *config, char *ret_error, size_t error_bytes)
{
    int64_t limit;
    struct connectors_number number = { "max-record-bytes", (int64_t)CONNECTORS_RECORD_BYTES_DEFAULT, 1, INT32_MAX };
    int r = connectors_option_number(config, number, &limit, ret_error, error_bytes);
    if (r < 0)
        return r;
    source->lines.limit = (size_t)limit;
    source->follow = connectors_option(config, "source.monitor-interval", "").len > 0;
    r = connectors_option_bool(config, "source.follow", &source->follow, ret_error, error_bytes);
    return r < 0 ? r : load_csv_options(source, config, ret_error, error_bytes);
}

static struct file_source *new_source(char *ret_error, size_t error_bytes)
{
    struct file_source *source = base_calloc(1, sizeof *source);
    if (!source)
        snprintf(ret_error, error_bytes, "out of memory");
    else
        source->base.ops = &ops;
    return source;
}

int connectors_stdin_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
{
    struct file_source *source = new_source(ret_error, error_bytes);
    if (!source)
        return BASE_E_NOMEM;
    source->base.bounded = true;
    int r = load_options(source, config, ret_error, error_bytes);
    source->follow = false;
    if (r < 0) {
        file_close(&source->base);
        return r;
    }
    *ret = &source->base;
    return 0;
}

static int load_path(struct file_source *source, const struct connectors_source_config *config, char *ret_error, size_t error_bytes)
{
    struct base_str path = connectors_option(config, "path", "");
    if (path.len == 0) {
        snprintf(ret_error, error_bytes, "option 'path' is missing");
        return BASE_E_CONFIG;
    }
    source->path = connectors_path(config, path);
    if (!source->path)
        return BASE_E_NOMEM;
    struct stat info;
    source->directory = stat(source->path, &info) == 0 && S_ISDIR(info.st_mode);
    int r = connectors_file_list_read(&source->files, source->path, ret_error, error_bytes);
    if (r == 0 && source->files.len == 0 && !source->follow) {
        snprintf(ret_error, error_bytes, "the folder \"%s\" holds no files", source->path);
        r = BASE_E_NOTFOUND;
    }
    return r;
}

int connectors_file_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
{
    struct file_source *source = new_source(ret_error, error_bytes);
    if (!source)
        return BASE_E_NOMEM;
    int r = load_options(source, config, ret_error, error_bytes);
    if (r == 0)
        r = load_path(source, config, ret_error, error_bytes);
    if (r < 0) {
        if (r == BASE_E_NOMEM)
            snprintf(ret_error, error_bytes, "out of memory");
        file_close(&source->base);
        return r;
    }
    source->base.bounded = !source->follow;
    *ret = &source->base;
    return 0;
}
