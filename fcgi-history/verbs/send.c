#include "verbs/send.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/journal.h"
#include "base/number.h"
#include "codec/pattern.h"
#include "gateway/intake.h"

enum {
	KEPT_BYTES = 4 * 1024, /* of a body's memory, for the next one */
};

/* Reads a body of Content-Length bytes. Without that header there is no body (RFC
 * 3875 section 4.1.2). */
static bool read_sent_body(const struct limits_settings *limits,
                           struct request *request)
{
	struct text header = request_variable(request, "CONTENT_LENGTH");
	int64_t size = 0;

	if (header.size > 0 && !number_parse(header, 0, INT64_MAX, &size)) {
		request_refuse(request, PROBLEM_BAD_REQUEST,
		               "Content-Length is not a number");
		return false;
	}
	if (size > intake_body_limit(limits->content, limits->data)) {
		request_refuse(request, PROBLEM_CONTENT_TOO_LARGE,
		               "the body is longer than 6 x limits.content + "
		               "3 x limits.data + 8 KiB");
		return false;
	}
	if (!gateway_read(request->exchange.gateway, (size_t)size, &request->body)) {
		request_refuse(request, PROBLEM_BAD_REQUEST,
		               "the body is shorter than Content-Length");
		return false;
	}
	return true;
}

static bool read_submission(const struct limits_settings *limits,
                            struct request *request)
{
	struct submission_source source = {
		.content_type = request_variable(request, "CONTENT_TYPE"),
		.idempotency_key = request_variable(request,
		                                    "HTTP_IDEMPOTENCY_KEY"),
		.content_limit = (size_t)limits->content,
		.data_limit = (size_t)limits->data,
	};
	struct problem wrong = submission_check_type(source.content_type);

	if (gateway_has_twice(request->exchange.gateway, "HTTP_IDEMPOTENCY_KEY"))
		wrong = (struct problem){PROBLEM_BAD_PARAMETER,
		                         "Idempotency-Key is given twice"};
	if (wrong.type == PROBLEM_NONE && !read_sent_body(limits, request))
		return false;
	source.body = buffer_text(&request->body);
	if (wrong.type == PROBLEM_NONE)
		wrong = submission_read(&source, &request->submission);
	/* While the message waits to be saved, its texts are held only once. */
	if (request->body.capacity > KEPT_BYTES)
		buffer_release(&request->body);
	if (wrong.type == PROBLEM_NONE)
		return true;
	response_set_problem(&request->exchange.response, wrong);
	return false;
}

static void answer_json(struct request *request, int status)
{
	request->exchange.response.status = status;
	request->exchange.response.content_type = "application/json";
}

static void add_location(struct request *request, int64_t id)
{
	struct buffer *headers = &request->exchange.response.headers;

	buffer_add_string(headers, "Location: ");
	response_add_path(headers, request->route.path);
	buffer_add_string(headers, "/");
	buffer_add_integer(headers, id);
	buffer_add_string(headers, "\r\n");
}

/* Reads the first message, since its time and its sender's name may differ. */
static void answer_repeated(struct store *store, struct request *request)
{
	int64_t id = request->message.id;
	struct log_end end;
	bool found;

	if (!store_read_one(store, &request->route.room, id, response_add_message,
	                    &request->exchange.response.body, &end, &found) ||
	    !found) {
		request_refuse_unread(request, store_error(store));
		return;
	}
	add_location(request, id);
	answer_json(request, 200);
}

/* A user_id must not look like another part of the log line. */
static void tell_saved(const struct message *m)
{
	char user_id[MESSAGE_NAME_MAX + 1] = "";

	memcpy(user_id, m->sender_id.data, m->sender_id.size);
	for (size_t i = 0; i < m->sender_id.size; i++)
		if (strchr(",= ", user_id[i]) != NULL)
			user_id[i] = '?';
	journal_info("Saved message to database: room_id=%.*s, user_id=%s, "
	             "msg_id=%" PRId64,
	             TEXT_ARGS(room_name_label(&m->room)), user_id, m->id);
}

/* Why a message was neither saved nor broadcast. */
static const char *why_failed(const struct save *save)
{
	if (save->message->is_signal)
		return "a signal is only broadcast, and this longroom-history cannot "
		       "broadcast (CGI, or bus.publish is empty)";
	if (save->ephemeral)
		return "this room is ephemeral, and this longroom-history cannot "
		       "broadcast (CGI, or bus.publish is empty)";
	return "the message can't be saved now: repeat after Retry-After";
}

void send_complete(struct store *store, struct request *request)
{
	const struct message *m = &request->message;
	const struct save *save = &request->save;
	struct buffer *body = &request->exchange.response.body;

	switch (save->outcome) {
	case SAVE_SAVED:
		tell_saved(m);
		response_add_message(body, m);
		add_location(request, m->id);
		answer_json(request, 201);
		break;
	case SAVE_BROADCAST:
		response_add_message(body, m);
		answer_json(request, 202);
		break;
	case SAVE_REPEATED:
		answer_repeated(store, request);
		break;
	case SAVE_CONFLICT:
		request_refuse(request, PROBLEM_CONFLICT,
		               "this client_id was already used with different "
		               "content, type, data or reply_to");
		break;
	case SAVE_FAILED:
		request_refuse(request, PROBLEM_STORAGE, why_failed(save));
		break;
	}
	submission_release(&request->submission);
}

/* Called before the body is read: refusing costs less than reading. */
static bool is_within_limits(const struct send_rules *rules,
                             struct request *request)
{
	if (rules->sent == NULL || !request->sender.is_known ||
	    send_limits_take(rules->sent, rules->limits,
	                     buffer_text(&request->sender.id),
	                     &request->route.room,
	                     &request->exchange.response.headers))
		return true;
	request_refuse(request, PROBLEM_RATE_LIMITED,
	               "rate limit exceeded: repeat after Retry-After");
	return false;
}

static void make_message(struct request *request)
{
	const struct submission *submission = &request->submission;
	const struct buffer *fields = submission->fields;
	const struct sender *sender = &request->sender;

	request->message = (struct message){
		.room = request->route.room,
		.sender_id = buffer_text(&fields[SUBMISSION_USER_ID]),
		.sender_name = buffer_text(&fields[SUBMISSION_USERNAME]),
		.sender_type = buffer_text(&fields[SUBMISSION_SENDER_TYPE]),
		.content = buffer_text(&fields[SUBMISSION_CONTENT]),
		.type = buffer_text(&fields[SUBMISSION_TYPE]),
		.data = buffer_text(&fields[SUBMISSION_DATA]),
		.client_id = buffer_text(&fields[SUBMISSION_CLIENT_ID]),
		.reply_to = submission->reply_to,
		.is_signal = submission->is_signal,
		.sent_ms = clock_wall_ms(),
	};
	if (sender->is_known) {
		request->message.sender_id = buffer_text(&sender->id);
		request->message.sender_name = buffer_text(&sender->name);
		request->message.sender_type = buffer_text(&sender->type);
	}
}

bool send_begin(const struct send_rules *rules, struct request *request)
{
	if (!is_within_limits(rules, request))
		return false;
	if (!read_submission(rules->limits, request)) {
		submission_release(&request->submission);
		return false;
	}
	make_message(request);
	request->save = (struct save){
		.message = &request->message,
		.ephemeral = request->message.is_signal ||
		             pattern_list_matches(&rules->rooms->ephemeral,
		                                  request->route.room.string),
		.reject_unsaved = rules->reject_unsaved,
	};
	return true;
}
