/* Time units by name, and what can be asked of a moment or an interval in them. Called by the time functions. Internal
 * to cep/. Any thread. */
#ifndef CEP_UNITS_H
#define CEP_UNITS_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cep/value.h"

enum cep_unit {
    CEP_UNIT_NONE,
    CEP_UNIT_YEAR,
    CEP_UNIT_QUARTER,
    CEP_UNIT_MONTH,
    CEP_UNIT_WEEK,
    CEP_UNIT_DAY,
    CEP_UNIT_HOUR,
    CEP_UNIT_MINUTE,
    CEP_UNIT_SECOND,
    CEP_UNIT_MILLISECOND,
    CEP_UNIT_MICROSECOND,
    CEP_UNIT_NANOSECOND,
    CEP_UNIT_EPOCH,
    CEP_UNIT_DOW,
    CEP_UNIT_ISODOW,
    CEP_UNIT_DOY,
    CEP_UNIT_ISOYEAR,
    CEP_UNIT_CENTURY,
    CEP_UNIT_DECADE,
    CEP_UNIT_MILLENNIUM
};
/* NONE: no such unit. Case-insensitive; SQL_TSI_DAY is DAY. */
enum cep_unit cep_unit_of(struct base_str name);
/* The field of a moment (ms since the epoch). */
int64_t cep_unit_extract(enum cep_unit unit, int64_t time_ms);
/* The field of an interval: DAY TO SECOND in ms, YEAR TO MONTH in months. BASE_E_INVALID for units it does not have. */
int cep_unit_extract_interval(enum cep_unit unit, uint8_t kind, int64_t n, int64_t *ret) BASE_MUST_CHECK;
/* Start of the unit that holds the moment; of the next one if ceil and it is not its start itself. Weeks start on
 * Sunday. BASE_E_INVALID, BASE_E_OVERFLOW. */
int cep_unit_floor(enum cep_unit unit, int64_t time_ms, bool ceil, int64_t *ret) BASE_MUST_CHECK;
int cep_unit_add(enum cep_unit unit, int64_t n, int64_t time_ms, int64_t *ret) BASE_MUST_CHECK;
/* Whole units from a to b, towards zero. */
int cep_unit_between(enum cep_unit unit, int64_t a_ms, int64_t b_ms, int64_t *ret) BASE_MUST_CHECK;

#endif
