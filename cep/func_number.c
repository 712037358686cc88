#include <math.h>

#include "base/error.h"
#include "cep/double.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"

/* Functions of numbers. Results that are no finite double (LN of 0, SQRT of -1, an overflow) are errors of the row. */

CEP_RULE(doubles_double, "D*", 'D')
CEP_RULE(longs_long, "L*", 'L')
CEP_RULE(number_same, "N", '=')

static bool is_integer(struct cep_type type)
{
    return type.kind == CEP_KIND_INT || type.kind == CEP_KIND_BIGINT;
}

static struct cep_type decimal(int precision, int scale)
{
    precision = precision < 1 ? 1 : precision > 38 ? 38 : precision;
    return CEP_DECIMAL_TYPE((uint8_t)precision, (uint8_t)(scale > precision ? precision : scale));
}

/* CEIL, FLOOR: a DECIMAL loses its scale; 9.9 needs a digit more. */
static bool rule_whole(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    if (!number_same(args, n, want, ret))
        return false;
    if (ret->kind == CEP_KIND_DECIMAL)
        *ret = decimal(ret->precision - ret->scale + (ret->scale > 0), 0);
    return true;
}

/* ROUND, TRUNCATE(x[, n]): a DECIMAL keeps its scale if n is given (its digits behind n become 0), else loses it. */
static bool rule_round(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    if (n == 1)
        return rule_whole(args, n, want, ret);
    if (!cep_func_signature("NL", '=', args, n, want, ret))
        return false;
    if (ret->kind == CEP_KIND_DECIMAL)
        *ret = decimal(ret->precision + 1, ret->scale);
    return true;
}

static bool rule_mod(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return cep_func_signature("NN", '=', args, n, want, ret) && cep_func_common(args, 0, n, want, ret);
}

static int checked(double d, struct cep_value *ret)
{
    if (!isfinite(d))
        return BASE_E_OVERFLOW;
    *ret = cep_double(d);
    return 0;
}

static int checked_int(const struct cep_call *call, int64_t i, struct cep_value *ret)
{
    if (call->ret_type.kind == CEP_KIND_INT && i != (int32_t)i)
        return BASE_E_OVERFLOW;
    *ret = cep_int(i);
    return 0;
}

static int run_abs(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    if (call->ret_type.kind == CEP_KIND_DOUBLE)
        *ret = cep_double(fabs(args[0].d));
    else if (call->ret_type.kind == CEP_KIND_DECIMAL)
        *ret = cep_dec(cep_dec_get(args[0]) < 0 ? -cep_dec_get(args[0]) : cep_dec_get(args[0]));
    else if (args[0].i == INT64_MIN)
        return BASE_E_OVERFLOW;
    else
        return checked_int(call, args[0].i < 0 ? -args[0].i : args[0].i, ret);
    return 0;
}

static int run_sign(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    if (call->ret_type.kind == CEP_KIND_DOUBLE) {
        *ret = cep_double((args[0].d > 0) - (args[0].d < 0));
    } else if (call->ret_type.kind == CEP_KIND_DECIMAL) {
        cep_int128 n = cep_dec_get(args[0]), unit = 1;
        for (int i = 0; i < call->ret_type.scale; i++)
            unit *= 10;
        *ret = cep_dec(n > 0 ? unit : n < 0 ? -unit : 0);
    } else {
        *ret = cep_int((args[0].i > 0) - (args[0].i < 0));
    }
    return 0;
}

/* Direction of rounding: -1 floor, 1 ceiling, 0 half away from zero, 2 towards zero. n * 10^-scale to a multiple of
 * 10^-digits, at the same scale. */
static int round_decimal(cep_int128 n, int scale, int64_t digits, int direction, cep_int128 *ret)
{
    if (digits >= scale) {
        *ret = n;
        return 0;
    }
    int64_t cut = scale - digits;
    if (cut > 38) {
        *ret = 0;
        return direction == 0 || direction == 2 || n == 0 ? 0 : BASE_E_OVERFLOW;
    }
    cep_int128 unit = 1;
    for (int64_t i = 0; i < cut; i++)
        unit *= 10;
    cep_int128 whole = n / unit, rest = n % unit, half = unit / 2;
    if (direction == 1 ? rest > 0 : direction == 0 && rest >= half)
        whole++;
    if (direction == -1 ? rest < 0 : direction == 0 && rest <= -half)
        whole--;
    return __builtin_mul_overflow(whole, unit, ret) ? BASE_E_OVERFLOW : 0;
}

static int give_decimal(const struct cep_call *call, cep_int128 n, struct cep_value *ret)
{
    cep_int128 out = 0;
    int e = cep_decimal_rescale(n, call->arg_types[0].scale, call->ret_type.scale, call->ret_type.precision, &out);
    if (e == 0)
        *ret = cep_dec(out);
    return e;
}

static int run_whole(const struct cep_call *call, const struct cep_value *args, int direction, struct cep_value *ret)
{
    if (call->ret_type.kind == CEP_KIND_DOUBLE) {
        *ret = cep_double(direction < 0 ? floor(args[0].d) : ceil(args[0].d));
        return 0;
    }
    if (is_integer(call->ret_type)) {
        *ret = args[0];
        return 0;
    }
    cep_int128 n = 0;
    int e = round_decimal(cep_dec_get(args[0]), call->arg_types[0].scale, 0, direction, &n);
    return e < 0 ? e : give_decimal(call, n, ret);
}

static int run_ceil(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run_whole(call, args, 1, ret);
}

static int run_floor(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run_whole(call, args, -1, ret);
}

/* Rounds the shortest decimal form, so that ROUND(1.005, 2) is 1.01 as its text lets expect. */
static double round_double(double d, int64_t digits, bool half)
{
    struct cep_digits n;
    if (!isfinite(d) || d == 0)
        return d;
    cep_double_digits(d, &n);
    int64_t keep = n.point + digits; /* leading digits that stay */
    if (keep >= n.len)
        return d;
    bool up = half && keep >= 0 && n.at[keep] >= '5';
    if (keep <= 0) {
        if (!up)
            return 0;
        n.at[0] = '1';
        n.len = 1;
        n.point++;
        return cep_digits_double(&n);
    }
    n.len = (int)keep;
    for (int i = n.len - 1; up && i >= 0; i--) {
        up = n.at[i] == '9';
        n.at[i] = up ? '0' : (char)(n.at[i] + 1);
    }
    if (up) { /* all nines */
        n.at[0] = '1';
        n.point++;
    }
    return cep_digits_double(&n);
}

static int rounded(const struct cep_call *call, const struct cep_value *args, int direction, struct cep_value *ret)
{
    int64_t digits = call->args > 1 ? args[1].i : 0;
    cep_int128 n = 0;
    if (call->ret_type.kind == CEP_KIND_DOUBLE) {
        *ret = cep_double(round_double(args[0].d, digits > 400 ? 400 : digits < -400 ? -400 : digits, direction == 0));
        return 0;
    }
    bool integer = is_integer(call->ret_type);
    int e = round_decimal(integer ? args[0].i : cep_dec_get(args[0]), integer ? 0 : call->arg_types[0].scale,
                          digits < -1000 ? -1000 : digits, direction, &n);
    if (e < 0)
        return e;
    if (!integer)
        return give_decimal(call, n, ret);
    if (n < INT64_MIN || n > INT64_MAX)
        return BASE_E_OVERFLOW;
    return checked_int(call, (int64_t)n, ret);
}

static int run_round(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return rounded(call, args, 0, ret);
}

static int run_truncate(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return rounded(call, args, 2, ret);
}

static int run_mod(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_type type = call->ret_type;
    cep_int128 n = 0;
    if (type.kind == CEP_KIND_DOUBLE) {
        if (args[1].d == 0)
            return BASE_E_DIVISION;
        return checked(fmod(args[0].d, args[1].d), ret);
    }
    if (type.kind == CEP_KIND_DECIMAL) {
        int e = cep_decimal_mod(cep_dec_get(args[0]), type.scale, cep_dec_get(args[1]), type.scale, type, &n);
        if (e == 0)
            *ret = cep_dec(n);
        return e;
    }
    if (args[1].i == 0)
        return BASE_E_DIVISION;
    *ret = cep_int(args[1].i == -1 ? 0 : args[0].i % args[1].i);
    return 0;
}

#define ONE_DOUBLE(name, expression) \
    static int run_##name(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret) \
    { \
        double x = args[0].d; \
        return checked((expression), ret); \
    }
ONE_DOUBLE(sqrt, sqrt(x))
ONE_DOUBLE(exp, exp(x))
ONE_DOUBLE(ln, log(x))
ONE_DOUBLE(log10, log10(x))
ONE_DOUBLE(log2, log2(x))
ONE_DOUBLE(sin, sin(x))
ONE_DOUBLE(cos, cos(x))
ONE_DOUBLE(tan, tan(x))
ONE_DOUBLE(cot, 1 / tan(x))
ONE_DOUBLE(asin, asin(x))
ONE_DOUBLE(acos, acos(x))
ONE_DOUBLE(atan, atan(x))
ONE_DOUBLE(sinh, sinh(x))
ONE_DOUBLE(cosh, cosh(x))
ONE_DOUBLE(tanh, tanh(x))
ONE_DOUBLE(radians, x *(M_PI / 180))
ONE_DOUBLE(degrees, x *(180 / M_PI))

static int run_power(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    return checked(pow(args[0].d, args[1].d), ret);
}

static int run_atan2(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    return checked(atan2(args[0].d, args[1].d), ret);
}

/* LOG(x) is the natural one, LOG(base, x). */
static int run_log(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return checked(call->args == 1 ? log(args[0].d) : log(args[1].d) / log(args[0].d), ret);
}

static int run_pi(const struct cep_call *call BASE_UNUSED, const struct cep_value *args BASE_UNUSED, struct cep_value *ret)
{
    *ret = cep_double(M_PI);
    return 0;
}

static int run_e(const struct cep_call *call BASE_UNUSED, const struct cep_value *args BASE_UNUSED, struct cep_value *ret)
{
    *ret = cep_double(M_E);
    return 0;
}

static int run_bitand(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(args[0].i & args[1].i);
    return 0;
}

static int run_bitor(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(args[0].i | args[1].i);
    return 0;
}

static int run_bitxor(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(args[0].i ^ args[1].i);
    return 0;
}

#define DOUBLE_ROW(name, n, run, signature, doc) \
    { \
        name, n, n, 0, doubles_double, run, NULL, NULL, signature, doc \
    }

static const struct cep_func table[] = {
    { "ABS", 1, 1, 0, number_same, run_abs, NULL, NULL, "ABS(x)", "Absolute value, of the type of x." },
    { "SIGN", 1, 1, 0, number_same, run_sign, NULL, NULL, "SIGN(x)", "-1, 0 or 1, of the type of x." },
    { "CEIL", 1, 1, 0, rule_whole, run_ceil, NULL, NULL, "CEIL(x)",
      "Least whole number not below x; also CEIL(timestamp TO unit)." },
    { "CEILING", 1, 1, 0, rule_whole, run_ceil, NULL, NULL, "CEILING(x)", "As CEIL." },
    { "FLOOR", 1, 1, 0, rule_whole, run_floor, NULL, NULL, "FLOOR(x)",
      "Greatest whole number not above x; also FLOOR(timestamp TO unit)." },
    { "ROUND", 1, 2, 0, rule_round, run_round, NULL, NULL, "ROUND(x[, digits])",
      "x rounded half away from zero to digits behind the point (negative: before it)." },
    { "TRUNCATE", 1, 2, 0, rule_round, run_truncate, NULL, NULL, "TRUNCATE(x[, digits])",
      "x cut to digits behind the point." },
    { "MOD", 2, 2, 0, rule_mod, run_mod, NULL, NULL, "MOD(a, b)",
      "Remainder of a / b with the sign of a; also a % b." },
    DOUBLE_ROW("POWER", 2, run_power, "POWER(x, y)", "x to the power of y."),
    DOUBLE_ROW("SQRT", 1, run_sqrt, "SQRT(x)", "Square root; an error below 0."),
    DOUBLE_ROW("EXP", 1, run_exp, "EXP(x)", "e to the power of x."),
    DOUBLE_ROW("LN", 1, run_ln, "LN(x)", "Natural logarithm; an error at and below 0."),
    DOUBLE_ROW("LOG10", 1, run_log10, "LOG10(x)", "Logarithm to base 10."),
    DOUBLE_ROW("LOG2", 1, run_log2, "LOG2(x)", "Logarithm to base 2."),
    { "LOG", 1, 2, 0, doubles_double, run_log, NULL, NULL, "LOG([base,] x)",
      "Logarithm of x to the base, or the natural one." },
    DOUBLE_ROW("SIN", 1, run_sin, "SIN(x)", "Sine of an angle in radians."),
    DOUBLE_ROW("COS", 1, run_cos, "COS(x)", "Cosine of an angle in radians."),
    DOUBLE_ROW("TAN", 1, run_tan, "TAN(x)", "Tangent of an angle in radians."),
    DOUBLE_ROW("COT", 1, run_cot, "COT(x)", "Cotangent of an angle in radians."),
    DOUBLE_ROW("ASIN", 1, run_asin, "ASIN(x)", "Arc sine; an error outside of -1 to 1."),
    DOUBLE_ROW("ACOS", 1, run_acos, "ACOS(x)", "Arc cosine; an error outside of -1 to 1."),
    DOUBLE_ROW("ATAN", 1, run_atan, "ATAN(x)", "Arc tangent."),
    DOUBLE_ROW("ATAN2", 2, run_atan2, "ATAN2(y, x)", "Angle of the point (x, y)."),
    DOUBLE_ROW("SINH", 1, run_sinh, "SINH(x)", "Hyperbolic sine."),
    DOUBLE_ROW("COSH", 1, run_cosh, "COSH(x)", "Hyperbolic cosine."),
    DOUBLE_ROW("TANH", 1, run_tanh, "TANH(x)", "Hyperbolic tangent."),
    DOUBLE_ROW("RADIANS", 1, run_radians, "RADIANS(x)", "Degrees to radians."),
    DOUBLE_ROW("DEGREES", 1, run_degrees, "DEGREES(x)", "Radians to degrees."),
    DOUBLE_ROW("PI", 0, run_pi, "PI()", "The ratio of a circle's circumference to its diameter."),
    DOUBLE_ROW("E", 0, run_e, "E()", "Base of the natural logarithm."),
    { "BITAND", 2, 2, 0, longs_long, run_bitand, NULL, NULL, "BITAND(a, b)", "Bitwise and." },
    { "BITOR", 2, 2, 0, longs_long, run_bitor, NULL, NULL, "BITOR(a, b)", "Bitwise or." },
    { "BITXOR", 2, 2, 0, longs_long, run_bitxor, NULL, NULL, "BITXOR(a, b)", "Bitwise exclusive or." },
};

struct cep_func_table cep_func_table_number(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
