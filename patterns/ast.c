#include "patterns/ast.h"

struct unit_name {
    const char *name;
    enum patterns_unit unit;
};
static const struct unit_name unit_names[] = {
    { "YEAR", PATTERNS_UNIT_YEAR },
    { "QUARTER", PATTERNS_UNIT_QUARTER },
    { "MONTH", PATTERNS_UNIT_MONTH },
    { "WEEK", PATTERNS_UNIT_WEEK },
    { "DAY", PATTERNS_UNIT_DAY },
    { "HOUR", PATTERNS_UNIT_HOUR },
    { "MINUTE", PATTERNS_UNIT_MINUTE },
    { "SECOND", PATTERNS_UNIT_SECOND },
    { "MILLISECOND", PATTERNS_UNIT_MILLISECOND },
    { "MICROSECOND", PATTERNS_UNIT_MICROSECOND },
    { "NANOSECOND", PATTERNS_UNIT_NANOSECOND },
    { "EPOCH", PATTERNS_UNIT_EPOCH },
    { "DOW", PATTERNS_UNIT_DOW },
    { "ISODOW", PATTERNS_UNIT_ISODOW },
    { "DOY", PATTERNS_UNIT_DOY },
    { "ISOYEAR", PATTERNS_UNIT_ISOYEAR },
    { "CENTURY", PATTERNS_UNIT_CENTURY },
    { "DECADE", PATTERNS_UNIT_DECADE },
    { "MILLENNIUM", PATTERNS_UNIT_MILLENNIUM },
};
#define UNIT_COUNT (sizeof unit_names / sizeof unit_names[0])

const char *patterns_unit_name(enum patterns_unit unit)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (unit_names[i].unit == unit)
            return unit_names[i].name;
    }
    return "";
}

enum patterns_unit patterns_unit_of(struct base_str text)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        struct base_str name = base_str_of(unit_names[i].name);
        if (base_str_equal_fold(text, name))
            return unit_names[i].unit;
        bool plural = text.len == name.len + 1 && (text.ptr[name.len] == 's' || text.ptr[name.len] == 'S');
        if (plural && base_str_equal_fold((struct base_str){ text.ptr, name.len }, name))
            return unit_names[i].unit;
    }
    return PATTERNS_UNIT_NONE;
}

const char *patterns_op_text(enum patterns_op op)
{
    switch (op) {
    case PATTERNS_OP_NEG: return "-";
    case PATTERNS_OP_PLUS: return "+";
    case PATTERNS_OP_NOT: return "NOT";
    case PATTERNS_OP_IS_NULL: return "IS NULL";
    case PATTERNS_OP_IS_NOT_NULL: return "IS NOT NULL";
    case PATTERNS_OP_IS_TRUE: return "IS TRUE";
    case PATTERNS_OP_IS_NOT_TRUE: return "IS NOT TRUE";
    case PATTERNS_OP_IS_FALSE: return "IS FALSE";
    case PATTERNS_OP_IS_NOT_FALSE: return "IS NOT FALSE";
    case PATTERNS_OP_IS_UNKNOWN: return "IS UNKNOWN";
    case PATTERNS_OP_IS_NOT_UNKNOWN: return "IS NOT UNKNOWN";
    case PATTERNS_OP_OR: return "OR";
    case PATTERNS_OP_AND: return "AND";
    case PATTERNS_OP_EQ: return "=";
    case PATTERNS_OP_NE: return "<>";
    case PATTERNS_OP_LT: return "<";
    case PATTERNS_OP_LE: return "<=";
    case PATTERNS_OP_GT: return ">";
    case PATTERNS_OP_GE: return ">=";
    case PATTERNS_OP_IS_DISTINCT: return "IS DISTINCT FROM";
    case PATTERNS_OP_IS_NOT_DISTINCT: return "IS NOT DISTINCT FROM";
    case PATTERNS_OP_CONCAT: return "||";
    case PATTERNS_OP_ADD: return "+";
    case PATTERNS_OP_SUB: return "-";
    case PATTERNS_OP_MUL: return "*";
    case PATTERNS_OP_DIV: return "/";
    case PATTERNS_OP_MOD: return "%";
    }
    return "";
}

const char *patterns_expr_kind_name(enum patterns_expr_kind kind)
{
    switch (kind) {
    case PATTERNS_EXPR_NULL: return "null";
    case PATTERNS_EXPR_BOOLEAN: return "boolean";
    case PATTERNS_EXPR_NUMBER: return "number";
    case PATTERNS_EXPR_STRING: return "string";
    case PATTERNS_EXPR_DATE: return "date";
    case PATTERNS_EXPR_TIME: return "time";
    case PATTERNS_EXPR_TIMESTAMP: return "timestamp";
    case PATTERNS_EXPR_TIMESTAMP_LTZ: return "timestamp_ltz";
    case PATTERNS_EXPR_INTERVAL: return "interval";
    case PATTERNS_EXPR_NAME: return "name";
    case PATTERNS_EXPR_STAR: return "star";
    case PATTERNS_EXPR_FIELD: return "field";
    case PATTERNS_EXPR_INDEX: return "index";
    case PATTERNS_EXPR_CALL: return "call";
    case PATTERNS_EXPR_UNARY: return "unary";
    case PATTERNS_EXPR_BINARY: return "binary";
    case PATTERNS_EXPR_BETWEEN: return "between";
    case PATTERNS_EXPR_IN: return "in";
    case PATTERNS_EXPR_IN_QUERY: return "in query";
    case PATTERNS_EXPR_LIKE: return "like";
    case PATTERNS_EXPR_SIMILAR: return "similar";
    case PATTERNS_EXPR_CAST: return "cast";
    case PATTERNS_EXPR_CASE: return "case";
    case PATTERNS_EXPR_ARRAY: return "array";
    case PATTERNS_EXPR_MAP: return "map";
    case PATTERNS_EXPR_ROW: return "row";
    case PATTERNS_EXPR_EXISTS: return "exists";
    case PATTERNS_EXPR_SUBQUERY: return "subquery";
    }
    return "";
}

const char *patterns_statement_kind_name(enum patterns_statement_kind kind)
{
    switch (kind) {
    case PATTERNS_STATEMENT_CREATE_TABLE: return "CREATE TABLE";
    case PATTERNS_STATEMENT_CREATE_VIEW: return "CREATE VIEW";
    case PATTERNS_STATEMENT_CREATE_RULE: return "CREATE RULE";
    case PATTERNS_STATEMENT_INSERT: return "INSERT";
    case PATTERNS_STATEMENT_DROP: return "DROP";
    case PATTERNS_STATEMENT_EXPLAIN: return "EXPLAIN";
    case PATTERNS_STATEMENT_SET: return "SET";
    case PATTERNS_STATEMENT_SELECT: return "SELECT";
    }
    return "";
}

const char *patterns_type_kind_name(enum patterns_type_kind kind)
{
    switch (kind) {
    case PATTERNS_TYPE_STRING: return "STRING";
    case PATTERNS_TYPE_VARCHAR: return "VARCHAR";
    case PATTERNS_TYPE_CHAR: return "CHAR";
    case PATTERNS_TYPE_BOOLEAN: return "BOOLEAN";
    case PATTERNS_TYPE_TINYINT: return "TINYINT";
    case PATTERNS_TYPE_SMALLINT: return "SMALLINT";
    case PATTERNS_TYPE_INT: return "INT";
    case PATTERNS_TYPE_BIGINT: return "BIGINT";
    case PATTERNS_TYPE_FLOAT: return "FLOAT";
    case PATTERNS_TYPE_DOUBLE: return "DOUBLE";
    case PATTERNS_TYPE_DECIMAL: return "DECIMAL";
    case PATTERNS_TYPE_DATE: return "DATE";
    case PATTERNS_TYPE_TIME: return "TIME";
    case PATTERNS_TYPE_TIMESTAMP: return "TIMESTAMP";
    case PATTERNS_TYPE_TIMESTAMP_LTZ: return "TIMESTAMP_LTZ";
    case PATTERNS_TYPE_INTERVAL: return "INTERVAL";
    case PATTERNS_TYPE_BYTES: return "BYTES";
    case PATTERNS_TYPE_ARRAY: return "ARRAY";
    case PATTERNS_TYPE_MULTISET: return "MULTISET";
    case PATTERNS_TYPE_MAP: return "MAP";
    case PATTERNS_TYPE_ROW: return "ROW";
    }
    return "";
}
