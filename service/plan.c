#include "service/plan.h"

#include "base/alloc.h"
#include "base/error.h"

enum side { SIDE_INGEST = 1, SIDE_SHARDS = 2 };

/* Where rows of each node come from; nodes stand in topological order. */
static void mark_sides(const struct cep_program *program, uint8_t *sides)
{
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        sides[i] = node->kind == CEP_NODE_SOURCE ? SIDE_INGEST : 0;
        for (uint32_t k = 0; k < node->inputs.count; k++) {
            uint32_t input = *cep_program_u32(program, node->inputs.first + k);
            sides[i] |= cep_program_node(program, input)->kind == CEP_NODE_EXCHANGE ? SIDE_SHARDS : sides[input];
        }
    }
}

static void mark_rules(struct service_plan *plan)
{
    const struct cep_program *program = plan->program;
    for (uint32_t i = cep_program_node_count(program); i-- > 0;) {
        const struct cep_node *node = cep_program_node(program, i);
        uint64_t *mine = plan->rules_behind + (size_t)i * plan->rule_words;
        if (node->kind == CEP_NODE_ALERT)
            mine[node->detail / 64] |= 1ull << (node->detail % 64);
        for (uint32_t k = 0; k < node->outputs.count; k++) {
            uint32_t output = *cep_program_u32(program, node->outputs.first + k);
            for (uint32_t w = 0; w < plan->rule_words; w++)
                mine[w] |= plan->rules_behind[(size_t)output * plan->rule_words + w];
        }
    }
}

static void mark_exchanges(struct service_plan *plan, const uint8_t *sides)
{
    for (uint32_t i = 0; i < cep_program_node_count(plan->program); i++) {
        const struct cep_node *node = cep_program_node(plan->program, i);
        plan->exchange_of[i] = CEP_NONE;
        if (node->kind != CEP_NODE_EXCHANGE)
            continue;
        uint32_t x = plan->exchange_count++;
        plan->exchanges[x] = i;
        plan->exchange_of[i] = x;
        plan->fed_by_ingest[x] = sides[i] & SIDE_INGEST;
        plan->fed_by_shards[x] = sides[i] & SIDE_SHARDS;
        if (node->stage + 1 > plan->stages)
            plan->stages = node->stage + 1;
    }
}

int service_plan_make(const struct cep_program *program, struct service_plan *ret)
{
    uint32_t nodes = cep_program_node_count(program);
    struct service_plan plan = { .program = program, .stages = 1, .rule_words = (cep_program_rule_count(program) + 63) / 64 + 1 };
    uint8_t *sides = base_calloc(nodes + 1, 1);
    plan.exchanges = base_calloc(nodes + 1, sizeof *plan.exchanges);
    plan.exchange_of = base_calloc(nodes + 1, sizeof *plan.exchange_of);
    plan.fed_by_ingest = base_calloc(nodes + 1, sizeof *plan.fed_by_ingest);
    plan.fed_by_shards = base_calloc(nodes + 1, sizeof *plan.fed_by_shards);
    plan.rules_behind = base_calloc((size_t)(nodes + 1) * plan.rule_words, sizeof *plan.rules_behind);
    bool good = sides && plan.exchanges && plan.exchange_of && plan.fed_by_ingest && plan.fed_by_shards && plan.rules_behind;
    if (good) {
        mark_sides(program, sides);
        mark_exchanges(&plan, sides);
        mark_rules(&plan);
        *ret = plan;
    } else {
        service_plan_finish(&plan);
    }
    base_free(sides);
    return good ? 0 : BASE_E_NOMEM;
}

void service_plan_finish(struct service_plan *plan)
{
    base_free(plan->exchanges);
    base_free(plan->exchange_of);
    base_free(plan->fed_by_ingest);
    base_free(plan->fed_by_shards);
    base_free(plan->rules_behind);
    *plan = (struct service_plan){ 0 };
}
