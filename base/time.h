/* Event time: int64 milliseconds since 1970-01-01T00:00:00Z, proleptic Gregorian calendar, no leap seconds. Parsing and
 * printing of dates, timestamps; the wall and monotonic clocks for those layers that may ask (never cep/, patterns/).
 * Any thread. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE_TIME_MIN_MS INT64_MIN /* "no time yet": a watermark before any row */
#define BASE_TIME_MAX_MS INT64_MAX /* end of input */

struct base_civil {
    int32_t year;
    int8_t month, day, hour, minute, second;
    int16_t milli;
};
void base_time_to_civil(int64_t time_ms, struct base_civil *ret);
int64_t base_time_from_civil(const struct base_civil *civil);   /* fields in range */
int64_t base_days_from_civil(int32_t year, int month, int day); /* days since 1970-01-01 */

/* SQL or ISO-8601 text: "2026-01-01 00:00:00[.fraction][Z|+hh:mm]", "…T…"; a date alone is midnight. Text without zone
 * is UTC. Fractions beyond milliseconds are cut. *ret_zoned (may be NULL): had a zone. False if malformed. */
bool base_time_parse(const char *text, size_t len, int64_t *ret_ms, bool *ret_zoned);
bool base_date_parse(const char *text, size_t len, int32_t *ret_days);
/* Epoch number by size: below 1e11 seconds, below 1e14 milliseconds, else microseconds (of the absolute value). */
int64_t base_time_from_epoch(int64_t number);
/* "2026-01-01T00:00:00.123Z" (24 bytes + NUL for years 0..9999); returns the length. zulu false: without Z. */
size_t base_time_print(int64_t time_ms, bool zulu, char ret[40]);
size_t base_time_print_sql(int64_t time_ms, char ret[40]); /* "2026-01-01 00:00:00.123" */
size_t base_date_print(int32_t days, char ret[20]);        /* "2026-01-01" */

int64_t base_clock_wall_ms(void);
int64_t base_clock_mono_us(void);

#endif
