#define _GNU_SOURCE 1 /* clock_gettime */
#include "follower.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "nchan.h"

enum {
	POLL_GRACE_S = 5, /* so long after its timeout an unanswered poll is stuck */
	HISTORY_TIMEOUT_S = 30,
	CURSOR_SIZE = 65,
	/* More than prefix, room, cursor, host and token can fill. */
	REQUEST_SIZE = 1024 + TOKEN_HEADER_MAX,
};

enum stage {
	STAGE_JOINING,
	STAGE_WAITING, /* a waiter: its poll is on the way or parked */
	STAGE_RESTING, /* a reader between the start and the end */
	STAGE_READING,
	STAGE_DONE,
};

struct follower_client {
	struct connection connection; /* first: its events come with it */
	struct followers *all;
	int64_t asked_ns;
	uint32_t number;
	uint8_t stage;
	char cursor[CURSOR_SIZE];
};

static bool is_reader(const struct follower_client *client)
{
	return client->number < client->all->readers;
}

static bool joins_by_history(const struct follower_client *client)
{
	return is_reader(client) ||
	       client->all->options->starts_with_history;
}

static bool asks_history(const struct follower_client *client)
{
	return client->stage == STAGE_READING ||
	       (client->stage == STAGE_JOINING && joins_by_history(client));
}

static int64_t poll_timeout_s(const struct follower_client *client)
{
	return client->stage == STAGE_WAITING
	               ? client->all->options->poll_timeout_s
	               : 0;
}

static const char *room_of(const struct follower_client *client)
{
	const struct followers *all = client->all;

	return all->options->room_names[client->number % all->check->ledger.rooms];
}

static size_t write_request(const struct follower_client *client, char *request)
{
	const struct target *target = client->connection.target;
	char *end = request;

	if (client->all->options->nchan)
		return nchan_write_poll(target, room_of(client), client->cursor,
		                        request);
	end = stpcpy(end, "GET ");
	end = stpcpy(end, target->prefix);
	end = stpcpy(end, "/rooms/");
	end = stpcpy(end, room_of(client));
	if (asks_history(client)) {
		end = stpcpy(end, "/messages?limit=");
		end = stpcpy(end, client->stage == STAGE_READING ? "1000" : "1");
	} else {
		char timeout[32];

		snprintf(timeout, sizeof timeout, "%" PRId64,
		         poll_timeout_s(client));
		end = stpcpy(end, "/poll?timeout=");
		end = stpcpy(end, timeout);
	}
	if (client->stage != STAGE_JOINING) {
		end = stpcpy(end, "&after=");
		end = stpcpy(end, client->cursor);
	}
	end = stpcpy(end, " HTTP/1.1\r\nHost: ");
	end = stpcpy(end, target->host);
	end = stpcpy(end, "\r\n");
	end = stpcpy(end, tokens_header(&client->all->options->tokens,
	                                client->number));
	end = stpcpy(end, "\r\n");
	return (size_t)(end - request);
}

static void ask(struct connection *connection)
{
	struct follower_client *client = (struct follower_client *)connection;
	char request[REQUEST_SIZE];
	int64_t timeout_s = asks_history(client)
	                            ? HISTORY_TIMEOUT_S
	                            : poll_timeout_s(client) + POLL_GRACE_S;

	client->asked_ns = connection->network->now_ns;
	client->all->polls += client->stage == STAGE_WAITING;
	connection_ask(connection, request, write_request(client, request),
	               timeout_s * NS_PER_S);
}

static void set_cursor(struct follower_client *client, struct text cursor)
{
	memcpy(client->cursor, cursor.data, cursor.size);
	client->cursor[cursor.size] = '\0';
}

static void finish_joining(struct follower_client *client)
{
	const struct options *options = client->all->options;
	struct connection *connection = &client->connection;

	client->all->joined++;
	if (is_reader(client)) {
		client->stage = STAGE_RESTING;
		connection_close(connection);
		return;
	}
	client->stage = STAGE_WAITING;
	client->all->waiters_joined++;
	if (!target_equal(connection->target, &options->poll_target)) {
		connection_close(connection);
		connection->target = &options->poll_target;
	}
	connection_want(connection);
}

static void count_poll(struct follower_client *client)
{
	struct followers *all = client->all;
	int64_t taken_ns = client->connection.network->now_ns - client->asked_ns;

	all->answers++;
	if (all->page.count > 0)
		return;
	all->empty++;
	all->early += taken_ns < (poll_timeout_s(client) - 1) * NS_PER_S;
}

static void take_page(struct follower_client *client)
{
	struct followers *all = client->all;
	const struct page *page = &all->page;
	struct connection *connection = &client->connection;

	set_cursor(client, page->cursor);
	if (client->stage == STAGE_JOINING) {
		check_joined(all->check, client->number, page);
		finish_joining(client);
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

	if (answer->status >= 500) {
		all->server_errors++;
	} else {
		all->refused++;
		check_complain(all->check, "%s was answered with %d %.*s",
		               asks_history(client) ? "history" : "a poll",
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
	all->page.room = text_of(room_of(client));
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

static void failed(struct connection *connection, enum failure failure)
{
	struct follower_client *client = (struct follower_client *)connection;

	if (failure == FAILED_SILENT && !asks_history(client)) {
		client->all->stuck++;
		check_complain(client->all->check,
		               "stuck: a poll of %s has no answer",
		               room_of(client));
	}
	connection_want_later(connection);
}

static const struct connection_events events = {ask, answered, failed};

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
	followers->list = load_get(followers->count, sizeof *followers->list);
	for (uint32_t i = 0; i < followers->count; i++) {
		struct follower_client *client = &followers->list[i];

		client->all = followers;
		client->number = i;
		client->stage = STAGE_JOINING;
		connection_init(&client->connection, network, &events,
		                joins_by_history(client)
		                        ? &options->post_target
		                        : &options->poll_target);
	}
}

void followers_release(struct followers *followers)
{
	for (uint32_t i = 0; i < followers->count; i++)
		connection_close(&followers->list[i].connection);
	free(followers->list);
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
