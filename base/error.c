#include "base/error.h"

const char *base_error_text(int code)
{
    switch (code) {
    case BASE_OK: return "no error";
#define X(name, number, http, text) \
    case BASE_E_##name: \
        return text;
#include "base/error.def"
#undef X
    }
    return "unknown error";
}

const char *base_error_name(int code)
{
    switch (code) {
    case BASE_OK: return "OK";
#define X(name, number, http, text) \
    case BASE_E_##name: \
        return #name;
#include "base/error.def"
#undef X
    }
    return "UNKNOWN";
}

int base_error_http_status(int code)
{
    switch (code) {
    case BASE_OK: return 200;
#define X(name, number, http, text) \
    case BASE_E_##name: \
        return http;
#include "base/error.def"
#undef X
    }
    return 500;
}
