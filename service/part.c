#include "service/part.h"

#include "base/error.h"

#define JOURNAL_KEPT ((size_t)4 << 20) /* bytes that are kept for the next epoch; more only as long as epochs need them */

int service_part_init(struct service_part *part)
{
    *part = (struct service_part){ 0 };
    int e = service_batch_create(&part->changes);
    if (e == 0)
        e = service_batch_create(&part->image);
    return e;
}

void service_part_finish(struct service_part *part)
{
    service_batch_destroy(part->changes);
    service_batch_destroy(part->image);
    base_buf_finish(&part->journal);
    BASE_VEC_FINISH(&part->outputs);
    base_map_finish(&part->by_id);
    base_arena_finish(&part->arena);
    base_buf_finish(&part->watermarks);
    base_buf_finish(&part->positions);
    base_buf_finish(&part->scratch);
    part->changes = part->image = NULL;
}

void service_part_clear(struct service_part *part)
{
    service_batch_clear(part->changes);
    service_batch_clear(part->image);
    if (part->journal.cap > JOURNAL_KEPT && part->journal.len < part->journal.cap / 4)
        base_buf_finish(&part->journal);
    base_buf_clear(&part->journal);
    part->outputs.len = 0;
    part->output_bytes = 0;
    part->touched = false;
    base_map_finish(&part->by_id);
    base_arena_reset(&part->arena);
    base_buf_clear(&part->watermarks);
    base_buf_clear(&part->positions);
}

bool service_part_empty(const struct service_part *part)
{
    return part->outputs.len == 0 && !part->touched && service_batch_count(part->changes) == 0;
}

static bool copy_text(struct service_part *part, struct base_str *text)
{
    char *copy = base_arena_strndup(&part->arena, text->ptr ? text->ptr : "", text->len);
    text->ptr = copy;
    return copy != NULL;
}

static struct service_output *copy_output(struct service_part *part, const struct service_output *output)
{
    struct service_output *copy = base_arena_alloc(&part->arena, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *output;
    part->output_bytes += sizeof *copy + output->body.len + output->key.len + output->subject.len;
    return copy_text(part, &copy->key) && copy_text(part, &copy->subject) && copy_text(part, &copy->body) ? copy : NULL;
}

int service_part_row(struct service_part *part, const struct service_output *output)
{
    struct service_output *copy = copy_output(part, output);
    return copy && BASE_VEC_PUSH(&part->outputs, copy) ? 0 : BASE_E_NOMEM;
}

int service_part_alert(struct service_part *part, const struct service_output *output)
{
    bool added = false;
    uint64_t *index = base_map_put(&part->by_id, (struct base_str){ output->alert_id, 32 }, &added);
    if (!index)
        return BASE_E_NOMEM;
    struct service_output *copy = copy_output(part, output);
    if (!copy)
        return BASE_E_NOMEM;
    copy->first_is_new = output->change == FORMATS_ALERT_CREATED && output->revision == 1;
    if (!added) {
        const struct service_output *before = part->outputs.at[*index - 1];
        copy->first_is_new = before->first_is_new;
        copy->dropped = copy->first_is_new && copy->change == FORMATS_ALERT_WITHDRAWN;
        part->outputs.at[*index - 1] = copy;
        return 0;
    }
    if (!BASE_VEC_PUSH(&part->outputs, copy))
        return BASE_E_NOMEM;
    *index = part->outputs.len;
    return 0;
}
