#include "poll/stream.h"

#include <stdlib.h>

#include "base/draw.h"
#include "base/memory.h"
#include "loop/turn.h"
#include "metrics/metrics.h"
#include "poll/bounds.h"
#include "poll/events.h"
#include "poll/here.h"
#include "poll/stream_bytes.h"

enum {
	CURSOR_MS = 15000,  /* after so long a silence, the cursor's move is told */
	SILENCE_MS = 25000, /* ... or a comment sent */
	/* How long after a silence it waits for its read of the log. */
	STREAM_OVERDUE_MS = 15000,
	/* EventSource waits for the same time after each end: a thousand clients
	 * would come back at once. */
	READY_RETRY_LEAST_MS = 1000,
	READY_RETRY_MOST_MS = 3000,
	LIFE_RETRY_MS = 100,
};

enum end_reason { END_LIFE, END_SHUTDOWN, END_TOKEN_EXPIRED };

static const struct {
	const char *name;
	enum metric metric;
} end_reasons[] = {
	[END_LIFE] = {"life", METRIC_PUSHD_STREAMS_ENDED_LIFE},
	[END_SHUTDOWN] = {"shutdown", METRIC_PUSHD_STREAMS_ENDED_SHUTDOWN},
	[END_TOKEN_EXPIRED] = {"token-expired",
                               METRIC_PUSHD_STREAMS_ENDED_TOKEN_EXPIRED},
};

/* ---- Time ---- */

static uint32_t stream_now_ms(const struct poll *poll)
{
	return (uint32_t)poll_now(poll)->steady_ms;
}

static int32_t silent_ms(const struct poll *poll)
{
	return (int32_t)(stream_now_ms(poll) - poll->stream->sent_ms);
}

static int32_t life_left_ms(const struct poll *poll)
{
	return (int32_t)(poll->stream->end_ms - stream_now_ms(poll));
}

static int64_t draw_life_ms(const struct settings *settings)
{
	int64_t most_ms = settings_stream_life(settings);

	return most_ms - draw_below(most_ms / 6 + 1);
}

static void set_due_within(struct poll *poll, int64_t ms)
{
	int64_t left_ms = life_left_ms(poll);
	int64_t due_ms = poll_now(poll)->steady_ms + (left_ms < ms ? left_ms : ms);

	connection_set_due(&poll->connection,
	                   bounds_not_beyond_expiry(poll, due_ms));
}

/* Nothing that is sent postpones the deadline. When it comes, it is found out how long
 * the silence was. */
static void set_next_due(struct poll *poll)
{
	int32_t silence = silent_ms(poll);

	set_due_within(poll, (silence < CURSOR_MS ? CURSOR_MS : SILENCE_MS) -
	                             silence);
}

/* ---- Asking ---- */

static void stream_end(struct poll *poll, enum end_reason reason, int64_t retry_ms)
{
	struct buffer events = {0};

	events_add_end(&events, &poll->waiter.cursor, end_reasons[reason].name,
	               retry_ms);
	metrics_add(end_reasons[reason].metric, 1);
	stream_finish(poll, buffer_text(&events));
	buffer_release(&events);
}

static void end_for_shutdown(struct poll *poll)
{
	stream_end(poll, END_SHUTDOWN,
	           hub_draw_retry_ms(polls_of(poll)->hub));
}

static void ask_once(struct poll *poll)
{
	poll->is_overdue = false;
	poll->waiter.must_answer = !poll->is_ready;
	if (poll->is_ready && poll->connection.transport->draining)
		end_for_shutdown(poll);
	else
		hub_ask(polls_of(poll)->hub, &poll->waiter, poll->stream->feed);
}

/* If the kernel does not take even this, the waiter leaves until it does. */
static void begin_with_comment(struct poll *poll)
{
	struct answer *piece = stream_begin_with(poll, text_of(events_comment), NULL);

	if (!stream_send(poll, piece))
		hub_leave(polls_of(poll)->hub, &poll->waiter);
}

static bool is_waiting_in_hub(const struct poll *poll)
{
	return poll->stream != NULL && poll->waiter.state != WAITER_IDLE;
}

/* Asks until the hub or the client has to be waited for. The hub may answer within
 * hub_ask(), and that answer ask for the next; a client far behind gets page after page.
 * So that the stack does not grow with them, an inner call leaves it to the outer one.
 * The shares of turn.h limit what is done at a time. */
static void stream_ask(struct poll *poll)
{
	struct hub *hub = polls_of(poll)->hub;

	poll->wants_more = true;
	if (poll->is_asking)
		return;
	poll->is_asking = true;
	while (poll->wants_more) {
		poll->wants_more = false;
		ask_once(poll);
	}
	poll->is_asking = false;
	if (is_waiting_in_hub(poll) && !poll->is_begun)
		begin_with_comment(poll);
	if (is_waiting_in_hub(poll) && poll->connection.transport->draining)
		hub_drain_waiter(hub, &poll->waiter);
}

static struct stream *stream_new(const struct poll *poll,
                                 const struct poll_request *request,
                                 struct feed *feed)
{
	const struct polls *polls = polls_of(poll);
	struct stream *stream = memory_get(sizeof *stream);
	uint32_t now_ms = stream_now_ms(poll);

	stream->feed = feed;
	hub_hold_again(polls->hub, feed);
	events_add_about(&stream->about, &request->rooms,
	                 buffer_text(&feed->forbidden),
	                 &polls->settings->rooms.ephemeral);
	stream->sent_ms = now_ms;
	stream->end_ms = now_ms + (uint32_t)draw_life_ms(polls->settings);
	return stream;
}

void stream_begin(struct poll *poll, const struct poll_request *request,
                  const struct pass *pass)
{
	poll->stream = stream_new(poll, request, pass->feed);
	poll->headers = pass->headers;
	poll->expires = pass->expires;
	poll->is_begun = poll->is_ready = poll->has_ended = false;
	poll->waiter.from_now = request->terms.from_now;
	poll->waiter.cursor = request->terms.cursor;
	poll->waiter.is_patient = false;
	metrics_add(METRIC_PUSHD_STREAMS_BEGUN, 1);
	metrics_add(METRIC_PUSHD_STREAMS, 1);
	bounds_start_counting(poll, pass->user);
	if (pass->attendance != NULL)
		here_begin(poll, pass->attendance, &request->terms);
	connection_forget_head(&poll->connection);
	connection_park(&poll->connection, poll_now(poll)->steady_ms + CURSOR_MS);
	set_next_due(poll);
	stream_ask(poll);
}

void stream_release(struct poll *poll)
{
	if (!poll->has_ended)
		metrics_add(METRIC_PUSHD_STREAMS_ENDED_CLIENT, 1);
	metrics_add(METRIC_PUSHD_STREAMS, -1);
	poll->wants_more = false;
	hub_drop_feed(polls_of(poll)->hub, poll->stream->feed);
	buffer_release(&poll->stream->about);
	free(poll->stream);
	poll->stream = NULL;
	poll->waiter.is_patient = true;
}

/* ---- The hub's answers ---- */

/* All of the delivery is about to be sent. */
static void pass_delivery(struct poll *poll, const struct delivery *delivery)
{
	size_t count = (size_t)delivery->count;

	poll->waiter.cursor = delivery->cursor;
	poll->stream->sent_id =
		count > 0 && !delivery->reset
			? delivery->items[count - 1].id
			: delivery->cursor.id;
}

static bool send_news(struct poll *poll, struct delivery *delivery)
{
	struct answer *chunk = events_of(delivery, &polls_of(poll)->scratch);

	pass_delivery(poll, delivery);
	return stream_send(poll, answer_ref(chunk));
}

/* Where the client stands. If its cursor can't be followed, it stays a cursor that can't:
 * a client that comes back before it has the newest page gets that then. */
static struct cursor place_of(const struct poll *poll,
                              const struct delivery *delivery)
{
	struct cursor place = poll->waiter.cursor;

	if (!place.names_log) {
		place.names_log = true;
		place.log = delivery->cursor.log;
	}
	return place;
}

static bool send_ready(struct poll *poll, const struct delivery *delivery,
                       const struct answer *chunk)
{
	struct cursor place = place_of(poll, delivery);
	struct buffer events = {0};
	unsigned retry_ms =
		READY_RETRY_LEAST_MS +
		(unsigned)draw_below(READY_RETRY_MOST_MS - READY_RETRY_LEAST_MS + 1);

	events_add_ready(&events, buffer_text(&poll->stream->about), delivery,
	                 &place, retry_ms);
	buffer_release(&poll->stream->about);
	struct answer *piece = stream_begin_with(poll, buffer_text(&events), chunk);
	buffer_release(&events);
	poll->is_ready = true;
	if (poll->visit != NULL)
		visit_ask(poll->visit);
	if (chunk != NULL) {
		pass_delivery(poll, delivery);
	} else if (!delivery_is_news(delivery)) {
		poll->waiter.cursor = delivery->cursor;
		poll->stream->sent_id = place.id;
	}
	return stream_send(poll, piece);
}

/* What is short leaves with the head and `ready` in one send. A long page is shared, not
 * copied; if the client does not take `ready`, it asks for the page again. */
static bool send_first(struct poll *poll, struct delivery *delivery)
{
	struct answer *chunk = NULL;

	if (delivery_is_news(delivery))
		chunk = events_of(delivery, &polls_of(poll)->scratch);
	if (chunk == NULL || chunk->size <= TURN_LONG_BYTES)
		return send_ready(poll, delivery, chunk);
	return send_ready(poll, delivery, NULL) && send_news(poll, delivery);
}

/* There was silence: says that the cursor has moved, or that the stream is alive. */
static bool break_silence(struct poll *poll, struct delivery *delivery)
{
	struct answer *chunk = NULL;

	poll->waiter.cursor = delivery->cursor;
	if (poll->stream->sent_id != delivery->cursor.id) {
		poll->stream->sent_id = delivery->cursor.id;
		chunk = answer_ref(
			events_of(delivery, &polls_of(poll)->scratch));
	} else if (silent_ms(poll) >= SILENCE_MS) {
		chunk = answer_chunk(text_of(events_comment));
	}
	if (chunk != NULL && !stream_send(poll, chunk))
		return false;
	set_next_due(poll);
	return true;
}

void stream_take_delivery(struct poll *poll, struct delivery *delivery)
{
	bool is_written;

	if (bounds_have_expired(poll)) {
		stream_end(poll, END_TOKEN_EXPIRED, 0);
		return;
	}
	if (delivery->retry_ms > 0) {
		poll->waiter.cursor = delivery->cursor;
		stream_end(poll, END_SHUTDOWN, delivery->retry_ms);
		return;
	}
	if (!poll->is_ready)
		is_written = send_first(poll, delivery);
	else if (delivery_is_news(delivery))
		is_written = send_news(poll, delivery);
	else
		is_written = break_silence(poll, delivery);
	if (is_written)
		stream_ask(poll);
}

void stream_take_refusal(struct poll *poll, struct problem problem)
{
	struct buffer events = {0};

	if (bounds_have_expired(poll)) {
		stream_end(poll, END_TOKEN_EXPIRED, 0);
		return;
	}
	metrics_count_refusal(METRICS_pushd, problem.type);
	metrics_add(METRIC_PUSHD_STREAMS_ENDED_PROBLEM, 1);
	events_add_problem(&events, &poll->waiter.cursor, &problem);
	stream_finish(poll, buffer_text(&events));
	buffer_release(&events);
}

/* A stream that is being written is told later; one that has expired ends soon. */
bool stream_tell(struct poll *poll, struct watched *room)
{
	if (!poll->is_ready || bounds_have_expired(poll) ||
	    !hub_take_parked(polls_of(poll)->hub, &poll->waiter))
		return false;
	struct answer *chunk = events_of_presence(room, &poll->waiter.cursor,
	                                          &polls_of(poll)->scratch);
	poll->stream->sent_id = poll->waiter.cursor.id;
	if (stream_send(poll, answer_ref(chunk)))
		stream_ask(poll);
	return true;
}

/* ---- The transport's events ---- */

/* True: it has ended. */
static bool ends_by_time(struct poll *poll)
{
	bool has_expired = bounds_have_expired(poll);

	if (!has_expired && life_left_ms(poll) > 0)
		return false;
	if (has_expired)
		stream_end(poll, END_TOKEN_EXPIRED, 0);
	else
		stream_end(poll, END_LIFE, LIFE_RETRY_MS);
	return true;
}

void stream_go_on(struct poll *poll)
{
	if (ends_by_time(poll))
		return;
	poll->stream->sent_ms = stream_now_ms(poll);
	set_next_due(poll);
	stream_ask(poll);
}

void stream_expire(struct poll *poll)
{
	struct hub *hub = polls_of(poll)->hub;

	if (ends_by_time(poll))
		return;
	if (silent_ms(poll) < CURSOR_MS) {
		set_next_due(poll);
		return;
	}
	if (poll->is_overdue) {
		hub_give_up(hub, &poll->waiter);
		return;
	}
	set_due_within(poll, STREAM_OVERDUE_MS);
	/* An empty delivery, now or when its read of the log is back. */
	if (!hub_time_out(hub, &poll->waiter))
		poll->is_overdue = true;
}

void stream_heed_clock(struct poll *poll)
{
	struct connection *c = &poll->connection;

	if (!ends_by_time(poll))
		connection_set_due(c, bounds_not_beyond_expiry(
					      poll, c->deadline.due_ms));
}

/* A stream without a cursor that can be told waits for its delivery. */
void stream_drain(struct poll *poll)
{
	hub_drain_waiter(polls_of(poll)->hub, &poll->waiter);
}
