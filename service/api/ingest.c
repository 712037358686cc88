#include "base/error.h"
#include "service/api/api.h"
#include "service/push.h"

#define WAIT_MS 30000

static void refuse_name(struct api_call *call)
{
    struct base_buf why = { 0 }, names = { 0 };
    service_pushes_names(service_runtime_pushes(call->api->runtime), &names);
    base_buf_printf(&why, "no running rule reads a table \"%s\" with 'connector' = 'http'; ", call->parts[0]);
    if (names.len)
        base_buf_printf(&why, "tables that take rows: %s", names.ptr);
    else
        base_buf_puts(&why, "no table takes rows over HTTP");
    if (why.failed || names.failed)
        api_problem_error(call->response, BASE_E_NOMEM, NULL);
    else
        api_problem(call->response, 404, why.ptr);
    base_buf_finish(&why);
    base_buf_finish(&names);
}

static void refuse(struct api_call *call, int error)
{
    switch (error) {
    case BASE_E_NOTFOUND:
        refuse_name(call);
        break;
    case BASE_E_BUSY:
        api_problem(call->response, 429, "the table's queue is full: nothing was taken; send it again later");
        api_response_header(call->response, "Retry-After", "1");
        break;
    case BASE_E_LIMIT:
        api_problem(call->response, 413, "the body is larger than the table's queue ('ingest.queue-bytes') or has more than 1,000,000 rows; nothing was taken, send it in parts");
        break;
    case BASE_E_MALFORMED:
        api_problem(call->response, 400, "the body begins like a JSON array ([) but does not end with its ]; nothing was taken. Send one array, or one JSON object a line");
        break;
    case BASE_E_TIMEOUT:
        api_problem(call->response, 504, "the rows were taken but not decided within 30 s; if they are sent again they may count twice");
        break;
    case BASE_E_CLOSED:
        api_problem(call->response, 503, "the service ends or its rules change; what was not answered may or may not count, send it again");
        api_response_header(call->response, "Retry-After", "1");
        break;
    default:
        api_problem_error(call->response, error, NULL);
    }
}

void api_ingest(struct api_call *call)
{
    uint64_t count = 0;
    int e = service_pushes_push(service_runtime_pushes(call->api->runtime), call->parts[0], call->request->body, WAIT_MS, &count);
    if (e < 0)
        refuse(call, e);
    else
        api_json(call->response, 200, json_pack("{s:I}", "accepted", (json_int_t)count));
}
