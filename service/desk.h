/* The alert desk: what people did with an alert - status, assignee, notes - with its history. Kept in the store beside the alert log, one JSON value per alert,
 * each change written synced. Any thread. Knows no HTTP. */
#ifndef SERVICE_DESK_H
#define SERVICE_DESK_H

#include <jansson.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/store.h"

#define SERVICE_DESK_HISTORY 1000 /* changes of one alert */
#define SERVICE_DESK_TEXT 4000    /* bytes of a note or a name */

struct service_desk;
struct service_desk *service_desk_create(struct service_store *store); /* NULL: no memory */
void service_desk_destroy(struct service_desk *desk);
/* {"status", "assignee", "updated_at", "history": [{"at", "by", "status"?, "assignee"?, "note"?}]}; an alert that nobody touched is open. New reference. */
int service_desk_get(struct service_desk *desk, struct base_str alert_id, json_t **ret) BASE_MUST_CHECK;
/* Status alone, for filters; one of the words of service_desk_status_known. */
const char *service_desk_status(struct service_desk *desk, struct base_str alert_id);
bool service_desk_status_known(const char *status);
/* Applies {"status"?, "assignee"?, "note"?, "by"?}. BASE_E_INVALID: unknown member or word, nothing to change; BASE_E_CONFLICT: a move that is not allowed;
 * BASE_E_LIMIT; the reason goes to reterr. *ret: as get. */
int service_desk_patch(struct service_desk *desk, struct base_str alert_id, const json_t *patch, json_t **ret, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
