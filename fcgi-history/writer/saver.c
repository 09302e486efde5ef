#include "writer/saver.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/journal.h"
#include "base/memory.h"
#include "bus/bus.h"
#include "bus/bus_watch.h"
#include "codec/frame.h"
#include "metrics/metrics.h"
#include "store/store.h"

struct saver {
	const struct settings *settings;
	struct store *store;
	struct bus *bus; /* NULL: none */
	const char *bus_address;
	struct bus_watch *watch; /* for others; NULL: there is no bus */
	uint32_t log;    /* of the last commit */
	struct buffer frame;
	struct append *appends;
	size_t appends_room;
	bool failing; /* the last use of the store failed */
	struct named_complaint about_refused; /* by room */
};

struct saver *saver_new(const struct settings *settings, const char *bus_address,
                        struct buffer *error)
{
	struct saver *saver = memory_get(sizeof *saver);

	saver->settings = settings;
	saver->bus_address = bus_address;
	saver->store = store_new(&settings->store, STORE_WRITE, error);
	if (saver->store != NULL && bus_address[0] != '\0')
		saver->bus = bus_publish_on(bus_address, error);
	if (saver->bus != NULL)
		saver->watch = bus_watch_new(&settings->bus.subscribe,
		                             bus_address);
	if (error->size == 0)
		return saver;
	saver_free(saver);
	return NULL;
}

void saver_free(struct saver *saver)
{
	if (saver == NULL)
		return;
	store_free(saver->store);
	bus_free(saver->bus);
	bus_watch_free(saver->watch);
	buffer_release(&saver->frame);
	free(saver->appends);
	free(saver);
}

bool saver_start(struct saver *saver)
{
	struct buffer found = {0};
	bool is_worth_it = store_is_worth_a_start(saver->store, &found);

	buffer_release(&found);
	if (!is_worth_it)
		return false;
	saver_check(saver);
	return !saver->failing || !store_is_hopeless(saver->store);
}

static void note_success(struct saver *saver, bool good)
{
	if (good && saver->failing)
		journal_info("the database can be used again");
	saver->failing = !good;
}

static void look_for_others(struct saver *saver)
{
	if (saver->watch != NULL && bus_watch_is_due(saver->watch))
		store_visit_buses(saver->store, saver->bus_address,
		                  bus_watch_see, saver->watch);
}

void saver_check(struct saver *saver)
{
	bool failing = !store_connect(saver->store);

	if (failing && !saver->failing)
		journal_error("can't open the database %s: %s",
		              saver->settings->store.url,
		              store_error(saver->store));
	note_success(saver, !failing);
	if (failing)
		return;
	store_tend(saver->store);
	look_for_others(saver);
}

bool saver_probe(struct saver *saver, struct buffer *why)
{
	bool good = store_probe(saver->store);

	if (!good)
		buffer_add_string(why, store_error(saver->store));
	return good;
}

static void publish_frame(struct saver *saver)
{
	if (saver->frame.size == 0)
		return;
	bus_send(saver->bus, buffer_text(&saver->frame));
	buffer_clear(&saver->frame);
	metrics_add(METRIC_HISTORY_FRAMES, 1);
}

/* A message that is too large for a frame, or does not follow the previous one, is
 * not published; longroom-pushd reads it from the log. */
static void add_to_frame(struct saver *saver, const struct message *m)
{
	if (saver->frame.size > FRAME_FULL_BYTES)
		publish_frame(saver);
	if (saver->frame.size == 0)
		frame_begin(&saver->frame, saver->log);
	if (!frame_add(&saver->frame, m))
		journal_warning("message too large for a bus frame, delivered from "
		                "the log: msg_id=%" PRId64, m->id);
}

static void publish(struct saver *saver, struct save **saves, size_t count)
{
	if (saver->bus == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		if (saves[i]->outcome == SAVE_SAVED ||
		    saves[i]->outcome == SAVE_BROADCAST)
			add_to_frame(saver, saves[i]->message);
	publish_frame(saver);
}

/* Returns the outcome for a message that can't be saved, or must not be. */
static enum save_outcome unsaved(const struct saver *saver,
                                 const struct save *save)
{
	if (saver->bus == NULL || (!save->ephemeral && save->reject_unsaved))
		return SAVE_FAILED;
	return SAVE_BROADCAST;
}

static void tell_unsaved(const struct message *m, const char *why)
{
	journal_error("Failed to save message to database: %s: room_id=%.*s", why,
	              TEXT_ARGS(room_name_label(&m->room)));
}

static void tell_refused(struct saver *saver, const struct append *append)
{
	const struct message *m = append->message;
	int64_t left_out;

	if (!named_complaint_is_due(&saver->about_refused,
	                            room_name_text(&m->room), &left_out))
		return;
	tell_unsaved(m, append->why);
	if (left_out > 0)
		journal_error("Failed to save message to database: suppressed=%"
		              PRId64, left_out);
}

static void set_outcomes(struct saver *saver, struct save **saves, size_t count,
                         bool saved)
{
	static const enum save_outcome by_append[] = {
		[APPEND_SAVED] = SAVE_SAVED,
		[APPEND_REPEATED] = SAVE_REPEATED,
		[APPEND_CONFLICT] = SAVE_CONFLICT,
	};
	const struct append *next = saver->appends;

	for (size_t i = 0; i < count; i++) {
		const struct append *append =
			!saves[i]->ephemeral && saved ? next++ : NULL;

		if (append != NULL && append->outcome != APPEND_REFUSED) {
			saves[i]->outcome = by_append[append->outcome];
			continue;
		}
		saves[i]->outcome = unsaved(saver, saves[i]);
		if (append != NULL)
			tell_refused(saver, append);
		else if (!saves[i]->ephemeral)
			tell_unsaved(saves[i]->message, store_error(saver->store));
	}
}

static void count_outcomes(struct save **saves, size_t count)
{
	static const enum metric metrics[] = {
		[SAVE_SAVED] = METRIC_HISTORY_SAVED,
		[SAVE_REPEATED] = METRIC_HISTORY_REPEATED,
		[SAVE_CONFLICT] = METRIC_HISTORY_CONFLICT,
		[SAVE_BROADCAST] = METRIC_HISTORY_UNSAVED,
		[SAVE_FAILED] = METRIC_HISTORY_FAILED,
	};

	for (size_t i = 0; i < count; i++) {
		bool is_sent_signal = saves[i]->outcome == SAVE_BROADCAST &&
		                      saves[i]->message->is_signal;

		metrics_add(is_sent_signal ? METRIC_HISTORY_SIGNALS
		                           : metrics[saves[i]->outcome], 1);
	}
}

static bool append_batch(struct saver *saver, size_t count)
{
	int64_t began_us = clock_monotonic_us();
	bool saved = store_append(saver->store, saver->appends, count,
	                          &saver->log);

	metrics_observe(METRIC_HISTORY_COMMITS, clock_monotonic_us() - began_us);
	if (saved)
		metrics_observe(METRIC_HISTORY_BATCHES, (int64_t)count);
	note_success(saver, saved);
	return saved;
}

static void reserve_appends(struct saver *saver, size_t count)
{
	if (saver->appends_room >= count)
		return;
	saver->appends = memory_resize(saver->appends,
	                               count * sizeof *saver->appends);
	saver->appends_room = count;
}

void saver_save(struct saver *saver, struct save **saves, size_t count)
{
	size_t appends = 0;

	reserve_appends(saver, count);
	for (size_t i = 0; i < count; i++)
		if (!saves[i]->ephemeral)
			saver->appends[appends++].message = saves[i]->message;
	bool saved = appends == 0 || append_batch(saver, appends);
	set_outcomes(saver, saves, count, saved);
	publish(saver, saves, count);
	count_outcomes(saves, count);
	/* A busy writer, which is never idle, checks here. */
	if (appends > 0 && saved)
		look_for_others(saver);
}
