#define _GNU_SOURCE 1 /* clock_gettime */
#include "sender.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "nchan.h"

enum {
	ANSWER_TIMEOUT_S = 30,
	/* More than a request without its content takes. */
	FRAME_SIZE = 2048 + TOKEN_HEADER_MAX,
};

struct sender {
	struct connection connection; /* first: its events come with it */
	struct senders *all;
	int64_t last_id; /* of what was answered */
	uint32_t index;
	uint32_t sequence;
	uint32_t number; /* the message that it is busy with */
	bool busy;
	bool repeats;
};

static void push_free(struct senders *all, uint32_t index)
{
	uint32_t at = (all->free_first + all->free_count++) % all->count;

	all->free[at] = index;
}

static uint32_t pop_free(struct senders *all)
{
	uint32_t index = all->free[all->free_first];

	all->free_first = (all->free_first + 1) % all->count;
	all->free_count--;
	return index;
}

static const char *room_of(const struct sender *sender)
{
	const struct check *check = sender->all->check;

	return check->options->room_names[sender->number % check->ledger.rooms];
}

static int64_t nchan_id(const struct sender *sender)
{
	return (int64_t)sender->number + 1;
}

/* The username has quotes so that a page with escapes is the common case. */
static void write_tail(const struct sender *sender, char *tail, size_t room)
{
	const struct options *options = sender->all->options;
	int size = snprintf(tail, room,
	                    "\",\"user_id\":\"s%" PRIu32
	                    "\",\"username\":\"sender \\\"%" PRIu32 "\\\"\"",
	                    sender->index, sender->index);

	if (options->client_ids || options->repeat_lost)
		size += snprintf(tail + size, room - (size_t)size,
		                 ",\"client_id\":\"%s-%" PRIu32 "\"",
		                 sender->all->check->style.tag, sender->number);
	snprintf(tail + size, room - (size_t)size, "%s}",
	         options->signals ? ",\"store\":false" : "");
}

/* Writes the body and returns its size. */
static size_t write_body(const struct sender *sender)
{
	struct senders *all = sender->all;
	char tail[256];

	check_content(all->check, sender->number, all->content);
	if (all->options->nchan)
		return nchan_write_message(room_of(sender), nchan_id(sender),
		                           sender->index, all->content,
		                           !all->options->streams, all->body);
	write_tail(sender, tail, sizeof tail);
	return (size_t)snprintf(all->body, all->request_room,
	                        "{\"content\":\"%s%s", all->content, tail);
}

static size_t write_request(const struct sender *sender)
{
	struct senders *all = sender->all;
	const struct target *target = sender->connection.target;
	size_t body_size = write_body(sender);

	return (size_t)snprintf(
		all->request, all->request_room,
		"POST %s/rooms/%s/messages HTTP/1.1\r\n"
		"Host: %s\r\n"
		"%s"
		"Content-Type: application/json\r\n"
		"Content-Length: %zu\r\n"
		"\r\n"
		"%s",
		target->prefix, room_of(sender), target->host,
		tokens_header(&all->options->tokens, sender->index), body_size,
		all->body);
}

static void post(struct connection *connection)
{
	struct sender *sender = (struct sender *)connection;
	struct senders *all = sender->all;
	int64_t now_ns = load_now_ns();

	if (!sender->busy)
		return;
	check_sending(all->check, sender->number, sender->index,
	              sender->sequence, now_ns);
	if (all->first_sent_ns == 0)
		all->first_sent_ns = now_ns;
	all->sent++;
	all->repeated += sender->repeats;
	connection_ask(connection, all->request, write_request(sender),
	               ANSWER_TIMEOUT_S * NS_PER_S);
}

static void finish(struct sender *sender, bool accepted)
{
	struct senders *all = sender->all;

	sender->busy = false;
	all->accepted += accepted;
	push_free(all, sender->index);
	schedule_posted(all->schedule, sender->number, accepted);
}

static void repeat(struct sender *sender)
{
	sender->repeats = true;
	connection_want_later(&sender->connection);
}

/* A sender sends one after the other, so its ids must grow. */
static void check_id(struct sender *sender, int64_t id)
{
	struct check *check = sender->all->check;

	check_posted(check, sender->number, id);
	if (id <= sender->last_id) {
		check->out_of_order++;
		check_complain(check, "out of order: id %" PRId64
		               " answers a later POST than id %" PRId64,
		               id, sender->last_id);
	}
	sender->last_id = id;
}

static bool status_is_good(const struct sender *sender, int status)
{
	const struct options *options = sender->all->options;

	if (status == 202)
		return options->allow_unsaved || options->signals;
	return status == 201 || (status == 200 && sender->repeats);
}

/* The answer's body is the message as accepted. */
static bool body_is_good(const struct sender *sender,
                         const struct answer *answer, struct item *item)
{
	struct senders *all = sender->all;

	if (!item_parse(item, answer->body))
		return false;
	size_t size = check_content(all->check, sender->number, all->content);

	return item->unsaved == (answer->status == 202) &&
	       text_is(item->room, room_of(sender)) &&
	       text_equal(item->content, (struct text){all->content, size});
}

/* 202: accepted, but no client was waiting. */
static bool nchan_accept(struct sender *sender, const struct answer *answer)
{
	bool good = answer->status == 201 || answer->status == 202;

	if (good)
		check_id(sender, nchan_id(sender));
	return good;
}

static bool accept_answer(struct sender *sender, const struct answer *answer)
{
	struct senders *all = sender->all;
	struct item item;

	if (!status_is_good(sender, answer->status) ||
	    !body_is_good(sender, answer, &item)) {
		all->wrong += answer->status < 300;
		check_complain(all->check, "a POST was answered with %d %.*s",
		               answer->status,
		               answer->body.size < 300 ? (int)answer->body.size
		                                       : 300,
		               answer->body.data);
		return false;
	}
	if (item.id != 0)
		check_id(sender, item.id);
	return true;
}

static void answered(struct connection *connection, const struct answer *answer)
{
	struct sender *sender = (struct sender *)connection;
	struct senders *all = sender->all;
	int64_t now_ns = connection->network->now_ns;

	all->statuses[answer->status]++;
	all->last_answer_ns = now_ns;
	if (answer->status >= 500 && all->options->repeat_lost) {
		repeat(sender);
		return;
	}
	latency_record(&all->latency,
	               now_ns - all->check->messages[sender->number].sent_ns);
	finish(sender, all->options->nchan ? nchan_accept(sender, answer)
	                                   : accept_answer(sender, answer));
}

static void failed(struct connection *connection, enum failure failure)
{
	struct sender *sender = (struct sender *)connection;

	if (!sender->busy)
		return;
	if (failure == FAILED_CONNECT) {
		connection_want_later(connection);
		return;
	}
	sender->all->unanswered++;
	if (sender->all->options->repeat_lost) {
		repeat(sender);
		return;
	}
	check_complain(sender->all->check, "a POST to %s has no answer",
	               room_of(sender));
	finish(sender, false);
}

static const struct connection_events events = {
	.ready = post,
	.answered = answered,
	.failed = failed,
};

void senders_init(struct senders *senders, const struct options *options,
                  struct network *network, struct schedule *schedule,
                  struct check *check)
{
	*senders = (struct senders){
		.options = options,
		.schedule = schedule,
		.check = check,
		.count = (uint32_t)options->senders,
	};
	senders->content = load_get(1, mark_room(&check->style));
	senders->request_room = FRAME_SIZE + mark_room(&check->style);
	senders->request = load_get(1, senders->request_room);
	senders->body = load_get(1, senders->request_room);
	senders->free = load_get(senders->count, sizeof *senders->free);
	senders->list = load_get(senders->count, sizeof *senders->list);
	for (uint32_t i = 0; i < senders->count; i++) {
		senders->list[i].all = senders;
		senders->list[i].index = i;
		connection_init(&senders->list[i].connection, network, &events,
		                &options->post_target);
		push_free(senders, i);
	}
}

void senders_release(struct senders *senders)
{
	for (uint32_t i = 0; i < senders->count; i++)
		connection_close(&senders->list[i].connection);
	free(senders->list);
	free(senders->free);
	free(senders->content);
	free(senders->request);
	free(senders->body);
}

bool senders_are_busy(const struct senders *senders)
{
	return senders->free_count < senders->count;
}

void senders_post(struct senders *senders, uint32_t number)
{
	assert(senders->free_count > 0);
	struct sender *sender = &senders->list[pop_free(senders)];

	sender->number = number;
	sender->sequence++;
	sender->busy = true;
	sender->repeats = false;
	connection_want(&sender->connection);
}
