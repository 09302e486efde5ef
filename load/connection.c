#define _GNU_SOURCE 1 /* epoll_pwait */
#include "connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"

enum {
	EVENTS_AT_ONCE = 256,
	BUFFER_SIZE = 256 * 1024,
	ANSWER_MAX = 16 * 1024 * 1024,
	CONNECT_TIMEOUT_S = 10,
	/* The wait before a new try: doubled each time, less a random part. */
	WAIT_FIRST_MS = 20,
	WAIT_DOUBLINGS = 5,
};

static void fire(struct timer *timer);

bool network_init(struct network *network, uint32_t sources, uint64_t seed)
{
	*network = (struct network){.sources = sources, .random = seed};
	network->now_ns = load_now_ns();
	timer_wheel_init(&network->wheel, network->now_ns, fire);
	network->buffer = load_get(1, BUFFER_SIZE);
	network->epoll = epoll_create1(EPOLL_CLOEXEC);
	return network->epoll >= 0;
}

void network_release(struct network *network)
{
	if (network->epoll >= 0)
		close(network->epoll);
	free(network->buffer);
}

/* xorshift64 */
static uint64_t next_random(struct network *network)
{
	network->random ^= network->random << 13;
	network->random ^= network->random >> 7;
	network->random ^= network->random << 17;
	return network->random;
}

void connection_init(struct connection *connection, struct network *network,
                     const struct connection_events *events,
                     const struct target *target)
{
	*connection = (struct connection){
		.network = network,
		.events = events,
		.target = target,
		.fd = -1,
		.state = CONNECTION_CLOSED,
	};
	if (network->sources > 0)
		connection->source = 1 + network->next_source++ %
		                                 network->sources;
}

static void drop_held(struct connection *c)
{
	free(c->held);
	c->held = NULL;
	c->held_size = c->held_room = 0;
}

static void drop_parts(struct connection *c)
{
	drop_held(c);
	free(c->unsent);
	c->unsent = NULL;
	c->unsent_size = c->unsent_at = 0;
}

static void hang_up(struct connection *c)
{
	/* Closing takes the descriptor out of epoll too. */
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CONNECTION_CLOSED;
	drop_parts(c);
}

void connection_close(struct connection *c)
{
	timer_clear(&c->timer);
	hang_up(c);
}

static void fail(struct connection *c, enum failure failure)
{
	connection_close(c);
	c->network->failures[failure]++;
	c->events->failed(c, failure);
}

static void fail_with(struct connection *c, enum failure failure, int error)
{
	c->network->last_errno = error;
	fail(c, failure);
}

static void set_timeout(struct connection *c, int64_t ns)
{
	timer_set(&c->network->wheel, &c->timer, c->network->now_ns + ns);
}

static void watch(struct connection *c, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	epoll_ctl(c->network->epoll, operation, c->fd, &event);
}

static void become_ready(struct connection *c)
{
	c->state = CONNECTION_IDLE;
	timer_clear(&c->timer);
	c->events->ready(c);
}

static void open_connection(struct connection *c)
{
	bool pending;

	c->fd = target_connect(c->target, c->source, &pending);
	if (c->fd < 0) {
		fail_with(c, FAILED_CONNECT, errno);
		return;
	}
	watch(c, EPOLL_CTL_ADD, pending ? EPOLLOUT : EPOLLIN);
	if (!pending) {
		c->network->opened++;
		become_ready(c);
		return;
	}
	c->state = CONNECTION_OPENING;
	set_timeout(c, CONNECT_TIMEOUT_S * NS_PER_S);
}

static void finish_opening(struct connection *c)
{
	int error = 0;
	socklen_t size = sizeof error;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		fail_with(c, FAILED_CONNECT, error);
		return;
	}
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
	c->network->opened++;
	become_ready(c);
}

void connection_want(struct connection *c)
{
	if (c->state == CONNECTION_IDLE)
		become_ready(c);
	else if (c->state == CONNECTION_CLOSED)
		open_connection(c);
}

void connection_want_in(struct connection *c, int64_t ns)
{
	set_timeout(c, ns);
}

void connection_want_later(struct connection *c)
{
	int doublings = c->tries < WAIT_DOUBLINGS ? c->tries : WAIT_DOUBLINGS;
	int64_t longest_ns = (WAIT_FIRST_MS << doublings) * NS_PER_MS;
	uint64_t off_ns = next_random(c->network) % (uint64_t)(longest_ns / 2);

	if (c->tries < UINT8_MAX)
		c->tries++;
	set_timeout(c, longest_ns - (int64_t)off_ns);
}

/* Errors are not handled here. epoll reports a broken connection, and the read that
 * follows says what happened, when no caller is in the middle of something. */
static size_t send_some(const struct connection *c, const char *data,
                        size_t size)
{
	ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);

	return sent > 0 ? (size_t)sent : 0;
}

void connection_ask(struct connection *c, const char *request, size_t size,
                    int64_t timeout_ns)
{
	assert(c->state == CONNECTION_IDLE);
	size_t sent = send_some(c, request, size);

	c->state = CONNECTION_ASKED;
	c->timeout_ns = timeout_ns;
	set_timeout(c, timeout_ns);
	if (sent == size)
		return;
	c->unsent_size = (uint32_t)(size - sent);
	c->unsent = load_get(1, c->unsent_size);
	memcpy(c->unsent, request + sent, c->unsent_size);
	watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void send_rest(struct connection *c)
{
	c->unsent_at += (uint32_t)send_some(c, c->unsent + c->unsent_at,
	                                    c->unsent_size - c->unsent_at);
	if (c->unsent_at < c->unsent_size)
		return;
	free(c->unsent);
	c->unsent = NULL;
	c->unsent_size = c->unsent_at = 0;
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* A stream that came as a whole. Its bytes may be changed in the shared buffer only. */
static void pass_stream(struct connection *c, const struct answer *answer)
{
	size_t size = answer->body.size;

	memmove(c->network->buffer, answer->body.data, size);
	c->events->streamed(c, c->network->buffer, size);
	c->events->ended(c);
}

static bool takes_streams(const struct connection *c,
                          const struct answer *answer)
{
	return answer->streams && answer->body.size < BUFFER_SIZE &&
	       c->events->streamed != NULL;
}

static void finish_answer(struct connection *c, const struct answer *answer)
{
	/* What was held must outlive the call: the answer points into it. */
	char *held = c->held;

	c->held = NULL;
	c->held_size = c->held_room = 0;
	timer_clear(&c->timer);
	c->state = CONNECTION_IDLE;
	/* Answered before all was sent: the rest would be taken for the next
	 * request. */
	if (answer->closes || c->unsent != NULL)
		connection_close(c);
	if (answer->status < 500)
		c->tries = 0;
	if (takes_streams(c, answer))
		pass_stream(c, answer);
	else
		c->events->answered(c, answer);
	free(held);
}

/* Makes room for what is expected, or for as much again as there is. */
static void grow_held(struct connection *c, size_t size, size_t expected)
{
	size_t room = expected > size ? expected : 2 * size;

	if (room <= c->held_room)
		return;
	c->held = load_resize(c->held, room);
	c->held_room = (uint32_t)room;
}

static void hold(struct connection *c, const char *data, size_t size,
                 size_t expected)
{
	bool held = c->held != NULL;

	/* If it is held, data is the same memory and may move. */
	grow_held(c, size, expected);
	if (!held)
		memcpy(c->held, data, size);
	c->held_size = (uint32_t)size;
}

static void end_stream(struct connection *c)
{
	bool closes = c->closes || c->unsent != NULL;

	drop_held(c);
	timer_clear(&c->timer);
	c->state = CONNECTION_IDLE;
	if (closes)
		connection_close(c);
	c->events->ended(c);
}

/* `data` is in the buffer that all share: `kept` bytes that were not taken, and `got`
 * that have come. */
static void take_stream(struct connection *c, char *data, size_t kept, size_t got)
{
	if (c->chunked && !chunks_take(&c->chunks, data + kept, &got)) {
		fail(c, FAILED_NOT_HTTP);
		return;
	}
	size_t size = kept + got;
	size_t taken = c->events->streamed(c, data, size);

	drop_held(c);
	if (c->chunked && chunks_are_over(&c->chunks)) {
		end_stream(c);
		return;
	}
	if (taken < size)
		hold(c, data + taken, size - taken, 0);
	set_timeout(c, c->timeout_ns);
}

static void begin_stream(struct connection *c, const struct answer *answer)
{
	size_t size = answer->body.size;

	c->state = CONNECTION_STREAMING;
	c->tries = 0;
	c->chunked = answer->chunked;
	c->closes = answer->closes;
	c->chunks = (struct chunks){0};
	memmove(c->network->buffer, answer->body.data, size);
	drop_held(c);
	take_stream(c, c->network->buffer, 0, size);
}

static void take_in(struct connection *c, char *data, size_t size, bool ended)
{
	struct answer answer;
	enum answer_state state = answer_parse(data, size, ended, &answer);

	if (state == ANSWER_WHOLE)
		finish_answer(c, &answer);
	else if (state == ANSWER_STREAM && takes_streams(c, &answer))
		begin_stream(c, &answer);
	else if (state != ANSWER_PARTIAL || answer.expected > ANSWER_MAX ||
	         size > ANSWER_MAX)
		fail(c, FAILED_NOT_HTTP);
	else if (ended)
		fail(c, FAILED_BROKEN);
	else
		hold(c, data, size, answer.expected);
}

/* The peer is gone. If the connection is idle, its owner is not told; a wait before
 * the next request continues. */
static void take_end(struct connection *c, int error)
{
	bool ends_here = c->state == CONNECTION_STREAMING && !c->chunked &&
	                 error == 0;

	if (ends_here)
		end_stream(c);
	else if (c->state == CONNECTION_ASKED ||
	         c->state == CONNECTION_STREAMING)
		fail_with(c, FAILED_BROKEN, error);
	else
		hang_up(c);
}

static void receive_stream(struct connection *c)
{
	char *buffer = c->network->buffer;
	size_t kept = c->held_size;

	if (kept == BUFFER_SIZE) {
		fail(c, FAILED_NOT_HTTP); /* such a large event is none of ours */
		return;
	}
	ssize_t got = recv(c->fd, buffer + kept, BUFFER_SIZE - kept, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->network->now_ns = load_now_ns();
	if (got <= 0) {
		take_end(c, got < 0 ? errno : 0);
		return;
	}
	if (kept > 0)
		memcpy(buffer, c->held, kept);
	take_stream(c, buffer, kept, (size_t)got);
}

static void receive(struct connection *c)
{
	char *data = c->held != NULL ? c->held : c->network->buffer;
	size_t room = c->held != NULL ? c->held_room : BUFFER_SIZE;
	ssize_t got = recv(c->fd, data + c->held_size, room - c->held_size, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->network->now_ns = load_now_ns();
	if (got < 0)
		take_end(c, errno);
	else if (c->state == CONNECTION_ASKED && c->held_size + (size_t)got > 0)
		take_in(c, data, c->held_size + (size_t)got, got == 0);
	else if (got == 0)
		take_end(c, 0);
	else
		fail(c, FAILED_NOT_HTTP);
}

static void happened(struct connection *c, uint32_t events)
{
	/* Closed by an earlier event of the same turn. */
	if (c->fd < 0)
		return;
	if (c->state == CONNECTION_OPENING) {
		finish_opening(c);
		return;
	}
	if (c->unsent != NULL && (events & EPOLLOUT) != 0)
		send_rest(c);
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	if (c->state == CONNECTION_STREAMING)
		receive_stream(c);
	else
		receive(c);
}

/* If this program was slow, what was waited for is already there. */
static void expire(struct connection *c, void (*receive_late)(struct connection *))
{
	uint8_t state = c->state;

	receive_late(c);
	if (c->state == state && c->timer.link == NULL)
		fail(c, FAILED_SILENT);
}

static void fire(struct timer *timer)
{
	struct connection *c = (struct connection *)timer;

	switch ((enum connection_state)c->state) {
	case CONNECTION_CLOSED:
	case CONNECTION_IDLE:
		connection_want(c);
		break;
	case CONNECTION_OPENING:
		fail_with(c, FAILED_CONNECT, ETIMEDOUT);
		break;
	case CONNECTION_ASKED:
		expire(c, receive);
		break;
	case CONNECTION_STREAMING:
		expire(c, receive_stream);
		break;
	}
}

static int milliseconds_until(const struct network *network, int64_t until_ns)
{
	int64_t left_ns = until_ns - network->now_ns;

	if (left_ns <= 0)
		return 0;
	if (left_ns > TIMER_TICK_NS)
		left_ns = TIMER_TICK_NS;
	return (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
}

void network_turn(struct network *network, int64_t until_ns,
                  const sigset_t *mask)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_pwait(network->epoll, events, EVENTS_AT_ONCE,
	                        milliseconds_until(network, until_ns), mask);

	network->now_ns = load_now_ns();
	for (int i = 0; i < count; i++)
		happened(events[i].data.ptr, events[i].events);
	network->now_ns = load_now_ns();
	timer_wheel_advance(&network->wheel, network->now_ns);
}
