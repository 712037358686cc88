#include "connectors/webhook_sink.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/alloc.h"
#include "base/error.h"
#include "connectors/webhook_sign.h"

#define OWN_HEADERS \
    4u /* signature (left out where there is no secret: so it stands first), content type, id, timestamp */

struct connectors_webhook {
    char *name, *url;         /* owned */
    struct base_str *secrets; /* owned array and texts */
    size_t secret_count;
    struct clients_http_header
        *headers;        /* owned array; the first OWN_HEADERS are set for each message, the others' texts are owned */
    size_t header_count; /* all of them */
    char *content_type;  /* owned */
    struct clients_http *http;
    struct clients_http_response response;
    struct base_buf signature;
};

static int complain(const struct connectors_webhook_options *options, const char *what, struct base_buf *reterr)
{
    if (reterr)
        base_buf_printf(reterr, "webhook %s: %s", options->name, what);
    return BASE_E_CONFIG;
}

/* CR, LF in a header would be another header. */
static bool header_is_good(const struct clients_http_header *header)
{
    static const char *const ours[] = { "content-type",      "webhook-id",     "webhook-timestamp",
                                        "webhook-signature", "content-length", "host" };
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strcasecmp(header->name, ours[i]) == 0)
            return false;
    }
    return header->name[0] && !strpbrk(header->name, "\r\n: \t") && !strpbrk(header->value, "\r\n");
}

static int copy_secrets(struct connectors_webhook *webhook, const struct connectors_webhook_options *options,
                        struct base_buf *reterr)
{
    webhook->secrets = base_calloc(options->secret_count + 1, sizeof *webhook->secrets);
    if (!webhook->secrets)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < options->secret_count; i++) {
        struct base_str secret = base_str_of(options->secrets[i]);
        if (connectors_webhook_check_secret(secret))
            return complain(
                options,
                "a secret is not of the form whsec_<base64 of 24 to 64 bytes>; make one with: openssl rand -base64 32",
                reterr);
        char *copy = base_strndup(secret.ptr, secret.len);
        if (!copy)
            return BASE_E_NOMEM;
        webhook->secrets[webhook->secret_count++] = (struct base_str){ copy, secret.len };
    }
    return 0;
}

static int copy_headers(struct connectors_webhook *webhook, const struct connectors_webhook_options *options,
                        struct base_buf *reterr)
{
    webhook->headers = base_calloc(options->header_count + OWN_HEADERS, sizeof *webhook->headers);
    if (!webhook->headers)
        return BASE_E_NOMEM;
    webhook->header_count = OWN_HEADERS;
    for (size_t i = 0; i < options->header_count; i++) {
        if (!header_is_good(&options->headers[i]))
            return complain(options, "a further header is malformed or is one that the service sets itself", reterr);
        struct clients_http_header *copy = &webhook->headers[webhook->header_count++];
        copy->name = base_strdup(options->headers[i].name);
        copy->value = base_strdup(options->headers[i].value);
        if (!copy->name || !copy->value)
            return BASE_E_NOMEM;
    }
    return 0;
}

int connectors_webhook_create(const struct connectors_webhook_options *options, struct connectors_webhook **ret,
                              struct base_buf *reterr)
{
    if (strncasecmp(options->url, "http://", 7) != 0 && strncasecmp(options->url, "https://", 8) != 0)
        return complain(options, "the url must begin with http:// or https://", reterr);
    struct connectors_webhook *webhook = base_calloc(1, sizeof *webhook);
    if (!webhook)
        return BASE_E_NOMEM;
    webhook->name = base_strdup(options->name);
    webhook->url = base_strdup(options->url);
    webhook->content_type = base_strdup(options->content_type ? options->content_type : "application/cloudevents+json");
    int error =
        webhook->name && webhook->url && webhook->content_type ? copy_secrets(webhook, options, reterr) : BASE_E_NOMEM;
    if (!error)
        error = copy_headers(webhook, options, reterr);
    if (!error) {
        struct base_buf why = { 0 };
        error = clients_http_create(&options->http, &webhook->http, &why);
        if (why.len)
            (void)complain(options, why.ptr, reterr);
        base_buf_finish(&why);
    }
    if (error) {
        connectors_webhook_destroy(webhook);
        return error;
    }
    *ret = webhook;
    return 0;
}

void connectors_webhook_destroy(struct connectors_webhook *webhook)
{
    if (!webhook)
        return;
    for (size_t i = 0; i < webhook->secret_count; i++)
        base_free((void *)(uintptr_t)webhook->secrets[i].ptr);
    for (size_t i = OWN_HEADERS; webhook->headers && i < webhook->header_count; i++) {
        base_free((void *)(uintptr_t)webhook->headers[i].name);
        base_free((void *)(uintptr_t)webhook->headers[i].value);
    }
    clients_http_destroy(webhook->http);
    clients_http_response_finish(&webhook->response);
    base_buf_finish(&webhook->signature);
    base_free(webhook->secrets);
    base_free(webhook->headers);
    base_free(webhook->content_type);
    base_free(webhook->url);
    base_free(webhook->name);
    base_free(webhook);
}

void connectors_webhook_interrupt(struct connectors_webhook *webhook)
{
    clients_http_interrupt(webhook->http);
}

/* What the server said, or why it did not. */
static void explain(const struct connectors_webhook *webhook, int error, struct base_buf *text)
{
    const struct clients_http_response *response = &webhook->response;
    if (!text)
        return;
    base_buf_printf(text, "webhook %s: ", webhook->name);
    if (error)
        base_buf_put(text, response->error.ptr, response->error.len);
    else
        base_buf_printf(text, "answered %ld%s", response->status,
                        response->status >= 300 && response->status < 400 ? ", redirects are not followed" : "");
}

int connectors_webhook_send(struct connectors_webhook *webhook, struct base_str id, struct base_str body,
                            int64_t now_ms, struct connectors_webhook_outcome *ret, struct base_buf *text)
{
    char timestamp[24], id_text[256];
    int64_t timestamp_s = now_ms / 1000;
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)timestamp_s);
    snprintf(id_text, sizeof id_text, "%.*s", (int)(id.len < sizeof id_text ? id.len : sizeof id_text - 1), id.ptr);
    base_buf_clear(&webhook->signature);
    int error = connectors_webhook_sign(webhook->secrets, webhook->secret_count, base_str_of(id_text), timestamp_s,
                                        body, &webhook->signature);
    if (error)
        return error;
    webhook->headers[0] = (struct clients_http_header){ "webhook-signature", webhook->signature.ptr };
    webhook->headers[1] = (struct clients_http_header){ "Content-Type", webhook->content_type };
    webhook->headers[2] = (struct clients_http_header){ "webhook-id", id_text };
    webhook->headers[3] = (struct clients_http_header){ "webhook-timestamp", timestamp };
    size_t left_out = webhook->secret_count == 0;
    struct clients_http_request request = {
        .method = "POST",
        .url = webhook->url,
        .headers = webhook->headers + left_out,
        .header_count = webhook->header_count - left_out,
        .body = body,
    };
    error = clients_http_send(webhook->http, &request, &webhook->response);
    explain(webhook, error, text);
    if (error == BASE_E_NOMEM || error == BASE_E_CLOSED)
        return error;
    int64_t after_s = webhook->response.retry_after_s;
    long status = error ? 0 : webhook->response.status;
    *ret = (struct connectors_webhook_outcome){
        .status = (uint16_t)(status > 0 && status < 1000 ? status : 0),
        .retry_after_ms = after_s < 0                  ? -1
                          : after_s > INT64_MAX / 1000 ? INT64_MAX
                                                       : after_s * 1000,
        .refused = error == BASE_E_AUTH || error == BASE_E_CONFIG,
    };
    return 0;
}
