#include "cep/operators/kept.h"

#include "base/alloc.h"
#include "base/error.h"

struct cep_row *cep_kept_row(const struct cep_row *row)
{
    struct cep_row *copy = base_alloc(cep_row_size(row));
    if (copy)
        memcpy(copy, row, cep_row_size(row));
    return copy;
}

/* ---- evidence ---- */

void cep_kept_evidence_finish(struct cep_kept_evidence *kept)
{
    for (uint32_t i = 0; i < kept->count; i++)
        base_free((void *)(uintptr_t)kept->items[i].row);
    base_free(kept->items);
    *kept = (struct cep_kept_evidence){ 0 };
}

int cep_kept_evidence_take(struct cep_kept_evidence *kept, const struct cep_evidence *evidence)
{
    if (!evidence || evidence->count == 0)
        return 0;
    kept->items = base_calloc(evidence->count, sizeof *kept->items);
    kept->schema = evidence->schema;
    kept->total = evidence->total;
    bool good = kept->items != NULL;
    for (uint32_t i = 0; good && i < evidence->count; i++) {
        kept->items[i] = evidence->items[i];
        kept->items[i].row = cep_kept_row(evidence->items[i].row);
        kept->count = i + 1;
        good = kept->items[i].row != NULL;
    }
    if (!good)
        cep_kept_evidence_finish(kept);
    return good ? 0 : BASE_E_NOMEM;
}

void cep_kept_evidence_save(const struct cep_kept_evidence *kept, struct base_buf *out)
{
    base_buf_put_u32(out, kept->schema);
    base_buf_put_u32(out, kept->total);
    base_buf_put_varint(out, kept->count);
    for (uint32_t i = 0; i < kept->count; i++) {
        base_buf_put_u32(out, kept->items[i].var);
        base_buf_put_u8(out, kept->items[i].excluded);
        cep_kept_save_row(kept->items[i].row, out);
    }
}

int cep_kept_evidence_load(const struct cep_program *p, struct base_reader *in, struct cep_kept_evidence *ret)
{
    *ret = (struct cep_kept_evidence){ .items = NULL };
    ret->schema = base_read_u32(in);
    ret->total = base_read_u32(in);
    uint64_t count = base_read_varint(in);
    if (in->failed)
        return BASE_E_CORRUPT;
    if (count == 0)
        return 0;
    if (count > (uint64_t)(in->end - in->at) || ret->schema >= cep_program_schema_count(p))
        return BASE_E_CORRUPT;
    const struct cep_schema *schema = cep_program_schema(p, ret->schema);
    struct cep_type *types = base_calloc(schema->columns.count ? schema->columns.count : 1, sizeof *types);
    ret->items = base_calloc(count, sizeof *ret->items);
    int rc = types && ret->items ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < schema->columns.count && !rc; i++)
        types[i] = cep_program_column(p, schema->columns.first + i)->type;
    for (uint64_t k = 0; k < count && !rc; k++) {
        struct cep_row *row = NULL;
        ret->items[k].var = base_read_u32(in);
        ret->items[k].excluded = base_read_u8(in) != 0;
        rc = cep_kept_load_row(in, types, schema->columns.count, &row);
        ret->items[k].row = row;
        ret->count = (uint32_t)k + 1;
        if (!rc && (!row || (ret->items[k].var != CEP_NONE && ret->items[k].var >= cep_program_var_count(p))))
            rc = BASE_E_CORRUPT;
    }
    base_free(types);
    return rc;
}

/* ---- events ---- */

void cep_kept_finish(struct cep_kept *kept)
{
    base_free(kept->row);
    cep_kept_evidence_finish(&kept->evidence);
    *kept = (struct cep_kept){ 0 };
}

int cep_kept_take(struct cep_kept *kept, const struct cep_event *event)
{
    cep_kept_finish(kept);
    kept->row = cep_kept_row(event->row);
    if (!kept->row)
        return BASE_E_NOMEM;
    kept->row->change = CEP_INSERT;
    kept->ident = event->ident;
    kept->first_time_ms = event->first_time_ms;
    kept->last_time_ms = event->last_time_ms;
    kept->first_at = event->first_at;
    kept->kind = event->kind;
    kept->limited = event->limited;
    int rc = cep_kept_evidence_take(&kept->evidence, event->evidence);
    if (rc)
        cep_kept_finish(kept);
    return rc;
}

void cep_kept_event(const struct cep_kept *kept, struct cep_evidence *evidence, struct cep_event *ret)
{
    *evidence = cep_kept_evidence_of(&kept->evidence);
    *ret = (struct cep_event){ .row = kept->row, .key_node = CEP_NONE, .ident = kept->ident, .kind = kept->kind, .limited = kept->limited,
                               .first_time_ms = kept->first_time_ms, .last_time_ms = kept->last_time_ms, .first_at = kept->first_at,
                               .evidence = evidence->count ? evidence : NULL };
}

size_t cep_kept_bytes(const struct cep_kept *kept)
{
    size_t sum = kept->row ? cep_row_size(kept->row) : 0;
    for (uint32_t i = 0; i < kept->evidence.count; i++)
        sum += sizeof *kept->evidence.items + cep_row_size(kept->evidence.items[i].row);
    return sum;
}

void cep_kept_save_row(const struct cep_row *row, struct base_buf *out)
{
    base_buf_put_bytes(out, row, row ? cep_row_size(row) : 0);
}

void cep_kept_save(const struct cep_kept *kept, struct base_buf *out)
{
    cep_kept_save_row(kept->row, out);
    base_buf_put_u64(out, kept->ident.hi);
    base_buf_put_u64(out, kept->ident.lo);
    base_buf_put_u64(out, (uint64_t)kept->first_time_ms);
    base_buf_put_u64(out, (uint64_t)kept->last_time_ms);
    base_buf_put(out, &kept->first_at, sizeof kept->first_at);
    base_buf_put_u8(out, kept->kind);
    base_buf_put_u8(out, kept->limited);
    cep_kept_evidence_save(&kept->evidence, out);
}

int cep_kept_load_row(struct base_reader *in, const struct cep_type *types, uint32_t columns, struct cep_row **ret)
{
    struct base_str bytes = base_read_bytes(in);
    size_t head = offsetof(struct cep_row, tuple);
    *ret = NULL;
    if (in->failed || (bytes.len && bytes.len < head))
        return BASE_E_CORRUPT;
    if (bytes.len == 0)
        return 0;
    struct cep_row *row = base_alloc(bytes.len);
    if (!row)
        return BASE_E_NOMEM;
    memcpy(row, bytes.ptr, bytes.len);
    if (!cep_tuple_valid(&row->tuple, bytes.len - head, types, columns) || row->change > CEP_DELETE) {
        base_free(row);
        return BASE_E_CORRUPT;
    }
    *ret = row;
    return 0;
}

int cep_kept_load(const struct cep_program *program, struct base_reader *in, const struct cep_type *types, uint32_t columns, struct cep_kept *ret)
{
    *ret = (struct cep_kept){ 0 };
    int rc = cep_kept_load_row(in, types, columns, &ret->row);
    ret->ident.hi = base_read_u64(in);
    ret->ident.lo = base_read_u64(in);
    ret->first_time_ms = (int64_t)base_read_u64(in);
    ret->last_time_ms = (int64_t)base_read_u64(in);
    const void *at = base_read_raw(in, sizeof ret->first_at);
    if (at)
        memcpy(&ret->first_at, at, sizeof ret->first_at);
    ret->kind = base_read_u8(in);
    ret->limited = base_read_u8(in) != 0;
    if (!rc && (in->failed || !ret->row || ret->kind > CEP_IS_TIMEOUT))
        rc = BASE_E_CORRUPT;
    return rc ? rc : cep_kept_evidence_load(program, in, &ret->evidence);
}
