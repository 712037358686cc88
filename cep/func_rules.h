/* Type rules that the built-in functions share. Internal to cep/. Any thread. */
#ifndef CEP_FUNC_RULES_H
#define CEP_FUNC_RULES_H

#include "cep/func.h"

/* Signature by letters, one per argument: S STRING, B BOOLEAN, L BIGINT, D DOUBLE, d DATE, T TIMESTAMP or TIMESTAMP_LTZ
 * as given (a DATE becomes a TIMESTAMP), Y BYTES, N a number as given, A an ARRAY as given, ? anything; a * behind the
 * last letter repeats it. result: one of the letters, I INT, t TIMESTAMP, z TIMESTAMP_LTZ, = the type of the first
 * argument. Arguments are cast only where no CAST need be written. */
bool cep_func_signature(const char *letters, char result, const struct cep_type *args, uint32_t n,
                        struct cep_type *want, struct cep_type *ret);
#define CEP_RULE(name, letters, result) \
    static bool name(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret) \
    { \
        return cep_func_signature(letters, result, args, n, want, ret); \
    }
/* All arguments from `first` on share one type, which is the result; those before it are set by the caller. */
bool cep_func_common(const struct cep_type *args, uint32_t first, uint32_t n, struct cep_type *want,
                     struct cep_type *ret);

#endif
