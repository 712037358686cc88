#include "service/api/api.h"

void api_livez(struct api_call *call)
{
    call->response->content_type = "text/plain; charset=utf-8";
    base_buf_puts(&call->response->body, "ok\n");
}

void api_readyz(struct api_call *call)
{
    char why[256];
    if (service_runtime_ready(call->api->runtime, why, sizeof why)) {
        api_livez(call);
        return;
    }
    api_problem(call->response, 503, why);
}

void api_metrics(struct api_call *call)
{
    call->response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    service_runtime_print_metrics(call->api->runtime, &call->response->body);
}
