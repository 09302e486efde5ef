#include "poll/question.h"

#include <stdlib.h>

#include "base/memory.h"
#include "poll/answering.h"
#include "poll/bounds.h"

enum { QUESTION_MS = 15000 };

/* One that waits. */
struct question {
	struct list link; /* in polls.questions */
	struct poll *poll;
	struct buffer forbidden; /* names, as JSON strings with commas between */
	size_t count;
	struct room_name rooms[];
};

static struct answer *render_rooms(struct presence *presence,
                                   const struct room_name *rooms, size_t count,
                                   struct text forbidden, bool closes)
{
	struct buffer body = {0};

	buffer_add_string(&body, "{\"rooms\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_add_string(&body, ",");
		presence_add_room(presence, &body, &rooms[i]);
	}
	buffer_add_string(&body, "]");
	if (forbidden.size > 0) {
		buffer_add_string(&body, ",\"forbidden\":[");
		buffer_add_text(&body, forbidden);
		buffer_add_string(&body, "]");
	}
	buffer_add_string(&body, "}\n");
	struct answer *answer = answer_text(200, "application/json", "",
	                                    buffer_text(&body), closes);
	buffer_release(&body);
	return answer;
}

static void answer_rooms(struct poll *poll, const struct room_name *rooms, size_t count,
                         struct text forbidden)
{
	struct answer *answer =
		render_rooms(polls_of(poll)->presence, rooms, count, forbidden,
	                     connection_ends(&poll->connection));

	answer_poll(poll, answer);
	answer_unref(answer);
}

static void wait_for_turn(struct poll *poll, const struct room_list *rooms,
                          struct text forbidden)
{
	struct question *question =
		memory_get(sizeof *question + rooms->count * sizeof *rooms->names);

	question->poll = poll;
	buffer_add_text(&question->forbidden, forbidden);
	question->count = rooms->count;
	memcpy(question->rooms, rooms->names, rooms->count * sizeof *rooms->names);
	list_init(&question->link);
	list_append(&polls_of(poll)->questions, &question->link);
	poll->question = question;
	poll->asks_who = true;
	connection_forget_head(&poll->connection);
	connection_park(&poll->connection,
	                bounds_not_beyond_expiry(poll, poll_now(poll)->steady_ms +
	                                                       QUESTION_MS));
}

void question_begin(struct poll *poll, const struct poll_request *request,
                    const struct pass *pass)
{
	const struct polls *polls = polls_of(poll);
	const struct room_list *rooms = &request->rooms;
	struct buffer forbidden = {0};

	poll->headers = pass->headers;
	poll->expires = pass->expires;
	if (request->forbidden > 0)
		room_list_render(rooms->names + rooms->count, request->forbidden,
		                 &forbidden);
	if (poll->connection.transport->draining ||
	    (presence_has_share(polls->presence) &&
	     list_is_empty(&polls->questions)))
		answer_rooms(poll, rooms->names, rooms->count,
		             buffer_text(&forbidden));
	else
		wait_for_turn(poll, rooms, buffer_text(&forbidden));
	buffer_release(&forbidden);
}

/* True: it was answered so. */
static bool refuse_if_expired(struct poll *poll)
{
	if (!bounds_have_expired(poll))
		return false;
	answer_refusal_of(poll, ROUTE_PRESENCE,
	                  (struct problem){PROBLEM_TOKEN_EXPIRED,
	                                   "the token expired while the request "
	                                   "was waiting: repeat with a new token"});
	return true;
}

static void answer_question(const struct question *question)
{
	struct poll *poll = question->poll;

	if (!refuse_if_expired(poll))
		answer_rooms(poll, question->rooms, question->count,
		             buffer_text(&question->forbidden));
}

void questions_go_on(struct polls *polls)
{
	while (!list_is_empty(&polls->questions) &&
	       presence_has_share(polls->presence))
		answer_question(LIST_OWNER(polls->questions.next, struct question,
		                           link));
}

void question_expire(struct poll *poll)
{
	if (!refuse_if_expired(poll))
		answer_refusal_of(poll, ROUTE_PRESENCE,
		                  (struct problem){PROBLEM_OVERLOADED,
		                                   "too many ask who is here: repeat "
		                                   "after Retry-After"});
}

void question_drain(struct poll *poll)
{
	answer_question(poll->question);
}

void question_release(struct poll *poll)
{
	struct question *question = poll->question;

	poll->question = NULL;
	poll->asks_who = false;
	list_remove(&question->link);
	buffer_release(&question->forbidden);
	free(question);
}
