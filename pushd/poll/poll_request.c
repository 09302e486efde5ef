#include "poll/poll_request.h"

#include "codec/query.h"

static struct problem read_query(struct text query, struct poll_request *request)
{
	struct poll_terms *terms = &request->terms;
	enum query_given given = QUERY_ABSENT;
	struct problem wrong =
		query_cursor(query, "after", true, &terms->cursor, &given);

	terms->from_now = given != QUERY_CURSOR;
	if (wrong.type != PROBLEM_NONE || request->kind == ROUTE_EVENTS)
		return wrong;
	return query_number(query, "timeout", 0, POLL_MAX_SECONDS,
	                    "timeout must be a number of seconds from 0 to 55",
	                    &terms->seconds);
}

struct problem poll_request_read(struct text target, size_t most_rooms,
                                 struct poll_request *request)
{
	struct route route;

	*request = (struct poll_request){
		.terms = {.seconds = POLL_DEFAULT_SECONDS}};
	route_parse(target, &route);
	if (route.kind == ROUTE_BAD_ROOM)
		return (struct problem){PROBLEM_BAD_ROOM_NAME, room_name_rule};
	if (route.kind == ROUTE_POLL || route.kind == ROUTE_EVENTS) {
		struct problem wrong = room_list_parse(
			route.rooms, most_rooms, &request->rooms);

		if (wrong.type != PROBLEM_NONE)
			return wrong;
	}
	request->kind = route.kind;
	if (route.kind == ROUTE_HEALTH || route.kind == ROUTE_METRICS)
		return (struct problem){PROBLEM_NONE, NULL};
	if (!poll_request_waits(request))
		return (struct problem){PROBLEM_NOT_FOUND, route_none_detail};
	return read_query(route.query, request);
}

void poll_request_release(struct poll_request *request)
{
	room_list_release(&request->rooms);
}

void poll_request_take_event_id(struct poll_request *request, struct text id)
{
	struct poll_terms *terms = &request->terms;

	terms->from_now = false;
	if (!cursor_parse(id, &terms->cursor))
		terms->cursor = (struct cursor){.id = INT64_MAX};
}
