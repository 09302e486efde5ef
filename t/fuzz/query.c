/* Fuzzes common/route, common/room_list, common/params, common/query and
 * pushd/poll_request: the target of a request, which is the whole input. */
#include "codec/params.h"
#include "codec/query.h"
#include "codec/room_list.h"
#include "codec/route.h"
#include "fuzz.h"
#include "poll/poll_request.h"

static void add_encoded(struct buffer *b, struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		buffer_printf(b, "%%%02x", (unsigned char)text.data[i]);
}

static void check_decoding(struct text text)
{
	struct buffer encoded = {0}, decoded = {0};

	add_encoded(&encoded, text);
	CLAIM(percent_decode(buffer_text(&encoded), true, &decoded));
	CLAIM(text_equal(buffer_text(&decoded), text));
	buffer_release(&encoded);
	buffer_release(&decoded);
}

static bool is_part_of(struct text part, struct text whole)
{
	return part.data >= whole.data &&
	       part.data + part.size <= whole.data + whole.size;
}

static bool has(struct text text, char c)
{
	return text.size > 0 && memchr(text.data, c, text.size) != NULL;
}

/* Counts the parameters of this name. */
static size_t check_params(struct text query, const char *name)
{
	struct text rest = query;
	struct param param;
	size_t count = 0;

	while (params_next(&rest, &param)) {
		CLAIM(is_part_of(param.name, query));
		CLAIM(is_part_of(param.value, query));
		CLAIM(!has(param.name, '&') && !has(param.name, '='));
		CLAIM(!has(param.value, '&'));
		count += text_is(param.name, name);
	}
	CLAIM(rest.size == 0);
	return count;
}

static void check_number(struct text query)
{
	int64_t number = 10;
	struct problem wrong =
		query_number(query, "limit", 1, 1000, "1 to 1000", &number);
	size_t count = check_params(query, "limit");

	CLAIM(wrong.type != PROBLEM_NONE ? number == 10
	                                 : number >= 1 && number <= 1000);
	CLAIM(count > 0 || wrong.type == PROBLEM_NONE);
	CLAIM(count < 2 || wrong.type != PROBLEM_NONE);
}

static void check_cursor(struct text query)
{
	enum query_given given = QUERY_ABSENT;
	struct cursor cursor = {0};
	struct problem wrong =
		query_cursor(query, "before", false, &cursor, &given);
	size_t count = check_params(query, "before");

	if (wrong.type == PROBLEM_NONE)
		CLAIM(given == (count == 0 ? QUERY_ABSENT : QUERY_CURSOR));
	CLAIM(count > 0 || wrong.type == PROBLEM_NONE);
	CLAIM(count < 2 || wrong.type != PROBLEM_NONE);
}

static bool is_same_room(const struct room_name *a, const struct room_name *b)
{
	return a->number == b->number &&
	       text_equal(room_name_text(a), room_name_text(b));
}

static bool is_of_one_room(const struct route *route)
{
	return route->kind == ROUTE_MESSAGES || route->kind == ROUTE_MESSAGE;
}

/* Any prefix leads to the same. */
static void check_prefixed(struct text target, const struct route *route)
{
	struct buffer longer = {0};
	struct route again;

	buffer_add_string(&longer, "/chat");
	buffer_add_text(&longer, target);
	route_parse(buffer_text(&longer), &again);
	CLAIM(again.kind == route->kind && again.id == route->id);
	CLAIM(text_equal(again.query, route->query));
	CLAIM(text_equal(again.rooms, route->rooms));
	if (is_of_one_room(route))
		CLAIM(is_same_room(&again.room, &route->room));
	buffer_release(&longer);
}

/* So does the room's name with every character escaped. */
static void check_escaped(const struct route *route)
{
	struct buffer target = {0};
	struct route again;

	buffer_add_string(&target, "/rooms/");
	add_encoded(&target, room_name_text(&route->room));
	buffer_add_string(&target, "/messages");
	if (route->kind == ROUTE_MESSAGE) {
		buffer_add_string(&target, "/");
		buffer_add_integer(&target, route->id);
	}
	route_parse(buffer_text(&target), &again);
	CLAIM(again.kind == route->kind && again.id == route->id);
	CLAIM(is_same_room(&again.room, &route->room));
	buffer_release(&target);
}

static bool is_operators(const struct route *route)
{
	return route->kind == ROUTE_HEALTH || route->kind == ROUTE_METRICS;
}

static void check_route(struct text target, const struct route *route)
{
	size_t mark = route->path.size < target.size ? 1 : 0;

	CLAIM(route->path.data == target.data);
	CLAIM(!has(route->path, '?'));
	CLAIM(route->path.size + mark + route->query.size == target.size);
	CLAIM((route->kind == ROUTE_MESSAGE) ? route->id >= 1 : true);
	if (is_operators(route)) {
		CLAIM(text_is(route->path, "/healthz") ||
		      text_is(route->path, "/metrics"));
		return;
	}
	if (target.size > 0 && target.data[0] == '/')
		check_prefixed(target, route);
	if (is_of_one_room(route))
		check_escaped(route);
}

/* ---- Lists of rooms ---- */

enum { ROOMS_MAX = 5 };

/* Whether the names, with commas between, are what the segment encodes. */
static bool spells(const struct room_list *list, struct text segment)
{
	struct buffer names = {0}, decoded = {0};

	for (size_t i = 0; i < list->count; i++) {
		buffer_add_string(&names, i > 0 ? "," : "");
		buffer_add_text(&names, room_name_text(&list->names[i]));
	}
	if (list->is_all)
		buffer_add_string(&names, "*");
	bool same = percent_decode(segment, false, &decoded) &&
	            text_equal(buffer_text(&names), buffer_text(&decoded));
	buffer_release(&names);
	buffer_release(&decoded);
	return same;
}

static void check_names(const struct room_list *list)
{
	struct room_name room;

	CLAIM(list->count <= ROOMS_MAX);
	CLAIM(list->is_all == (list->count == 0));
	CLAIM(list->is_several == (list->is_all || list->count > 1));
	for (size_t i = 0; i < list->count; i++) {
		CLAIM(room_name_parse(room_name_text(&list->names[i]), &room));
		CLAIM(is_same_room(&room, &list->names[i]));
		for (size_t j = 0; j < i; j++)
			CLAIM(strcmp(list->names[i].string,
			             list->names[j].string) != 0);
	}
}

static size_t count_commas(struct text decoded)
{
	size_t count = 0;

	for (size_t i = 0; i < decoded.size; i++)
		count += decoded.data[i] == ',';
	return count;
}

/* A list is too long if, and only if, it has too many commas. */
static void check_too_many(struct text segment, bool is_too_many)
{
	struct buffer decoded = {0};

	if (percent_decode(segment, false, &decoded))
		CLAIM(is_too_many ==
		      (count_commas(buffer_text(&decoded)) >= ROOMS_MAX));
	buffer_release(&decoded);
}

/* Every character escaped, the answer is the same, but for what is said of one that
 * has several faults: a list may be too long only then. */
static void check_list_escaped(struct text segment, struct problem wrong)
{
	struct buffer decoded = {0}, encoded = {0};
	struct room_list list;

	if (percent_decode(segment, false, &decoded)) {
		add_encoded(&encoded, buffer_text(&decoded));
		CLAIM(room_list_parse(buffer_text(&encoded), ROOMS_MAX, &list)
		              .type == wrong.type);
		room_list_release(&list);
	}
	buffer_release(&decoded);
	buffer_release(&encoded);
}

static void check_rooms(struct text segment)
{
	struct room_list list;
	struct problem wrong = room_list_parse(segment, ROOMS_MAX, &list);

	check_too_many(segment, wrong.type == PROBLEM_BAD_PARAMETER);
	check_list_escaped(segment, wrong);
	if (wrong.type == PROBLEM_NONE) {
		check_names(&list);
		CLAIM(spells(&list, segment));
	} else {
		CLAIM(wrong.type == PROBLEM_BAD_ROOM_NAME ||
		      wrong.type == PROBLEM_BAD_PARAMETER);
		CLAIM(list.names == NULL && list.count == 0 && !list.is_all);
	}
	room_list_release(&list);
}

/* ---- Polls ---- */

/* Everything is allowed. */
static const struct poll_rules poll_rules_all = {
	.most_rooms = ROOMS_MAX,
	.tells_presence = true,
	.takes_names = true,
};

static void add_rooms(const struct room_list *rooms, struct buffer *target)
{
	if (rooms->is_all)
		buffer_add_string(target, "*");
	for (size_t i = 0; i < rooms->count; i++) {
		if (i > 0)
			buffer_add_string(target, ",");
		buffer_add_text(target, room_name_text(&rooms->names[i]));
	}
}

static bool are_same_rooms(const struct room_list *a, const struct room_list *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (!is_same_room(&a->names[i], &b->names[i]))
			return false;
	return a->count == b->count && a->is_all == b->is_all;
}

/* The plainest way to write what a poll asks for asks for the same. */
static void check_poll(const struct poll_request *request)
{
	const struct poll_terms *terms = &request->terms;
	struct poll_request again;
	struct buffer target = {0};

	CLAIM(terms->seconds >= 0 && terms->seconds <= POLL_MAX_SECONDS);
	buffer_add_string(&target, "/rooms/");
	add_rooms(&request->rooms, &target);
	buffer_add_string(&target, "/poll?timeout=");
	buffer_add_integer(&target, terms->seconds);
	buffer_add_string(&target, "&after=");
	if (terms->from_now)
		buffer_add_string(&target, "now");
	else if (terms->cursor.names_log)
		cursor_render(&terms->cursor, &target);
	else
		buffer_add_integer(&target, terms->cursor.id);
	CLAIM(poll_request_read(buffer_text(&target), &poll_rules_all, &again).type ==
	      PROBLEM_NONE);
	CLAIM(again.terms.seconds == terms->seconds);
	CLAIM(again.terms.from_now == terms->from_now);
	CLAIM(are_same_rooms(&again.rooms, &request->rooms));
	CLAIM(again.terms.cursor.id == terms->cursor.id &&
	      again.terms.cursor.log == terms->cursor.log &&
	      again.terms.cursor.epoch == terms->cursor.epoch &&
	      again.terms.cursor.position == terms->cursor.position);
	poll_request_release(&again);
	buffer_release(&target);
}

static void check_problem(const struct problem *problem)
{
	struct buffer json = {0};

	problem_render(problem, &json);
	json_object_put(json_must_parse(buffer_text(&json)));
	buffer_release(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text target = input_text(data, size);
	struct poll_request request;
	struct route route;

	route_parse(target, &route);
	check_route(target, &route);
	check_rooms(route.rooms);
	check_rooms(target);
	check_decoding(target);
	check_number(route.query);
	check_cursor(route.query);
	struct problem wrong = poll_request_read(target, &poll_rules_all, &request);
	if (wrong.type != PROBLEM_NONE) {
		check_problem(&wrong);
	} else {
		CLAIM(request.kind == route.kind);
		CLAIM(poll_request_has_rooms(&request) || is_operators(&route));
		CLAIM(request.user_id.size <= 128 && request.username.size <= 128);
		CLAIM(request.user_id.size > 0 || request.username.size == 0);
		if (poll_request_waits(&request))
			check_poll(&request);
	}
	poll_request_release(&request);
	return 0;
}
