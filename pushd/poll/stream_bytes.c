#include "poll/stream_bytes.h"

#include "metrics/metrics.h"
#include "poll/events.h"

static void add_frame(const struct poll *poll, struct buffer *body, struct text events)
{
	if (poll->connection.takes_chunks)
		chunk_add(body, events);
	else
		buffer_add_text(body, events);
}

static void add_last_frame(const struct poll *poll, struct buffer *body)
{
	if (poll->connection.takes_chunks)
		chunk_add_end(body);
}

static struct answer *open_with(const struct poll *poll, struct text body)
{
	struct buffer headers = {0};

	buffer_add_string(&headers, "Content-Type: text/event-stream\r\n"
	                            "Cache-Control: no-store\r\n"
	                            "X-Accel-Buffering: no\r\n");
	if (poll->connection.takes_chunks)
		buffer_add_string(&headers, "Transfer-Encoding: chunked\r\n");
	buffer_add_text(&headers, *poll->headers);
	struct answer *answer =
		answer_framed(200, buffer_text(&headers), body,
	                      connection_ends(&poll->connection));
	buffer_release(&headers);
	return answer;
}

struct answer *stream_begin_with(struct poll *poll, struct text events,
                                 const struct answer *chunk)
{
	struct buffer body = {0};

	add_frame(poll, &body, events);
	if (chunk != NULL)
		add_frame(poll, &body, answer_content(chunk));
	struct answer *piece = poll->is_begun
		? answer_piece(buffer_text(&body), false)
		: open_with(poll, buffer_text(&body));
	buffer_release(&body);
	poll->is_begun = true;
	return piece;
}

void stream_finish(struct poll *poll, struct text events)
{
	struct connection *c = &poll->connection;
	struct buffer body = {0};

	add_frame(poll, &body, events);
	add_last_frame(poll, &body);
	struct answer *last = poll->is_begun
		? answer_piece(buffer_text(&body), connection_ends(c))
		: open_with(poll, buffer_text(&body));
	buffer_release(&body);
	poll->has_ended = true;
	connection_end_stream(c, last);
}

void stream_answer_head(struct poll *poll)
{
	connection_answer(&poll->connection,
	                  open_with(poll, text_of("")));
}

void stream_answer_problem(struct poll *poll, struct problem problem)
{
	static const struct cursor nowhere = {.names_log = false};
	struct buffer events = {0}, body = {0};

	metrics_count_refusal(METRICS_pushd, problem.type);
	events_add_problem(&events, &nowhere, &problem);
	add_frame(poll, &body, buffer_text(&events));
	add_last_frame(poll, &body);
	connection_answer(&poll->connection, open_with(poll, buffer_text(&body)));
	buffer_release(&events);
	buffer_release(&body);
}
