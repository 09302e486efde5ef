#include "poll/poll_request.h"

#include "codec/message.h"
#include "codec/params.h"
#include "codec/query.h"

static const struct problem all_is_well = {PROBLEM_NONE, NULL};

static struct problem read_presence(struct text query, struct poll_request *request)
{
	const struct room_list *rooms = &request->rooms;
	int64_t number = 0;
	struct problem wrong = query_number(query, "presence", 0, 1,
	                                    "presence must be 0 or 1", &number);

	request->terms.watches = number == 1;
	if (!request->terms.watches ||
	    (!rooms->is_all && rooms->count <= POLL_WATCHED_MAX))
		return wrong;
	return (struct problem){PROBLEM_BAD_PARAMETER,
	                        "with presence=1 a request may name at most 10 "
	                        "rooms, and not *"};
}

static struct problem read_name(struct text query, const char *parameter,
                                struct buffer *name)
{
	enum param_found found = params_find(query, parameter, name);

	if (found == PARAM_ABSENT ||
	    (found == PARAM_FOUND && message_is_name(buffer_text(name))))
		return all_is_well;
	return (struct problem){PROBLEM_BAD_PARAMETER,
	                        "user_id and username are given once, as 1 to 128 "
	                        "bytes of UTF-8 without control characters"};
}

/* A username alone says nothing. */
static struct problem read_user(struct text query, struct poll_request *request)
{
	struct problem wrong = read_name(query, "user_id", &request->user_id);

	if (wrong.type != PROBLEM_NONE || request->user_id.size == 0)
		return wrong;
	return read_name(query, "username", &request->username);
}

static struct problem read_about_presence(struct text query,
                                          const struct poll_rules *rules,
                                          struct poll_request *request)
{
	struct problem wrong = read_presence(query, request);

	if (wrong.type != PROBLEM_NONE || !rules->takes_names)
		return wrong;
	return read_user(query, request);
}

static struct problem read_place(struct text query, struct poll_request *request)
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

static struct problem read_query(struct text query, const struct poll_rules *rules,
                                 struct poll_request *request)
{
	struct problem wrong = all_is_well;

	/* First: this must not be lost if `after` is wrong and a header replaces
	 * it. */
	if (rules->tells_presence)
		wrong = read_about_presence(query, rules, request);
	struct problem in_place = read_place(query, request);
	return wrong.type != PROBLEM_NONE ? wrong : in_place;
}

static struct problem read_rooms(const struct route *route,
                                 const struct poll_rules *rules,
                                 struct poll_request *request)
{
	struct problem wrong =
		room_list_parse(route->rooms, rules->most_rooms, &request->rooms);

	if (wrong.type == PROBLEM_NONE && route->kind == ROUTE_PRESENCE &&
	    request->rooms.is_all)
		return (struct problem){PROBLEM_BAD_ROOM_NAME,
		                        "who is in all rooms is not told: name "
		                        "them"};
	return wrong;
}

struct problem poll_request_read(struct text target, const struct poll_rules *rules,
                                 struct poll_request *request)
{
	struct route route;

	*request = (struct poll_request){
		.terms = {.seconds = POLL_DEFAULT_SECONDS}};
	route_parse(target, &route);
	if (route.kind == ROUTE_BAD_ROOM)
		return (struct problem){PROBLEM_BAD_ROOM_NAME, room_name_rule};
	if (route.kind == ROUTE_PRESENCE && !rules->tells_presence)
		return (struct problem){PROBLEM_NOT_FOUND,
		                        "who is here is not told (push.presence)"};
	if (route_is_for_several(route.kind)) {
		struct problem wrong = read_rooms(&route, rules, request);

		if (wrong.type != PROBLEM_NONE)
			return wrong;
	}
	request->kind = route.kind;
	if (route.kind == ROUTE_HEALTH || route.kind == ROUTE_METRICS ||
	    route.kind == ROUTE_PRESENCE)
		return all_is_well;
	if (!poll_request_waits(request))
		return (struct problem){PROBLEM_NOT_FOUND, route_none_detail};
	return read_query(route.query, rules, request);
}

void poll_request_release(struct poll_request *request)
{
	room_list_release(&request->rooms);
	buffer_release(&request->user_id);
	buffer_release(&request->username);
}

void poll_request_take_event_id(struct poll_request *request, struct text id)
{
	struct poll_terms *terms = &request->terms;

	terms->from_now = false;
	if (!cursor_parse(id, &terms->cursor))
		terms->cursor = (struct cursor){.id = INT64_MAX};
}
