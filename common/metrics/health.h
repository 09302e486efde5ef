/* What /healthz answers: one JSON object that says whether all is well, what is and
 * what is not, and if it is not, why. Pure. */
#ifndef LONGROOM_HEALTH_H
#define LONGROOM_HEALTH_H

#include "base/buffer.h"

/* Adds the beginning, then one fact after the other, then the end; `reason`, for
 * people, stands there if it is not well. The status of the answer is 200 or 503. */
void health_begin(struct buffer *json, bool is_well);
void health_add_claim(struct buffer *json, const char *name, bool claim);
void health_add_number(struct buffer *json, const char *name, int64_t number);
void health_end(struct buffer *json, bool is_well, struct text reason);
int health_status(bool is_well);

#endif
