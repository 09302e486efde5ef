#include "writer/writer.h"

#include <stdlib.h>

#include "base/memory.h"
#include "metrics/metrics.h"
#include "os/thread.h"

enum {
	BATCH_MAX = 1024, /* messages a commit */
	CHECK_MS = 1000,  /* how often an idle writer looks after the database */
};

struct writer {
	struct saver *saver;
	struct save_queue *waiting, *saved;
	pthread_t thread;
};

/* One probe answers all of them. */
static void answer_probes(struct writer *writer, struct save *first)
{
	struct buffer why = {0};
	bool good = saver_probe(writer->saver, &why);

	for (struct save *save = first; save != NULL; save = save->next) {
		if (save->message != NULL)
			continue;
		save->outcome = good ? SAVE_SAVED : SAVE_FAILED;
		buffer_add_text(save->why, buffer_text(&why));
	}
	buffer_release(&why);
}

/* Messages in one transaction. */
static void save_batch(struct writer *writer, struct save *first)
{
	struct save *saves[BATCH_MAX], *last = first;
	size_t count = 0, probes = 0;

	for (struct save *save = first; save != NULL; save = save->next) {
		if (save->message != NULL)
			saves[count++] = save;
		else
			probes++;
		last = save;
	}
	metrics_add(METRIC_HISTORY_QUEUED, -(int64_t)(count + probes));
	if (count > 0)
		saver_save(writer->saver, saves, count);
	if (probes > 0)
		answer_probes(writer, first);
	save_queue_put(writer->saved, first, last);
}

static void *write_until_stopped(void *argument)
{
	struct writer *writer = argument;
	bool ended = false;

	while (!ended) {
		struct save *batch = save_queue_take(writer->waiting, BATCH_MAX,
		                                     CHECK_MS, &ended);

		if (batch != NULL)
			save_batch(writer, batch);
		else if (!ended)
			saver_check(writer->saver);
	}
	return NULL;
}

struct writer *writer_start(struct saver *saver, struct save_queue *saved)
{
	struct writer *writer = memory_get(sizeof *writer);

	writer->saver = saver;
	writer->waiting = save_queue_new();
	writer->saved = saved;
	writer->thread = thread_start(write_until_stopped, writer);
	return writer;
}

void writer_stop(struct writer *writer)
{
	save_queue_end(writer->waiting);
	pthread_join(writer->thread, NULL);
	save_queue_free(writer->waiting);
	free(writer);
}

void writer_put(struct writer *writer, struct save *save)
{
	metrics_add(METRIC_HISTORY_QUEUED, 1);
	save_queue_put(writer->waiting, save, save);
}
