#include "cep/match/picks.h"

#include "base/alloc.h"
#include "base/error.h"

#define SLOTS_MOST 64u
#define CELLS_MOST 65536u

static bool same_type(struct cep_type a, struct cep_type b)
{
    return a.kind == b.kind && a.precision == b.precision && a.scale == b.scale;
}

/* The column that the code puts into the register, if all it does is to put columns of the row into registers. False: it does more. */
static bool column_stored(const struct cep_program *program, const struct cep_code *code, uint32_t reg, uint16_t *ret)
{
    uint16_t slots[SLOTS_MOST];
    for (uint32_t i = 0; i < SLOTS_MOST; i++)
        slots[i] = MATCH_PICK_NONE;
    *ret = MATCH_PICK_NONE;
    for (uint32_t i = 0; i < code->count; i++) {
        const struct cep_insn *insn = cep_program_insn(program, code->first + i);
        if (insn->op == CEP_OP_COLUMN && insn->d < SLOTS_MOST && insn->c < MATCH_PICK_NONE)
            slots[insn->d] = (uint16_t)insn->c;
        else if (insn->op == CEP_OP_STORE && insn->a < SLOTS_MOST && slots[insn->a] != MATCH_PICK_NONE)
            *ret = insn->c == reg ? slots[insn->a] : *ret;
        else if (insn->op != CEP_OP_END)
            return false;
    }
    return true;
}

/* Is the result's column that register, or that column of the last row? */
static bool is_read(const struct cep_program *program, const struct cep_out *out, uint32_t *ret_reg, uint32_t *ret_column)
{
    *ret_reg = *ret_column = CEP_NONE;
    if (out->kind == CEP_OUT_COLUMN) {
        *ret_column = out->column;
        return true;
    }
    const struct cep_code *code = cep_program_code(program, out->code);
    const struct cep_insn *insn = cep_program_insn(program, code->first);
    bool plain = code->count == 2 && insn[1].op == CEP_OP_RETURN && insn[1].a == insn[0].d;
    if (plain && insn[0].op == CEP_OP_COLUMN)
        *ret_column = insn[0].c;
    else if (plain && (insn[0].op == CEP_OP_REG || insn[0].op == CEP_OP_FINAL))
        *ret_reg = insn[0].c;
    else
        return false;
    return true;
}

static bool pick(const struct match_op *op, uint32_t i, uint16_t *columns)
{
    uint32_t reg, column;
    if (!is_read(op->program, cep_program_out(op->program, op->m->outs.first + i), &reg, &column))
        return false;
    if (reg != CEP_NONE && (reg >= op->out_count || !op->outreg_init[reg].null))
        return false;
    for (uint32_t v = 0; v < op->m->vars.count; v++) {
        uint32_t update = op->vars[v].out_update;
        columns[v] = (uint16_t)column;
        if (reg == CEP_NONE)
            continue;
        columns[v] = MATCH_PICK_NONE;
        if (update != CEP_NONE && !column_stored(op->program, cep_program_code(op->program, update), reg, &columns[v]))
            return false;
    }
    for (uint32_t v = 0; v < op->m->vars.count; v++)
        if (columns[v] != MATCH_PICK_NONE && (columns[v] >= op->columns || !same_type(op->types[columns[v]], op->out_types[i])))
            return false;
    return true;
}

int cep_match_picks_init(const struct match_op *op, struct match_picks *ret)
{
    uint32_t outs = op->m->outs.count, vars = op->m->vars.count;
    if (op->m->rows != CEP_ROWS_ONE || outs == 0 || vars == 0 || outs != op->out_columns || outs > CEP_COLUMNS_MAX || vars > CELLS_MOST / outs)
        return 0;
    *ret = (struct match_picks){ base_alloc((size_t)outs * vars * sizeof *ret->columns), outs, vars, op->out_types, base_alloc(outs * sizeof *ret->values) };
    bool made = ret->columns && ret->values, good = made;
    for (uint32_t i = 0; i < outs && good; i++)
        good = pick(op, i, ret->columns + (size_t)i * vars);
    if (!good)
        cep_match_picks_finish(ret);
    return made ? 0 : BASE_E_NOMEM;
}

void cep_match_picks_finish(struct match_picks *picks)
{
    base_free(picks->columns);
    base_free(picks->values);
    *picks = (struct match_picks){ 0 };
}

/* The item whose row says what column i of the result is; its column. NULL: none does. */
static inline const struct match_named_item *picked(const struct match_picks *picks, const struct match_named *named, uint32_t i, uint32_t *ret_column)
{
    const uint16_t *columns = picks->columns + (size_t)i * picks->vars;
    for (uint32_t k = named->count; k-- > 0;) {
        *ret_column = columns[named->items[k].var];
        if (*ret_column != MATCH_PICK_NONE)
            return &named->items[k];
    }
    return NULL;
}

int cep_match_picks_row(const struct match_picks *picks, const struct cep_columns *columns, const struct match_named *named, struct base_arena *arena, struct cep_row **ret)
{
    uint32_t last = named->items[named->count - 1].row, column;
    for (uint32_t i = 0; i < picks->outs; i++) {
        const struct match_named_item *item = picked(picks, named, i, &column);
        picks->values[i] = item ? cep_columns_value(columns, column, item->row) : cep_null();
    }
    return cep_row_make(picks->types, picks->values, picks->outs, cep_columns_time_ms(columns, last), cep_columns_position(columns, last), arena, ret);
}

void cep_match_picks_near(const struct match_picks *picks, const struct cep_columns *columns, const struct match_named *named, bool texts)
{
    uint32_t column;
    __asm__ volatile("" ::: "memory"); /* as in flow_ahead.c: a function that only brings memory near is left out */
    for (uint32_t i = 0; i < picks->outs; i++) {
        const struct match_named_item *item = picked(picks, named, i, &column);
        if (!item)
            continue;
        const struct cep_column_data *data = &columns->at[column];
        if (!texts)
            __builtin_prefetch(data->narrow ? (const void *)(data->narrow + item->row) : (const void *)(data->wide + item->row));
        else if (cep_columns_in_text(data->type))
            __builtin_prefetch(cep_columns_text(columns, data->wide[item->row]).ptr);
    }
}
