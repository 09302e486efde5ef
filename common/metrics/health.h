/* The answer of /healthz: one JSON object with the status, the facts behind it, and
 * the reason if the status is failing. Pure. */
#ifndef LONGROOM_HEALTH_H
#define LONGROOM_HEALTH_H

#include "base/buffer.h"

/* Call begin, then add each fact, then end. `reason`, for people, is included only
 * if the status is failing. health_status() gives the answer's HTTP status, 200 or
 * 503. */
void health_begin(struct buffer *json, bool is_well);
void health_add_claim(struct buffer *json, const char *name, bool claim);
void health_add_number(struct buffer *json, const char *name, int64_t number);
void health_end(struct buffer *json, bool is_well, struct text reason);
int health_status(bool is_well);

#endif
