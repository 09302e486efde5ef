#include "metrics/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

enum kind { COUNTER, GAUGE, SECONDS, SIZES };

enum { BUCKETS = 16 };

/* The upper bound of each bucket. Higher values count only in the total. */
static const int64_t bounds_us[BUCKETS] = {
	100,   250,    500,    1000,   2500,    5000,    10000,   25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};
static const int64_t bounds_of_sizes[BUCKETS] = {
	1,   2,   4,    8,    16,   32,   64,    128,
	256, 512, 1024, 2048, 4096, 8192, 16384, 32768,
};

static const struct row {
	enum metrics_program program;
	enum kind kind;
	const char *name, *labels, *meaning;
} rows[] = {
#define METRIC(identifier, program, kind, name, labels, meaning) \
	{METRICS_##program, kind, name, labels, meaning},
#include "metrics/metrics.def"
#undef METRIC
};

static struct series {
	_Atomic int64_t value; /* of a histogram: the sum */
	_Atomic int64_t buckets[BUCKETS + 1]; /* the last: above all bounds */
} all[METRIC_COUNT];

void metrics_add(enum metric metric, int64_t amount)
{
	atomic_fetch_add_explicit(&all[metric].value, amount,
	                          memory_order_relaxed);
}

void metrics_set(enum metric metric, int64_t value)
{
	atomic_store_explicit(&all[metric].value, value, memory_order_relaxed);
}

int64_t metrics_value(enum metric metric)
{
	return atomic_load_explicit(&all[metric].value, memory_order_relaxed);
}

void metrics_observe(enum metric metric, int64_t value)
{
	const int64_t *bounds =
		rows[metric].kind == SECONDS ? bounds_us : bounds_of_sizes;
	size_t bucket = 0;

	while (bucket < BUCKETS && value > bounds[bucket])
		bucket++;
	atomic_fetch_add_explicit(&all[metric].buckets[bucket], 1,
	                          memory_order_relaxed);
	metrics_add(metric, value);
}

/* The rows of the refusals are in the order of the problems. */
void metrics_count_refusal(enum metrics_program program, enum problem_type type)
{
	static const enum metric firsts[] = {
		[METRICS_history] = METRIC_HISTORY_REFUSED_BAD_ROOM_NAME,
		[METRICS_pushd] = METRIC_PUSHD_REFUSED_BAD_ROOM_NAME,
	};

	metrics_add(firsts[program] + (type - PROBLEM_BAD_ROOM_NAME), 1);
}

const char metrics_media_type[] = "text/plain; version=0.0.4; charset=utf-8";

static const char *program_name(enum metrics_program program)
{
	return program == METRICS_history ? "history" : "pushd";
}

static void add_metric_name(struct buffer *b, const struct row *row,
                            const char *suffix)
{
	buffer_printf(b, "longroom_%s_%s%s", program_name(row->program), row->name,
	              suffix);
}

/* Written once for all rows of the same name. */
static void add_head(struct buffer *b, const struct row *row)
{
	static const char *const types[] = {
		[COUNTER] = "counter",
		[GAUGE] = "gauge",
		[SECONDS] = "histogram",
		[SIZES] = "histogram",
	};

	buffer_add_string(b, "# HELP ");
	add_metric_name(b, row, "");
	buffer_printf(b, " %s\n# TYPE ", row->meaning);
	add_metric_name(b, row, "");
	buffer_printf(b, " %s\n", types[row->kind]);
}

static void add_scaled(struct buffer *b, const struct row *row, int64_t value)
{
	if (row->kind == SECONDS)
		buffer_printf(b, "%" PRId64 ".%06d", value / 1000000,
		              (int)(value % 1000000));
	else
		buffer_add_integer(b, value);
}

static void add_histogram(struct buffer *b, const struct row *row,
                          const struct series *series)
{
	const int64_t *bounds = row->kind == SECONDS ? bounds_us : bounds_of_sizes;
	int64_t count = 0;

	for (size_t i = 0; i <= BUCKETS; i++) {
		count += atomic_load_explicit(&series->buckets[i],
		                              memory_order_relaxed);
		add_metric_name(b, row, "_bucket{le=\"");
		if (i < BUCKETS)
			add_scaled(b, row, bounds[i]);
		else
			buffer_add_string(b, "+Inf");
		buffer_printf(b, "\"} %" PRId64 "\n", count);
	}
	add_metric_name(b, row, "_sum ");
	add_scaled(b, row,
	           atomic_load_explicit(&series->value, memory_order_relaxed));
	buffer_add_string(b, "\n");
	add_metric_name(b, row, "_count ");
	buffer_printf(b, "%" PRId64 "\n", count);
}

static void add_value(struct buffer *b, const struct row *row, int64_t value)
{
	add_metric_name(b, row, "");
	if (row->labels[0] != '\0')
		buffer_printf(b, "{%s}", row->labels);
	buffer_printf(b, " %" PRId64 "\n", value);
}

void metrics_render(enum metrics_program program, struct buffer *b)
{
	const char *name = "";

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct row *row = &rows[i];

		if (row->program != program)
			continue;
		if (strcmp(row->name, name) != 0)
			add_head(b, row);
		name = row->name;
		if (row->kind == SECONDS || row->kind == SIZES)
			add_histogram(b, row, &all[i]);
		else
			add_value(b, row, metrics_value((enum metric)i));
	}
}
