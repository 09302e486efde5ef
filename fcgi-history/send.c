#include "send.h"

#include <inttypes.h>

#include "clock.h"
#include "journal.h"
#include "number.h"
#include "submission.h"

/* Beside the content: names, quotes, braces. */
enum { BODY_OVERHEAD = 8 * 1024 };

/* Any character of the content may come as \uXXXX. */
static int64_t body_limit(const struct settings *settings)
{
	return 6 * settings->limits_content + BODY_OVERHEAD;
}

/* Reads the body to the length that was announced; without one there is none
 * (RFC 3875 section 4.1.2). */
static bool read_body(struct service *service)
{
	struct text header = gateway_variable(service->gateway, "CONTENT_LENGTH");
	int64_t size = 0;

	if (header.size > 0 && !number_parse(header, 0, INT64_MAX, &size)) {
		service_refuse(service, PROBLEM_BAD_REQUEST, "bad Content-Length");
		return false;
	}
	if (size > body_limit(service->settings)) {
		service_refuse(service, PROBLEM_CONTENT_TOO_LARGE,
		               "the body is longer than 6 times limits.content "
		               "and 8 KiB");
		return false;
	}
	if (!gateway_read(service->gateway, (size_t)size, &service->body)) {
		service_refuse(service, PROBLEM_BAD_REQUEST, "the body ended early");
		return false;
	}
	return true;
}

static bool read_submission(struct service *service, struct submission *submission)
{
	struct submission_source source = {
		.content_type = gateway_variable(service->gateway, "CONTENT_TYPE"),
		.idempotency_key = gateway_variable(service->gateway,
		                                    "HTTP_IDEMPOTENCY_KEY"),
		.content_limit = (size_t)service->settings->limits_content,
	};
	struct problem wrong = submission_check_type(source.content_type);

	if (gateway_has_twice(service->gateway, "HTTP_IDEMPOTENCY_KEY"))
		wrong = (struct problem){PROBLEM_BAD_PARAMETER,
		                         "Idempotency-Key is given twice"};
	if (wrong.type == PROBLEM_NONE && !read_body(service))
		return false;
	source.body = buffer_text(&service->body);
	if (wrong.type == PROBLEM_NONE)
		wrong = submission_read(&source, submission);
	if (wrong.type == PROBLEM_NONE)
		return true;
	response_set_problem(&service->response, wrong);
	return false;
}

static void answer(struct service *service, int status)
{
	service->response.status = status;
	service->response.content_type = "application/json";
}

static void add_location(struct service *service, const struct route *route,
                         int64_t id)
{
	struct buffer *headers = &service->response.headers;

	buffer_add_string(headers, "Location: ");
	response_add_path(headers, route->path);
	buffer_printf(headers, "/%" PRId64 "\r\n", id);
}

/* The first message may differ in its time and the sender's name, so it is
 * read. */
static void answer_repeated(struct service *service, const struct route *route,
                            int64_t id)
{
	struct log_end end;
	bool found;

	if (!store_read_one(service->store, &route->room, id,
	                    response_add_message, &service->response.body, &end,
	                    &found) ||
	    !found) {
		service_refuse_unread(service, &route->room);
		return;
	}
	add_location(service, route, id);
	answer(service, 200);
}

/* A user_id is not to look like another part of the line. */
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

static void answer_outcome(struct service *service, const struct route *route,
                           const struct save *save)
{
	const struct message *m = save->message;

	switch (save->outcome) {
	case SAVE_SAVED:
		tell_saved(m);
		response_add_message(&service->response.body, m);
		add_location(service, route, m->id);
		answer(service, 201);
		break;
	case SAVE_BROADCAST:
		response_add_message(&service->response.body, m);
		answer(service, 202);
		break;
	case SAVE_REPEATED:
		answer_repeated(service, route, m->id);
		break;
	case SAVE_CONFLICT:
		service_refuse(service, PROBLEM_CONFLICT,
		               "this client_id came before with another content");
		break;
	case SAVE_FAILED:
		service_refuse(service, PROBLEM_STORAGE,
		               save->ephemeral
		                       ? "nothing can be broadcast from here"
		                       : "the message can't be saved now");
		break;
	}
}

static void save_message(struct service *service, const struct route *route,
                         const struct submission *submission)
{
	const struct settings *settings = service->settings;
	const struct buffer *fields = submission->fields;
	struct message m = {
		.room = route->room,
		.sender_id = buffer_text(&fields[SUBMISSION_USER_ID]),
		.sender_name = buffer_text(&fields[SUBMISSION_USERNAME]),
		.sender_type = text_of("user"),
		.content = buffer_text(&fields[SUBMISSION_CONTENT]),
		.client_id = buffer_text(&fields[SUBMISSION_CLIENT_ID]),
		.sent_ms = clock_wall_ms(),
	};
	struct save save = {
		.message = &m,
		.ephemeral = settings_is_ephemeral(settings, route->room.string),
		.reject_unsaved = settings->history_on_save_failure ==
		                  ON_SAVE_FAILURE_REJECT,
	}, *saves = &save;

	if (service->writer != NULL)
		writer_save(service->writer, &save);
	else
		saver_save(service->saver, &saves, 1);
	answer_outcome(service, route, &save);
}

void send_message(struct service *service, const struct route *route)
{
	struct submission submission = {0};

	if (read_submission(service, &submission))
		save_message(service, route, &submission);
	submission_release(&submission);
}
