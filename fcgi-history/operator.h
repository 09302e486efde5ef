/* What the operator asks: /healthz and /metrics (PROTOCOL section 11). */
#ifndef LONGROOM_HISTORY_OPERATOR_H
#define LONGROOM_HISTORY_OPERATOR_H

#include "service.h"

/* Both leave the answer in request->exchange.response; the first may want a save. */
void operator_health(struct service *service, struct request *request);
void operator_metrics(struct service *service, struct request *request);

#endif
