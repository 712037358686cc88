#include "patterns/reference.h"

#include <string.h>
#include "base/vec.h"

/* `|` ends a cell of a Markdown table. */
static void put_cell(struct base_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|')
            base_buf_putc(out, '\\');
        base_buf_putc(out, *p);
    }
}

void patterns_reference_opcodes(struct base_buf *out)
{
    static const struct {
        const char *name, *operands, *meaning;
    } opcodes[] = {
#define X(name, operands, meaning) { #name, operands, meaning },
#include "cep/opcodes.def"
#undef X
    };
    base_buf_puts(
        out,
        "# Opcodes of expression code\n\n"
        "Generated from cep/opcodes.def. `v[x]` is a slot of the evaluation frame; `d` is the destination slot, `a` "
        "and `b` are source slots, `c` and `e` the\n"
        "two 32-bit fields of an instruction. NULL in gives NULL out unless said otherwise. A row without text does "
        "for its type what the row above it does.\n"
        "Suffixes: `_I` integers, booleans, dates, timestamps, intervals; `_D` doubles; `_N` decimals; `_S` texts.\n\n"
        "| number | opcode | operands | meaning |\n| --: | --- | --- | --- |\n");
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        base_buf_printf(out, "| %zu | %s | %s | ", i, opcodes[i].name, opcodes[i].operands);
        put_cell(out, opcodes[i].meaning);
        base_buf_puts(out, " |\n");
    }
}

struct names BASE_VEC(const struct cep_func *);

static void insert_sorted(struct names *names, const struct cep_func *func, bool *failed)
{
    if (!BASE_VEC_PUSH(names, func)) {
        *failed = true;
        return;
    }
    size_t i = names->len - 1;
    for (; i > 0 && strcmp(names->at[i - 1]->name, func->name) > 0; i--)
        names->at[i] = names->at[i - 1];
    names->at[i] = func;
}

void patterns_reference_functions(const struct cep_funcs *funcs, struct base_buf *out)
{
    static const struct {
        const char *signature, *doc;
    } own[] = {
        { "COALESCE(value, ...)", "The first value that is not NULL; later ones are not evaluated." },
        { "IFNULL(value, otherwise)", "value, or otherwise where it is NULL." },
        { "NULLIF(a, b)", "NULL where a = b, else a." },
        { "IF(condition, then, else)", "then where the condition is TRUE, else else; only one of them is evaluated." },
        { "PARAM('name')", "The option 'name' (or 'param.name') of the rule: a number, TRUE, FALSE, an interval (\"2 "
                           "min\") or a text." },
        { "CURRENT_TIMESTAMP, NOW(), LOCALTIMESTAMP, CURRENT_DATE, CURRENT_TIME",
          "The time at which the statement started." },
        { "PROCTIME()", "The time at which the row is processed; its alerts are not the same in a replay." },
    };
    struct names names = { 0 };
    const struct cep_func *func;
    bool failed = false;
    for (uint32_t i = 0; (func = cep_funcs_at(funcs, i)); i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            known |= strncmp(own[k].signature, func->name, strlen(func->name)) == 0 &&
                     own[k].signature[strlen(func->name)] == '(';
        if (!known)
            insert_sorted(&names, func, &failed);
    }
    base_buf_puts(out, "# Functions\n\nGenerated from the function tables. NULL in gives NULL out unless said "
                       "otherwise.\n\n| call | result |\n| --- | --- |\n");
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) {
        base_buf_puts(out, "| `");
        put_cell(out, own[k].signature);
        base_buf_puts(out, "` | ");
        put_cell(out, own[k].doc);
        base_buf_puts(out, " |\n");
    }
    for (size_t i = 0; i < names.len; i++) {
        base_buf_puts(out, "| `");
        put_cell(out, names.at[i]->signature ? names.at[i]->signature : names.at[i]->name);
        base_buf_puts(out, "` | ");
        put_cell(out, names.at[i]->doc ? names.at[i]->doc : "");
        base_buf_puts(out, " |\n");
    }
    if (failed)
        out->failed = true;
    BASE_VEC_FINISH(&names);
}
