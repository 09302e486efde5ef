#include "presence/peers.h"

#include <stdlib.h>

#include "base/complaint.h"
#include "base/memory.h"
#include "metrics/metrics.h"
#include "presence/presence_frame.h"

enum { ROUNDS = 10 /* in which all who are here are told of */ };

static const int64_t never_ms = INT64_MIN / 2;

struct peer {
	uint64_t epoch; /* 0: there is none */
	int64_t heard_ms;
	int64_t ended_ms; /* never_ms: it has not said that it ends */
};

struct peers {
	struct roster *roster;
	uint64_t epoch;
	int64_t own_heard_ms;
	struct peer sources[ROSTER_SOURCES]; /* the first is not used */
	/* What is to be said this second. */
	struct presence_writer writer;
	int64_t next_ms; /* when the next second begins */
	bool has_news;
	bool is_owed; /* an empty frame */
	bool is_new_heard; /* a peer that does not know who is here */
	int64_t told_all_ms;
	size_t users_owed;
	size_t anonymous_owed;
	struct complaint about_frames;
	struct complaint about_peers;
};

struct peers *peers_new(struct roster *roster, uint64_t epoch)
{
	struct peers *peers = memory_get(sizeof *peers);

	peers->roster = roster;
	peers->epoch = epoch;
	peers->own_heard_ms = never_ms;
	peers->next_ms = peers->told_all_ms = never_ms;
	return peers;
}

void peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	presence_writer_release(&peers->writer);
	free(peers);
}

/* ---- Hearing ---- */

static unsigned find_peer(const struct peers *peers, uint64_t epoch)
{
	for (unsigned i = 1; i < ROSTER_SOURCES; i++)
		if (peers->sources[i].epoch == epoch)
			return i;
	return 0;
}

/* Returns its source; 0: there are too many. */
static unsigned meet_peer(struct peers *peers, const struct presence_frame *frame)
{
	unsigned source = find_peer(peers, frame->epoch);

	if (source != 0)
		return source;
	source = find_peer(peers, 0);
	if (source == 0) {
		complaint_warn(&peers->about_peers,
		               "presence: more than %d other longroom-pushd on "
		               "bus.subscribe: some are ignored", PEERS_MAX);
		metrics_add(METRIC_PUSHD_PRESENCE_REFUSED, 1);
		return 0;
	}
	peers->sources[source] = (struct peer){frame->epoch, never_ms, never_ms};
	peers->is_new_heard = true;
	return source;
}

static void report_count(const struct peers *peers, int64_t now_ms)
{
	size_t all = peers_count(peers, now_ms, PEERS_SILENT_MS);
	bool own = now_ms - peers->own_heard_ms <= PEERS_SILENT_MS;

	metrics_set(METRIC_PUSHD_PRESENCE_PEERS, (int64_t)all - own);
}

static void hear_statement(struct roster *roster, unsigned source,
                           const struct statement *s)
{
	switch (s->kind) {
	case STATEMENT_HERE:
		roster_enter(roster, s->room, source, &s->person);
		break;
	case STATEMENT_LEFT:
		roster_leave(roster, s->room, source, s->person.user_id);
		break;
	case STATEMENT_ANONYMOUS:
		roster_count_anonymous(roster, s->room, source, s->anonymous);
		break;
	}
}

static void hear_peer(struct peers *peers, unsigned source,
                      struct presence_frame *frame, int64_t now_ms)
{
	struct peer *peer = &peers->sources[source];
	struct statement statement;

	peer->heard_ms = now_ms;
	/* One that says more has not ended. */
	peer->ended_ms = frame->is_last ? now_ms : never_ms;
	metrics_add(METRIC_PUSHD_PRESENCE_RECEIVED, 1);
	report_count(peers, now_ms);
	if (peers->roster == NULL)
		return;
	roster_set_time(peers->roster, now_ms);
	while (presence_frame_next(frame, &statement))
		hear_statement(peers->roster, source, &statement);
}

void peers_take(struct peers *peers, struct text data, int64_t now_ms)
{
	struct presence_frame frame;
	unsigned source;

	if (!presence_frame_open(data, &frame)) {
		complaint_warn(&peers->about_frames,
		               "presence: dropped an unreadable frame: another "
		               "program, or another version of longroom-pushd, "
		               "publishes on bus.subscribe");
		metrics_add(METRIC_PUSHD_PRESENCE_REFUSED, 1);
		return;
	}
	if (frame.epoch == peers->epoch) {
		peers->own_heard_ms = now_ms;
		return;
	}
	source = meet_peer(peers, &frame);
	if (source != 0)
		hear_peer(peers, source, &frame, now_ms);
}

size_t peers_count(const struct peers *peers, int64_t now_ms, int64_t within_ms)
{
	int64_t since_ms = now_ms - within_ms;
	size_t count = peers->own_heard_ms >= since_ms;

	for (unsigned i = 1; i < ROSTER_SOURCES; i++)
		count += peers->sources[i].epoch != 0 &&
		         peers->sources[i].heard_ms >= since_ms;
	return count;
}

/* ---- Forgetting ---- */

static bool peer_is_over(const struct peer *peer, int64_t now_ms)
{
	return now_ms - peer->heard_ms >= PEERS_FORGET_MS ||
	       (peer->ended_ms != never_ms &&
	        now_ms - peer->ended_ms >= PEERS_RETURN_MS);
}

/* What the peer said of users before this time no longer holds. */
static int64_t users_hold_from(const struct peer *peer, int64_t now_ms)
{
	return peer_is_over(peer, now_ms) ? now_ms + 1 : now_ms - PEERS_FORGET_MS;
}

static int64_t anonymous_hold_from(const struct peer *peer, int64_t now_ms)
{
	return peer->ended_ms != never_ms || now_ms - peer->heard_ms >= PEERS_SILENT_MS
	               ? now_ms + 1 : now_ms - PEERS_FORGET_MS;
}

/* Returns how much of `most` is left; 0: there may be more to forget. */
static size_t forget_peer(struct peers *peers, unsigned source, int64_t now_ms,
                          size_t most)
{
	struct peer *peer = &peers->sources[source];

	if (peers->roster != NULL) {
		most -= roster_expire_anonymous(
			peers->roster, source, anonymous_hold_from(peer, now_ms),
			most);
		most -= roster_expire_users(
			peers->roster, source, users_hold_from(peer, now_ms), most);
	}
	if (most > 0 && peer_is_over(peer, now_ms))
		*peer = (struct peer){0};
	return most;
}

int64_t peers_forget(struct peers *peers, int64_t now_ms)
{
	size_t most = PEERS_FORGET_AT_ONCE;

	for (unsigned i = 1; i < ROSTER_SOURCES && most > 0; i++)
		if (peers->sources[i].epoch != 0)
			most = forget_peer(peers, i, now_ms, most);
	report_count(peers, now_ms);
	return most > 0 ? PEERS_SECOND_MS : PEERS_PAUSE_MS;
}

/* ---- Saying ---- */

static size_t a_tenth(size_t count)
{
	return (count + ROUNDS - 1) / ROUNDS;
}

/* Whether to tell a new peer everything at once. Strangers could make new ones all the
 * time, so only so often. */
static bool is_all_wanted(struct peers *peers, int64_t now_ms)
{
	if (!peers->is_new_heard || now_ms - peers->told_all_ms < PEERS_ALL_MS)
		return false;
	peers->is_new_heard = false;
	peers->told_all_ms = now_ms;
	return true;
}

static void begin_second(struct peers *peers, int64_t now_ms)
{
	size_t users = roster_users_here(peers->roster);
	size_t rooms = roster_anonymous_here(peers->roster);
	bool all = is_all_wanted(peers, now_ms);

	peers->next_ms = now_ms + PEERS_SECOND_MS;
	peers->has_news = true;
	peers->is_owed = true;
	peers->users_owed = all ? users : a_tenth(users);
	peers->anonymous_owed = all || rooms < PEERS_ANONYMOUS_AT_ONCE ? rooms
	                        : a_tenth(rooms) < PEERS_ANONYMOUS_AT_ONCE
	                                ? PEERS_ANONYMOUS_AT_ONCE
	                                : a_tenth(rooms);
}

/* False: all of this second has been said. */
static bool next_statement(struct peers *peers, struct statement *statement)
{
	if (peers->has_news && roster_take_news(peers->roster, statement))
		return true;
	peers->has_news = false;
	if (peers->users_owed > 0) {
		peers->users_owed--;
		if (roster_take_user(peers->roster, statement))
			return true;
		peers->users_owed = 0;
	}
	if (peers->anonymous_owed > 0) {
		peers->anonymous_owed--;
		if (roster_take_anonymous(peers->roster, statement))
			return true;
		peers->anonymous_owed = 0;
	}
	return false;
}

int64_t peers_say(struct peers *peers, int64_t now_ms, struct text *frame)
{
	struct presence_writer *writer = &peers->writer;
	struct statement statement;
	bool said = false, more = true;

	*frame = (struct text){NULL, 0};
	if (now_ms >= peers->next_ms)
		begin_second(peers, now_ms);
	presence_frame_begin(writer, peers->epoch, false);
	while (writer->bytes.size < PRESENCE_FRAME_FULL_BYTES &&
	       (more = next_statement(peers, &statement))) {
		presence_frame_add(writer, &statement);
		said = true;
	}
	if (said || peers->is_owed) {
		peers->is_owed = false;
		*frame = buffer_text(&writer->bytes);
		metrics_add(METRIC_PUSHD_PRESENCE_SENT, 1);
	}
	return more ? PEERS_PAUSE_MS : peers->next_ms - now_ms;
}

struct text peers_say_end(struct peers *peers)
{
	presence_frame_begin(&peers->writer, peers->epoch, true);
	metrics_add(METRIC_PUSHD_PRESENCE_SENT, 1);
	return buffer_text(&peers->writer.bytes);
}
