#include "poll/poll_request.h"

#include "codec/query.h"
#include "codec/room_list.h"

struct problem poll_request_read(struct text target, struct poll_request *request)
{
	enum query_given given = QUERY_ABSENT;
	struct room_list rooms;
	struct problem wrong;
	struct route route;

	*request = (struct poll_request){.seconds = POLL_DEFAULT_SECONDS};
	route_parse(target, &route);
	if (route.kind == ROUTE_BAD_ROOM)
		return (struct problem){PROBLEM_BAD_ROOM_NAME, room_name_rule};
	if (route.kind == ROUTE_HEALTH || route.kind == ROUTE_METRICS) {
		request->kind = route.kind;
		return (struct problem){PROBLEM_NONE, NULL};
	}
	if (route.kind != ROUTE_POLL) {
		request->kind = route.kind == ROUTE_EVENTS ? ROUTE_NONE
		                                           : route.kind;
		return (struct problem){PROBLEM_NOT_FOUND, route_none_detail};
	}
	wrong = room_list_parse(route.rooms, 1, &rooms);
	if (wrong.type != PROBLEM_NONE || rooms.is_all)
		return (struct problem){PROBLEM_BAD_ROOM_NAME, room_name_rule};
	request->kind = ROUTE_POLL;
	request->room = rooms.one;
	room_list_release(&rooms);
	wrong = query_cursor(route.query, "after", true, &request->cursor, &given);
	request->from_now = given != QUERY_CURSOR;
	if (wrong.type != PROBLEM_NONE)
		return wrong;
	return query_number(route.query, "timeout", 0, POLL_MAX_SECONDS,
	                    "timeout must be a number of seconds from 0 to 55",
	                    &request->seconds);
}
