/* What the operator asks: /healthz and /metrics (PROTOCOL section 11). */
#ifndef LONGROOM_HISTORY_OPERATOR_H
#define LONGROOM_HISTORY_OPERATOR_H

#include "service.h"

/* Takes ROUTE_HEALTH and ROUTE_METRICS. */
void operator_answer(struct service *service, enum route_kind kind);

#endif
