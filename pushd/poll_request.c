#include "poll_request.h"

#include "number.h"
#include "params.h"
#include "server.h"

static const struct problem fine = {PROBLEM_NONE, NULL};

static struct problem read_after(struct text query, struct poll_request *request)
{
	struct buffer value = {0};
	enum param_found found = params_find(query, "after", &value);

	request->from_now = found == PARAM_ABSENT ||
	                    text_is(buffer_text(&value), "now");
	bool good = found == PARAM_ABSENT ||
	            (found == PARAM_FOUND &&
	             (request->from_now ||
	              cursor_parse(buffer_text(&value), &request->cursor)));
	buffer_release(&value);
	return good ? fine
	            : (struct problem){PROBLEM_BAD_CURSOR,
	                               "after takes a cursor, an id or now, "
	                               "given once"};
}

static struct problem read_timeout(struct text query, struct poll_request *request)
{
	struct buffer value = {0};
	enum param_found found = params_find(query, "timeout", &value);
	int64_t seconds = POLL_DEFAULT_SECONDS;
	bool good = found == PARAM_ABSENT ||
	            (found == PARAM_FOUND &&
	             number_parse(buffer_text(&value), 0, POLL_MAX_SECONDS,
	                          &seconds));

	buffer_release(&value);
	request->seconds = (int)seconds;
	return good ? fine
	            : (struct problem){PROBLEM_BAD_PARAMETER,
	                               "timeout is a number of seconds from 0 to "
	                               "55, given once"};
}

struct problem poll_request_read(struct text target, struct poll_request *request)
{
	struct problem wrong;
	struct route route;

	*request = (struct poll_request){0};
	route_parse(target, &route);
	if (route.kind == ROUTE_BAD_ROOM)
		return (struct problem){PROBLEM_BAD_ROOM_NAME,
		                        "this is no room's name"};
	if (route.kind != ROUTE_POLL)
		return (struct problem){PROBLEM_NOT_FOUND,
		                        "there is no such path"};
	request->room = route.room;
	wrong = read_after(route.query, request);
	if (wrong.type == PROBLEM_NONE)
		wrong = read_timeout(route.query, request);
	return wrong;
}
