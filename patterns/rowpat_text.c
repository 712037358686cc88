/* What the registers of a partial match hold, in words, for explain. Called by bind_pattern.c once they are numbered. */
#include "patterns/rowpat.h"

static void put_rows(const struct patterns_match_detail *rp, const struct patterns_rp_rows *rows, struct base_buf *out)
{
    const char *before = "";
    if (rows->universal) {
        base_buf_puts(out, "the match");
        return;
    }
    for (uint32_t v = 0; v < rp->var_count; v++) {
        if (!patterns_varset_has(&rows->set, v))
            continue;
        base_buf_puts(out, before);
        base_buf_put_str(out, rp->vars[v].label);
        before = ", ";
    }
}

static const char *function_name(enum patterns_rp_kind kind)
{
    switch (kind) {
    case PATTERNS_RP_ROWS:
    case PATTERNS_RP_COUNT: return "COUNT";
    case PATTERNS_RP_COUNT_TRUE: return "COUNT_IF";
    case PATTERNS_RP_SUM: return "SUM";
    case PATTERNS_RP_MIN: return "MIN";
    case PATTERNS_RP_MAX: return "MAX";
    case PATTERNS_RP_MEAN: return "mean";
    case PATTERNS_RP_M2: return "squares";
    case PATTERNS_RP_ARRAY: return "ARRAY_AGG";
    case PATTERNS_RP_DIFFERENT: return "different values";
    case PATTERNS_RP_LIST: return "LISTAGG";
    case PATTERNS_RP_ANY: return "first value";
    case PATTERNS_RP_NEWEST: return "last value";
    case PATTERNS_RP_ALL_TRUE: return "EVERY";
    case PATTERNS_RP_SOME_TRUE: return "SOME";
    case PATTERNS_RP_TOP_KEY: return "best key";
    case PATTERNS_RP_TOP_VALUE: return "value of the best";
    case PATTERNS_RP_SEEN: return "rows";
    case PATTERNS_RP_TIME: return "time";
    case PATTERNS_RP_LAST: return "LAST";
    case PATTERNS_RP_FIRST: return "FIRST";
    }
    return "?";
}

static void put_register(const struct patterns_match_detail *rp, const struct patterns_rp_reg *reg, struct base_buf *out)
{
    base_buf_printf(out, "%s(", function_name(reg->kind));
    if (reg->args[0])
        patterns_bound_print(reg->args[0], rp->input, out);
    else
        base_buf_puts(out, reg->kind == PATTERNS_RP_ROWS ? "*" : "");
    if (reg->n && (reg->kind == PATTERNS_RP_LAST || reg->kind == PATTERNS_RP_FIRST))
        base_buf_printf(out, ", %u", reg->n);
    base_buf_puts(out, ") of ");
    put_rows(rp, &reg->rows, out);
}

const char *patterns_rp_registers(const struct patterns_match_detail *rp)
{
    struct base_buf out = { 0 };
    for (uint32_t i = 0; i < rp->live.count; i++) {
        if (!rp->live.regs[i]->used)
            continue;
        base_buf_printf(&out, "%sr%u = ", out.len ? "; " : "", rp->live.regs[i]->number);
        put_register(rp, rp->live.regs[i], &out);
    }
    const char *text = out.failed ? NULL : base_arena_strndup(rp->binder->arena, out.ptr ? out.ptr : "", out.len);
    base_buf_finish(&out);
    return text;
}
