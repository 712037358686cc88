/* The one table of errors. Functions return 0 or a negative BASE_E_*; nothing else is an error code. Any thread. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum base_error {
    BASE_OK = 0,
#define X(name, number, http, text) BASE_E_##name = number,
#include "base/error.def"
#undef X
};

/* Static text of a code; "unknown error" for codes not in the table. Never NULL. */
const char *base_error_text(int code);
/* The code's name without prefix ("NOMEM"), "OK" for 0. Never NULL. */
const char *base_error_name(int code);
/* HTTP status that a REST answer with this error bears; 500 for unknown codes. */
int base_error_http_status(int code);

#endif
