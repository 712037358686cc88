/* Compiler attributes, the only place that names them. No code. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define BASE_MUST_CHECK __attribute__((warn_unused_result))
#define BASE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define BASE_LIKELY(x) __builtin_expect(!!(x), 1)
#define BASE_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define BASE_UNUSED __attribute__((unused))

#endif
