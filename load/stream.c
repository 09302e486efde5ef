#define _GNU_SOURCE 1 /* clock_gettime */
#include "stream.h"

#include "event.h"

void stream_begin(struct follower_client *client)
{
	client->ready = client->excused = false;
	client->all->streams++;
}

/* Passes on the messages that have come so far: an answer, as a poll's page is one. */
static void pass_messages(struct follower_client *client)
{
	struct followers *all = client->all;
	struct page *page = &all->page;

	if (page->count == 0)
		return;
	if (all->options->rooms_each == 1)
		page->room = text_of(client_room(client));
	check_page(all->check, client->number, page, all->network->now_ns);
	page_clear(page);
}

static void complain_event(struct follower_client *client,
                           const struct event *event, const char *what)
{
	struct check *check = client->all->check;

	check->damaged++;
	check_complain(check, "damaged: %s: event \"%.*s\" of a stream: %.*s", what,
	               TEXT_ARGS(event->name),
	               event->data.size < 300 ? (int)event->data.size : 300,
	               event->data.data != NULL ? event->data.data : "");
}

/* A stream that was resumed names what has passed meanwhile. */
static void take_id(struct follower_client *client, const struct event *event)
{
	if (event->id.size >= CURSOR_SIZE) {
		complain_event(client, event, "its id is too long");
		return;
	}
	memcpy(client->cursor, event->id.data, event->id.size);
	client->cursor[event->id.size] = '\0';
}

static void begin_serving(struct follower_client *client)
{
	struct followers *all = client->all;

	client->ready = true;
	if (client->away_ns != 0)
		latency_record(&all->returns,
		               all->network->now_ns - client->away_ns);
	client->away_ns = 0;
}

static void take_message(struct follower_client *client,
                         const struct event *event)
{
	if (event->id.data == NULL)
		complain_event(client, event, "it has no id");
	if (!client->ready && !client->all->options->nchan)
		complain_event(client, event, "the stream is not ready");
	if (!page_add(&client->all->page, event->data))
		complain_event(client, event, "this is not a message");
}

static void take_reset(struct follower_client *client, const struct event *event)
{
	struct followers *all = client->all;

	if (!page_parse(&all->page, event->data)) {
		complain_event(client, event, "this is not a page");
		page_clear(&all->page);
		return;
	}
	all->page.reset = true;
	check_page(all->check, client->number, &all->page, all->network->now_ns);
	page_clear(&all->page);
}

static void take_problem(struct follower_client *client,
                         const struct event *event)
{
	struct followers *all = client->all;

	client->excused = true;
	if (problem_parse(event->data) >= 500) {
		all->server_errors++;
		return;
	}
	all->refused++;
	check_complain(all->check, "a stream was answered with %.*s",
	               event->data.size < 300 ? (int)event->data.size : 300,
	               event->data.data != NULL ? event->data.data : "");
}

/* An event with a name. What came before it comes first. */
static void take_named(struct follower_client *client, const struct event *event)
{
	struct followers *all = client->all;

	pass_messages(client);
	if (text_is(event->name, "ready")) {
		begin_serving(client);
	} else if (text_is(event->name, "cursor")) {
		all->cursors++;
	} else if (text_is(event->name, "gap")) {
		all->check->gaps++;
	} else if (text_is(event->name, "reset")) {
		take_reset(client, event);
	} else if (text_is(event->name, "problem")) {
		take_problem(client, event);
	} else if (text_is(event->name, "end")) {
		all->ends++;
		client->excused = true;
	} else {
		all->skipped++;
	}
}

static void take_event(struct follower_client *client, const struct event *event)
{
	if (event->retry_ms >= 0)
		client->retry_ms = (uint32_t)event->retry_ms;
	if (event->name.size > 0)
		take_named(client, event);
	else if (event->data.data != NULL)
		take_message(client, event);
	else
		client->all->comments += event->comment;
	if (event->id.data != NULL)
		take_id(client, event);
	/* nchan begins with a comment. */
	if (!client->ready && client->all->options->nchan)
		begin_serving(client);
}

size_t stream_take(struct follower_client *client, char *data, size_t size)
{
	struct event event;
	size_t taken = 0, event_size;

	page_clear(&client->all->page);
	while ((event_size = event_take(data + taken, size - taken, &event)) > 0) {
		take_event(client, &event);
		taken += event_size;
	}
	pass_messages(client);
	return taken;
}

/* A stream that ends without a word was cut off; nginx says so for its 502. */
void stream_end(struct follower_client *client, bool lost)
{
	struct followers *all = client->all;
	int64_t pause_ns = client->retry_ms * NS_PER_MS;

	if (!lost && !client->ready && !client->excused)
		all->server_errors++;
	client->ready = false;
	if (client->away_ns == 0 && client->stage == STAGE_WAITING)
		client->away_ns = all->network->now_ns + pause_ns;
	connection_want_in(&client->connection, pause_ns);
}
