/* Reload: build aside, check all, swap at a boundary, free after the last reader (protocol.md 17). */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "enrichment/geoip.h"
#include "enrichment/lists.h"
#include "enrichment/model.h"
#include "service/json.h"
#include "service/runtime_internal.h"

#define TEND_MS 200
#define LOOK_US 1000000
#define PRUNE_US 600000000
#define TRIM_US 10000000
#define PRUNE_MOST 10000

int service_runtime_compile(struct service_runtime *rt, const char *file, struct base_str text, struct service_ruleset **ret, struct base_buf *reterr)
{
    const char *dir = rt->settings->text[SERVICE_RULES_DIR];
    struct service_ruleset *set = service_ruleset_create();
    if (!set)
        return BASE_E_NOMEM;
    set->files.file_bytes = (size_t)rt->settings->number[SERVICE_RULES_BYTES];
    set->number = atomic_fetch_add(&rt->set_number, 1) + 1;
    int e = service_rulefiles_add(&set->files, dir, reterr);
    if (e == 0 && file) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", dir, file);
        e = service_rulefiles_set(&set->files, name, text);
    }
    struct service_ruleset_config config = { .config = rt->settings, .funcs = rt->config.funcs, .book = rt->book, .optimise = true };
    if (e == 0)
        e = service_ruleset_compile(set, &config, reterr);
    if (e < 0 && e != BASE_E_SYNTAX) {
        service_ruleset_unref(set);
        return e;
    }
    *ret = set; /* with diagnostics */
    return e;
}

/* ---- what is not there yet: opened aside, before anything is stopped ---- */

static struct service_input *input_for(struct service_runtime *rt, const struct cep_program *program, uint32_t table)
{
    char identity[33];
    service_input_identity_of(program, table, identity);
    struct base_str name = cep_program_text(program, cep_program_table(program, table)->name);
    for (size_t i = 0; i < rt->inputs.len; i++) {
        struct service_input *input = rt->inputs.at[i];
        if (base_str_equal(name, base_str_of(service_input_name(input))) && strcmp(service_input_identity(input), identity) == 0)
            return input;
    }
    return NULL;
}

/* Would the running source's new decoder be accepted? */
static int check_decoder(const struct cep_program *program, uint32_t table, struct base_buf *reterr)
{
    char text[512] = "";
    struct formats_decoder *decoder = NULL;
    struct formats_decoder_config config = { .program = program, .table = table };
    int e = formats_decoder_create(&config, &decoder, text, sizeof text);
    formats_decoder_destroy(decoder);
    if (e < 0) {
        struct base_str name = cep_program_text(program, cep_program_table(program, table)->name);
        base_buf_printf(reterr, "table \"%.*s\": %s", (int)name.len, name.ptr, *text ? text : base_error_text(e));
    }
    return e;
}

static int prepare_inputs(struct service_runtime *rt, struct service_swap *swap, struct base_buf *reterr)
{
    const struct cep_program *program = swap->set->program;
    uint32_t tables = cep_program_table_count(program);
    swap->fresh = base_calloc(tables + 1, sizeof *swap->fresh);
    if (!swap->fresh)
        return BASE_E_NOMEM;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < tables; i++) {
        if (!service_runtime_streams(program, i))
            continue;
        if (input_for(rt, program, i)) {
            e = check_decoder(program, i, reterr);
            continue;
        }
        struct service_input_config config = service_runtime_input_config(rt, program, i);
        e = service_input_open(&config, &swap->fresh[swap->fresh_count], reterr);
        swap->fresh_count += e == 0;
    }
    return e;
}

/* Other profile tables than those in use are loaded whole before the swap. */
static int prepare_profiles(struct service_runtime *rt, struct service_swap *swap, struct base_buf *reterr)
{
    const struct cep_program *program = swap->set->program;
    pthread_mutex_lock(&rt->loader_lock);
    bool same = rt->profiles && service_profiles_same(rt->profiles, program);
    pthread_mutex_unlock(&rt->loader_lock);
    if (same)
        return 0;
    struct service_profiles_config config = service_runtime_profiles_config(rt, program);
    int e = service_profiles_create(&config, &swap->profiles, reterr);
    bool ready = e == 0 && service_profiles_count(swap->profiles) == 0;
    int64_t until_us = base_clock_mono_us() + 60000000;
    while (e == 0 && !ready) {
        e = service_profiles_poll(swap->profiles, 100, &ready, reterr);
        if (e == 0 && !ready && (base_clock_mono_us() > until_us || atomic_load(&rt->stopping))) {
            base_buf_puts(reterr, "a profile table could not be read to its end within a minute");
            e = BASE_E_TIMEOUT;
        }
    }
    return e;
}

static void swap_finish(struct service_swap *swap)
{
    for (uint32_t i = 0; i < swap->fresh_count; i++)
        service_input_close(swap->fresh[i]);
    base_free(swap->fresh);
    service_profiles_destroy(swap->profiles);
    service_ruleset_unref(swap->set);
    base_buf_finish(&swap->error);
}

/* ---- coordinator, at rest ---- */

/* The inputs of the new program: running ones under it, fresh ones, in `next`; those that nobody reads any more in `gone`. */
static int choose_inputs(struct service_runtime *rt, struct service_swap *swap, struct service_inputs *next, struct service_inputs *gone)
{
    const struct cep_program *program = swap->set->program;
    for (size_t k = 0; k < rt->inputs.len; k++) {
        bool used = false;
        for (uint32_t i = 0; i < cep_program_table_count(program); i++)
            used = used || (service_runtime_streams(program, i) && input_for(rt, program, i) == rt->inputs.at[k]);
        if (used ? !BASE_VEC_PUSH(next, rt->inputs.at[k]) : !BASE_VEC_PUSH(gone, rt->inputs.at[k]))
            return BASE_E_NOMEM;
    }
    for (uint32_t i = 0; i < swap->fresh_count; i++) {
        if (!BASE_VEC_PUSH(next, swap->fresh[i]))
            return BASE_E_NOMEM;
    }
    return 0;
}

/* All of `inputs` decode for this program. */
static int bind_inputs(struct service_inputs *inputs, const struct cep_program *program, struct base_buf *reterr)
{
    int e = 0;
    for (size_t k = 0; e == 0 && k < inputs->len; k++) {
        for (uint32_t i = 0; i < cep_program_table_count(program); i++) {
            struct base_str name = cep_program_text(program, cep_program_table(program, i)->name);
            if (service_runtime_streams(program, i) && base_str_equal(name, base_str_of(service_input_name(inputs->at[k]))))
                e = service_input_rebind(inputs->at[k], program, i, reterr);
        }
    }
    return e;
}

static void use_set(struct service_runtime *rt, struct service_ruleset *set)
{
    pthread_mutex_lock(&rt->lock);
    rt->set = set;
    rt->rule_state_count = 0;
    pthread_mutex_unlock(&rt->lock);
}

static int use_profiles(struct service_runtime *rt, struct service_swap *swap, struct base_buf *reterr)
{
    bool any;
    if (!swap->profiles)
        return service_profiles_rebind(rt->profiles, swap->set->program, reterr);
    struct service_profiles *old = rt->profiles;
    rt->profiles = swap->profiles;
    swap->profiles = old; /* freed with the swap */
    return service_profiles_apply(rt->profiles, NULL, NULL, &any);
}

static int take_over(struct service_runtime *rt, struct service_swap *swap, struct service_inputs *next, struct base_buf *reterr)
{
    struct service_ruleset *old = rt->set;
    struct service_inputs old_inputs = rt->inputs;
    int e = service_epochs_bind(rt->epochs, swap->set->program, reterr);
    if (e < 0)
        return e;
    service_engine_destroy(rt->engine);
    rt->engine = NULL;
    e = bind_inputs(next, swap->set->program, reterr);
    if (e == 0)
        e = use_profiles(rt, swap, reterr);
    if (e == 0) {
        use_set(rt, swap->set);
        rt->inputs = *next;
        e = service_runtime_make_engine(rt, reterr);
    }
    if (e == 0) {
        *next = old_inputs;
        swap->set = old; /* freed with the swap */
        return 0;
    }
    /* Back to the old set: what it needs was there a moment ago. If that fails too, the coordinator restarts from the store. */
    struct base_buf why = { .limit = 4096 };
    use_set(rt, old);
    rt->inputs = old_inputs;
    if (service_epochs_bind(rt->epochs, old->program, &why) < 0 || bind_inputs(&rt->inputs, old->program, &why) < 0 ||
        service_profiles_rebind(rt->profiles, old->program, &why) < 0 || service_runtime_make_engine(rt, &why) < 0)
        base_logf(BASE_LOG_ERROR, "rules", "the old rules could not be taken up again at once", "%s", why.ptr ? why.ptr : "");
    base_buf_finish(&why);
    return e;
}

void service_runtime_do_swap(struct service_runtime *rt, struct service_swap *swap)
{
    struct service_inputs next = { 0 }, gone = { 0 };
    int e = choose_inputs(rt, swap, &next, &gone);
    pthread_mutex_lock(&rt->loader_lock);
    if (e == 0)
        e = take_over(rt, swap, &next, &swap->error);
    pthread_mutex_unlock(&rt->loader_lock);
    if (e == 0) {
        swap->fresh_count = 0; /* they run now */
        for (size_t i = 0; i < gone.len; i++)
            service_input_close(gone.at[i]);
    }
    BASE_VEC_FINISH(&next);
    BASE_VEC_FINISH(&gone);
    swap->result = e;
}

/* ---- the answer ---- */

static void add_rule(json_t *list, const struct cep_program *program, uint32_t i, const char *result, const char *reason)
{
    struct base_str name = cep_program_text(program, cep_program_rule(program, i)->name);
    json_t *entry = json_pack("{s:s%, s:s}", "name", name.ptr, name.len, "result", result);
    if (entry && reason)
        json_object_set_new(entry, "reason", json_string(reason));
    json_array_append_new(list, entry);
}

static bool same_text(const struct cep_program *a, struct cep_text x, const struct cep_program *b, struct cep_text y)
{
    return base_str_equal(cep_program_text(a, x), cep_program_text(b, y));
}

/* For each rule kept, started, stopped or changed, and why. old NULL: all are started. */
static json_t *compare_sets(const struct service_ruleset *old, const struct service_ruleset *set)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < cep_program_rule_count(set->program); i++) {
        const struct cep_rule *rule = cep_program_rule(set->program, i);
        uint32_t k = service_ruleset_rule(old, cep_program_text(set->program, rule->name));
        const struct cep_rule *was = k == CEP_NONE ? NULL : cep_program_rule(old->program, k);
        if (!was)
            add_rule(list, set->program, i, "started", NULL);
        else if (!same_text(set->program, rule->fingerprint, old->program, was->fingerprint))
            add_rule(list, set->program, i, "changed", "its input, pattern, conditions or output changed: it starts anew and its open partial matches are dropped");
        else if (!same_text(set->program, rule->text, old->program, was->text))
            add_rule(list, set->program, i, "kept", "only what does not touch its state changed (title, severity, sinks, layout): its partial matches stay");
        else
            add_rule(list, set->program, i, "kept", NULL);
    }
    for (uint32_t k = 0; list && k < cep_program_rule_count(old->program); k++) {
        if (service_ruleset_rule(set, cep_program_text(old->program, cep_program_rule(old->program, k)->name)) == CEP_NONE)
            add_rule(list, old->program, k, "stopped", NULL);
    }
    return list;
}

static int put_answer(struct service_reload *reload, const struct service_ruleset *old, const struct service_ruleset *set)
{
    struct base_buf diags = { 0 };
    base_diags_render_json(&set->diags, &diags);
    json_t *list = set->program ? compare_sets(old, set) : json_array();
    base_buf_clear(&reload->answer);
    base_buf_puts(&reload->answer, "{\"rules\":");
    bool failed = !service_json_put(list, &reload->answer);
    base_buf_puts(&reload->answer, ",\"diagnostics\":");
    base_buf_put(&reload->answer, diags.ptr, diags.len);
    base_buf_putc(&reload->answer, '}');
    failed = failed || diags.failed || reload->answer.failed;
    json_decref(list);
    base_buf_finish(&diags);
    return failed ? BASE_E_NOMEM : 0;
}

static void log_outcome(struct service_runtime *rt, const struct service_reload *reload, const struct service_ruleset *set, int e)
{
    service_count(&rt->metrics, e == 0 ? SERVICE_METRIC_RELOADS : SERVICE_METRIC_RELOADS_FAILED, 1);
    if (e == 0) {
        base_logf(BASE_LOG_INFO, "rules", "reloaded", "%s", reload->answer.ptr ? reload->answer.ptr : "");
        return;
    }
    struct base_buf text = { .limit = 16384 };
    if (e == BASE_E_SYNTAX && set)
        base_diags_render(&set->diags, &text);
    base_logf(BASE_LOG_ERROR, "rules", "the reload was refused; the running rules stay", "%s",
              text.len ? text.ptr : reload->error.len ? reload->error.ptr : base_error_text(e));
    base_buf_finish(&text);
}

/* Hands the swap to the coordinator and waits. */
static int ask_swap(struct service_runtime *rt, struct service_swap *swap)
{
    pthread_mutex_lock(&rt->lock);
    int e = rt->running && !rt->swap ? 0 : BASE_E_BUSY;
    if (e == 0) {
        rt->swap = swap;
        pthread_cond_broadcast(&rt->changed);
        while (!swap->done)
            pthread_cond_wait(&rt->changed, &rt->lock);
        e = swap->result;
    }
    pthread_mutex_unlock(&rt->lock);
    return e;
}

/* Before it runs, and after, the inputs belong to the main thread alone. */
static bool is_running(struct service_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    bool running = rt->running;
    pthread_mutex_unlock(&rt->lock);
    return running;
}

static int reload_locked(struct service_runtime *rt, struct service_reload *reload)
{
    struct service_swap swap = { 0 };
    struct service_ruleset *old = service_runtime_ruleset(rt);
    int e = service_runtime_compile(rt, reload->file, reload->text, &swap.set, &reload->error);
    if (swap.set && put_answer(reload, old, swap.set) < 0)
        e = BASE_E_NOMEM;
    bool act = e == 0 && !reload->only_check;
    if (act && !is_running(rt)) {
        base_buf_puts(&reload->error, "the service is starting or stopping; try again");
        e = BASE_E_BUSY;
    }
    if (act && e == 0)
        e = prepare_inputs(rt, &swap, &reload->error);
    if (act && e == 0)
        e = prepare_profiles(rt, &swap, &reload->error);
    if (act && e == 0 && reload->file)
        e = service_rulefiles_write(rt->settings->text[SERVICE_RULES_DIR], reload->file, reload->text, &reload->error);
    struct service_ruleset *compiled = swap.set ? service_ruleset_ref(swap.set) : NULL;
    if (act && e == 0)
        e = ask_swap(rt, &swap);
    if (swap.error.len)
        base_buf_put(&reload->error, swap.error.ptr, swap.error.len);
    if (!reload->only_check)
        log_outcome(rt, reload, compiled, e);
    service_ruleset_unref(compiled);
    swap_finish(&swap);
    service_ruleset_unref(old);
    return e;
}

int service_runtime_reload(struct service_runtime *rt, struct service_reload *reload)
{
    pthread_mutex_lock(&rt->reload_lock);
    int e = reload_locked(rt, reload);
    pthread_mutex_unlock(&rt->reload_lock);
    return e;
}

/* ---- the tender: signals, the watched folder, retention ---- */

static void reload_folder(struct service_runtime *rt)
{
    struct service_reload reload = { 0 };
    if (service_runtime_reload(rt, &reload) < 0)
        service_count(&rt->metrics, SERVICE_METRIC_RELOADS_FAILED, 0); /* told and counted already */
    base_buf_finish(&reload.answer);
    base_buf_finish(&reload.error);
}

static void look_at_folder(struct service_runtime *rt, uint64_t *seen)
{
    uint64_t mark;
    if (service_rulefiles_mark(rt->settings->text[SERVICE_RULES_DIR], &mark) < 0 || mark == rt->rules_mark)
        return;
    if (mark != *seen) { /* still being written, perhaps: wait until it rests for one look */
        *seen = mark;
        return;
    }
    struct service_ruleset *set = service_runtime_ruleset(rt);
    bool known = set->files.mark == mark; /* a PUT of our own */
    service_ruleset_unref(set);
    rt->rules_mark = mark;
    if (!known)
        reload_folder(rt);
}

static void prune_log(struct service_runtime *rt)
{
    struct service_delivery *delivery = service_runtime_delivery(rt);
    int64_t before_ms = base_clock_wall_ms() - rt->settings->number[SERVICE_ALERT_KEEP];
    uint64_t keep = delivery ? service_delivery_position(delivery) : UINT64_MAX;
    int e = service_alertlog_prune(rt->log, before_ms, keep, PRUNE_MOST);
    if (e < 0)
        base_logf(BASE_LOG_WARN, "alerts", "old alerts could not be dropped; tried again later", "%s", base_error_text(e));
}

void *service_runtime_tend(void *arg)
{
    struct service_runtime *rt = arg;
    int64_t look_us = 0, files_us = 0, trim_us = base_clock_mono_us() + TRIM_US, prune_us = base_clock_mono_us() + PRUNE_US;
    uint64_t seen = rt->rules_mark;
    while (!atomic_load(&rt->stopping)) {
        int64_t now_us = base_clock_mono_us();
        if (atomic_exchange(&rt->reload_asked, false))
            reload_folder(rt);
        if (rt->settings->number[SERVICE_RULES_WATCH] && now_us >= look_us) {
            look_us = now_us + LOOK_US;
            look_at_folder(rt, &seen);
        }
        if (now_us >= files_us) {
            files_us = now_us + LOOK_US;
            enrichment_lists_refresh();
            enrichment_geoip_refresh();
            enrichment_models_refresh();
        }
        if (now_us >= trim_us) {
            trim_us = now_us + TRIM_US;
            base_alloc_trim();
        }
        if (now_us >= prune_us) {
            prune_us = now_us + PRUNE_US;
            prune_log(rt);
        }
        nanosleep(&(struct timespec){ .tv_nsec = TEND_MS * 1000000 }, NULL);
    }
    return NULL;
}
