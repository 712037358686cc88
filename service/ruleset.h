/* A compiled rule set: texts, program, linked code, what threads need to know of it, and the counters of its rules. Immutable once made and counted by
 * references, so that REST answers of the old one may still be written while a new one runs. */
#ifndef SERVICE_RULESET_H
#define SERVICE_RULESET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/diag.h"
#include "cep/expr.h"
#include "service/config.h"
#include "service/metrics.h"
#include "service/plan.h"
#include "service/rulefiles.h"

struct patterns_result;

/* Counters by rule name, for the life of the process. Any thread. */
struct service_rule_book;
struct service_rule_book *service_rule_book_create(void); /* NULL: no memory */
void service_rule_book_destroy(struct service_rule_book *book);
/* Entry of a rule, made at first sight; NULL: no memory. Lives as long as the book. */
struct service_rule_stats *service_rule_book_get(struct service_rule_book *book, struct base_str name);

struct service_ruleset {
    _Atomic uint32_t refs;
    struct base_arena arena;          /* texts, diagnostics */
    struct service_rulefiles files;
    struct base_diags diags;          /* of the compile: warnings and notes; errors if there is no program */
    struct patterns_result *result;
    const struct cep_program *program; /* NULL: it did not compile */
    struct cep_linked *linked;
    struct service_plan plan;
    struct service_rule_stats **stats; /* by rule index */
    uint64_t number;                   /* rises with each set that was made */
    int64_t loaded_ms;                 /* wall time */
};
struct service_ruleset_config {
    const struct service_config *config; /* variables; may be NULL */
    const struct cep_funcs *funcs;       /* outlives every set */
    struct service_rule_book *book;      /* NULL: no counters */
    bool query_mode;                     /* bare SELECTs are allowed */
    int emit;                            /* 0: the default; 1: eager; 2: final */
    bool optimise;
    bool any_variable;                   /* an unknown ${NAME} stands for "NAME": rule cases need no brokers */
};
/* An empty set, to which files are added. NULL: no memory. */
struct service_ruleset *service_ruleset_create(void);
/* Compiles what its files hold. 0: there is a program. BASE_E_SYNTAX: diags say why. Others: reason appended. */
int service_ruleset_compile(struct service_ruleset *set, const struct service_ruleset_config *config, struct base_buf *reterr) BASE_MUST_CHECK;
struct service_ruleset *service_ruleset_ref(struct service_ruleset *set);
void service_ruleset_unref(struct service_ruleset *set); /* NULL allowed */
/* Index of a rule by name, CEP_NONE. */
uint32_t service_ruleset_rule(const struct service_ruleset *set, struct base_str name);

#endif
