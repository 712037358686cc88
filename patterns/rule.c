#include "patterns/rule.h"

#include <string.h>
#include "base/error.h"
#include "patterns/types.h"

static const char *const known[] = { "severity", "title", "suppress",    "mode",  "emit", "sinks",
                                     "version",  "key",   "description", "owner", "tags", "runbook",
                                     "state.ttl", "allowed-lateness" };

static int refuse(struct patterns_binder *binder, const struct patterns_statement *statement,
                  const struct patterns_option *option, const char *hint, struct base_str value)
{
    return patterns_refuse_at(binder, statement->source, option->value_begin, option->value_end, "bad-option", hint,
                              "'%.*s' cannot be '%.*s'", (int)option->key.len, option->key.ptr, (int)value.len,
                              value.ptr);
}

static bool one_of(struct base_str value, const char *const *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (base_str_equal(value, base_str_of(words[i])))
            return true;
    return false;
}

static int read_option(struct patterns_binder *binder, struct patterns_rule_text *rule,
                       const struct patterns_option *option, struct base_str value)
{
    static const char *const severities[] = { "info", "low", "medium", "high", "critical" };
    static const char *const modes[] = { "live", "shadow", "off" };
    static const char *const emits[] = { "eager", "final" };
    const struct patterns_statement *s = rule->statement;
    int64_t number;
    if (base_str_equal(option->key, BASE_STR("severity"))) {
        rule->severity = value;
        return one_of(value, severities, 5)
                   ? 0
                   : refuse(binder, s, option, "write info, low, medium, high or critical", value);
    }
    if (base_str_equal(option->key, BASE_STR("mode"))) {
        rule->mode = value;
        return one_of(value, modes, 3) ? 0 : refuse(binder, s, option, "write live, shadow or off", value);
    }
    if (base_str_equal(option->key, BASE_STR("emit"))) {
        rule->eager = base_str_equal(value, BASE_STR("eager"));
        rule->emit_given = true;
        return one_of(value, emits, 2) ? 0 : refuse(binder, s, option, "write eager or final", value);
    }
    if (base_str_equal(option->key, BASE_STR("title"))) {
        rule->title = value;
    } else if (base_str_equal(option->key, BASE_STR("sinks"))) {
        rule->sinks = value;
    } else if (base_str_equal(option->key, BASE_STR("key"))) {
        rule->key = value;
        rule->key_begin = option->value_begin;
        rule->key_end = option->value_end;
    } else if (base_str_equal(option->key, BASE_STR("suppress"))) {
        return patterns_duration_parse(value, &rule->suppress_ms)
                   ? 0
                   : refuse(binder, s, option, "write a duration: '10 min', '2 h', '1 day', '500 ms'", value);
    } else if (base_str_equal(option->key, BASE_STR("state.ttl"))) {
        return patterns_duration_parse(value, &rule->state_ttl_ms)
                   ? 0
                   : refuse(binder, s, option, "write a duration: '7 d', '12 h'", value);
    } else if (base_str_equal(option->key, BASE_STR("allowed-lateness"))) {
        rule->late_begin = option->key_begin;
        rule->late_end = option->value_end;
        return patterns_duration_parse(value, &rule->late_ms) ? 0 : refuse(binder, s, option, "write a duration: '1 h', '10 min'", value);
    } else if (base_str_equal(option->key, BASE_STR("version"))) {
        if (!base_str_to_i64(value, &number) || number < 1 || number > UINT32_MAX)
            return refuse(binder, s, option, "write a number from 1", value);
        rule->version = (uint32_t)number;
    }
    return 0;
}

int patterns_rule_read(const struct patterns_catalog *catalog, struct patterns_binder *binder,
                       const struct patterns_statement *statement, bool default_eager, struct patterns_rule_text **ret)
{
    const struct patterns_create_rule *text = &statement->create_rule;
    struct patterns_rule_text *rule = base_arena_zalloc(binder->arena, 1, sizeof *rule);
    int first = 0;
    if (!rule)
        return BASE_E_NOMEM;
    rule->name = text->name.parts[text->name.count - 1].text;
    rule->statement = statement;
    rule->severity = BASE_STR("medium");
    rule->mode = BASE_STR("live");
    rule->title = rule->name;
    rule->eager = default_eager;
    rule->version = 1;
    rule->settings = base_arena_zalloc(binder->arena, text->option_count + 1, sizeof *rule->settings);
    rule->read = base_arena_zalloc(binder->arena, text->option_count + 1, sizeof *rule->read);
    if (!rule->settings || !rule->read)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < text->option_count; i++) {
        const struct patterns_option *o = &text->options[i];
        struct patterns_setting *setting = &rule->settings[rule->setting_count++];
        setting->key = o->key;
        int error = patterns_substitute(catalog, binder, statement->source, o->value_begin, o->value_end, o->value,
                                        &setting->value);
        for (uint32_t k = 0; k < i && !error; k++)
            if (base_str_equal(text->options[k].key, o->key))
                error = patterns_refuse_at(binder, statement->source, o->key_begin, o->key_end, "duplicate-name", NULL,
                                           "option '%.*s' is given twice", (int)o->key.len, o->key.ptr);
        if (!error)
            error = read_option(binder, rule, o, setting->value);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    *ret = rule;
    if (!first && rule->late_ms && rule->emit_given && !rule->eager)
        return patterns_refuse_at(binder, statement->source, rule->late_begin, rule->late_end, "bad-option", "leave out 'emit' = 'final'",
                                  "with 'allowed-lateness' alerts are corrected, with 'emit' = 'final' they are not");
    return first;
}

bool patterns_rule_param(void *ctx, struct base_str name, struct base_str *ret)
{
    struct patterns_rule_text *rule = ctx;
    for (uint32_t i = 0; i < rule->setting_count; i++) {
        struct base_str key = rule->settings[i].key;
        bool prefixed = base_str_starts(key, BASE_STR("param."));
        if (base_str_equal(key, name) ||
            (prefixed && base_str_equal((struct base_str){ key.ptr + 6, key.len - 6 }, name))) {
            rule->read[i] = true;
            *ret = rule->settings[i].value;
            return true;
        }
    }
    return false;
}

void patterns_rule_warn_unknown(struct patterns_binder *binder, const struct patterns_rule_text *rule)
{
    const struct patterns_create_rule *text = &rule->statement->create_rule;
    for (uint32_t i = 0; i < rule->setting_count; i++) {
        struct base_str key = rule->settings[i].key, near = { NULL, 0 };
        size_t best = key.len / 2 + 1;
        if (rule->read[i] || one_of(key, known, sizeof known / sizeof *known))
            continue;
        for (uint32_t k = 0; k < sizeof known / sizeof *known; k++) {
            size_t distance = base_str_distance(base_str_of(known[k]), key);
            if (distance < best) {
                best = distance;
                near = base_str_of(known[k]);
            }
        }
        const char *hint = near.len ? base_arena_printf(binder->arena, "did you mean '%.*s'?", (int)near.len, near.ptr)
                                    : base_arena_printf(binder->arena, "a threshold is read with PARAM('%.*s')",
                                                        (int)key.len, key.ptr);
        patterns_warn_at(binder, BASE_SEVERITY_WARNING, rule->statement->source, text->options[i].key_begin,
                         text->options[i].key_end, "bad-option", hint, "nothing reads the option '%.*s'", (int)key.len,
                         key.ptr);
    }
}
