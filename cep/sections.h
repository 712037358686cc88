/* Sizes of the elements of a program's sections, and the classes of values that instructions handle. Internal to cep/:
 * program, builder, verifier, printer. */
#ifndef CEP_SECTIONS_H
#define CEP_SECTIONS_H

#include <stddef.h>
#include "cep/program.h"

/* X(section, element type) in the order of enum cep_section. ORDER SEC */
#define CEP_SECTIONS(X) \
    X(STRINGS, char) \
    X(U32S, uint32_t) \
    X(TYPES, struct cep_type) \
    X(CONSTS, struct cep_const) \
    X(INSNS, struct cep_insn) \
    X(CODES, struct cep_code) \
    X(CALLSITES, struct cep_callsite) \
    X(COLUMNS, struct cep_column) \
    X(OPTIONS, struct cep_option) \
    X(SCHEMAS, struct cep_schema) \
    X(FIELDS, struct cep_field) \
    X(TABLES, struct cep_table) \
    X(NODES, struct cep_node) \
    X(CALCS, struct cep_calc) \
    X(LOOKUPS, struct cep_lookup) \
    X(SORTS, struct cep_sort) \
    X(ORDERS, struct cep_order) \
    X(SINKS, struct cep_sink) \
    X(RULES, struct cep_rule) \
    X(MATCHES, struct cep_match) \
    X(NFAS, struct cep_nfa) \
    X(GUARDS, struct cep_guard) \
    X(PREDS, struct cep_pred) \
    X(VARS, struct cep_var) \
    X(REGS, struct cep_reg) \
    X(OUTS, struct cep_out) \
    X(GROUPS, struct cep_group) \
    X(TOPNS, struct cep_topn) \
    X(JOINS, struct cep_join) \
    X(AGGS, struct cep_agg) \
    X(WINDOWS, struct cep_window) \
    X(OVERS, struct cep_over) \
    X(FRAMES, struct cep_over_frame)

#define CEP_PROGRAM_VERSION 1u
/* Elements of one section; keeps every index and byte size far inside 32 bits. */
#define CEP_SECTION_MAX (1u << 26)

size_t cep_section_size(enum cep_section section); /* bytes of one element */
const char *cep_section_name(enum cep_section section);

/* How a value of a kind lies in struct cep_value. */
enum cep_class {
    CEP_CLASS_UNSET, /* nothing was put there on some path: must not be read */
    CEP_CLASS_NULL,  /* always NULL: agrees with every class */
    CEP_CLASS_I,
    CEP_CLASS_D,
    CEP_CLASS_N,    /* decimals */
    CEP_CLASS_S,    /* ptr and len */
    CEP_CLASS_ANY,  /* of unknown class: a column outside of any node; agrees with every class */
    CEP_CLASS_MIXED /* differs by path: must not be read */
};
enum cep_class cep_class_of(struct cep_type type);

/* Name and operand letters ("d a b c e") of an opcode below CEP_OP_COUNT_. */
const char *cep_opcode_name(uint16_t op);
const char *cep_opcode_operands(uint16_t op);
bool cep_opcode_jumps(uint16_t op); /* c is an instruction */

/* What code may read where a node uses it: verify.c gathers the contexts, verify_code.c walks the code. */
struct cep_code_context {
    const struct cep_program *program;
    bool known;                     /* false: no node uses the code; columns and registers are then of unknown class */
    const struct cep_type *columns; /* of the current row */
    uint32_t column_count;
    struct cep_list regs; /* register file of REG, FINAL and STORE; empty: none */
};
/* 0 or BASE_E_CORRUPT. Sections and lists of the context have been checked. */
int cep_verify_code(const struct cep_code_context *context, uint32_t code) BASE_MUST_CHECK;

#endif
