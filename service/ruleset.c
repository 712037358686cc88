#include "service/ruleset.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/time.h"
#include "patterns/compile.h"

struct service_rule_book {
    pthread_mutex_t lock;
    struct base_map by_name; /* name -> struct service_rule_stats * */
};

struct service_rule_book *service_rule_book_create(void)
{
    struct service_rule_book *book = base_calloc(1, sizeof *book);
    if (book)
        pthread_mutex_init(&book->lock, NULL);
    return book;
}

void service_rule_book_destroy(struct service_rule_book *book)
{
    if (!book)
        return;
    size_t at = 0;
    for (const struct base_map_entry *entry; (entry = base_map_next(&book->by_name, &at));)
        base_free((void *)(uintptr_t)entry->value);
    base_map_finish(&book->by_name);
    pthread_mutex_destroy(&book->lock);
    base_free(book);
}

struct service_rule_stats *service_rule_book_get(struct service_rule_book *book, struct base_str name)
{
    pthread_mutex_lock(&book->lock);
    bool added = false;
    uint64_t *slot = base_map_put(&book->by_name, name, &added);
    struct service_rule_stats *stats = slot && *slot ? (struct service_rule_stats *)(uintptr_t)*slot : NULL;
    if (slot && !stats) {
        stats = base_calloc(1, sizeof *stats);
        if (stats)
            snprintf(stats->name, sizeof stats->name, "%.*s", (int)name.len, name.ptr);
        *slot = (uint64_t)(uintptr_t)stats;
    }
    pthread_mutex_unlock(&book->lock);
    return stats;
}

struct service_ruleset *service_ruleset_create(void)
{
    struct service_ruleset *set = base_calloc(1, sizeof *set);
    if (!set)
        return NULL;
    atomic_store(&set->refs, 1);
    service_rulefiles_init(&set->files, &set->arena);
    base_diags_init(&set->diags, &set->arena);
    return set;
}

struct service_ruleset *service_ruleset_ref(struct service_ruleset *set)
{
    atomic_fetch_add(&set->refs, 1);
    return set;
}

void service_ruleset_unref(struct service_ruleset *set)
{
    if (!set || atomic_fetch_sub(&set->refs, 1) != 1)
        return;
    if (set->linked)
        cep_unlink(set->linked);
    service_plan_finish(&set->plan);
    patterns_result_finish(set->result);
    base_free(set->stats);
    service_rulefiles_finish(&set->files);
    base_diags_finish(&set->diags);
    base_arena_finish(&set->arena);
    base_free(set);
}

static bool variable(void *ctx, struct base_str name, struct base_str *ret)
{
    const struct service_ruleset_config *config = ctx;
    const char *value = service_config_variable(config->config, name);
    if (!value && !config->any_variable)
        return false;
    *ret = value ? base_str_of(value) : name;
    return true;
}

static int bind_stats(struct service_ruleset *set, struct service_rule_book *book)
{
    uint32_t count = cep_program_rule_count(set->program);
    set->stats = base_calloc(count + 1, sizeof *set->stats);
    if (!set->stats)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; book && i < count; i++) {
        set->stats[i] = service_rule_book_get(book, cep_program_text(set->program, cep_program_rule(set->program, i)->name));
        if (!set->stats[i])
            return BASE_E_NOMEM;
    }
    return 0;
}

int service_ruleset_compile(struct service_ruleset *set, const struct service_ruleset_config *config, struct base_buf *reterr)
{
    struct patterns_options options = {
        .queries = config->query_mode, .eager_queries = config->emit == 1, .final_rules = config->emit == 2, .no_optimiser = !config->optimise,
        .variable = variable, .variable_ctx = (void *)(uintptr_t)config,
    };
    int e = patterns_compile(set->files.at, (uint32_t)set->files.len, config->funcs, &options, &set->arena, &set->diags, &set->result);
    if (e < 0) {
        if (e != BASE_E_SYNTAX)
            base_buf_printf(reterr, "the rules cannot be compiled: %s", base_error_text(e));
        return e;
    }
    set->program = set->result->program;
    set->loaded_ms = base_clock_wall_ms();
    const char *why = NULL;
    e = cep_link(set->program, config->funcs, &set->arena, &why, &set->linked);
    if (e < 0) {
        base_buf_printf(reterr, "the rules cannot be linked: %s", why ? why : base_error_text(e));
        return e;
    }
    e = service_plan_make(set->program, &set->plan);
    return e == 0 ? bind_stats(set, config->book) : e;
}

uint32_t service_ruleset_rule(const struct service_ruleset *set, struct base_str name)
{
    for (uint32_t i = 0; set->program && i < cep_program_rule_count(set->program); i++) {
        if (base_str_equal(cep_program_text(set->program, cep_program_rule(set->program, i)->name), name))
            return i;
    }
    return CEP_NONE;
}
