#include "poll/poll_request.h"

#include "codec/query.h"

struct problem poll_request_read(struct text target, struct poll_request *request)
{
	enum query_given given = QUERY_ABSENT;
	struct problem wrong;
	struct route route;

	*request = (struct poll_request){.seconds = POLL_DEFAULT_SECONDS};
	route_parse(target, &route);
	if (route.kind == ROUTE_BAD_ROOM)
		return (struct problem){PROBLEM_BAD_ROOM_NAME,
		                        "invalid room name: 1 to 64 of A-Z a-z 0-9 "
		                        ". _ ~ -, and room_<number> without "
		                        "leading zeros"};
	request->kind = route.kind;
	if (route.kind == ROUTE_HEALTH || route.kind == ROUTE_METRICS)
		return (struct problem){PROBLEM_NONE, NULL};
	if (route.kind != ROUTE_POLL)
		return (struct problem){PROBLEM_NOT_FOUND, route_none_detail};
	request->room = route.room;
	wrong = query_cursor(route.query, "after", true, &request->cursor, &given);
	request->from_now = given != QUERY_CURSOR;
	if (wrong.type != PROBLEM_NONE)
		return wrong;
	return query_number(route.query, "timeout", 0, POLL_MAX_SECONDS,
	                    "timeout must be a number of seconds from 0 to 55",
	                    &request->seconds);
}
