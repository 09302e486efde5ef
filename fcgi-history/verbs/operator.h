/* /healthz and /metrics (PROTOCOL section 11). */
#ifndef LONGROOM_HISTORY_OPERATOR_H
#define LONGROOM_HISTORY_OPERATOR_H

#include "store/store.h"
#include "verbs/request.h"

/* The first puts a probe into request->save, which tests whether a message could be
 * saved. When the probe has its outcome, the second tests reading, and answers. */
void operator_begin_health(struct request *request);
void operator_complete_health(struct store *store, struct request *request);

/* Fills the request's answer. */
void operator_metrics(struct request *request);

#endif
