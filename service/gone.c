/* What is left of rules that are gone: at a start and behind a reload their state is dropped, and their alerts that had not settled are marked as frozen
 * (semantics.md 20): nothing will change or withdraw them any more. Both go with the next epoch. Coordinator only, while no flow runs or before it does. */
#include "service/runtime.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "formats/alert.h"
#include "service/past.h"
#include "service/runtime_internal.h"
#include "service/views.h"

/* ---- what runs now, for those who come after ---- */

static int put_fingerprints(struct service_runtime *rt)
{
    const struct cep_program *program = rt->set->program;
    base_buf_clear(&rt->fingerprints);
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        if ((node->keys.count && node->kind != CEP_NODE_EXCHANGE) || node->kind == CEP_NODE_LOOKUP)
            base_buf_put_u64(&rt->fingerprints, node->fingerprint);
    }
    return rt->fingerprints.failed ? BASE_E_NOMEM : service_past_put(program, rt->extra);
}

static bool runs(const struct cep_program *program, uint64_t fingerprint)
{
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        if (cep_program_node(program, i)->fingerprint == fingerprint)
            return true;
    }
    return false;
}

static int forget(struct service_runtime *rt, uint64_t fingerprint)
{
    int e = service_views_forget(rt->extra, fingerprint);
    for (uint32_t group = 0; e == 0 && group < CEP_KEY_GROUPS; group++) {
        char from[10], to[10];
        for (int i = 0; i < 2; i++)
            from[i] = to[i] = (char)(group >> (8 * (1 - i)));
        bool last = fingerprint == UINT64_MAX;
        for (int i = 0; i < 8; i++) {
            from[2 + i] = (char)(fingerprint >> (8 * (7 - i)));
            to[2 + i] = (char)((fingerprint + 1) >> (8 * (7 - i)));
        }
        if (last) { /* the next key group's beginning */
            to[0] = (char)((group + 1) >> 8);
            to[1] = (char)(group + 1);
        }
        e = service_batch_delete_range(rt->extra, SERVICE_CF_STATE, group, (struct base_str){ from, 10 }, (struct base_str){ to, last ? 2 : 10 });
    }
    return e;
}

/* ---- frozen alerts ---- */

struct freezing {
    struct service_runtime *rt;
    struct base_str name, fingerprint; /* of the rule */
    uint64_t node;
    uint64_t count;
};

static int freeze_alert(void *ctx, struct cep_ident ident)
{
    struct freezing *f = ctx;
    char id[33];
    formats_alert_id_of(f->name, f->fingerprint, ident, id);
    int e = service_alertlog_freeze(f->rt->log, f->rt->extra, (struct base_str){ id, 32 });
    f->count += e == 0;
    return e == BASE_E_NOTFOUND ? 0 : e; /* its entry was too old and is gone */
}

static int freeze_key(void *ctx, struct base_str key, struct base_str value)
{
    static const char head[4] = { 0 };
    bool piece_zero = key.len >= 4 && memcmp(key.ptr + key.len - 4, head, 4) == 0;
    return piece_zero ? cep_alert_unsettled(value.ptr, value.len, freeze_alert, ctx) : 0;
}

static int freeze_rule(struct freezing *f)
{
    int e = 0;
    for (uint32_t group = 0; e == 0 && group < CEP_KEY_GROUPS; group++) {
        char prefix[10] = { (char)(group >> 8), (char)group };
        for (int i = 0; i < 8; i++)
            prefix[2 + i] = (char)(f->node >> (8 * (7 - i)));
        e = service_store_each(f->rt->store, SERVICE_CF_STATE, (struct base_str){ prefix, sizeof prefix }, freeze_key, f);
    }
    if (f->count)
        base_logf(BASE_LOG_INFO, "alerts", "unsettled alerts of a rule that is gone stay as they are", "rule %.*s, %llu alerts", (int)f->name.len, f->name.ptr,
                  (unsigned long long)f->count);
    return e;
}

static int freeze_if_gone(void *ctx, const struct service_past_rule *rule)
{
    struct service_runtime *rt = ctx;
    struct freezing f = { .rt = rt, .name = rule->name, .fingerprint = rule->fingerprint, .node = rule->node };
    return runs(rt->set->program, rule->node) ? 0 : freeze_rule(&f);
}

/* State of operators that the program does not have any more goes with the next epoch. */
int service_runtime_forget_gone(struct service_runtime *rt)
{
    struct base_str known = rt->record.fingerprints; /* empty: nothing was decided yet */
    struct base_reader in = base_reader_of(known.ptr, known.len);
    int e = service_past_each(rt->store, freeze_if_gone, rt);
    while (e == 0 && in.at < in.end) {
        uint64_t fingerprint = base_read_u64(&in);
        if (in.failed)
            return BASE_E_CORRUPT;
        if (!runs(rt->set->program, fingerprint))
            e = forget(rt, fingerprint);
    }
    return e == 0 ? put_fingerprints(rt) : e;
}

int service_runtime_tell_past(struct service_runtime *rt)
{
    struct base_buf text = { .limit = 65536 };
    bool differs = false;
    int e = service_past_compare(rt->store, rt->set->program, &text, &differs);
    if (e == 0 && differs)
        base_logf(BASE_LOG_INFO, "rules", "not the rules that the state was left by", "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    return e;
}
