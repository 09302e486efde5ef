/* The metrics (GET /metrics, in the Prometheus text format 0.0.4), each a row of
 * metrics.def. All start at zero.
 *
 * One set for the process. Counting is atomic, from any thread, and never waits. In
 * one scrape, different rows may be from slightly different moments. */
#ifndef LONGROOM_METRICS_H
#define LONGROOM_METRICS_H

#include "base/buffer.h"
#include "codec/problem.h"

enum metric {
#define METRIC(identifier, ...) METRIC_##identifier,
#include "metrics/metrics.def"
#undef METRIC
	METRIC_COUNT
};

/* For COUNTER and GAUGE; amount may be negative for a GAUGE. */
void metrics_add(enum metric metric, int64_t amount);
/* For GAUGE. */
void metrics_set(enum metric metric, int64_t value);
/* For SECONDS (value in microseconds) and SIZES; value is at least 0. */
void metrics_observe(enum metric metric, int64_t value);

enum metrics_program { METRICS_history, METRICS_pushd };

/* Counts a refused request; type is not PROBLEM_NONE. */
void metrics_count_refusal(enum metrics_program program, enum problem_type type);

int64_t metrics_value(enum metric metric);

/* The media type of metrics_render()'s text. */
extern const char metrics_media_type[];

/* Adds all rows of a program. */
void metrics_render(enum metrics_program program, struct buffer *b);

#endif
