#include "gateway/response.h"

#include "metrics/metrics.h"

enum { KEPT_BYTES = 256 * 1024 };

void response_clear(struct response *r)
{
	r->status = 200;
	r->problem = PROBLEM_NONE;
	r->content_type = NULL;
	r->head_sent = r->body_sent = 0;
	buffer_clear(&r->head);
	buffer_clear(&r->headers);
	buffer_clear(&r->body);
	if (r->body.capacity > KEPT_BYTES)
		buffer_release(&r->body);
}

void response_release(struct response *r)
{
	buffer_release(&r->head);
	buffer_release(&r->headers);
	buffer_release(&r->body);
}

void response_set_problem(struct response *r, struct problem problem)
{
	r->status = problem_status(problem.type);
	r->problem = problem.type;
	r->content_type = "application/problem+json";
	buffer_clear(&r->body);
	problem_render(&problem, &r->body);
	/* The next request may be allowed: another user's, or a later one. */
	buffer_add_string(&r->headers, "Cache-Control: no-store\r\n");
	if (r->status == 503)
		buffer_add_string(&r->headers, "Retry-After: 1\r\n");
}

void response_add_message(void *body, const struct message *m)
{
	message_render(m, body);
}

void response_add_path(struct buffer *b, struct text path)
{
	while (path.size > 1 && path.data[0] == '/' && path.data[1] == '/') {
		path.data++;
		path.size--;
	}
	for (size_t i = 0; i < path.size; i++) {
		unsigned char c = (unsigned char)path.data[i];

		if (c > 0x20 && c < 0x7f && strchr("<>\"", c) == NULL)
			buffer_add(b, &c, 1);
		else
			buffer_printf(b, "%%%02X", c);
	}
}

void response_seal(struct response *r, bool with_body)
{
	struct buffer *head = &r->head;

	if (r->problem != PROBLEM_NONE)
		metrics_count_refusal(METRICS_history, r->problem);
	/* A final newline, for reading with curl. */
	buffer_add_string(&r->body, "\n");
	buffer_add_string(head, "Status: ");
	buffer_add_integer(head, r->status);
	buffer_add_string(head, " ");
	buffer_add_string(head, status_reason(r->status));
	buffer_add_string(head, "\r\n");
	if (r->content_type != NULL) {
		buffer_add_string(head, "Content-Type: ");
		buffer_add_string(head, r->content_type);
		buffer_add_string(head, "\r\nContent-Length: ");
		buffer_add_integer(head, (int64_t)r->body.size);
		buffer_add_string(head, "\r\n");
	}
	buffer_add_text(head, buffer_text(&r->headers));
	buffer_add_string(head, "\r\n");
	if (!with_body || r->content_type == NULL)
		buffer_clear(&r->body);
}

bool response_send(struct response *r, struct gateway *g)
{
	return gateway_write(g, buffer_text(&r->head), &r->head_sent) &&
	       gateway_write(g, buffer_text(&r->body), &r->body_sent);
}

size_t response_bytes(const struct response *r)
{
	return r->head.capacity + r->headers.capacity + r->body.capacity;
}
