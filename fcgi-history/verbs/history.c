#include "verbs/history.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "codec/page.h"
#include "codec/pattern.h"
#include "codec/query.h"
#include "metrics/metrics.h"

struct wanted {
	struct store_range range;
	struct cursor cursor; /* behind range.id */
};

static struct problem read_wanted(const struct route *route,
                                  struct wanted *wanted)
{
	struct store_range *range = &wanted->range;
	enum query_given after = QUERY_ABSENT, before = QUERY_ABSENT;
	struct problem wrong;

	*wanted = (struct wanted){.range = {.direction = STORE_NEWEST,
	                                    .limit = PAGE_DEFAULT}};
	wrong = query_number(route->query, "limit", 1, PAGE_MAX,
	                     "limit must be a number from 1 to 1000", &range->limit);
	if (wrong.type == PROBLEM_NONE)
		wrong = query_cursor(route->query, "after", false,
		                     &wanted->cursor, &after);
	if (wrong.type == PROBLEM_NONE)
		wrong = query_cursor(route->query, "before", false,
		                     &wanted->cursor, &before);
	if (wrong.type == PROBLEM_NONE && after != QUERY_ABSENT &&
	    before != QUERY_ABSENT)
		wrong = (struct problem){PROBLEM_BAD_PARAMETER,
		                         "give after or before, not both"};
	/* The few messages of a default page are not measured. */
	range->bytes = range->limit > PAGE_DEFAULT ? PAGE_MAX_BYTES : 0;
	range->id = wanted->cursor.id;
	if (after != QUERY_ABSENT)
		range->direction = STORE_AFTER;
	else if (before != QUERY_ABSENT)
		range->direction = STORE_BEFORE;
	return wrong;
}

static void add_to_page(void *context, const struct message *m)
{
	struct page *page = context;

	page_separate(page);
	message_render(m, page->buffer);
}

static bool read_range(const struct history_source *source,
                       struct request *request,
                       const struct store_range *range, struct page *page,
                       struct store_page *found)
{
	buffer_clear(&request->exchange.response.body);
	page_begin(page, &request->exchange.response.body, &request->route.room);
	if (store_read_room(source->store, &request->route.room, range,
	                    add_to_page, page, found))
		return true;
	request_refuse_unread(request, store_error(source->store));
	return false;
}

/* Whether the cursor is of another log, or ahead of this log after a restore. */
static bool is_dead(const struct history_source *source,
                    const struct cursor *cursor, const struct log_end *end)
{
	return cursor->names_log &&
	       (cursor->id > end->newest ||
	        incarnations_judge(store_incarnations(source->store), cursor) !=
	                STANDING_GOOD);
}

/* Where the page ends: all messages of the room up to here are in it or were
 * before it. */
static int64_t end_of_page(const struct store_range *range,
                           const struct store_page *page)
{
	bool reaches_end = range->direction == STORE_NEWEST ||
	                   (range->direction == STORE_AFTER && !page->more);

	if (reaches_end)
		return page->end.newest;
	if (page->count > 0)
		return page->last;
	/* No message is before this id, so starting there loses nothing; but never
	 * start beyond the log's end. */
	return range->id > page->end.newest ? page->end.newest
	       : range->id > 0              ? range->id - 1
	                                    : 0;
}

/* A page that not everyone may read is private to the user's own cache. */
static void add_etag(const struct history_source *source, struct buffer *headers,
                     const char *tag)
{
	buffer_add_string(headers, "ETag: W/\"");
	buffer_add_string(headers, tag);
	buffer_add_string(headers, "\"\r\nCache-Control: ");
	buffer_add_string(headers, source->is_public ? "no-cache\r\n"
	                                             : "private, no-cache\r\n");
}

/* RFC 9110 section 13.1.2, weak comparison. A tag has no quotes inside, so searching
 * the header for the quoted tag is enough. */
static bool client_has(struct request *request, const char *tag)
{
	struct text header = request_variable(request,
	                                      "HTTP_IF_NONE_MATCH");
	struct buffer quoted = {0};

	if (header.size == 0)
		return false;
	buffer_printf(&quoted, "\"%s\"", tag);
	buffer_add(&quoted, "", 1);
	bool listed = text_is(header, "*") ||
	              strstr(header.data, quoted.data) != NULL;
	buffer_release(&quoted);
	return listed;
}

/* Adds the ETag, and the body unless the client already has it. */
static void answer_tagged(const struct history_source *source,
                          struct request *request, const char *tag)
{
	struct response *response = &request->exchange.response;
	bool known = client_has(request, tag);

	metrics_add(METRIC_HISTORY_READS, 1);
	add_etag(source, &response->headers, tag);
	response->status = known ? 304 : 200;
	response->content_type = known ? NULL : "application/json";
}

static void add_link(struct request *request, bool *is_first,
                     const char *relation, const char *parameter, int64_t id,
                     int64_t limit)
{
	struct buffer *headers = &request->exchange.response.headers;

	buffer_add_string(headers, *is_first ? "Link: <" : ", <");
	response_add_path(headers, request->route.path);
	buffer_add_string(headers, "?");
	buffer_add_string(headers, parameter);
	buffer_add_string(headers, "=");
	buffer_add_integer(headers, id);
	buffer_add_string(headers, "&limit=");
	buffer_add_integer(headers, limit);
	buffer_add_string(headers, ">; rel=\"");
	buffer_add_string(headers, relation);
	buffer_add_string(headers, "\"");
	*is_first = false;
}

/* One header with both links: many clients read only one of several headers, though
 * they are equivalent (RFC 9110 section 5.3). */
static void add_links(struct request *request,
                      const struct store_range *range,
                      const struct store_page *page)
{
	bool is_first = true;

	if (page->count > 0 && page->first > page->state.earliest)
		add_link(request, &is_first, "prev", "before", page->first,
		         range->limit);
	if (range->direction == STORE_BEFORE && page->state.earliest > 0)
		add_link(request, &is_first, "next", "after",
		         end_of_page(range, page), range->limit);
	if (range->direction == STORE_AFTER && page->more)
		add_link(request, &is_first, "next", "after", page->last,
		         range->limit);
	if (!is_first)
		buffer_add_string(&request->exchange.response.headers, "\r\n");
}

static void finish_page(const struct history_source *source,
                        struct request *request,
                        const struct store_range *range,
                        const struct store_page *found, struct page *page,
                        bool reset)
{
	struct page_end end = {
		.cursor = {.names_log = true,
		           .log = found->end.log,
		           .id = end_of_page(range, found)},
		.earliest = found->state.earliest,
		.more = found->more,
		.gap = !reset && range->direction == STORE_AFTER &&
		       range->id < found->removed,
		.reset = reset,
		.ephemeral = pattern_list_matches(
			&source->rooms->ephemeral,
			request->route.room.string),
	};
	/* The tag covers the messages as they are now: other programs may have
	 * changed them. It does not cover the cursor, which advances with messages
	 * in other rooms. */
	uint64_t hash = hash_text(buffer_text(page->buffer));
	char tag[128];

	page_end(page, &end);
	add_links(request, range, found);
	snprintf(tag, sizeof tag,
	         "%08" PRIx32 ".%" PRId64 ".%" PRIx64 ".%d", found->end.log,
	         found->state.earliest, hash,
	         found->more | reset << 1 | end.gap << 2 | end.ephemeral << 3);
	answer_tagged(source, request, tag);
}

void history_page(const struct history_source *source, struct request *request)
{
	static const struct store_range newest = {.direction = STORE_NEWEST,
	                                          .limit = PAGE_DEFAULT};
	struct wanted wanted;
	struct problem wrong = read_wanted(&request->route, &wanted);
	struct store_page found;
	struct page page;

	if (wrong.type != PROBLEM_NONE) {
		response_set_problem(&request->exchange.response, wrong);
		return;
	}
	if (!read_range(source, request, &wanted.range, &page, &found))
		return;
	bool reset = is_dead(source, &wanted.cursor, &found.end);
	if (reset) {
		wanted.range = newest;
		if (!read_range(source, request, &newest, &page, &found))
			return;
	}
	finish_page(source, request, &wanted.range, &found, &page, reset);
}

void history_message(const struct history_source *source, struct request *request)
{
	struct log_end end;
	char tag[64];
	bool found;

	if (!store_read_one(source->store, &request->route.room, request->route.id,
	                    response_add_message,
	                    &request->exchange.response.body, &end, &found)) {
		request_refuse_unread(request, store_error(source->store));
	} else if (!found) {
		request_refuse(request, PROBLEM_NOT_FOUND,
		               "this room has no message with this id");
	} else {
		snprintf(tag, sizeof tag, "%08" PRIx32 ".%" PRId64 ".%" PRIx64,
		         end.log, request->route.id,
		         hash_text(buffer_text(&request->exchange.response.body)));
		answer_tagged(source, request, tag);
	}
}
