#include <math.h>
#include <string.h>

#include "base/error.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/text.h"

/* Functions that fraud rules want and SQL lacks: card numbers, distances on earth, network ranges. */

#define EARTH_RADIUS_KM 6371.0088 /* mean radius of IUGG */
#define PAN_DIGITS_MIN 12

CEP_RULE(string_boolean, "S", 'B')
CEP_RULE(string_string, "S", 'S')
CEP_RULE(strings_boolean, "SS", 'B')
CEP_RULE(doubles_double, "DDDD", 'D')

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits of a text that holds nothing else but blanks and hyphens; 0 if it does. */
static size_t digits_of(struct cep_value text, char *at, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < text.s.len; i++) {
        char c = text.s.ptr[i];
        if (c == ' ' || c == '-')
            continue;
        if (!is_digit(c) || n == most)
            return 0;
        at[n++] = c;
    }
    return n;
}

static int run_luhn(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    char digits[64];
    size_t n = digits_of(args[0], digits, sizeof digits);
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digits[n - 1 - i] - '0', twice = digit * 2;
        sum += i % 2 == 0 ? digit : twice > 9 ? twice - 9 : twice;
    }
    *ret = cep_int(n >= 2 && sum % 10 == 0);
    return 0;
}

/* Keeps the first six and the last four digits of what has as many digits as a card number; other texts lose all but
 * their last four characters' worth of digits. */
static int run_mask(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    size_t count = 0, seen = 0;
    char *at = NULL;
    for (size_t i = 0; i < text.s.len; i++)
        count += is_digit(text.s.ptr[i]);
    size_t head = count >= PAN_DIGITS_MIN ? 6 : 0, tail = count > 4 ? 4 : 0;
    int e = cep_text_room(call->arena, text.s.len, &at);
    if (e < 0)
        return e;
    for (size_t i = 0; i < text.s.len; i++) {
        at[i] = text.s.ptr[i];
        if (!is_digit(at[i]))
            continue;
        if (seen >= head && seen + tail < count)
            at[i] = '*';
        seen++;
    }
    *ret = cep_string(at, text.s.len);
    return 0;
}

/* Great-circle distance by the haversine formula. */
static int run_distance(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    double lat1 = args[0].d, lon1 = args[1].d, lat2 = args[2].d, lon2 = args[3].d, radian = M_PI / 180;
    if (!(fabs(lat1) <= 90 && fabs(lat2) <= 90 && fabs(lon1) <= 360 && fabs(lon2) <= 360))
        return BASE_E_RANGE;
    double a = sin((lat2 - lat1) * radian / 2), b = sin((lon2 - lon1) * radian / 2);
    double h = a * a + cos(lat1 * radian) * cos(lat2 * radian) * b * b;
    *ret = cep_double(2 * EARTH_RADIUS_KM * asin(sqrt(h > 1 ? 1 : h)));
    return 0;
}

/* ---- IP addresses ---- */

struct address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    bool four;
};

static bool parse_four(struct base_str text, uint8_t ret[4])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        int value = 0, digits = 0;
        if (i && (at >= text.len || text.ptr[at++] != '.'))
            return false;
        for (; at < text.len && is_digit(text.ptr[at]) && digits < 3; digits++)
            value = value * 10 + (text.ptr[at++] - '0');
        if (!digits || value > 255)
            return false;
        ret[i] = (uint8_t)value;
    }
    return at == text.len;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Groups from text into at most 16 bytes; *gap: bytes before "::", -1 if there is none. */
static bool parse_groups(struct base_str text, uint8_t bytes[16], int *ret_len, int *ret_gap)
{
    size_t at = 0;
    int len = 0, gap = -1;
    if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < text.len) {
        unsigned value = 0;
        int digits = 0;
        struct base_str rest = { text.ptr + at, text.len - at };
        if (memchr(rest.ptr, '.', rest.len) && !memchr(rest.ptr, ':', rest.len)) {
            if (len > 12 || !parse_four(rest, bytes + len))
                return false;
            len += 4;
            break;
        }
        for (; at < text.len && hex_digit(text.ptr[at]) >= 0 && digits < 4; digits++)
            value = value * 16 + (unsigned)hex_digit(text.ptr[at++]);
        if (!digits || len > 14)
            return false;
        bytes[len++] = (uint8_t)(value >> 8);
        bytes[len++] = (uint8_t)value;
        if (at == text.len)
            break;
        if (text.ptr[at++] != ':' || at == text.len)
            return false;
        if (text.ptr[at] == ':') {
            if (gap >= 0)
                return false;
            gap = len;
            at++;
        }
    }
    *ret_len = len;
    *ret_gap = gap;
    return gap >= 0 ? len <= 14 : len == 16;
}

static bool parse_address(struct base_str text, struct address *ret)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    *ret = (struct address){ .four = false };
    memcpy(ret->bytes, mapped, sizeof mapped);
    if (parse_four(text, ret->bytes + 12)) {
        ret->four = true;
        return true;
    }
    uint8_t bytes[16] = { 0 };
    int len = 0, gap = -1;
    if (!parse_groups(text, bytes, &len, &gap))
        return false;
    memset(ret->bytes, 0, sizeof ret->bytes);
    int head = gap < 0 ? len : gap;
    memcpy(ret->bytes, bytes, (size_t)head);
    memcpy(ret->bytes + 16 - (len - head), bytes + head, (size_t)(len - head));
    ret->four = memcmp(ret->bytes, mapped, sizeof mapped) == 0;
    return true;
}

/* "10.0.0.0/8", "2001:db8::/32"; without a slash one address. bits counts in 128. */
static bool parse_range(struct base_str text, struct address *ret, int *ret_bits)
{
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    struct base_str address = { text.ptr, slash ? (size_t)(slash - text.ptr) : text.len };
    if (!parse_address(address, ret))
        return false;
    bool dotted = memchr(address.ptr, ':', address.len) == NULL;
    int64_t bits = dotted ? 32 : 128;
    if (slash && (!base_str_to_i64((struct base_str){ slash + 1, text.len - address.len - 1 }, &bits) || bits < 0 ||
                  bits > (dotted ? 32 : 128)))
        return false;
    *ret_bits = (int)bits + (dotted ? 96 : 0);
    return true;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, int bits)
{
    if (memcmp(a, b, (size_t)(bits / 8)) != 0)
        return false;
    int rest = bits % 8;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static int run_in_cidr(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    struct address address, network;
    int bits = 0;
    if (!parse_range(base_str_trim((struct base_str){ args[1].s.ptr, args[1].s.len }), &network, &bits))
        return BASE_E_INVALID;
    bool good = parse_address(base_str_trim((struct base_str){ args[0].s.ptr, args[0].s.len }), &address);
    *ret = good ? cep_int(same_bits(address.bytes, network.bytes, bits)) : cep_null();
    return 0;
}

static int prepare_in_cidr(const struct cep_value *constants, const bool *constant, uint32_t n BASE_UNUSED,
                           struct base_arena *arena BASE_UNUSED, const char **ret_error, void **ret)
{
    struct address network;
    int bits = 0;
    *ret = NULL;
    if (!constant[1] || constants[1].null ||
        parse_range(base_str_trim((struct base_str){ constants[1].s.ptr, constants[1].s.len }), &network, &bits))
        return 0;
    *ret_error = "no network; write it as '10.0.0.0/8' or '2001:db8::/32'";
    return BASE_E_INVALID;
}

static const struct cep_func table[] = {
    { "LUHN_VALID", 1, 1, 0, string_boolean, run_luhn, NULL, NULL, "LUHN_VALID(text)",
      "Do the digits (blanks and hyphens aside) pass the Luhn check of card numbers?" },
    { "MASK_PAN", 1, 1, 0, string_string, run_mask, NULL, NULL, "MASK_PAN(text)",
      "A card number with all but its first six and last four digits masked; of a number of fewer than 12 digits only "
      "the last four stay." },
    { "GEO_DISTANCE", 4, 4, 0, doubles_double, run_distance, NULL, NULL, "GEO_DISTANCE(lat1, lon1, lat2, lon2)",
      "Great-circle distance in kilometres between two points in degrees; an error outside of the globe." },
    { "IN_CIDR", 2, 2, 0, strings_boolean, run_in_cidr, prepare_in_cidr, NULL, "IN_CIDR(address, network)",
      "Is the IPv4 or IPv6 address in the network ('10.0.0.0/8')? NULL if the text is no address." },
};

struct cep_func_table cep_func_table_fraud(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
