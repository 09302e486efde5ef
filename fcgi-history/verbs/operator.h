/* What the operator asks: /healthz and /metrics (PROTOCOL section 11). */
#ifndef LONGROOM_HISTORY_OPERATOR_H
#define LONGROOM_HISTORY_OPERATOR_H

#include "store/store.h"
#include "verbs/request.h"

/* Leaves a save in request->save that tries whether one could be made. When that has
 * its outcome the second answers; it tries to read itself. */
void operator_begin_health(struct request *request);
void operator_complete_health(struct store *store, struct request *request);

/* Leaves the answer. */
void operator_metrics(struct request *request);

#endif
