#include "base/error.h"
#include "tests/unit/tap.h"

int main(void)
{
    static const struct {
        int code;
        const char *name;
    } table[] = {
#define X(name, number, http, text) { number, #name },
#include "base/error.def"
#undef X
    };
    size_t count = sizeof table / sizeof *table;
    bool unique = true, whole = true;
    for (size_t i = 0; i < count; i++) {
        whole = whole && table[i].code < 0 && strcmp(base_error_name(table[i].code), table[i].name) == 0 &&
                strlen(base_error_text(table[i].code)) > 3 && base_error_http_status(table[i].code) >= 400 &&
                base_error_http_status(table[i].code) < 600;
        for (size_t j = 0; j < i; j++)
            unique = unique && table[i].code != table[j].code &&
                     strcmp(base_error_text(table[i].code), base_error_text(table[j].code)) != 0;
    }
    OK(whole, "every code is negative and has name, text and an HTTP error status");
    OK(unique, "no number and no text stands twice");
    IS_STR(base_error_text(BASE_E_NOMEM), "out of memory", "text");
    IS_STR(base_error_name(0), "OK", "name of 0");
    IS_INT(base_error_http_status(0), 200, "status of 0");
    IS_INT(base_error_http_status(BASE_E_NOTFOUND), 404, "not found is 404");
    IS_STR(base_error_text(-9999), "unknown error", "text of an unknown code");
    IS_STR(base_error_name(17), "UNKNOWN", "name of an unknown code");
    IS_INT(base_error_http_status(-9999), 500, "status of an unknown code");
    return tap_done();
}
