/* The REST API: routes.def to handlers. Bound to a runtime; called by the HTTP server's threads. */
#ifndef SERVICE_API_API_H
#define SERVICE_API_API_H

#include <jansson.h>
#include "service/api/http.h"
#include "service/runtime.h"

struct api {
    struct service_runtime *runtime;
};
/* Callbacks for the HTTP server; ctx is struct api *. */
void api_handle(void *ctx, const struct api_request *request, struct api_response *response);
bool api_is_open(void *ctx, const char *path);
void api_refuse(void *ctx, int status, const char *detail, struct api_response *response);
/* Markdown table of the routes, for docs. */
void api_print_routes(struct base_buf *out);

/* ---- for the handlers ---- */
#define API_PARTS 3
struct api_call {
    struct api *api;
    const struct api_request *request;
    char parts[API_PARTS][256];   /* values of {…}, in order */
    struct api_response *response;
};
typedef void api_handler(struct api_call *call);
/* Problem answers (RFC 9457). */
void api_problem(struct api_response *response, int status, const char *detail);
void api_problem_error(struct api_response *response, int error, const char *detail);
/* diagnostics: JSON array as base_diags_render_json gives it. */
void api_problem_diags(struct api_response *response, const char *diagnostics);
/* Writes the value and releases it; NULL: 503. */
void api_json(struct api_response *response, int status, json_t *value);
/* "limit" within 1 and 100, default 50; false: answered with 400. */
bool api_limit(struct api_call *call, uint32_t *ret);
/* "after": a place that an earlier answer gave; 0 if absent. */
bool api_after(struct api_call *call, uint64_t *ret);
/* {"has_more", "next_cursor"} and the Link header. cursor 0: no more. */
void api_pagination(struct api_call *call, uint64_t cursor, struct base_buf *out);
/* Raw text of a member of a JSON object written by us; empty if it has none. */
struct base_str api_member(struct base_str object, const char *name);

#define X(method, path, handler, open, doc) api_handler api_##handler;
#include "service/api/routes.def"
#undef X

#endif
