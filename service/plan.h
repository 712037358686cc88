/* What the threads need to know of a program at a glance: its exchanges with their stages and feeders, and which rules stand behind a node. Read-only
 * once made: any thread. */
#ifndef SERVICE_PLAN_H
#define SERVICE_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"

struct service_plan {
    const struct cep_program *program;
    uint32_t *exchanges;         /* EXCHANGE nodes */
    uint32_t exchange_count;
    uint32_t *exchange_of;       /* node -> index in exchanges, CEP_NONE */
    bool *fed_by_ingest;         /* by index in exchanges: rows reach it from a source without another exchange between */
    bool *fed_by_shards;         /* rows reach it from behind another exchange */
    uint32_t stages;             /* at least 1 */
    uint64_t *rules_behind;      /* node -> bits: the rules whose alerts its rows can reach; words per node: rule_words */
    uint32_t rule_words;
};
int service_plan_make(const struct cep_program *program, struct service_plan *ret) BASE_MUST_CHECK;
void service_plan_finish(struct service_plan *plan);
static inline uint32_t service_plan_stage(const struct service_plan *plan, uint32_t exchange_node)
{
    return cep_program_node(plan->program, exchange_node)->stage;
}
static inline bool service_plan_reaches(const struct service_plan *plan, uint32_t node, uint32_t rule)
{
    return plan->rules_behind[(size_t)node * plan->rule_words + rule / 64] >> (rule % 64) & 1;
}

#endif
