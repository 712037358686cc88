#include "base/error.h"
#include "service/api/api.h"

void api_savepoint_create(struct api_call *call)
{
    struct service_savepoint_ask ask = { .name = call->parts[0] };
    int e = service_runtime_savepoint(call->api->runtime, &ask);
    if (e < 0)
        api_problem_error(call->response, e, ask.error.ptr);
    else
        api_json(call->response, 201, json_pack("{s:s, s:s}", "name", ask.name, "path", ask.path));
    base_buf_finish(&ask.error);
}
