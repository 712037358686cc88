#include "service/past.h"

#include "base/error.h"

#define PAST_VERSION 1

int service_past_put(const struct cep_program *program, struct service_batch *batch)
{
    struct base_buf out = { 0 };
    base_buf_put_u8(&out, PAST_VERSION);
    base_buf_put_varint(&out, cep_program_rule_count(program));
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        if (node->kind != CEP_NODE_ALERT)
            continue;
        const struct cep_rule *rule = cep_program_rule(program, node->detail);
        struct base_str name = cep_program_text(program, rule->name), fingerprint = cep_program_text(program, rule->fingerprint);
        base_buf_put_u64(&out, node->fingerprint);
        base_buf_put_bytes(&out, name.ptr, name.len);
        base_buf_put_bytes(&out, fingerprint.ptr, fingerprint.len);
    }
    int e = out.failed ? BASE_E_NOMEM : service_batch_put(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, SERVICE_PAST_KEY, (struct base_str){ out.ptr, out.len });
    base_buf_finish(&out);
    return e;
}

int service_past_read(struct base_str value, service_past_visit *visit, void *ctx)
{
    struct base_reader in = base_reader_of(value.ptr, value.len);
    uint8_t version = base_read_u8(&in);
    uint64_t count = base_read_varint(&in);
    int e = in.failed ? BASE_E_CORRUPT : version != PAST_VERSION ? BASE_E_VERSION : 0;
    for (uint64_t i = 0; e == 0 && i < count && in.at < in.end; i++) {
        struct service_past_rule rule = { .node = base_read_u64(&in) };
        rule.name = base_read_bytes(&in);
        rule.fingerprint = base_read_bytes(&in);
        e = in.failed ? BASE_E_CORRUPT : visit(ctx, &rule);
    }
    return e;
}

int service_past_each(struct service_store *store, service_past_visit *visit, void *ctx)
{
    struct base_buf bytes = { 0 };
    int e = service_store_get(store, SERVICE_CF_META, SERVICE_PAST_KEY, &bytes);
    if (e == 0)
        e = service_past_read((struct base_str){ bytes.ptr, bytes.len }, visit, ctx);
    base_buf_finish(&bytes);
    return e == BASE_E_NOTFOUND ? 0 : e;
}

/* ---- the comparison ---- */

enum fate { KEPT, CHANGED, GONE, NEW, FATES };

struct comparing {
    const struct cep_program *program;
    struct base_buf names[FATES];
    struct base_buf seen; /* a byte for each rule of the program: it was there before */
    bool any;
};

static void add_name(struct base_buf *out, struct base_str name)
{
    if (out->len)
        base_buf_puts(out, ", ");
    base_buf_put(out, name.ptr, name.len);
}

static int compare_rule(void *ctx, const struct service_past_rule *was)
{
    struct comparing *c = ctx;
    enum fate fate = GONE;
    c->any = true;
    for (uint32_t i = 0; i < cep_program_rule_count(c->program); i++) {
        const struct cep_rule *rule = cep_program_rule(c->program, i);
        if (!base_str_equal(cep_program_text(c->program, rule->name), was->name))
            continue;
        fate = base_str_equal(cep_program_text(c->program, rule->fingerprint), was->fingerprint) ? KEPT : CHANGED;
        c->seen.ptr[i] = 1;
    }
    add_name(&c->names[fate], was->name);
    return 0;
}

static int print_fates(struct comparing *c, struct base_buf *out)
{
    static const char *const words[FATES] = { "kept", "changed, begin anew", "gone, their state is dropped", "new" };
    bool failed = false, first = true;
    for (uint32_t i = 0; i < cep_program_rule_count(c->program); i++) {
        if (!c->seen.ptr[i])
            add_name(&c->names[NEW], cep_program_text(c->program, cep_program_rule(c->program, i)->name));
    }
    for (int i = 0; i < FATES; i++) {
        failed = failed || c->names[i].failed;
        if (!c->names[i].len)
            continue;
        base_buf_printf(out, "%s%s: ", first ? "" : "; ", words[i]);
        base_buf_put(out, c->names[i].ptr, c->names[i].len);
        first = false;
    }
    return failed || out->failed ? BASE_E_NOMEM : 0;
}

int service_past_compare(struct service_store *store, const struct cep_program *program, struct base_buf *out, bool *ret_differs)
{
    struct comparing c = { .program = program };
    for (uint32_t i = 0; i <= cep_program_rule_count(program); i++)
        base_buf_put_u8(&c.seen, 0);
    int e = c.seen.failed ? BASE_E_NOMEM : service_past_each(store, compare_rule, &c);
    if (e == 0 && c.any)
        e = print_fates(&c, out);
    *ret_differs = c.any && (c.names[CHANGED].len || c.names[GONE].len || c.names[NEW].len);
    for (int i = 0; i < FATES; i++)
        base_buf_finish(&c.names[i]);
    base_buf_finish(&c.seen);
    return e;
}
