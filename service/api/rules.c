#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "service/api/api.h"

/* ---- the running rules ---- */

static json_t *text_json(const struct cep_program *program, struct cep_text text)
{
    struct base_str s = cep_program_text(program, text);
    return json_stringn(s.ptr ? s.ptr : "", s.len);
}

static json_t *options_json(const struct cep_program *program, struct cep_list options)
{
    json_t *out = json_object();
    for (uint32_t i = 0; out && i < options.count; i++) {
        const struct cep_option *option = cep_program_option(program, options.first + i);
        struct base_str key = cep_program_text(program, option->key);
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
        json_object_set_new(out, name, text_json(program, option->value));
    }
    return out;
}

static json_t *stats_json(struct api_call *call, const struct service_rule_stats *stats)
{
    json_t *out = json_object();
    for (int c = 0; out && c < SERVICE_RULE_COUNTERS_; c++) {
        uint64_t value = atomic_load_explicit(&stats->value[c], memory_order_relaxed);
        json_object_set_new(out, service_rule_counter_name((enum service_rule_counter)c), json_integer((json_int_t)value));
    }
    struct service_rule_state state;
    if (out && service_runtime_rule_state(call->api->runtime, stats->name, &state)) {
        json_object_set_new(out, "keys", json_integer((json_int_t)state.keys));
        json_object_set_new(out, "state_bytes", json_integer((json_int_t)state.state_bytes));
        json_object_set_new(out, "partial_matches", json_integer((json_int_t)state.threads));
        json_object_set_new(out, "rows_kept", json_integer((json_int_t)state.rows_kept));
    }
    int64_t last_ms = atomic_load_explicit(&stats->last_alert_ms, memory_order_relaxed);
    char text[40];
    if (last_ms)
        base_time_print(last_ms, true, text);
    json_object_set_new(out, "last_alert_at", last_ms ? json_string(text) : json_null());
    return out;
}

static json_t *rule_json(struct api_call *call, const struct service_ruleset *set, uint32_t i, bool whole)
{
    const struct cep_program *p = set->program;
    const struct cep_rule *rule = cep_program_rule(p, i);
    json_t *out = json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "name", text_json(p, rule->name), "title", text_json(p, rule->title),
                            "version", (int)rule->version, "severity", text_json(p, rule->severity), "mode", text_json(p, rule->mode), "sinks",
                            text_json(p, rule->sinks), "emit", rule->eager ? "eager" : "final", "stability", text_json(p, rule->stability), "fingerprint",
                            text_json(p, rule->fingerprint), "file", text_json(p, rule->file), "stats", stats_json(call, set->stats[i]));
    if (out && whole) {
        json_object_set_new(out, "witness", text_json(p, rule->witness));
        json_object_set_new(out, "suppress_ms", json_integer((json_int_t)rule->suppress_ms));
        json_object_set_new(out, "options", options_json(p, rule->options));
        json_object_set_new(out, "text", text_json(p, rule->text));
    }
    return out;
}

void api_rules_list(struct api_call *call)
{
    struct service_ruleset *set = service_runtime_ruleset(call->api->runtime);
    json_t *list = json_array();
    for (uint32_t i = 0; i < cep_program_rule_count(set->program); i++)
        json_array_append_new(list, rule_json(call, set, i, false));
    char loaded[40];
    base_time_print(set->loaded_ms, true, loaded);
    api_json(call->response, 200, json_pack("{s:o, s:s}", "data", list, "loaded_at", loaded));
    service_ruleset_unref(set);
}

static void answer_file(struct api_call *call, const struct service_ruleset *set)
{
    char name[4096];
    const struct service_config *config = service_runtime_settings(call->api->runtime);
    snprintf(name, sizeof name, "%s/%s", config->text[SERVICE_RULES_DIR], call->parts[0]);
    for (size_t i = 0; i < set->files.len; i++) {
        if (strcmp(set->files.at[i].name, name) != 0)
            continue;
        base_buf_put(&call->response->body, set->files.at[i].text, set->files.at[i].len);
        call->response->content_type = "text/plain; charset=utf-8";
        return;
    }
    api_problem(call->response, 404, "there is no rule file of this name");
}

void api_rule_get(struct api_call *call)
{
    struct service_ruleset *set = service_runtime_ruleset(call->api->runtime);
    uint32_t i = service_ruleset_rule(set, base_str_of(call->parts[0]));
    if (service_rulefiles_name_good(call->parts[0]))
        answer_file(call, set);
    else if (i == CEP_NONE)
        api_problem(call->response, 404, "there is no rule of this name");
    else
        api_json(call->response, 200, rule_json(call, set, i, true));
    service_ruleset_unref(set);
}

/* ---- changes ---- */

static void answer_reload(struct api_call *call, struct service_reload *reload, int e)
{
    if (e == BASE_E_SYNTAX) {
        struct base_str diags = reload->answer.ptr ? api_member((struct base_str){ reload->answer.ptr, reload->answer.len }, "diagnostics") : BASE_STR("[]");
        struct base_buf text = { 0 };
        base_buf_put_str(&text, diags);
        api_problem_diags(call->response, text.ptr ? text.ptr : "[]");
        base_buf_finish(&text);
    } else if (e < 0) {
        api_problem_error(call->response, e, reload->error.ptr);
    } else {
        base_buf_put(&call->response->body, reload->answer.ptr, reload->answer.len);
        base_buf_putc(&call->response->body, '\n');
        call->response->content_type = "application/json";
    }
    base_buf_finish(&reload->answer);
    base_buf_finish(&reload->error);
}

static bool good_name(struct api_call *call, const char *name)
{
    if (service_rulefiles_name_good(name))
        return true;
    api_problem(call->response, 400, "a rule file's name consists of letters, digits, '-', '_', '.' and '/', and ends in .sql");
    return false;
}

void api_rules_validate(struct api_call *call)
{
    const char *file = api_request_query(call->request, "file");
    if (!good_name(call, file ? file : "validate.sql"))
        return;
    struct service_reload reload = { .file = file ? file : "validate.sql", .text = call->request->body, .only_check = true };
    answer_reload(call, &reload, service_runtime_reload(call->api->runtime, &reload));
}

void api_rules_reload(struct api_call *call)
{
    struct service_reload reload = { 0 };
    answer_reload(call, &reload, service_runtime_reload(call->api->runtime, &reload));
}

void api_rule_put(struct api_call *call)
{
    if (!good_name(call, call->parts[0]))
        return;
    struct service_reload reload = { .file = call->parts[0], .text = call->request->body };
    answer_reload(call, &reload, service_runtime_reload(call->api->runtime, &reload));
}
