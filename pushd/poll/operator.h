/* What the operator asks: /healthz and /metrics (PROTOCOL section 11). */
#ifndef LONGROOM_PUSHD_OPERATOR_H
#define LONGROOM_PUSHD_OPERATOR_H

#include "http/answer.h"
#include "codec/route.h"

struct polls;

/* Takes ROUTE_HEALTH and ROUTE_METRICS. Returns a reference. */
struct answer *operator_answer(const struct polls *polls, enum route_kind kind);

#endif
