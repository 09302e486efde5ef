#define _GNU_SOURCE 1 /* stpcpy */
#include "nchan.h"

#include <inttypes.h>
#include <stdio.h>

/* Between the two headers of a place; neither can hold it. */
static const char bar = '|';

size_t nchan_write_poll(const struct target *target, const char *room,
                        const char *place, char *request)
{
	const char *tag = strchr(place, bar);
	char *end = request;

	end = stpcpy(end, "GET ");
	end = stpcpy(end, target->prefix);
	end = stpcpy(end, "/rooms/");
	end = stpcpy(end, room);
	end = stpcpy(end, "/poll HTTP/1.1\r\nHost: ");
	end = stpcpy(end, target->host);
	if (tag != NULL) {
		end = stpcpy(end, "\r\nIf-Modified-Since: ");
		end = (char *)mempcpy(end, place, (size_t)(tag - place));
		end = stpcpy(end, "\r\nIf-None-Match: ");
		end = stpcpy(end, tag + 1);
	}
	end = stpcpy(end, "\r\n\r\n");
	return (size_t)(end - request);
}

bool nchan_read(const struct answer *answer, struct page *page, char *place)
{
	int size = snprintf(place, NCHAN_PLACE_SIZE, "%.*s%c%.*s",
	                    TEXT_ARGS(answer->last_modified), bar,
	                    TEXT_ARGS(answer->etag));

	if (answer->status != 200 || answer->last_modified.size == 0 ||
	    answer->etag.size == 0 || size >= NCHAN_PLACE_SIZE ||
	    !page_parse_lines(page, answer->body))
		return false;
	page->cursor = (struct text){place, (size_t)size};
	return true;
}

size_t nchan_write_message(const char *room, int64_t id, uint32_t sender,
                           const char *content, bool line_end, char *body)
{
	return (size_t)sprintf(
		body,
		"{\"type\":\"chat_message\",\"id\":%" PRId64
		",\"room_id\":\"%s\",\"user_id\":\"s%" PRIu32
		"\",\"username\":\"sender \\\"%" PRIu32
		"\\\"\",\"sender_type\":\"user\",\"content\":\"%s\","
		"\"timestamp\":\"2026-01-01T00:00:00.000Z\"}%s",
		id, room, sender, sender, content, line_end ? "\n" : "");
}
