#include "cep/func_rules.h"

static bool letter_type(char letter, struct cep_type given, struct cep_type *ret)
{
    struct cep_type fixed = { .kind = CEP_KIND_NULL };
    switch (letter) {
    case 'S': fixed.kind = CEP_KIND_STRING; break;
    case 'B': fixed.kind = CEP_KIND_BOOLEAN; break;
    case 'I': fixed.kind = CEP_KIND_INT; break;
    case 'L': fixed.kind = CEP_KIND_BIGINT; break;
    case 'D': fixed.kind = CEP_KIND_DOUBLE; break;
    case 'd': fixed.kind = CEP_KIND_DATE; break;
    case 't': fixed.kind = CEP_KIND_TIMESTAMP; break;
    case 'z': fixed.kind = CEP_KIND_TIMESTAMP_LTZ; break;
    case 'Y': fixed.kind = CEP_KIND_BYTES; break;
    case 'T': fixed.kind = cep_kind_is_time(given.kind) ? given.kind : CEP_KIND_TIMESTAMP; break;
    case 'N': *ret = given.kind == CEP_KIND_NULL ? CEP_TYPE(DOUBLE) : given; return cep_kind_is_number(ret->kind);
    case 'A': *ret = given; return given.kind == CEP_KIND_ARRAY;
    default: /* '?' */ *ret = given; return true;
    }
    *ret = fixed;
    return cep_cast_exists(given, fixed, true);
}

bool cep_func_signature(const char *letters, char result, const struct cep_type *args, uint32_t n,
                        struct cep_type *want, struct cep_type *ret)
{
    const char *at = letters;
    for (uint32_t i = 0; i < n; i++) {
        if (!*at || !letter_type(*at, args[i], &want[i]))
            return false;
        if (at[1] != '*')
            at++;
    }
    if (result == '=')
        *ret = want[0];
    else
        (void)letter_type(result, CEP_TYPE(NULL), ret);
    return true;
}

bool cep_func_common(const struct cep_type *args, uint32_t first, uint32_t n, struct cep_type *want,
                     struct cep_type *ret)
{
    struct cep_type common = CEP_TYPE(NULL);
    for (uint32_t i = first; i < n; i++)
        if (!cep_type_common(common, args[i], &common))
            return false;
    for (uint32_t i = first; i < n; i++)
        want[i] = common;
    *ret = common;
    return true;
}
