/* How parts of a program refer to runs of its sections. Included by the headers of the program. No code. */
#ifndef CEP_LIST_H
#define CEP_LIST_H

#include <stdint.h>

struct cep_text { uint32_t off, len; };     /* in the strings section */
struct cep_list { uint32_t first, count; }; /* a run of elements of the section that the field's comment names */

#endif
