/* Jansson in the house: its memory through base/alloc.h, its texts into buffers. For configuration, request bodies and triage; never for amounts. */
#ifndef SERVICE_JSON_H
#define SERVICE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include "base/str.h"

/* Once, at the start of the process, before any other thread. */
void service_json_setup(void);
/* Appends the value as compact text; NULL appends nothing and fails. False: no memory (also noted in out->failed). */
bool service_json_put(const json_t *value, struct base_buf *out);

#endif
