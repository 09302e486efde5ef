/* /healthz and /metrics (PROTOCOL section 11). */
#ifndef LONGROOM_PUSHD_OPERATOR_H
#define LONGROOM_PUSHD_OPERATOR_H

#include "http/answer.h"
#include "codec/route.h"

struct polls;

/* Returns a reference to the answer for ROUTE_HEALTH or ROUTE_METRICS. */
struct answer *operator_answer(const struct polls *polls, enum route_kind kind);

#endif
