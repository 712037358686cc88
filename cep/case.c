#include "cep/text.h"

/* Simple case mapping by ranges, from the Unicode character database (UnicodeData.txt's simple mappings): one code
 * point to one code point. */

struct range {
    uint32_t first, last; /* upper-case code points */
    int32_t delta;        /* lower = upper + delta; 0: upper and lower alternate, starting with an upper one at first */
};
static const struct range ranges[] = {
    { 'A', 'Z', 32 },      { 0xC0, 0xD6, 32 },    { 0xD8, 0xDE, 32 },     { 0x100, 0x12F, 0 },
    { 0x132, 0x137, 0 },   { 0x139, 0x148, 0 },   { 0x14A, 0x177, 0 },    { 0x178, 0x178, -121 },
    { 0x179, 0x17E, 0 },   { 0x1CD, 0x1DC, 0 },   { 0x1DE, 0x1EF, 0 },    { 0x1F8, 0x21F, 0 },
    { 0x222, 0x233, 0 },   { 0x386, 0x386, 38 },  { 0x388, 0x38A, 37 },   { 0x38C, 0x38C, 64 },
    { 0x38E, 0x38F, 63 },  { 0x391, 0x3A1, 32 },  { 0x3A3, 0x3AB, 32 },   { 0x3D8, 0x3EF, 0 },
    { 0x400, 0x40F, 80 },  { 0x410, 0x42F, 32 },  { 0x460, 0x481, 0 },    { 0x48A, 0x4BF, 0 },
    { 0x4C0, 0x4C0, 15 },  { 0x4C1, 0x4CE, 0 },   { 0x4D0, 0x52F, 0 },    { 0x531, 0x556, 48 },
    { 0x1E00, 0x1E95, 0 }, { 0x1EA0, 0x1EFF, 0 }, { 0xFF21, 0xFF3A, 32 }, { 0x10400, 0x10427, 40 },
};

uint32_t cep_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c == 0x130)
        return 'i';
    if (c == 0x1E9E)
        return 0xDF;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && c >= ranges[i].first; i++)
        if (c <= ranges[i].last)
            return ranges[i].delta ? (uint32_t)((int32_t)c + ranges[i].delta) : (c - ranges[i].first) % 2 ? c : c + 1;
    return c;
}

uint32_t cep_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (c == 0xB5)
        return 0x39C; /* micro sign */
    if (c == 0x131 || c == 0x17F)
        return c == 0x131 ? 'I' : 'S';
    if (c == 0x3C2)
        return 0x3A3; /* final sigma */
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const struct range *r = &ranges[i];
        uint32_t upper = (uint32_t)((int32_t)c - r->delta);
        if (r->delta && upper >= r->first && upper <= r->last)
            return upper;
        if (!r->delta && c > r->first && c <= r->last && (c - r->first) % 2)
            return c - 1;
    }
    return c;
}

bool cep_is_letter_or_digit(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return c >= 0xC0 && c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x3000 && c <= 0x303F);
}
