#include "formats/json.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "formats/blocks.h"
#include "formats/json_shape.h"
#include "formats/json_straight.h"

#define RUN_BYTES ((size_t)64 << 10) /* text that is indexed at once: with its places it stays in the second-level cache */
#define GUESSES 64
#define GUESS_BYTES 16
#define PATH_SEGMENTS_MAX 32

/* The key that stood at this ordinal of its object in the record before, closing quote included: most producers write the same keys in the same
 * order, so one comparison of 16 bytes tells what a key is. */
struct guess {
    uint64_t text[2], mask[2];
    struct node *node; /* NULL: a key that nobody reads */
};
/* A wanted key. */
struct node {
    struct base_str name;
    struct node *child;     /* wanted keys inside of it */
    struct node *sibling;
    struct guess *guesses;  /* GUESSES of them, if it has children */
    uint32_t field;         /* first table field of this path, or CEP_NONE; next ones by formats_json.same */
    uint64_t seen;          /* number of the record in which it stood last */
};
struct formats_json {
    struct formats_index *index;
    struct base_arena arena;  /* nodes */
    struct node *root;
    struct node **nodes;      /* of each field; NULL for metadata */
    uint32_t *same;           /* next field of the same path */
    struct base_buf copy;     /* records that stand alone or have no slack, put one behind the other */
    struct base_buf packed;
    uint64_t number;          /* of the record at hand */
    bool strict;
    bool fail_on_missing;
    struct formats_json_shape shape;
    struct formats_json_straight straight; /* of the same record, where that can be; counts as long as the shape is known */
};

/* ---- making ---- */

static struct node *add_child(struct formats_json *json, struct node *parent, struct base_str name)
{
    struct node **link = &parent->child;
    for (; *link; link = &(*link)->sibling) {
        if (base_str_equal((*link)->name, name))
            return *link;
    }
    struct node *node = base_arena_zalloc(&json->arena, 1, sizeof *node);
    if (!parent->guesses) {
        parent->guesses = base_arena_zalloc(&json->arena, GUESSES, sizeof *parent->guesses);
        for (size_t g = 0; parent->guesses && g < GUESSES; g++)
            parent->guesses[g].mask[0] = UINT64_MAX; /* eight NULs: no key */
    }
    if (!node || !parent->guesses)
        return NULL;
    node->name = name;
    node->field = CEP_NONE;
    *link = node;
    return node;
}

static int add_field(struct formats_decoder *decoder, uint32_t f, char *ret_error, size_t error_bytes)
{
    struct formats_json *json = decoder->json;
    struct base_str rest = decoder->fields[f].path;
    struct node *node = json->root;
    json->same[f] = CEP_NONE;
    if (decoder->fields[f].metadata)
        return 0;
    for (uint32_t segments = 0; rest.ptr; segments++) {
        const char *cut = rest.len ? memchr(rest.ptr, 0x1f, rest.len) : NULL;
        struct base_str name = { rest.ptr, cut ? (size_t)(cut - rest.ptr) : rest.len };
        if (segments == PATH_SEGMENTS_MAX) {
            snprintf(ret_error, error_bytes, "column \"%.*s\" is nested deeper than %d", (int)decoder->fields[f].name.len, decoder->fields[f].name.ptr,
                     PATH_SEGMENTS_MAX);
            return BASE_E_CONFIG;
        }
        node = add_child(json, node, name);
        if (!node)
            return BASE_E_NOMEM;
        rest = cut ? (struct base_str){ cut + 1, rest.len - name.len - 1 } : (struct base_str){ 0 };
    }
    json->same[f] = node->field;
    node->field = f;
    json->nodes[f] = node;
    return 0;
}

static int load_options(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct formats_json *json = decoder->json;
    int r = formats_decoder_flag(decoder, "json.strict", &json->strict, ret_error, error_bytes);
    if (r == 0)
        r = formats_decoder_flag(decoder, "json.ignore-parse-errors", &decoder->ignore_errors, ret_error, error_bytes);
    if (r == 0)
        r = formats_decoder_flag(decoder, "json.fail-on-missing-field", &json->fail_on_missing, ret_error, error_bytes);
    if (r < 0)
        return r;
    if (json->fail_on_missing && decoder->ignore_errors) {
        snprintf(ret_error, error_bytes, "'json.fail-on-missing-field' and 'json.ignore-parse-errors' cannot both be 'true'");
        return BASE_E_CONFIG;
    }
    static const char *const keys[] = { "json.timestamp-format.standard", "json.timestamp-format" };
    for (size_t k = 0; k < 2; k++) {
        struct base_str form = formats_decoder_option(decoder, keys[k]);
        if (form.ptr && !formats_time_form_parse(form, &decoder->times.form)) {
            snprintf(ret_error, error_bytes, "option '%s' must be 'SQL', 'ISO-8601', 'epoch-s', 'epoch-ms', 'epoch-us' or 'auto', not '%.*s'", keys[k],
                     (int)form.len, form.ptr);
            return BASE_E_CONFIG;
        }
    }
    return 0;
}

int formats_json_create(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct formats_json *json = decoder->json = base_calloc(1, sizeof *json);
    if (!json)
        return BASE_E_NOMEM;
    uint32_t fields = decoder->field_count ? decoder->field_count : 1;
    json->index = formats_index_create();
    json->root = base_arena_zalloc(&json->arena, 1, sizeof *json->root);
    json->nodes = base_calloc(fields, sizeof(struct node *));
    json->same = base_calloc(fields, sizeof *json->same);
    if (!json->index || !json->root || !json->nodes || !json->same)
        return BASE_E_NOMEM;
    json->root->field = CEP_NONE;
    for (uint32_t f = 0; f < decoder->field_count; f++) {
        int r = add_field(decoder, f, ret_error, error_bytes);
        if (r < 0)
            return r;
    }
    return load_options(decoder, ret_error, error_bytes);
}

void formats_json_destroy(struct formats_json *json)
{
    if (!json)
        return;
    formats_index_destroy(json->index);
    base_arena_finish(&json->arena);
    base_free(json->nodes);
    base_free(json->same);
    base_buf_finish(&json->copy);
    base_buf_finish(&json->packed);
    base_free(json);
}

/* ---- one record ---- */

/* What the key at place i is, the long way; its guess is set for the next record. NULL in *ret: nobody reads it. */
static int look_up(struct formats_json_walk *w, const struct node *parent, uint32_t i, struct guess *guess, struct node **ret)
{
    struct base_str token = formats_json_token(w, i), name;
    if (token.len < 2)
        return formats_json_bad(w, i, "a closed string");
    int r = formats_json_string(w, i, &name);
    if (r < 0)
        return r;
    struct node *node = parent->child;
    while (node && !base_str_equal(node->name, name))
        node = node->sibling;
    if (guess && token.len - 1 <= GUESS_BYTES) {
        char text[GUESS_BYTES] = { 0 };
        unsigned char mask[GUESS_BYTES] = { 0 };
        memcpy(text, token.ptr + 1, token.len - 1);
        memset(mask, 0xff, token.len - 1);
        memcpy(guess->text, text, GUESS_BYTES);
        memcpy(guess->mask, mask, GUESS_BYTES);
        guess->node = node;
    }
    *ret = node;
    return 0;
}

static inline int find_key(struct formats_json_walk *w, const struct node *parent, uint32_t i, uint32_t ordinal, struct node **ret)
{
    if (!parent->guesses) {
        *ret = NULL;
        return 0;
    }
    uint64_t text[2];
    memcpy(text, w->buf + w->at[i] + 1, GUESS_BYTES);
    struct guess *guess = ordinal < GUESSES ? &parent->guesses[ordinal] : NULL;
    if (guess && (((text[0] ^ guess->text[0]) & guess->mask[0]) | ((text[1] ^ guess->text[1]) & guess->mask[1])) == 0) {
        *ret = guess->node;
        return 0;
    }
    return look_up(w, parent, i, guess, ret);
}

static int walk_object(struct formats_json_walk *w, struct node *node, uint32_t i, uint32_t *ret_next);

/* Nested wanted keys of a value that is no object: NULL has none of them, anything else is a mistake. */
static int check_no_object(struct formats_json_walk *w, const struct node *node, uint32_t i)
{
    struct base_str token = formats_json_token(w, i);
    if (base_str_equal(token, BASE_STR("null")) || w->decoder->ignore_errors)
        return 0;
    return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, w->at[i] - w->begin, "\"%.*s\" holds columns, but is no object at byte %u",
                               (int)(node->name.len < 64 ? node->name.len : 64), node->name.ptr, w->at[i] - w->begin);
}

static int take_field(struct formats_json_walk *w, uint32_t f, uint32_t i, uint32_t *ret_next)
{
    struct formats_decoder *decoder = w->decoder;
    int r = formats_json_value(w, f, decoder->types[f], i, ret_next, &decoder->values[f]);
    if (BASE_LIKELY(r == 0))
        return 0;
    if (r != BASE_E_MALFORMED || !decoder->ignore_errors || decoder->problem.field != f)
        return r;
    formats_problem_tell(decoder, w->record);
    decoder->values[f] = cep_null();
    return formats_json_skip(w, i, ret_next);
}

/* The value at place i belongs to a wanted key. */
static int take(struct formats_json_walk *w, struct node *node, uint32_t i, uint32_t *ret_next)
{
    node->seen = w->decoder->json->number;
    int r = 0;
    if (node->child) {
        if (w->buf[w->at[i]] == '{') {
            r = walk_object(w, node, i + 1, ret_next);
        } else {
            r = check_no_object(w, node, i);
            if (r == 0)
                r = formats_json_skip(w, i, ret_next);
        }
    }
    for (uint32_t f = node->field; r == 0 && f != CEP_NONE; f = w->decoder->json->same[f])
        r = take_field(w, f, i, ret_next);
    return r;
}

/* Members of an object whose '{' stands before place i. */
static int walk_object(struct formats_json_walk *w, struct node *node, uint32_t i, uint32_t *ret_next)
{
    const uint32_t *at = w->at;
    const char *buf = w->buf;
    if (at[i] < w->end && buf[at[i]] == '}') {
        *ret_next = i + 1;
        return 0;
    }
    for (uint32_t ordinal = 0;; ordinal++) {
        if (BASE_UNLIKELY(at[i] >= w->end || buf[at[i]] != '"'))
            return formats_json_bad(w, i, "a key");
        if (BASE_UNLIKELY(at[i + 1] >= w->end || buf[at[i + 1]] != ':'))
            return formats_json_bad(w, i + 1, "':'");
        struct node *child = NULL;
        int r = find_key(w, node, i, ordinal, &child);
        if (BASE_UNLIKELY(r < 0))
            return r;
        i += 2;
        if (BASE_UNLIKELY(at[i] >= w->end))
            return formats_json_bad(w, i, "a value");
        /* Of equal keys the first counts. */
        if (child && child->seen != w->decoder->json->number)
            r = take(w, child, i, &i);
        else
            r = formats_json_skip(w, i, &i);
        if (BASE_UNLIKELY(r < 0))
            return r;
        if (BASE_UNLIKELY(at[i] >= w->end))
            return formats_json_bad(w, i, "',' or '}'");
        char c = buf[at[i++]];
        if (c == '}')
            break;
        if (BASE_UNLIKELY(c != ','))
            return formats_json_bad(w, i - 1, "',' or '}'");
    }
    *ret_next = i;
    return 0;
}

/* ---- shapes ---- */

/* A value that stands where the shape says: the usual kinds at once, others as in a walk. */
static inline int take_shaped(struct formats_json_walk *w, uint32_t f, uint32_t i)
{
    struct formats_decoder *decoder = w->decoder;
    uint8_t kind = decoder->types[f].kind;
    struct base_str text;
    int64_t ms;
    uint32_t next;
    if (w->buf[w->at[i]] == '"' && (kind == CEP_KIND_STRING || cep_kind_is_time(kind)) && formats_json_plain_string(w, i, &text)) {
        if (kind == CEP_KIND_STRING) {
            decoder->values[f] = cep_string(text.ptr, text.len);
            return 0;
        }
        if (formats_time_text(&decoder->times, text.ptr, text.len, &ms)) {
            decoder->values[f] = cep_int(ms);
            return 0;
        }
    }
    return take_field(w, f, i, &next);
}

static int take_shape(struct formats_json_walk *w, const struct formats_json_shape *shape, uint32_t i, uint32_t *ret_next)
{
    if (shape->field_count < w->decoder->field_count)
        formats_decoder_clear(w->decoder);
    for (uint32_t k = 0; k < shape->field_count; k++) {
        int r = take_shaped(w, shape->fields[k].field, i + shape->fields[k].place);
        if (BASE_UNLIKELY(r < 0))
            return r;
    }
    *ret_next = i + 4 * shape->members + 1;
    return 0;
}

/* Of the record at place i, which has just been walked and is good. */
static void learn_shape(struct formats_json_walk *w, uint32_t i)
{
    struct formats_json *json = w->decoder->json;
    struct formats_json_shape *shape = &json->shape;
    json->number++; /* keys are seen once more */
    formats_json_shape_start(shape);
    formats_json_straight_start(&json->straight, w, i, json->same);
    for (uint32_t ordinal = 0; w->buf[w->at[i]] != '}'; ordinal++, i += 4) {
        struct node *node = NULL;
        if (w->buf[w->at[i + 1]] != '"' || !formats_json_shape_member(shape, w, i)) /* it may be the empty object */
            return;
        if (find_key(w, json->root, i + 1, ordinal, &node) < 0 || (node && node->child)) {
            formats_json_shape_give_up(shape);
            return;
        }
        bool wanted = node && node->seen != json->number;
        formats_json_straight_member(&json->straight, w, i, wanted ? node->field : CEP_NONE);
        if (!wanted)
            continue;
        node->seen = json->number;
        for (uint32_t f = node->field; f != CEP_NONE; f = json->same[f])
            if (!formats_json_shape_field(shape, f))
                return;
    }
    formats_json_straight_end(&json->straight, w, i);
}

static int check_missing(struct formats_json_walk *w)
{
    const struct formats_json *json = w->decoder->json;
    for (uint32_t f = 0; f < w->decoder->field_count; f++) {
        if (json->nodes[f] && json->nodes[f]->seen != json->number)
            return formats_problem_set(w->decoder, BASE_E_MALFORMED, f, 0, "column \"%.*s\" is missing from the record",
                                       (int)w->decoder->fields[f].name.len, w->decoder->fields[f].name.ptr);
    }
    return 0;
}

/* The record that starts at place i into decoder->values. */
static int walk_record(struct formats_json_walk *w, uint32_t i, uint32_t *ret_next)
{
    struct formats_json *json = w->decoder->json;
    if (BASE_LIKELY(formats_json_shape_try(&json->shape, w, i)))
        return take_shape(w, &json->shape, i, ret_next);
    formats_decoder_clear(w->decoder);
    json->number++;
    if (w->at[i] >= w->end || w->buf[w->at[i]] != '{')
        return formats_json_bad(w, i, "an object");
    uint32_t first = i;
    int r;
    if (json->strict) {
        uint32_t behind;
        r = formats_json_check(w, i, &behind);
        if (r < 0)
            return r;
    }
    r = walk_object(w, json->root, i + 1, &i);
    if (r < 0)
        return r;
    if (w->at[i] < w->end)
        return formats_json_bad(w, i, "the end of the record");
    if (w->count && !json->strict && !json->fail_on_missing && formats_json_shape_wanted(&json->shape))
        learn_shape(w, first);
    *ret_next = i;
    return 0;
}

/* Layouts are learned of records that have no more to keep to than to be read. */
bool formats_json_takes_blocks(const struct formats_decoder *decoder)
{
    return !decoder->json->strict && !decoder->json->fail_on_missing;
}

/* ---- runs of records ---- */

static int bad_text(struct formats_decoder *decoder, int code, struct base_str text)
{
    if (code == BASE_E_NOMEM)
        return code;
    if (code == BASE_E_UTF8) {
        size_t at = base_utf8_check(text.ptr, text.len);
        return formats_problem_set(decoder, code, CEP_NONE, at, "broken UTF-8 at byte %zu", at);
    }
    return formats_problem_set(decoder, code, CEP_NONE, 0, "JSON: a string is not closed or holds a raw control character");
}

static int decode_one(struct formats_json_walk *w, uint32_t i, uint32_t *ret_next, struct cep_row **ret_row)
{
    int r = walk_record(w, i, ret_next);
    if (r == 0 && w->decoder->json->fail_on_missing)
        r = check_missing(w);
    return r < 0 ? r : formats_decoder_finish_row(w->decoder, w->record, w->arena, ret_row);
}

struct formats_json_straight *formats_json_layout(struct formats_decoder *decoder)
{
    struct formats_json *json = decoder->json;
    return json->shape.members > 0 && json->straight.known ? &json->straight : NULL;
}

void formats_json_layout_hits(struct formats_decoder *decoder, uint32_t hits)
{
    struct formats_json_shape *shape = &decoder->json->shape;
    for (uint32_t i = 0; i < hits && i < FORMATS_JSON_CREDIT_MOST; i++)
        formats_json_shape_hit(shape);
}

/* Reads whatever error it had as a bad record; no memory stays an error. */
static int told(struct formats_json_walk *w, int r)
{
    if (r < 0 && r != BASE_E_NOMEM)
        formats_problem_tell(w->decoder, w->record);
    return r == BASE_E_NOMEM ? r : 0;
}

/* A record with an index of its own. */
static int decode_alone(struct formats_json_walk *w, const char *text, struct cep_row **ret_row)
{
    struct base_str bytes = { text, w->record->bytes.len };
    uint32_t count, next;
    int r = formats_index_run(w->decoder->json->index, bytes.ptr, bytes.len, &w->at, &count);
    if (r < 0)
        return told(w, bad_text(w->decoder, r, bytes));
    w->buf = bytes.ptr;
    w->begin = 0;
    w->end = (uint32_t)bytes.len;
    w->count = count;
    return told(w, decode_one(w, 0, &next, ret_row));
}

/* Records [0, count) stand in buf, the first at its start; in_place says that the others are where their bytes are, else each is one byte behind the last. */
struct run {
    const char *buf;
    size_t len;
    size_t count;
    bool in_place;
};

static inline size_t run_offset(const struct run *run, const struct cep_record *record, size_t before)
{
    return run->in_place ? (size_t)(record->bytes.ptr - run->buf) : before;
}

/* The first records of the run are read straight, and those among them that cannot be are walked alone, as long as that is seldom. *ret_rest: what is left. */
static int decode_straight(struct formats_json_walk *w, const struct run *run, const struct cep_record *records, struct cep_row **ret_rows, struct run *ret_rest)
{
    struct formats_json *json = w->decoder->json;
    size_t offset = 0, k = 0;
    for (; k < run->count && json->shape.members > 0 && json->straight.known; k++) {
        offset = run_offset(run, &records[k], offset);
        w->record = &records[k];
        ret_rows[k] = NULL;
        int r;
        if (BASE_LIKELY(formats_json_straight_read(&json->straight, w, run->buf + offset, records[k].bytes.len))) {
            formats_json_shape_hit(&json->shape);
            r = told(w, formats_decoder_finish_row(w->decoder, &records[k], w->arena, &ret_rows[k]));
        } else {
            r = decode_alone(w, run->buf + offset, &ret_rows[k]);
        }
        if (BASE_UNLIKELY(r < 0))
            return r;
        offset += records[k].bytes.len + 1;
    }
    if (k < run->count)
        offset = run_offset(run, &records[k], offset);
    *ret_rest = (struct run){ .buf = run->buf + offset, .len = k < run->count ? run->len - offset : 0, .count = run->count - k, .in_place = run->in_place };
    return 0;
}

static int decode_indexed(struct formats_json_walk *w, const struct run *run, const struct cep_record *records, struct cep_row **ret_rows)
{
    struct formats_json *json = w->decoder->json;
    uint32_t count = 0, i = 0;
    int indexed = run->count == 1 ? BASE_E_MALFORMED : formats_index_run(json->index, run->buf, run->len, &w->at, &count);
    if (indexed == BASE_E_NOMEM)
        return indexed;
    const uint32_t *at = w->at;
    size_t offset = 0;
    w->count = indexed < 0 ? 0 : count;
    for (size_t k = 0; k < run->count; k++) {
        offset = run_offset(run, &records[k], offset);
        w->record = &records[k];
        ret_rows[k] = NULL;
        int r;
        if (indexed < 0) {
            /* One bad record spoils the index of its run: quotes pair up wrongly behind it. Each is looked at alone then. */
            r = decode_alone(w, run->buf + offset, &ret_rows[k]);
        } else {
            w->buf = run->buf;
            w->begin = (uint32_t)offset;
            w->end = (uint32_t)(offset + records[k].bytes.len);
            while (at[i] < w->begin)
                i++;
            r = told(w, decode_one(w, i, &i, &ret_rows[k]));
        }
        if (r < 0)
            return r;
        offset += records[k].bytes.len + 1;
    }
    return 0;
}

static int decode_run(struct formats_json_walk *w, const struct run *run, const struct cep_record *records, struct cep_row **ret_rows)
{
    struct run rest = { .count = 0 };
    int r = decode_straight(w, run, records, ret_rows, &rest);
    size_t done = run->count - rest.count;
    return r < 0 || rest.count == 0 ? r : decode_indexed(w, &rest, records + done, ret_rows + done);
}

/* Does b stand behind a in one buffer, parted by a line end and blanks only? */
static inline bool follows(const struct cep_record *a, const struct cep_record *b)
{
    const char *end = a->bytes.ptr + a->bytes.len;
    if (!(b->flags & CEP_RECORD_PADDED) || (uintptr_t)b->bytes.ptr - (uintptr_t)end - 1 >= 8 || (*end != '\n' && *end != '\r'))
        return false;
    for (const char *gap = end + 1; gap < b->bytes.ptr; gap++) {
        if (!formats_json_blank(*gap))
            return false;
    }
    return true;
}

static struct run run_in_place(const struct cep_record *records, size_t count)
{
    struct run run = { .buf = records[0].bytes.ptr, .len = records[0].bytes.len, .count = 1, .in_place = true };
    while (run.count < count && run.len < RUN_BYTES && follows(&records[run.count - 1], &records[run.count])) {
        const struct cep_record *last = &records[run.count++];
        run.len = (size_t)(last->bytes.ptr - run.buf) + last->bytes.len;
    }
    return run;
}

/* False: no memory. */
static bool run_by_copy(struct formats_json *json, const struct cep_record *records, size_t count, struct run *ret)
{
    struct run run = { .count = 0, .in_place = false };
    base_buf_clear(&json->copy);
    while (run.count < count && (run.count == 0 || json->copy.len + records[run.count].bytes.len < RUN_BYTES)) {
        base_buf_put(&json->copy, records[run.count].bytes.ptr, records[run.count].bytes.len);
        base_buf_putc(&json->copy, '\n');
        run.count++;
    }
    if (!base_buf_reserve(&json->copy, CEP_RECORD_SLACK) || json->copy.failed)
        return false;
    memset(json->copy.ptr + json->copy.len, 0, CEP_RECORD_SLACK);
    run.buf = json->copy.ptr;
    run.len = json->copy.len;
    *ret = run;
    return true;
}

int formats_json_decode(struct formats_decoder *decoder, const struct cep_record *records, size_t count, struct base_arena *arena, struct cep_row **ret_rows)
{
    struct formats_json *json = decoder->json;
    struct formats_json_walk w = { .decoder = decoder, .arena = arena, .packed = &json->packed };
    for (size_t i = 0; i < count;) {
        struct run run = { 0 };
        if (records[i].flags & CEP_RECORD_PADDED)
            run = run_in_place(records + i, count - i);
        /* Padded records that stand apart are indexed one by one where they are; others are put together. */
        if (!(records[i].flags & CEP_RECORD_PADDED) && !run_by_copy(json, records + i, count - i, &run))
            return BASE_E_NOMEM;
        int r = decode_run(&w, &run, records + i, ret_rows + i);
        if (r < 0)
            return r;
        i += run.count;
    }
    return 0;
}

int formats_json_values(struct formats_decoder *decoder, struct base_str text, struct base_arena *arena)
{
    struct formats_json *json = decoder->json;
    struct formats_json_walk w = { .decoder = decoder, .arena = arena, .packed = &json->packed, .begin = 0, .end = (uint32_t)text.len };
    struct cep_record record = { .bytes = text };
    struct run run;
    uint32_t count, next;
    if (!run_by_copy(json, &record, 1, &run))
        return BASE_E_NOMEM;
    int r = formats_index_run(json->index, run.buf, text.len, &w.at, &count);
    if (r < 0)
        return bad_text(decoder, r, text);
    w.record = &record;
    w.buf = run.buf;
    return walk_record(&w, 0, &next);
}
