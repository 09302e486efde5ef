#define _GNU_SOURCE 1 /* stpcpy */
#include "request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* More than prefix, cursor, host and token can fill. */
enum { FRAME_SIZE = 1024 + TOKEN_HEADER_MAX };

size_t request_room(const struct options *options)
{
	return FRAME_SIZE + (size_t)options->rooms_each * ROOM_NAME_SIZE;
}

int64_t request_poll_timeout_s(const struct follower_client *client)
{
	return client->stage == STAGE_WAITING
	               ? client->all->options->poll_timeout_s
	               : 0;
}

static char *add_rooms(const struct follower_client *client, char *end)
{
	const struct check *check = client->all->check;
	uint32_t count = check_rooms(check, client->number);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t room = check_room(check, client->number, i);

		if (i > 0)
			*end++ = ',';
		end = stpcpy(end, check->options->room_names[room]);
	}
	return end;
}

static char *add_what(const struct follower_client *client, char *end)
{
	if (client_asks_stream(client))
		return stpcpy(end, "/events");
	if (client_asks_history(client)) {
		end = stpcpy(end, "/messages?limit=");
		end = stpcpy(end, client->stage == STAGE_READING ? "1000" : "1");
	} else {
		end += sprintf(end, "/poll?timeout=%" PRId64,
		               request_poll_timeout_s(client));
	}
	if (client->stage != STAGE_JOINING) {
		end = stpcpy(end, "&after=");
		end = stpcpy(end, client->cursor);
	}
	return end;
}

/* As a browser asks that comes back. */
static char *add_stream_headers(const struct follower_client *client, char *end)
{
	end = stpcpy(end, "Accept: text/event-stream\r\n");
	if (client->cursor[0] == '\0')
		return end;
	end = stpcpy(end, "Last-Event-ID: ");
	end = stpcpy(end, client->cursor);
	return stpcpy(end, "\r\n");
}

size_t request_write(const struct follower_client *client, char *request)
{
	const struct options *options = client->all->options;
	const struct target *target = client->connection.target;
	char *end = request;

	if (options->nchan && !options->streams)
		return nchan_write_poll(target, client_room(client),
		                        client->cursor, request);
	end = stpcpy(end, "GET ");
	end = stpcpy(end, target->prefix);
	end = stpcpy(end, "/rooms/");
	end = add_rooms(client, end);
	end = add_what(client, end);
	end = stpcpy(end, " HTTP/1.1\r\nHost: ");
	end = stpcpy(end, target->host);
	end = stpcpy(end, "\r\n");
	if (client_asks_stream(client))
		end = add_stream_headers(client, end);
	end = stpcpy(end, tokens_header(&options->tokens, client->number));
	end = stpcpy(end, "\r\n");
	return (size_t)(end - request);
}
