#include "answer.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "memory.h"

/* RFC 9110 section 6.6.1: a server with a clock sends it. */
static void add_date(struct buffer *head)
{
	char date[sizeof "Sun, 06 Nov 1994 08:49:37 GMT"];
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
	buffer_printf(head, "Date: %s\r\n", date);
}

static struct answer *answer_new(int status, const char *content_type,
                                 const char *headers, struct text body,
                                 bool closes)
{
	struct buffer head = {0};
	struct answer *answer;

	buffer_printf(&head, "HTTP/1.1 %d %s\r\n", status, status_reason(status));
	add_date(&head);
	buffer_printf(&head,
	              "Content-Type: %s\r\nContent-Length: %zu\r\n"
	              "Cache-Control: no-store\r\n%s%s\r\n",
	              content_type, body.size, headers,
	              closes ? "Connection: close\r\n" : "");
	answer = memory_get(sizeof *answer + head.size + body.size);
	answer->references = 1;
	answer->size = head.size + body.size;
	answer->head_size = head.size;
	answer->closes = closes;
	memcpy(answer->data, head.data, head.size);
	memcpy(answer->data + head.size, body.data, body.size);
	buffer_release(&head);
	return answer;
}

struct answer *answer_page(struct text body, bool closes)
{
	return answer_new(200, "application/json", "", body, closes);
}

struct answer *answer_problem(enum problem_type type, const char *detail,
                              bool closes)
{
	struct problem problem = {type, detail};
	const char *headers = "";
	struct buffer body = {0};
	struct answer *answer;

	if (problem_status(type) == 503)
		headers = "Retry-After: 1\r\n";
	else if (type == PROBLEM_METHOD_NOT_ALLOWED)
		headers = "Allow: GET\r\n";
	problem_render(&problem, &body);
	answer = answer_new(problem_status(type), "application/problem+json",
	                    headers, buffer_text(&body), closes);
	buffer_release(&body);
	return answer;
}

struct answer *answer_hold(struct answer *answer)
{
	answer->references++;
	return answer;
}

void answer_release(struct answer *answer)
{
	if (answer == NULL)
		return;
	assert(answer->references > 0);
	if (--answer->references == 0)
		free(answer);
}
