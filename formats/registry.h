/* A client of a schema registry with Confluent's REST interface (Confluent's own, Apicurio, Karapace): schemas by their id, with what they refer to, and registration.
 * Called by the decoders and encoders of formats/. Keeps nothing itself: its callers remember what it gave, since a schema never changes. Never retries; every request
 * is bounded in time. One thread. */
#ifndef FORMATS_REGISTRY_H
#define FORMATS_REGISTRY_H

#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

#define FORMATS_REGISTRY_TEXTS 64 /* schemas that one may refer to, directly or not */

struct formats_registry_options {
    struct base_str url;         /* "https://registry:8081/prefix"; several, parted by commas, are tried in turn */
    struct base_str user_info;   /* "user:password", or empty */
    struct base_str token;       /* bearer token, or empty */
    struct base_str ca_file;     /* PEM, or empty: the system's */
};
struct formats_registry;
/* Copies the options; asks nothing. BASE_E_CONFIG with a text, BASE_E_NOMEM. */
int formats_registry_create(const struct formats_registry_options *options, struct formats_registry **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_registry_destroy(struct formats_registry *registry); /* NULL allowed */

struct formats_schema_text;
/* The schema of an id in the arena: the texts that it refers to first, itself last. *ret_type: "AVRO", "PROTOBUF", "JSON". BASE_E_NOTFOUND: the registry does not know
 * it; BASE_E_IO, BASE_E_TIMEOUT, BASE_E_AUTH: it cannot be asked now; BASE_E_MALFORMED: its answer is none; with the reason appended. BASE_E_NOMEM. */
int formats_registry_get(struct formats_registry *registry, uint32_t id, struct base_arena *arena, const struct formats_schema_text **ret, size_t *ret_count,
                         struct base_str *ret_type, struct base_buf *reterr) BASE_MUST_CHECK;
/* Registers a schema under a subject, or finds it there. Errors as above; BASE_E_INVALID: the registry refuses it (incompatible with earlier versions). */
int formats_registry_register(struct formats_registry *registry, struct base_str subject, const char *type, struct base_str text, uint32_t *ret_id,
                              struct base_buf *reterr) BASE_MUST_CHECK;

#endif
