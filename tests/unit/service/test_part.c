/* Within an epoch only the last revision of an alert is kept; one that came and went inside it is not told. */
#include "service/part.h"

#include "base/error.h"
#include "tests/unit/tap.h"

static int add(struct service_part *part, char id, uint32_t revision, enum formats_alert_change change)
{
    struct service_output output = { .rule = 0, .revision = revision, .change = change, .body = BASE_STR("body"), .key = BASE_STR("k") };
    memset(output.alert_id, id, 32);
    output.alert_id[32] = '\0';
    return service_part_alert(part, &output);
}

int main(void)
{
    struct service_part part;
    IS_INT(service_part_init(&part), 0, "made");
    OK(service_part_empty(&part), "empty");
    int e = add(&part, 'a', 1, FORMATS_ALERT_CREATED);
    e = e < 0 ? e : add(&part, 'b', 4, FORMATS_ALERT_UPDATED);
    e = e < 0 ? e : add(&part, 'a', 2, FORMATS_ALERT_UPDATED);
    e = e < 0 ? e : add(&part, 'c', 1, FORMATS_ALERT_CREATED);
    e = e < 0 ? e : add(&part, 'c', 2, FORMATS_ALERT_WITHDRAWN);
    e = e < 0 ? e : add(&part, 'b', 5, FORMATS_ALERT_WITHDRAWN);
    IS_INT(e, 0, "six revisions of three alerts");
    IS_INT(part.outputs.len, 3, "one entry each");
    IS_INT(part.outputs.at[0]->revision, 2, "the last revision of a");
    OK(!part.outputs.at[0]->dropped, "is told");
    IS_INT(part.outputs.at[1]->change, FORMATS_ALERT_WITHDRAWN, "b is withdrawn");
    OK(!part.outputs.at[1]->dropped, "and that is told, since b was known before");
    OK(part.outputs.at[2]->dropped, "c came and went: nothing to tell");
    e = add(&part, 'c', 3, FORMATS_ALERT_CREATED);
    IS_INT(e, 0, "c comes again");
    OK(!part.outputs.at[2]->dropped && part.outputs.at[2]->revision == 3, "and is told with its revision");
    IS_STR(part.outputs.at[0]->body.ptr, "body", "texts are copied");
    service_part_clear(&part);
    OK(service_part_empty(&part), "cleared");
    service_part_finish(&part);
    return tap_done();
}
