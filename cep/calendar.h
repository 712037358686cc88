/* Calendar arithmetic that opcodes and time functions share. Internal to cep/. Any thread. */
#ifndef CEP_CALENDAR_H
#define CEP_CALENDAR_H

#include <stdint.h>
#include "base/attr.h"

#define CEP_DAY_MS INT64_C(86400000)

int64_t cep_floor_div(int64_t a, int64_t b); /* b > 0 */
int cep_days_in_month(int32_t year, int month);
/* The same time of day on the same day of another month, clipped to the month's end. BASE_E_OVERFLOW beyond the years
 * ±1,000,000. */
int cep_add_months_ms(int64_t time_ms, int64_t months, int64_t *ret) BASE_MUST_CHECK;
int cep_add_months_days(int64_t days, int64_t months, int64_t *ret) BASE_MUST_CHECK;

#endif
