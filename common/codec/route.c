#include "codec/route.h"

#include "base/number.h"
#include "codec/params.h"

const char route_none_detail[] =
	"no such path; rooms have /rooms/{room}/messages, "
	"/rooms/{room}/messages/{id}, /rooms/{rooms}/poll, "
	"/rooms/{rooms}/events and /rooms/{rooms}/presence";

/* Cuts the last "/segment" from *path. */
static bool last_segment(struct text *path, struct text *segment)
{
	size_t at = path->size;

	while (at > 0 && path->data[at - 1] != '/')
		at--;
	if (at == 0)
		return false;
	*segment = (struct text){path->data + at, path->size - at};
	path->size = at - 1;
	return true;
}

static bool parse_room(struct text encoded, struct room_name *room)
{
	struct buffer name = {0};
	bool good = encoded.size <= (size_t)3 * ROOM_NAME_MAX &&
	            percent_decode(encoded, false, &name) &&
	            room_name_parse(buffer_text(&name), room);

	buffer_release(&name);
	return good;
}

static enum route_kind kind_of(struct text last)
{
	if (text_is(last, "messages"))
		return ROUTE_MESSAGES;
	if (text_is(last, "poll"))
		return ROUTE_POLL;
	if (text_is(last, "events"))
		return ROUTE_EVENTS;
	if (text_is(last, "presence"))
		return ROUTE_PRESENCE;
	return ROUTE_NONE;
}

/* Reads .../rooms/{room}. False: the path does not end so. */
static bool ends_in_room(struct text path, struct text *room)
{
	struct text rooms;

	return last_segment(&path, room) && last_segment(&path, &rooms) &&
	       text_is(rooms, "rooms");
}

static enum route_kind find_route_kind(struct route *route, struct text *room)
{
	struct text rest = route->path, last, before;

	if (text_is(route->path, "/healthz"))
		return ROUTE_HEALTH;
	if (text_is(route->path, "/metrics"))
		return ROUTE_METRICS;
	if (!last_segment(&rest, &last))
		return ROUTE_NONE;
	if (kind_of(last) != ROUTE_NONE && ends_in_room(rest, room))
		return kind_of(last);
	if (last_segment(&rest, &before) && text_is(before, "messages") &&
	    ends_in_room(rest, room) &&
	    number_parse(last, 1, INT64_MAX, &route->id))
		return ROUTE_MESSAGE;
	return ROUTE_NONE;
}

void route_parse(struct text target, struct route *route)
{
	const char *mark =
		target.size > 0 ? memchr(target.data, '?', target.size) : NULL;
	struct text room = {NULL, 0};

	*route = (struct route){.path = target, .query = {NULL, 0}};
	if (mark != NULL) {
		route->path.size = (size_t)(mark - target.data);
		route->query.data = mark + 1;
		route->query.size = target.size - route->path.size - 1;
	}
	route->kind = find_route_kind(route, &room);
	if (route_is_for_several(route->kind))
		route->rooms = room;
	else if (room.data != NULL && route->kind != ROUTE_NONE &&
	         !parse_room(room, &route->room))
		route->kind = ROUTE_BAD_ROOM;
}
