/* The WITH options of CREATE RULE: what an alert needs and SQL has no word for. Called by compile.c. Pure but for
 * diagnostics. */
#ifndef PATTERNS_RULE_H
#define PATTERNS_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "patterns/catalog.h"

struct patterns_rule_text {
    struct base_str name;
    const struct patterns_statement *statement;
    struct base_str severity, title, mode, sinks;
    struct base_str key; /* 'key': names separated by commas; ptr NULL: not given */
    uint32_t key_begin, key_end;
    int64_t suppress_ms;
    int64_t state_ttl_ms; /* 0: not given */
    int64_t late_ms;      /* 'allowed-lateness'; 0: not given */
    uint32_t late_begin, late_end;
    bool eager, emit_given;
    uint32_t version;
    struct patterns_setting *settings; /* all options, variables substituted */
    bool *read;                        /* parallel: a PARAM reads it */
    uint32_t setting_count;
};
/* Reads the options; default_eager: 'emit' where it is not given. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_rule_read(const struct patterns_catalog *catalog, struct patterns_binder *binder,
                       const struct patterns_statement *statement, bool default_eager,
                       struct patterns_rule_text **ret) BASE_MUST_CHECK;
/* Callback for binder->param; ctx is the rule. PARAM('x') reads 'x' or 'param.x'. */
bool patterns_rule_param(void *ctx, struct base_str name, struct base_str *ret);
/* Warns of options that nothing knows and nothing reads. Called once the query is bound. */
void patterns_rule_warn_unknown(struct patterns_binder *binder, const struct patterns_rule_text *rule);

#endif
