#include "http/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "http/answer.h"
#include "loop/turn.h"
#include "metrics/metrics.h"

enum {
	RECEIVE_BYTES = 16 * 1024,
	SPARE_BYTES = 4 * 1024,
	/* A client that reads this much in limits.write_timeout gets that time
	 * again. */
	PROGRESS_BYTES = 64 * 1024,
	/* A request that has not come whole when we end has so long. */
	DRAIN_MS = 2000,
};

static void process_input(struct connection *c, struct text data);

static void set_due_in(struct connection *c, int64_t ms)
{
	connection_set_due(c, c->transport->now.steady_ms + ms);
}

/* Whether the application has the connection's request. */
static bool is_with_application(const struct connection *c)
{
	return c->state == CONNECTION_PARKED ||
	       (c->state == CONNECTION_WRITING && c->is_streaming);
}

/* The only function that changes a connection's state. A caller that parks a
 * connection sets its deadline. */
static void enter(struct connection *c, enum connection_state state)
{
	bool was_with_application = is_with_application(c);

	c->state = state;
	if (state == CONNECTION_DEAD)
		deadline_clear(&c->deadline);
	else if (state == CONNECTION_HEAD && c->transport->draining)
		set_due_in(c, DRAIN_MS);
	else if (state != CONNECTION_PARKED)
		set_due_in(c, c->transport->timeouts_ms[state]);
	if (was_with_application && !is_with_application(c))
		c->transport->handlers->unparked(c);
}

void connection_park(struct connection *c, int64_t due_ms)
{
	enter(c, CONNECTION_PARKED);
	connection_set_due(c, due_ms);
}

void connection_close(struct connection *c)
{
	if (c->state == CONNECTION_DEAD)
		return;
	close(c->fd);
	unread_end(&c->transport->unread, &c->reader);
	/* Freed now, not at the end of the loop's turn: in one turn a thousand
	 * connections may be closed for a thousand others. */
	answer_unref(c->answer);
	c->answer = NULL;
	c->transport->count--;
	list_append(&c->transport->dead, &c->all);
	list_remove(&c->put_off);
	enter(c, CONNECTION_DEAD);
}

void connection_free(struct connection *c)
{
	list_remove(&c->all);
	request_parser_free(c->request);
	buffer_release(&c->input);
	free(c);
}

static void linger(struct connection *c)
{
	shutdown(c->fd, SHUT_WR);
	buffer_release(&c->input);
	enter(c, CONNECTION_LINGERING);
}

/* Most requests come in one piece, so one parser serves them all. */
static struct request_parser *take_parser(struct transport *transport)
{
	struct request_parser *spare = transport->spare;

	transport->spare = NULL;
	return spare != NULL ? spare : request_parser_new();
}

void connection_forget_head(struct connection *c)
{
	struct request_parser *request = c->request;

	c->request = NULL;
	if (request != NULL && c->transport->spare == NULL &&
	    request->head.bytes.capacity <= SPARE_BYTES)
		c->transport->spare = request;
	else
		request_parser_free(request);
}

static void start_head(struct connection *c)
{
	c->request = take_parser(c->transport);
	request_parser_start(c->request);
	c->is_head = false;
	enter(c, CONNECTION_HEAD);
}

static bool has_unread(const struct connection *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK) > 0;
}

/* The answer is written: continues with the next request, or ends the connection. If
 * it closes only because the program shuts down, it is closed at once, since the
 * client has sent all of its request. The kernel has the answers, so the program
 * need not wait until ten thousand clients have read theirs. */
static void finish_request(struct connection *c)
{
	bool is_last = c->transport->draining && !c->closes && !has_unread(c);
	bool closes = c->closes || c->answer->closes || c->transport->draining;

	answer_unref(c->answer);
	c->answer = NULL;
	if (is_last) {
		connection_close(c);
		return;
	}
	if (closes) {
		linger(c);
		return;
	}
	c->is_kept = true;
	enter(c, CONNECTION_IDLE);
}

/* A piece that was written at once changes neither state nor deadline. */
static void finish_piece(struct connection *c)
{
	answer_unref(c->answer);
	c->answer = NULL;
	if (c->state == CONNECTION_PARKED)
		return;
	enter(c, CONNECTION_PARKED);
	c->transport->handlers->written(c);
}

/* Memory for answers is limited: closes the clients that have read nothing for
 * longest. */
static void cut_slowest_readers(struct transport *transport)
{
	if (transport->unread.bytes > transport->unread_bytes)
		complaint_warn(&transport->about_unread,
		               "limits.unread exceeded: disconnecting the slowest "
		               "readers: connections=%zu",
		               transport->count);
	while (transport->unread.bytes > transport->unread_bytes) {
		struct unread_reader *slowest = unread_slowest(&transport->unread);

		metrics_add(METRIC_PUSHD_CUT_UNREAD, 1);
		connection_close(LIST_OWNER(slowest, struct connection, reader));
	}
}

/* Gives a client on a slow line the time to finish a long page, which would be as
 * long the next time. A client that reads a byte now and then does not qualify. */
static void note_progress(struct connection *c)
{
	if (c->written - c->progress < PROGRESS_BYTES)
		return;
	c->progress = c->written;
	unread_go_on(&c->transport->unread, &c->reader);
	set_due_in(c, c->transport->timeouts_ms[CONNECTION_WRITING]);
}

static void be_writing(struct connection *c)
{
	if (c->state == CONNECTION_WRITING) {
		note_progress(c);
		return;
	}
	c->progress = c->written;
	c->is_watched = false;
	enter(c, CONNECTION_WRITING);
	unread_begin(&c->transport->unread, &c->reader, c->answer);
	cut_slowest_readers(c->transport);
}

/* Waits until the client has read enough to make room. */
static void wait_to_write(struct connection *c)
{
	be_writing(c);
	if (c->state != CONNECTION_WRITING || c->is_watched)
		return;
	c->is_watched = true;
	poller_watch_writing(&c->transport->poller, c->fd, c, true);
}

static void put_off(struct connection *c)
{
	list_append(&c->transport->put_off, &c->put_off);
}

/* Returns how much of the rest of an answer may be written in this turn. A short
 * rest is always written. */
static size_t share_to_write(const struct connection *c, size_t left)
{
	int64_t most = c->transport->write_left;

	if (left <= TURN_LONG_BYTES)
		return left;
	if (most <= 0)
		return 0;
	return left < (size_t)most ? left : (size_t)most;
}

/* False: the socket takes no more now, or ever. */
static bool write_some(struct connection *c, size_t size, bool is_long)
{
	ssize_t sent = send(c->fd, c->answer->data + c->written, size,
	                    MSG_NOSIGNAL);

	if (sent >= 0) {
		c->written += (uint32_t)sent;
		if (is_long)
			c->transport->write_left -= sent;
		return true;
	}
	if (errno == EINTR)
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		wait_to_write(c);
	else
		connection_close(c);
	return false;
}

/* Where the bytes end that this client gets. */
static size_t end_of_answer(const struct connection *c)
{
	const struct answer *answer = c->answer;

	/* HEAD gets the head alone (RFC 9110 section 9.3.2). */
	if (c->is_head)
		return answer->head_size;
	if (answer->is_chunk && !c->takes_chunks)
		return answer->head_size + answer_content(answer).size;
	return answer->size;
}

/* Writes as much as possible and permitted. The rest follows when the client has
 * read, or in a later turn. */
static void write_answer(struct connection *c)
{
	size_t size = end_of_answer(c);

	while (c->written < size) {
		size_t left = size - c->written;
		size_t share = share_to_write(c, left);

		if (share == 0) {
			be_writing(c);
			if (c->state == CONNECTION_WRITING)
				put_off(c);
			return;
		}
		if (!write_some(c, share, left > TURN_LONG_BYTES))
			return;
	}
	if (c->state == CONNECTION_WRITING) {
		if (c->is_watched)
			poller_watch_writing(&c->transport->poller, c->fd, c,
			                     false);
		unread_end(&c->transport->unread, &c->reader);
	}
	if (c->is_streaming)
		finish_piece(c);
	else
		finish_request(c);
}

static void begin_answer(struct connection *c, struct answer *answer)
{
	connection_forget_head(c);
	c->answer = answer;
	/* Shared answers have no Connection: close. */
	if (c->closes && !answer->closes) {
		c->answer = answer_closing(answer);
		answer_unref(answer);
	}
	c->written = 0;
	write_answer(c);
}

/* Continues with requests that were sent ahead; more than a few wait for a later
 * turn. Not called from within process_input(), which continues by itself. */
static void process_early_input(struct connection *c)
{
	struct buffer input = c->input;

	if (c->state != CONNECTION_IDLE || input.size == 0)
		return;
	c->input = (struct buffer){0};
	process_input(c, buffer_text(&input));
	buffer_release(&input);
}

void connection_answer(struct connection *c, struct answer *answer)
{
	/* Otherwise process_input() is on the stack and goes on by itself. */
	bool was_parked = connection_is_parked(c);

	begin_answer(c, answer);
	if (was_parked)
		process_early_input(c);
}

bool connection_stream(struct connection *c, struct answer *piece)
{
	bool is_bare = piece->is_chunk && !c->takes_chunks;

	c->is_streaming = true;
	c->answer = piece;
	c->written = is_bare ? (uint32_t)piece->head_size : 0;
	write_answer(c);
	return connection_is_parked(c);
}

void connection_end_stream(struct connection *c, struct answer *last)
{
	connection_forget_head(c);
	c->is_streaming = false;
	c->answer = last;
	c->written = 0;
	write_answer(c);
	process_early_input(c);
}

void connection_resume(struct connection *c,
                       void (*look)(struct connection *c, void *context),
                       void *context)
{
	enter(c, CONNECTION_HEAD);
	c->closes = connection_ends(c);
	look(c, context);
	process_early_input(c);
}

/* After bytes that can't be parsed no request can follow. */
static void refuse_and_close(struct connection *c, enum problem_type type,
                             const char *detail)
{
	connection_end_after(c);
	c->transport->handlers->faulty(c, (struct problem){type, detail});
}

/* The head of a request is complete. `whole` is all of it if it came in one piece,
 * otherwise empty. A request with a body closes the connection, since the body would
 * have to be read to find the next request. */
static void handle_request(struct connection *c, struct text whole)
{
	const char *complaint = request_parser_complaint(c->request);

	c->is_head = connection_method(c) == HTTP_HEAD;
	c->takes_chunks = request_parser_takes_chunks(c->request);
	c->closes = !request_parser_keeps_alive(c->request) ||
	            connection_has_body(c) || c->transport->draining;
	if (complaint != NULL)
		refuse_and_close(c, PROBLEM_BAD_REQUEST, complaint);
	else
		c->transport->handlers->requested(c, whole);
}

/* False: these bytes are not exactly a request that the application knows: parse
 * them. */
static bool is_recognised(struct connection *c, struct text data)
{
	c->closes = c->transport->draining;
	c->is_head = false;
	return c->transport->handlers->recognised(c, data);
}

/* Parses the part of data that belongs to one request; returns its size. */
static size_t parse(struct connection *c, struct text data)
{
	struct problem wrong;
	size_t used = request_parser_feed(c->request, data,
	                                  (size_t)c->transport->head_bytes,
	                                  &wrong);
	bool came_whole = used == data.size && (size_t)c->request->size == used;

	if (c->request->is_whole)
		handle_request(c, came_whole ? data : (struct text){NULL, 0});
	else if (wrong.type != PROBLEM_NONE)
		refuse_and_close(c, wrong.type, wrong.detail);
	return used;
}

/* Keeps bytes that come before the client has its answer. */
static void keep_input(struct connection *c, struct text data)
{
	size_t limit = (size_t)c->transport->head_bytes;

	if (c->input.size + data.size > limit) {
		metrics_add(METRIC_PUSHD_CUT_FLOOD, 1);
		connection_close(c);
	} else {
		buffer_add_text(&c->input, data);
	}
}

static void process_input(struct connection *c, struct text data)
{
	int requests = 0;

	while (data.size > 0 &&
	       (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD)) {
		if (c->state == CONNECTION_IDLE && ++requests > TURN_REQUESTS) {
			buffer_add_text(&c->input, data);
			put_off(c);
			return;
		}
		if (c->state == CONNECTION_IDLE && is_recognised(c, data))
			return;
		if (c->state == CONNECTION_IDLE)
			start_head(c);
		size_t used = parse(c, data);
		data.data += used;
		data.size -= used;
	}
	if (data.size > 0 &&
	    (c->state == CONNECTION_PARKED || c->state == CONNECTION_WRITING))
		keep_input(c, data);
}

/* While the client has an answer to read, its bytes stay in the kernel; so do bytes
 * after requests that were put off. */
static bool may_receive(const struct connection *c)
{
	return c->state != CONNECTION_WRITING && c->state != CONNECTION_DEAD &&
	       (c->state != CONNECTION_IDLE || c->input.size == 0);
}

/* Reads everything: epoll is edge-triggered and would not report the rest again. If
 * the peer's end was reported too, the extra read that returns 0 is needed. A client
 * that sends without end is read on in the next turn. */
static void receive(struct connection *c)
{
	char data[RECEIVE_BYTES];
	ssize_t size = sizeof data;
	int reads = 0;

	while ((size == sizeof data || c->has_ended) && may_receive(c)) {
		if (++reads > TURN_READS) {
			put_off(c);
			break;
		}
		size = recv(c->fd, data, sizeof data, 0);
		if (size > 0) {
			process_input(c, (struct text){data, (size_t)size});
		} else if (size < 0 && errno == EINTR) {
			size = sizeof data;
		} else if (size == 0 ||
		           (errno != EAGAIN && errno != EWOULDBLOCK)) {
			connection_close(c);
		} else {
			break;
		}
	}
}

void connection_go_on(struct connection *c)
{
	if (c->state == CONNECTION_WRITING)
		write_answer(c);
	process_early_input(c);
	receive(c);
}

void connection_ready(void *owner, const struct poller_signs *signs)
{
	struct connection *c = owner;

	if (c->state == CONNECTION_DEAD)
		return;
	c->has_ended |= signs->has_ended;
	if (c->state == CONNECTION_WRITING && signs->is_broken) {
		connection_close(c);
		return;
	}
	if (c->state == CONNECTION_WRITING && signs->can_write)
		connection_go_on(c);
	else if (signs->can_read)
		receive(c);
}

void connection_new(struct transport *transport, int fd, bool is_surplus)
{
	struct connection *c = memory_get(transport->handlers->connection_size);

	c->transport = transport;
	c->is_surplus = is_surplus;
	list_init(&c->all);
	list_init(&c->put_off);
	deadline_init(&c->deadline);
	unread_reader_init(&c->reader);
	list_append(&transport->connections, &c->all);
	transport->count++;
	c->fd = fd;
	enter(c, CONNECTION_IDLE);
	transport->handlers->opened(c);
	if (!poller_add(&transport->poller, fd, c)) {
		complaint_warn(&transport->about_watching,
		               "can't watch a connection: %s", strerror(errno));
		connection_close(c);
	}
}

static void count_cut(enum connection_state state)
{
	if (state == CONNECTION_HEAD)
		metrics_add(METRIC_PUSHD_CUT_HEAD, 1);
	else if (state == CONNECTION_WRITING)
		metrics_add(METRIC_PUSHD_CUT_WRITE, 1);
	else if (state == CONNECTION_IDLE)
		metrics_add(METRIC_PUSHD_CUT_IDLE, 1);
}

void connection_expire(struct connection *c)
{
	if (connection_is_parked(c)) {
		c->transport->handlers->expired(c);
		return;
	}
	count_cut(c->state);
	if (c->state == CONNECTION_HEAD && !c->transport->draining)
		refuse_and_close(c, PROBLEM_TOO_SLOW,
		                 "the request head did not arrive within "
		                 "limits.head_timeout");
	else
		connection_close(c);
}

/* A client whose first request is not complete gets a moment to finish it. A kept
 * connection may be closed between two requests: its client will repeat the request
 * (RFC 9112 section 9.3.1; nginx does). */
void connection_drain(struct connection *c)
{
	/* A request may have come that is not read yet, or was put off. */
	process_early_input(c);
	if (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD)
		receive(c);
	if (connection_is_parked(c))
		c->transport->handlers->drained(c);
	else if (c->state == CONNECTION_IDLE && c->is_kept)
		connection_close(c);
	else if (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD)
		set_due_in(c, DRAIN_MS);
}
