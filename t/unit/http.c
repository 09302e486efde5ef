/* Tests of longroom-pushd's transport, with an application that is no poll: it parks
 * what it is told to, and answers the rest with the request's target. A real
 * server, on a socket in a folder of its own. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "http/answer.h"
#include "http/server.h"

enum { CLIENTS = 2, FAR_MS = 60000 };

/* What the application has of a connection. */
struct visit {
	struct connection connection;
	int opened;
};

struct site {
	struct ev_loop *loop;
	struct server server;
	char *folder, *path;
	int clients[CLIENTS]; /* -1: not connected */
	struct buffer got[CLIENTS];
	/* What the application was told: */
	struct connection *parked; /* the last one; NULL: it is parked no longer */
	int requests, faults, unparked, expired, drained, recognised, written;
	size_t draining;
	int64_t park_ms;
	struct buffer last; /* whole request, if it came in one piece */
};

static struct site *site_of(const struct connection *c)
{
	return c->transport->context;
}

static void answer_with(struct connection *c, int status, struct text body)
{
	connection_answer(c, answer_text(status, "text/plain", "", body,
	                                 connection_ends(c)));
}

static void open_visit(struct connection *c)
{
	struct visit *visit = LIST_OWNER(c, struct visit, connection);

	assert_int_equal(visit->opened++, 0);
}

/* The same bytes again are taken without being read. */
static bool recognise(struct connection *c, struct text bytes)
{
	struct site *site = site_of(c);

	if (site->last.size == 0 || !text_equal(bytes, buffer_text(&site->last)))
		return false;
	site->recognised++;
	answer_with(c, 200, text_of("again"));
	return true;
}

static void take_request(struct connection *c, struct text whole)
{
	struct text target = request_head_part(connection_head(c), HEAD_TARGET);
	struct site *site = site_of(c);

	site->requests++;
	if (text_is(target, "/park")) {
		site->parked = c;
		connection_forget_head(c);
		connection_park(c, c->transport->now.steady_ms + site->park_ms);
		return;
	}
	buffer_clear(&site->last);
	buffer_add_text(&site->last, whole);
	answer_with(c, 200, target);
}

static void take_fault(struct connection *c, struct problem problem)
{
	site_of(c)->faults++;
	answer_with(c, problem_status(problem.type), text_of(problem.detail));
}

static void expire(struct connection *c)
{
	site_of(c)->expired++;
	answer_with(c, 200, text_of("expired"));
}

static void unpark(struct connection *c)
{
	site_of(c)->unparked++;
	site_of(c)->parked = NULL;
}

static void heed_clock(struct connection *c)
{
	(void)c;
}

static void note_written(struct connection *c)
{
	site_of(c)->written++;
	connection_set_due(c, c->transport->now.steady_ms + FAR_MS);
}

static void drain(struct connection *c)
{
	site_of(c)->drained++;
	answer_with(c, 200, text_of("drained"));
}

static void begin_draining(void *context, size_t parked)
{
	struct site *site = context;

	site->draining = parked;
}

static const struct http_handlers handlers = {
	.connection_size = sizeof(struct visit),
	.opened = open_visit,
	.recognised = recognise,
	.requested = take_request,
	.faulty = take_fault,
	.expired = expire,
	.unparked = unpark,
	.written = note_written,
	.clock_was_set = heed_clock,
	.drained = drain,
	.draining = begin_draining,
};

/* ---- A server and its clients ---- */

static void start(struct site *site)
{
	struct buffer address = {0}, error = {0};
	struct endpoint endpoint;
	const struct http_options options = {
		.max_connections = 10,
		.head_bytes = 1024,
		.unread_bytes = 1 << 20,
		.idle_ms = FAR_MS,
		.head_ms = FAR_MS,
		.write_ms = FAR_MS,
	};

	buffer_printf(&address, "unix:%s", site->path);
	buffer_add(&address, "", 1);
	bool is_ready = server_init(&site->server, site->loop, &options, &handlers,
	                            site, &error);
	expect(endpoint_open(&endpoint, address.data, &error) && is_ready,
	       "%.*s", TEXT_ARGS(buffer_text(&error)));
	server_listen(&site->server, endpoint);
	buffer_release(&address);
}

static int set_up(void **state)
{
	struct site *site = memory_get(sizeof *site);

	site->park_ms = FAR_MS;
	site->folder = folder_make();
	site->path = path_in(site->folder, "s");
	site->loop = ev_loop_new(EVFLAG_AUTO);
	for (int i = 0; i < CLIENTS; i++)
		site->clients[i] = -1;
	start(site);
	*state = site;
	return 0;
}

static int tear_down(void **state)
{
	struct site *site = *state;

	for (int i = 0; i < CLIENTS; i++) {
		if (site->clients[i] >= 0)
			close(site->clients[i]);
		buffer_release(&site->got[i]);
	}
	server_release(&site->server);
	ev_loop_destroy(site->loop);
	buffer_release(&site->last);
	folder_remove(site->folder);
	free(site->path);
	free(site);
	return 0;
}

/* Whatever can happen without waiting. */
static void run(struct site *site)
{
	for (int i = 0; i < 5; i++)
		ev_run(site->loop, EVRUN_NOWAIT);
}

static void say(struct site *site, int which, const char *bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (site->clients[which] < 0) {
		site->clients[which] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_true(strlen(site->path) < sizeof address.sun_path);
		memcpy(address.sun_path, site->path, strlen(site->path));
		assert_int_equal(connect(site->clients[which],
		                         (struct sockaddr *)&address,
		                         sizeof address),
		                 0);
	}
	assert_int_equal(send(site->clients[which], bytes, strlen(bytes), 0),
	                 strlen(bytes));
	run(site);
}

/* How often what the client has got so far has this. */
static int times(struct site *site, int which, const char *part)
{
	struct buffer *got = &site->got[which];
	ssize_t size;
	int count = 0;

	while ((size = recv(site->clients[which], buffer_reserve(got, 4096), 4096,
	                    MSG_DONTWAIT)) > 0)
		got->size += (size_t)size;
	for (size_t at = 0; at + strlen(part) <= got->size; at++)
		count += memcmp(got->data + at, part, strlen(part)) == 0;
	return count;
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- Tests ---- */

static void a_request_is_handed_up_and_answered(void **state)
{
	struct site *site = *state;

	say(site, 0, "GET /a HTTP");
	assert_int_equal(site->requests, 0);
	say(site, 0, "/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(times(site, 0, "\r\n\r\n/a"), 1);
	say(site, 0, GET("/b"));
	assert_int_equal(times(site, 0, "\r\n\r\n/b"), 1);
	assert_int_equal(site->requests, 2);
	assert_int_equal(site->unparked, 0);
	say(site, 0, GET("/b"));
	assert_int_equal(site->requests, 2);
	assert_int_equal(site->recognised, 1);
	assert_int_equal(times(site, 0, "\r\n\r\nagain"), 1);
}

static void what_is_no_request_is_handed_up_as_a_fault(void **state)
{
	struct site *site = *state;

	say(site, 0, "GET /a HTTP/1.1\r\n\r\n" GET("/b"));
	assert_int_equal(site->faults, 1);
	assert_int_equal(site->requests, 0);
	assert_int_equal(times(site, 0, "HTTP/1.1 400 "), 1);
	assert_int_equal(times(site, 0, "Connection: close"), 1);
}

static void a_parked_request_is_answered_before_what_follows(void **state)
{
	struct site *site = *state;

	say(site, 0, GET("/park") GET("/c"));
	assert_non_null(site->parked);
	assert_int_equal(site->requests, 1);
	assert_int_equal(times(site, 0, "HTTP/1.1"), 0);
	answer_with(site->parked, 200, text_of("late"));
	assert_int_equal(site->requests, 2);
	assert_int_equal(site->unparked, 1);
	assert_int_equal(times(site, 0, "\r\n\r\nlateHTTP/1.1 200 OK"), 1);
	assert_int_equal(times(site, 0, "\r\n\r\n/c"), 1);
}

static void look_anew(struct connection *c, void *context)
{
	answer_with(c, 200, text_of(context));
}

static void a_parked_request_can_be_looked_at_anew(void **state)
{
	static char anew[] = "anew";
	struct site *site = *state;

	say(site, 0, GET("/park") GET("/c"));
	connection_resume(site->parked, look_anew, anew);
	assert_int_equal(site->unparked, 1);
	assert_int_equal(times(site, 0, "\r\n\r\nanewHTTP/1.1 200 OK"), 1);
	assert_int_equal(times(site, 0, "\r\n\r\n/c"), 1);
}

static void a_client_that_goes_away_is_told_once(void **state)
{
	struct site *site = *state;

	say(site, 0, GET("/park"));
	say(site, 1, GET("/park"));
	close(site->clients[0]);
	site->clients[0] = -1;
	run(site);
	assert_int_equal(site->unparked, 1);
	assert_int_equal(site->server.transport.count, 1);
}

static void a_parked_request_has_a_deadline(void **state)
{
	struct site *site = *state;

	site->park_ms = 1;
	say(site, 0, GET("/park"));
	while (site->expired == 0)
		ev_run(site->loop, EVRUN_ONCE);
	assert_int_equal(site->unparked, 1);
	assert_int_equal(times(site, 0, "\r\n\r\nexpired"), 1);
}

static void a_server_that_drains_has_all_answered(void **state)
{
	struct site *site = *state;

	say(site, 0, GET("/park"));
	say(site, 1, GET("/d"));
	server_drain(&site->server);
	assert_int_equal(site->draining, 1);
	assert_int_equal(site->drained, 1);
	/* Ends by itself. */
	ev_run(site->loop, 0);
	assert_int_equal(site->server.transport.count, 0);
	assert_int_equal(times(site, 0, "\r\n\r\ndrained"), 1);
	assert_int_equal(times(site, 0, "Connection: close"), 1);
}

/* ---- Streams ---- */

static bool stream_chunk(struct site *site, struct text content)
{
	return connection_stream(site->parked, answer_chunk(content));
}

static void end_with(struct site *site, const char *bytes)
{
	connection_end_stream(site->parked, answer_piece(text_of(bytes), false));
}

static void begin_stream(struct site *site, const char *body)
{
	assert_true(connection_stream(
		site->parked, answer_framed(200, text_of("A: b\r\n"), text_of(body),
	                                    connection_ends(site->parked))));
}

/* More than a socket holds. */
static struct text long_content(void)
{
	enum { LONG = 900 << 10 };
	char *data = memory_get(LONG);

	memset(data, 'x', LONG);
	return (struct text){data, LONG};
}

/* Until a piece is written, or the connection is gone. */
static void run_until_written(struct site *site, int which)
{
	while (site->written == 0 && site->parked != NULL) {
		times(site, which, "");
		server_go_on(&site->server);
		run(site);
	}
}

static void a_stream_is_written_piece_by_piece(void **state)
{
	struct site *site = *state;

	say(site, 0, GET("/park") GET("/c"));
	begin_stream(site, "5\r\nfirst\r\n");
	assert_int_equal(times(site, 0, "A: b\r\n\r\n5\r\nfirst\r\n"), 1);
	assert_true(stream_chunk(site, text_of("the second piece")));
	assert_int_equal(times(site, 0, "first\r\n10\r\nthe second piece\r\n"),
	                 1);
	assert_int_equal(site->unparked, 0);
	assert_int_equal(site->requests, 1);
	end_with(site, "0\r\n\r\n");
	assert_int_equal(site->unparked, 1);
	assert_int_equal(site->written, 0);
	assert_int_equal(times(site, 0, "piece\r\n0\r\n\r\nHTTP/1.1 200 OK"), 1);
	assert_int_equal(times(site, 0, "\r\n\r\n/c"), 1);
}

static void a_chunk_has_no_frame_in_http_1_0(void **state)
{
	struct site *site = *state;

	say(site, 0, "GET /park HTTP/1.0\r\n\r\n");
	begin_stream(site, "first");
	assert_true(stream_chunk(site, text_of("the second piece")));
	end_with(site, "");
	assert_int_equal(times(site, 0, "\r\n\r\nfirstthe second piece"), 1);
	assert_int_equal(times(site, 0, "Connection: close"), 1);
	assert_int_equal(times(site, 0, "piece\r\n"), 0);
	assert_int_equal(site->unparked, 1);
}

static void what_a_client_reads_slowly_is_told_when_it_is_written(void **state)
{
	struct site *site = *state;
	struct text content = long_content();

	say(site, 0, GET("/park") GET("/c"));
	begin_stream(site, "");
	assert_false(stream_chunk(site, content));
	assert_int_equal(site->parked->state, CONNECTION_WRITING);
	assert_int_equal(site->server.transport.unread.bytes,
	                 (int64_t)content.size + 9);
	run_until_written(site, 0);
	assert_int_equal(site->written, 1);
	assert_int_equal(site->unparked, 0);
	assert_true(connection_is_parked(site->parked));
	assert_int_equal(site->server.transport.unread.bytes, 0);
	end_with(site, "0\r\n\r\n");
	assert_int_equal(times(site, 0, "x\r\n0\r\n\r\nHTTP/1.1 200 OK"), 1);
	free((char *)content.data);
}

static void a_client_that_leaves_a_stream_is_told_once(void **state)
{
	struct site *site = *state;
	struct text content = long_content();

	say(site, 0, GET("/park"));
	begin_stream(site, "");
	assert_false(stream_chunk(site, content));
	close(site->clients[0]);
	site->clients[0] = -1;
	run(site);
	assert_int_equal(site->unparked, 1);
	assert_int_equal(site->written, 0);
	assert_int_equal(site->server.transport.unread.bytes, 0);
	assert_int_equal(site->server.transport.count, 0);
	free((char *)content.data);
}

int run_http(void)
{
#define WITH_SITE(title, function)                                             \
	TEST_WITH(title, function, set_up, tear_down, NULL)
	static const struct CMUnitTest tests[] = {
		WITH_SITE("a request is handed up when it is whole, and answered",
	                  a_request_is_handed_up_and_answered),
		WITH_SITE("what is no request is handed up as a fault, and closes",
	                  what_is_no_request_is_handed_up_as_a_fault),
		WITH_SITE("a parked request is answered before what follows it",
	                  a_parked_request_is_answered_before_what_follows),
		WITH_SITE("a parked request can be looked at anew",
	                  a_parked_request_can_be_looked_at_anew),
		WITH_SITE("that a client has gone away is told once",
	                  a_client_that_goes_away_is_told_once),
		WITH_SITE("a parked request has a deadline",
	                  a_parked_request_has_a_deadline),
		WITH_SITE("a server that drains has all that is parked answered",
	                  a_server_that_drains_has_all_answered),
		WITH_SITE("a stream is written piece by piece, and then ends",
	                  a_stream_is_written_piece_by_piece),
		WITH_SITE("a chunk has no frame in HTTP/1.0",
	                  a_chunk_has_no_frame_in_http_1_0),
		WITH_SITE("the application is told when a slow client has read a piece",
	                  what_a_client_reads_slowly_is_told_when_it_is_written),
		WITH_SITE("that a client has left its stream is told once",
	                  a_client_that_leaves_a_stream_is_told_once),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
