/* Structured log: one line per record on stderr, logfmt or JSON, level filtered. Only service/ logs above debug. Any
 * thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum base_log_level { BASE_LOG_DEBUG, BASE_LOG_INFO, BASE_LOG_WARN, BASE_LOG_ERROR };

/* Process-wide (one of the few globals: level, format and the descriptor). */
void base_log_setup(enum base_log_level level, bool json, int fd);
/* source: the part that speaks ("kafka"); event: fixed text; then key, value pairs of C strings ended by NULL.
 * Never pass card numbers or whole records. */
void base_log(enum base_log_level level, const char *source, const char *event, ...) __attribute__((sentinel));
/* As base_log with one formatted pair "detail". */
void base_logf(enum base_log_level level, const char *source, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
