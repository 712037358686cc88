/* Signatures of the Standard Webhooks specification (HMAC-SHA256, "v1,"). Any thread. */
#ifndef CONNECTORS_WEBHOOK_SIGN_H
#define CONNECTORS_WEBHOOK_SIGN_H

#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

/* Appends "v1,<base64>" of HMAC("<id>.<timestamp_s>.<body>") for each secret, separated by blanks (more than one while
 * keys rotate: the new one first). A secret is "whsec_<base64>" or the base64 alone, 24 to 64 bytes. BASE_E_CONFIG: not
 * such a secret; BASE_E_NOMEM. */
int connectors_webhook_sign(const struct base_str *secrets, size_t count, struct base_str id, int64_t timestamp_s,
                            struct base_str body, struct base_buf *out) BASE_MUST_CHECK;
/* Is this a usable secret? */
int connectors_webhook_check_secret(struct base_str secret) BASE_MUST_CHECK;

#endif
