#define _GNU_SOURCE 1 /* clock_gettime */
#include "follower.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "nchan.h"
#include "request.h"
#include "stream.h"

enum {
	POLL_GRACE_S = 5, /* so long after its timeout an unanswered poll is stuck */
	HISTORY_TIMEOUT_S = 30,
};

/* A stream is never silent for longer than the longest poll waits. */
static int64_t answer_timeout_s(const struct follower_client *client)
{
	if (client_asks_history(client))
		return HISTORY_TIMEOUT_S;
	if (client_asks_stream(client))
		return client->all->options->poll_timeout_s + POLL_GRACE_S;
	return request_poll_timeout_s(client) + POLL_GRACE_S;
}

static void ask(struct connection *connection)
{
	struct follower_client *client = (struct follower_client *)connection;
	struct followers *all = client->all;

	client->asked_ns = connection->network->now_ns;
	if (client_asks_stream(client))
		stream_begin(client);
	else
		all->polls += client->stage == STAGE_WAITING;
	connection_ask(connection, all->request,
	               request_write(client, all->request),
	               answer_timeout_s(client) * NS_PER_S);
}

static void set_cursor(struct follower_client *client, struct text cursor)
{
	memcpy(client->cursor, cursor.data, cursor.size);
	client->cursor[cursor.size] = '\0';
}

/* The waiter begins to wait, and asks for what it waits for if it has not. */
static void start_waiting(struct follower_client *client, bool waits)
{
	const struct options *options = client->all->options;
	struct connection *connection = &client->connection;

	client->stage = STAGE_WAITING;
	client->all->waiters_joined++;
	if (waits)
		return;
	if (!target_equal(connection->target, &options->poll_target)) {
		connection_close(connection);
		connection->target = &options->poll_target;
	}
	connection_want(connection);
}

static void finish_joining(struct follower_client *client, bool waits)
{
	client->all->joined++;
	if (!client_is_reader(client)) {
		start_waiting(client, waits);
		return;
	}
	client->stage = STAGE_RESTING;
	connection_close(&client->connection);
}

static void count_poll(struct follower_client *client)
{
	struct followers *all = client->all;
	int64_t taken_ns = client->connection.network->now_ns - client->asked_ns;

	all->answers++;
	if (all->page.count > 0)
		return;
	all->empty++;
	all->early += taken_ns < (request_poll_timeout_s(client) - 1) * NS_PER_S;
}

static void take_page(struct follower_client *client)
{
	struct followers *all = client->all;
	const struct page *page = &all->page;
	struct connection *connection = &client->connection;

	set_cursor(client, page->cursor);
	if (client->stage == STAGE_JOINING) {
		check_joined(all->check, client->number, page);
		finish_joining(client, false);
		return;
	}
	check_page(all->check, client->number, page,
	           connection->network->now_ns);
	if (client->stage == STAGE_WAITING)
		count_poll(client);
	if (client->stage == STAGE_READING && !page->more) {
		client->stage = STAGE_DONE;
		all->done++;
		connection_close(connection);
		return;
	}
	if (page->retry_ms > 0)
		connection_want_in(connection, page->retry_ms * NS_PER_MS);
	else
		connection_want(connection);
}

static void refuse(struct follower_client *client, const struct answer *answer)
{
	struct followers *all = client->all;

	/* EventSource gives up for good on any status but 200. */
	if (answer->status >= 500 && !client_asks_stream(client)) {
		all->server_errors++;
	} else {
		all->refused++;
		check_complain(all->check, "%s was answered with %d %.*s",
		               client_asks_history(client)  ? "history"
		               : client_asks_stream(client) ? "a stream"
		                                            : "a poll",
		               answer->status,
		               answer->body.size < 300 ? (int)answer->body.size
		                                       : 300,
		               answer->body.data);
	}
	connection_want_later(&client->connection);
}

static bool read_page(const struct follower_client *client,
                      const struct answer *answer)
{
	struct followers *all = client->all;

	if (!all->options->nchan)
		return answer->status == 200 &&
		       page_parse(&all->page, answer->body);
	if (!nchan_read(answer, &all->page, all->place))
		return false;
	all->page.room = text_of(client_room(client));
	return true;
}

static void answered(struct connection *connection, const struct answer *answer)
{
	struct follower_client *client = (struct follower_client *)connection;

	if (read_page(client, answer))
		take_page(client);
	else
		refuse(client, answer);
}

static size_t streamed(struct connection *connection, char *data, size_t size)
{
	struct follower_client *client = (struct follower_client *)connection;
	size_t taken = stream_take(client, data, size);

	if (client->stage == STAGE_JOINING && client->ready) {
		check_joined(client->all->check, client->number,
		             &client->all->page);
		finish_joining(client, true);
	}
	return taken;
}

static void ended(struct connection *connection)
{
	stream_end((struct follower_client *)connection, false);
}

static void failed(struct connection *connection, enum failure failure)
{
	struct follower_client *client = (struct follower_client *)connection;

	if (failure == FAILED_SILENT && !client_asks_history(client)) {
		client->all->stuck++;
		check_complain(client->all->check, "stuck: a %s of %s",
		               client_asks_stream(client)
		                       ? "silent stream"
		                       : "poll without an answer",
		               client_room(client));
	}
	if (failure != FAILED_CONNECT && client_asks_stream(client))
		stream_end(client, true);
	else
		connection_want_later(connection);
}

static const struct connection_events events = {
	.ready = ask,
	.answered = answered,
	.streamed = streamed,
	.ended = ended,
	.failed = failed,
};

void followers_init(struct followers *followers, const struct options *options,
                    struct network *network, struct check *check)
{
	*followers = (struct followers){
		.options = options,
		.network = network,
		.check = check,
		.count = check->readers + check->waiters,
		.readers = check->readers,
	};
	followers->request = load_get(1, request_room(options));
	followers->list = load_get(followers->count, sizeof *followers->list);
	for (uint32_t i = 0; i < followers->count; i++) {
		struct follower_client *client = &followers->list[i];

		client->all = followers;
		client->number = i;
		client->stage = STAGE_JOINING;
		client->retry_ms = RETRY_DEFAULT_MS;
		connection_init(&client->connection, network, &events,
		                client_joins_by_history(client)
		                        ? &options->post_target
		                        : &options->poll_target);
	}
}

void followers_release(struct followers *followers)
{
	for (uint32_t i = 0; i < followers->count; i++)
		connection_close(&followers->list[i].connection);
	free(followers->list);
	free(followers->request);
	page_release(&followers->page);
}

void followers_join_more(struct followers *followers)
{
	while (followers->started < followers->count &&
	       followers->started - followers->joined <
	               (uint32_t)followers->options->joins_at_once)
		connection_want(&followers->list[followers->started++].connection);
}

bool followers_have_joined(const struct followers *followers)
{
	return followers->joined == followers->count;
}

void followers_read(struct followers *followers)
{
	for (uint32_t i = 0; i < followers->readers; i++) {
		followers->list[i].stage = STAGE_READING;
		check_reads(followers->check, i);
		connection_want(&followers->list[i].connection);
	}
}

bool followers_have_read(const struct followers *followers)
{
	return followers->done == followers->readers;
}
