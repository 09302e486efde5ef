/* Fuzzes pushd/http with the polls and the hub behind it: a client's bytes arrive
 * through a socket, as in production, whole and again in small pieces. The log
 * is three messages in room_1, read when the test decides.
 *
 * The first byte of the input says how (see enum how); the rest is what the
 * client sends, once in each auth.mode. Whatever that is: the client gets a
 * sequence of complete, valid answers, pages only if it has stated or proved
 * its identity, nothing after an answer that says close, and the same however
 * its bytes were cut; no waiter and nothing else is left behind. */
#define _GNU_SOURCE
#include "http/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/memory.h"
#include "codec/page.h"
#include "fuzz.h"
#include "poll/requests.h"
#include "poll/waiting.h"

enum { LOG = 0x5f3a9c01, EPOCH = 0x9be01d22, NEWEST = 3 };

static const char secret[] = "a secret of no less than 32 bytes!";
/* The end of the only token signed with it: in the dictionary. */
static const char token_signature[] =
	"JhfeDHNS6JOhqZjNIdNcttw_wMbzj0NO0avZeTOhDSE";

enum how {
	SHORT_HEAD = 1,   /* limits.request_head is 256 */
	SLOW_READER = 2,  /* answers don't fit into the socket */
	IN_LOG_ONLY = 4,  /* the messages are not in the window */
	DRAIN = 8,        /* longroom-pushd ends after the input */
	SURPLUS = 16,     /* the connection is one too many */
	BROKEN_LOG = 32,  /* reads fail */
	PAIRS = 64,       /* a piece has two bytes, not one */
	TALK = 128,       /* a message is sent to the waiters in room_1 */
};

struct log_reader {
	struct log_read *first, **last;
	bool broken;
};

/* The only connection has at most one token that is being verified. */
struct verifier {
	struct verification *asked;
};

struct world {
	struct settings settings;
	struct verifier verifier;
	struct log_reader reader;
	struct hub hub;
	struct polls polls;
	struct server server;
	struct poll *poll;
	struct connection *connection; /* the poll's */
	bool silent; /* no more messages come */
	int client;
	int64_t looks, wanted; /* ended, and requested */
	struct buffer output;
};

static struct ev_loop *loop;
static struct access *accesses[AUTH_OPEN + 1];

/* The programs' log would be a flood here. All of it: a name that is left to
 * the library brings the others with it. */
void journal_info(const char *format, ...)
{
	(void)format;
}

void journal_error(const char *format, ...)
{
	(void)format;
}

void journal_warning(const char *format, ...)
{
	(void)format;
}

/* ---- The log ---- */

void log_reader_go_on(struct log_reader *reader)
{
	(void)reader; /* give_back() sees to it */
}

void log_reader_ask(struct log_reader *reader, struct log_read *read)
{
	*reader->last = read;
	reader->last = &read->next;
}

/* Only room 1 has any. */
static void find_messages(struct log_read *read, size_t which)
{
	struct room_name room;

	room_name_from_number(1, &room);
	read->states[which].earliest = 1;
	for (int64_t id = 1; id <= NEWEST; id++) {
		size_t at = read->json.size;

		if (read->range.direction == STORE_AFTER && id <= read->range.id)
			continue;
		buffer_printf(&read->json, "{\"id\":%" PRId64 "}", id);
		log_read_add_item(read, id, &room, at);
	}
}

static void read_feed(struct log_read *read)
{
	read->upto = NEWEST;
	if (read->kind != READ_ALL)
		log_read_name_rooms(read);
	read->states = memory_get((read->room_count + 1) * sizeof *read->states);
	if (read->kind == READ_ALL)
		find_messages(read, 0);
	for (size_t i = 0; i < read->room_count; i++)
		if (read->rooms[i].number == 1)
			find_messages(read, i);
}

static void give_back(struct log_reader *reader)
{
	struct log_read *read = reader->first;

	reader->first = read->next;
	if (reader->first == NULL)
		reader->last = &reader->first;
	read->good = !reader->broken;
	read->end = (struct log_end){.log = LOG, .newest = NEWEST};
	if (read->good)
		read_feed(read);
	do {
		hub_go_on(read->context);
		read->done(read->context, read);
	} while (read->again);
	log_read_free(read);
}

/* ---- Tokens ---- */

struct verification {
	void *owner;
	size_t size;
	char token[];
};

struct verification *verifier_ask(struct verifier *verifier, struct text token,
                                  void *owner)
{
	struct verification *v = memory_get(sizeof *v + token.size);

	CLAIM(verifier->asked == NULL && token.size > 0);
	*v = (struct verification){.owner = owner, .size = token.size};
	memcpy(v->token, token.data, token.size);
	verifier->asked = v;
	return v;
}

void verifier_forget(struct verifier *verifier, struct verification *v)
{
	CLAIM(verifier->asked == v);
	verifier->asked = NULL;
	free(v);
}

struct verifier *verifier_start(struct ev_loop *loop, struct access *access,
                                verifier_done *done)
{
	(void)loop;
	(void)access;
	(void)done;
	return NULL;
}

void verifier_stop(struct verifier *verifier)
{
	(void)verifier;
}

static void verify(struct world *world)
{
	struct access *access = world->polls.access;
	struct verification *v = world->verifier.asked;
	struct token_proof proof;

	world->verifier.asked = NULL;
	access_prove(access, (struct text){v->token, v->size}, &proof);
	requests_verified(v->owner, &proof);
	access_drop_proof(access, &proof);
	free(v);
}

static int64_t want_look(void *context)
{
	struct world *world = context;

	world->wanted = world->looks + 1;
	return world->wanted;
}

/* ---- A client ---- */

static void receive_answers(struct world *world)
{
	enum { SOME = 64 * 1024 };
	ssize_t size;

	while ((size = recv(world->client, buffer_reserve(&world->output, SOME),
	                    SOME, 0)) > 0)
		world->output.size += (size_t)size;
}

static bool go_on_with_long(struct world *world)
{
	bool has_pages = hub_go_on(&world->hub);

	return server_go_on(&world->server) || has_pages;
}

static void turn(struct world *world)
{
	ev_run(loop, EVRUN_NOWAIT);
	receive_answers(world);
	while (go_on_with_long(world))
		receive_answers(world);
	receive_answers(world);
}

static void send_pieces(struct world *world, struct text data, size_t piece)
{
	while (data.size > 0) {
		size_t size = piece < data.size ? piece : data.size;

		/* Once it is closed there is no client to send to. */
		if (send(world->client, data.data, size, MSG_NOSIGNAL) < 0) {
			CLAIM(errno == EPIPE || errno == ECONNRESET);
			return;
		}
		data.data += size;
		data.size -= size;
		turn(world);
	}
}

/* A signal, which a poll gets when it is due: the log stays as it is. */
static void say(struct world *world)
{
	struct room_name room;

	room_name_from_number(1, &room);
	hub_append_signal(&world->hub, &room, text_of("{\"id\":null}"));
	hub_deliver(&world->hub);
	hub_give_due(&world->hub, INT64_MAX);
}

/* A stream's time is up when the clock says so. */
static void pass_time(struct world *world)
{
	enum { LIFE_MS = 60 * 60 * 1000 };
	struct moment *now = &world->server.transport.now;

	if (world->poll->stream == NULL)
		return;
	now->steady_ms += LIFE_MS;
	now->wall_ms += LIFE_MS;
}

/* The client waits: first a message may be sent, and then its time is up. */
static void end_wait(struct world *world)
{
	if (!world->silent) {
		world->silent = true;
		say(world);
		return;
	}
	pass_time(world);
	connection_expire(world->connection);
}

/* Lets everything happen that is due; false when nothing is left. */
static bool go_on(struct world *world)
{
	struct connection *c = world->connection;

	if (world->reader.first != NULL)
		give_back(&world->reader);
	else if (world->wanted > world->looks)
		hub_log_checked(&world->hub, ++world->looks);
	else if (world->poll->verification != NULL)
		verify(world);
	else if (connection_is_parked(c))
		end_wait(world);
	else if (world->server.transport.draining &&
	         c->state < CONNECTION_PARKED)
		connection_expire(c);
	else if (c->state != CONNECTION_WRITING)
		return false;
	turn(world);
	return true;
}

static void end_well(struct world *world)
{
	world->server.transport.draining = true;
	hub_drain(&world->hub, 1);
	world->hub.retry_most_ms = 1; /* nothing is left to chance */
	connection_drain(world->connection);
	turn(world);
}

/* ---- A world ---- */

static void fill_hub(struct world *world, unsigned how)
{
	const struct hub_options options = {.window_bytes = 1 << 20,
	                                    .reads = INT64_MAX};
	struct room_name room;

	hub_init(&world->hub, &options, &world->reader, &waiting_handlers);
	hub_follow(&world->hub, want_look, world);
	world->hub.epoch = EPOCH;
	room_name_from_number(1, &room);
	hub_start_over(&world->hub, LOG, how & IN_LOG_ONLY ? NEWEST : 0);
	for (int64_t id = 1; id <= NEWEST && !(how & IN_LOG_ONLY); id++)
		hub_append(&world->hub, &room, id, text_of("{\"id\":0}"));
	hub_append(&world->hub, &room, 0, text_of("{\"id\":null}"));
	hub_set_ready(&world->hub);
	hub_deliver(&world->hub);
}

static void init_polls(struct world *world)
{
	static struct text no_headers;

	world->polls = (struct polls){
		.settings = &world->settings,
		.hub = &world->hub,
		.access = accesses[world->settings.auth.mode],
		.verifier = &world->verifier,
		.server = &world->server,
		.headers = &no_headers,
	};
	users_init(&world->polls.users);
}

/* Of a server as much as connections use: no clock, no sockets that listen. */
static void init_transport(struct world *world, unsigned how)
{
	struct transport *transport = &world->server.transport;

	world->server = (struct server){.loop = loop};
	*transport = (struct transport){
		.handlers = &requests_handlers,
		.context = &world->polls,
		.head_bytes = world->settings.limits.request_head,
		.unread_bytes = world->settings.limits.unread,
		.limit = how & SURPLUS ? 0 : 1,
	};
	list_init(&transport->connections);
	list_init(&transport->dead);
	list_init(&transport->put_off);
	unread_init(&transport->unread);
	deadlines_init(&transport->deadlines, 0);
	CLAIM(poller_init(&transport->poller, loop, connection_ready));
	request_parser_set_most(transport->head_bytes + 1);
}

static void open_connection(struct world *world, unsigned how)
{
	struct transport *transport = &world->server.transport;
	int ends[2], few = 1;

	init_polls(world);
	init_transport(world, how);
	CLAIM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	if (how & SLOW_READER)
		setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &few, sizeof few);
	world->client = ends[0];
	connection_new(transport, ends[1], how & SURPLUS);
	world->connection = LIST_OWNER(transport->connections.next,
	                               struct connection, all);
	world->poll = poll_of(world->connection);
}

static void begin(struct world *world, enum auth_mode mode, unsigned how)
{
	*world = (struct world){0};
	world->settings.limits.unread = 1 << 30;
	world->settings.limits.rooms_per_request = 3;
	world->settings.auth.mode = mode;
	world->settings.auth.claim = "longroom";
	world->settings.auth.audience = world->settings.auth.issuer = "";
	world->settings.auth.cookie = "token";
	world->settings.limits.request_head = how & SHORT_HEAD ? 256 : 16384;
	world->reader.last = &world->reader.first;
	world->reader.broken = how & BROKEN_LOG;
	world->silent = !(how & TALK);
	fill_hub(world, how);
	open_connection(world, how);
}

static void check_nobody_waits(const struct world *world)
{
	const struct connection *c = world->connection;

	CLAIM(c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD ||
	      c->state == CONNECTION_LINGERING || c->state == CONNECTION_DEAD);
	CLAIM(world->poll->waiter.state == WAITER_IDLE);
	CLAIM(world->poll->verification == NULL &&
	      world->verifier.asked == NULL);
	/* Pipelined requests were not forgotten. */
	CLAIM(c->state != CONNECTION_IDLE || c->input.size == 0);
	CLAIM(!server_is_draining(&world->server) ||
	      c->state >= CONNECTION_LINGERING);
}

static void check_rooms(const struct hub *hub)
{
	const struct list *all = &hub->rooms.all;

	CLAIM(list_is_empty(&hub->unsettled));
	for (const struct list *at = all->next; at != all; at = at->next)
		CLAIM(LIST_OWNER(at, struct room, all)->own.users == 0);
	CLAIM(list_length(&hub->feeds.idle) == hub->feeds.count);
	CLAIM(hub->window.whole.own.users == 0);
}

/* None of them is referenced, and all go. */
static void check_users(struct users *users)
{
	size_t count = 0;

	for (size_t i = 0; users->slots != NULL && i < USERS_SLOTS; i++)
		for (struct user *at = users->slots[i]; at != NULL; at = at->next)
			count += at->refcount == 0 && at->polls == 0 ? 1 : 2;
	CLAIM(count == users->idle_count);
	users_release(users);
}

/* The client leaves. */
static void go_away(struct world *world)
{
	shutdown(world->client, SHUT_WR);
	turn(world);
	CLAIM(world->connection->state == CONNECTION_DEAD);
	CLAIM(world->server.transport.count == 0);
	connection_free(world->connection);
	request_memo_forget(&world->polls.memo, &world->hub,
	                    &world->polls.users);
	check_rooms(&world->hub);
	check_users(&world->polls.users);
	buffer_release(&world->polls.scratch);
	poller_release(&world->server.transport.poller);
	request_parser_free(world->server.transport.spare);
	hub_release(&world->hub);
	close(world->client);
	buffer_release(&world->output);
}

/* Plays the input; what the client got is in world->output. */
static void play(struct world *world, enum auth_mode mode, unsigned how,
                 struct text input, size_t piece)
{
	begin(world, mode, how);
	send_pieces(world, input, piece);
	if (how & DRAIN)
		end_well(world);
	while (go_on(world))
		;
	check_nobody_waits(world);
}

/* ---- What the client got ---- */

static bool contains(struct text text, const char *part)
{
	return text.size > 0 &&
	       memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static struct text cut(struct text *rest, size_t size)
{
	struct text part = {rest->data, size};

	rest->data += size;
	rest->size -= size;
	return part;
}

static struct text cut_head(struct text *rest)
{
	const char *end = memmem(rest->data, rest->size, "\r\n\r\n", 4);

	CLAIM(end != NULL);
	return cut(rest, (size_t)(end - rest->data) + 4);
}

static size_t read_length(struct text head)
{
	static const char name[] = "\r\nContent-Length: ";
	const char *at = memmem(head.data, head.size, name, sizeof name - 1);

	CLAIM(at != NULL);
	return strtoul(at + sizeof name - 1, NULL, 10);
}

static int read_status(struct text head)
{
	static const char version[] = "HTTP/1.1 ";

	CLAIM(head.size > sizeof version &&
	      memcmp(head.data, version, sizeof version - 1) == 0);
	int status = atoi(head.data + sizeof version - 1);
	CLAIM(strcmp(status_reason(status), "Unknown") != 0);
	return status;
}

static void check_page(json_object *page)
{
	struct text text = json_must_have(page, "cursor");
	json_object *count = NULL, *messages = NULL;
	struct cursor cursor;
	struct room_name room;

	/* Of one room; that of several names none, and has no earliest one. */
	CLAIM(json_object_object_get_ex(page, "room_id", NULL) ==
	      json_object_object_get_ex(page, "earliest", NULL));
	if (json_object_object_get_ex(page, "room_id", NULL))
		CLAIM(room_name_parse(json_must_have(page, "room_id"), &room));
	CLAIM(cursor_parse(text, &cursor) && cursor.names_log);
	CLAIM(json_object_object_get_ex(page, "count", &count));
	CLAIM(json_object_object_get_ex(page, "messages", &messages));
	CLAIM(json_object_get_int64(count) ==
	      (int64_t)json_object_array_length(messages));
}

/* Cuts the content of the chunks of one response; the frame must be exact. */
static void cut_chunks(struct text *rest, struct buffer *content)
{
	size_t size;

	do {
		char *end = NULL;

		CLAIM(rest->size > 0 && strchr("0123456789abcdef", rest->data[0]));
		size = strtoul(rest->data, &end, 16);
		cut(rest, (size_t)(end - rest->data));
		CLAIM(rest->size >= size + 4);
		CLAIM(memcmp(cut(rest, 2).data, "\r\n", 2) == 0);
		buffer_add_text(content, cut(rest, size));
		CLAIM(memcmp(cut(rest, 2).data, "\r\n", 2) == 0);
	} while (size > 0);
}

/* The value of a line "name: value"; {NULL, 0}: it is another line. */
static struct text value_of(struct text line, const char *name)
{
	size_t size = strlen(name);

	if (line.size < size || memcmp(line.data, name, size) != 0)
		return (struct text){NULL, 0};
	return (struct text){line.data + size, line.size - size};
}

static void check_line(struct text line)
{
	struct text id = value_of(line, "id: "), data = value_of(line, "data: ");
	struct cursor cursor;

	if (id.data != NULL)
		CLAIM(cursor_parse(id, &cursor) && cursor.names_log);
	else if (data.data != NULL)
		json_object_put(json_must_parse(data));
	else
		CLAIM(text_is(line, ":") ||
		      value_of(line, "retry: ").data != NULL ||
		      value_of(line, "event: ").data != NULL);
}

/* Lines of whole events; the last one ends the stream. */
static void check_events(struct text events)
{
	struct text line = {NULL, 0}, last = {NULL, 0};

	while (events.size > 0) {
		line = cut_line(&events);
		if (value_of(line, "event: ").data != NULL)
			last = line;
		if (line.size > 0)
			check_line(line);
	}
	CLAIM(line.size == 0);
	CLAIM(text_is(last, "event: end") || text_is(last, "event: problem"));
}

static void check_stream(struct text head, struct text *output,
                         struct text input)
{
	struct buffer content = {0};

	if (contains(input, "HEAD ") &&
	    (output->size == 0 || output->data[0] == 'H'))
		return;
	if (contains(head, "\r\nTransfer-Encoding: chunked\r\n"))
		cut_chunks(output, &content);
	else
		buffer_add_text(&content, cut(output, output->size));
	check_events(buffer_text(&content));
	buffer_release(&content);
}

static void check_body(struct text body, int status)
{
	json_object *object = json_must_parse(body);

	if (status == 200)
		check_page(object);
	else
		json_must_have(object, "type");
	json_object_put(object);
}

static void check_answer(struct text *output, struct text input, int *pages)
{
	struct text head = cut_head(output);
	int status = read_status(head);

	if (contains(head, "\r\nContent-Type: text/event-stream\r\n")) {
		check_stream(head, output, input);
		CLAIM(!contains(head, "\r\nConnection: close\r\n") ||
		      output->size == 0);
		return;
	}
	size_t length = read_length(head);
	*pages += status == 200;
	if (output->size > 0 && output->data[0] == '{') {
		CLAIM(length <= output->size);
		check_body(cut(output, length), status);
	} else {
		CLAIM(status != 200 && contains(input, "HEAD "));
	}
	CLAIM(!contains(head, "\r\nConnection: close\r\n") || output->size == 0);
}

static int count_gets(struct text input)
{
	int count = 0;

	for (size_t i = 0; i + 4 <= input.size; i++)
		count += memcmp(input.data + i, "GET ", 4) == 0;
	return count;
}

/* The lines that a client must have sent to get a page. A header's name may be
 * in lower case. */
static bool proves_identity(enum auth_mode mode, struct text input)
{
	static const char name[] = "user-id";

	if (mode == AUTH_TOKEN)
		return contains(input, token_signature);
	for (size_t i = 0; i + sizeof name - 1 <= input.size; i++)
		if (strncasecmp(input.data + i, name, sizeof name - 1) == 0)
			return true;
	return mode == AUTH_OPEN;
}

static void check_answers(enum auth_mode mode, struct text output,
                          struct text input)
{
	int pages = 0;

	while (output.size > 0)
		check_answer(&output, input, &pages);
	/* No request is parsed from what was never one. */
	CLAIM(pages <= count_gets(input));
	CLAIM(pages == 0 || proves_identity(mode, input));
}

/* The second may have changed in between, and a retry is drawn. */
static void blank(struct buffer *output, const char *name, char end)
{
	char *at = output->data;

	while (output->size > 0 &&
	       (at = memmem(at, output->size - (size_t)(at - output->data), name,
	                    strlen(name))) != NULL) {
		at += strlen(name);
		for (char *c = at; *c != end; c++)
			*c = '-';
	}
}

static void blank_chance(struct buffer *output)
{
	blank(output, "\r\nDate: ", '\r');
	blank(output, "retry: ", '\n');
}

static void check_whole(enum auth_mode mode, unsigned how, struct text input)
{
	struct world whole, pieces;

	play(&whole, mode, how, input, input.size);
	play(&pieces, mode, how, input, how & PAIRS ? 2 : 1);
	check_answers(mode, buffer_text(&whole.output), input);
	check_answers(mode, buffer_text(&pieces.output), input);
	blank_chance(&whole.output);
	blank_chance(&pieces.output);
	/* How many pipelined bytes are kept depends on when they arrive; where
	 * all of them are kept, the cuts must not show. */
	bool is_exact = !(how & SHORT_HEAD) && !(how & SLOW_READER && how & DRAIN);
	CLAIM(!is_exact || text_equal(buffer_text(&whole.output),
	                              buffer_text(&pieces.output)));
	go_away(&pieces);
	go_away(&whole);
}

/* A key must be in a file. */
static struct access *token_access(void)
{
	char path[] = "/tmp/longroom-fuzz.XXXXXX";
	int fd = mkstemp(path);
	struct auth_settings settings = {.mode = AUTH_TOKEN};
	struct buffer error = {0};

	CLAIM(fd >= 0);
	CLAIM(write(fd, secret, strlen(secret)) == (ssize_t)strlen(secret));
	close(fd);
	word_list_add(&settings.keys, path);
	struct access *access = access_new(&settings, &error);
	CLAIM(access != NULL);
	word_list_release(&settings.keys);
	unlink(path);
	return access;
}

static void prepare(void)
{
	struct auth_settings nginx = {.mode = AUTH_NGINX};
	struct buffer error = {0};

	loop = ev_loop_new(EVFLAG_AUTO);
	accesses[AUTH_NGINX] = access_new(&nginx, &error);
	accesses[AUTH_TOKEN] = token_access();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (loop == NULL)
		prepare();
	/* Within what limits.request_head allows, and a socket holds. */
	if (size < 1 || size > 8192)
		return 0;
	for (enum auth_mode mode = AUTH_NGINX; mode <= AUTH_OPEN; mode++)
		check_whole(mode, data[0], input_text(data + 1, size - 1));
	return 0;
}
