#include "http/answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "codec/problem.h"

/* RFC 9110 section 6.6.1: a server with a clock sends Date. Formatting a time takes
 * a good part of a short answer's cost, so the last second's text is kept. */
static void add_date(struct buffer *head)
{
	static char date[sizeof "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"];
	static time_t second = -1;
	time_t now = time(NULL);
	struct tm utc;

	if (now != second) {
		gmtime_r(&now, &utc);
		strftime(date, sizeof date,
		         "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
		second = now;
	}
	buffer_add_string(head, date);
}

static const char close_header[] = "Connection: close\r\n";
static const char empty_line[] = {'\r', '\n'};

/* head is without the empty line that ends it. */
static struct answer *answer_new(struct text head, struct text body, bool closes)
{
	struct text last = text_of(closes ? close_header : "");
	size_t head_size = head.size + last.size + sizeof empty_line;
	/* Not zeroed first: it may be 1 MiB. */
	struct answer *answer = memory_resize(
		NULL, sizeof *answer + head_size + body.size);
	char *at = answer->data;

	*answer = (struct answer){.refcount = 1,
	                          .size = head_size + body.size,
	                          .head_size = head_size,
	                          .closes = closes};
	memcpy(at, head.data, head.size);
	memcpy(at + head.size, last.data, last.size);
	memcpy(at + head.size + last.size, empty_line, sizeof empty_line);
	memcpy(at + head_size, body.data, body.size);
	return answer;
}

struct answer *answer_closing(const struct answer *answer)
{
	struct text head = {answer->data, answer->head_size - sizeof empty_line};
	struct text body = {answer->data + answer->head_size,
	                    answer->size - answer->head_size};

	assert(!answer->closes);
	return answer_new(head, body, true);
}

static struct text extra_headers(const struct answer *variant)
{
	size_t end = variant->head_size - 2;

	return (struct text){variant->data + end - variant->extra_size,
	                     variant->extra_size};
}

static struct answer *make_variant(const struct answer *answer,
                                   struct text headers)
{
	struct text body = {answer->data + answer->head_size,
	                    answer->size - answer->head_size};
	struct buffer head = {0};

	buffer_add(&head, answer->data, answer->head_size - 2);
	buffer_add_text(&head, headers);
	/* If it closes, its head already says so. */
	struct answer *variant = answer_new(buffer_text(&head), body, false);
	buffer_release(&head);
	variant->closes = answer->closes;
	variant->extra_size = headers.size;
	return variant;
}

struct answer *answer_with_headers(struct answer *answer, struct text headers)
{
	struct answer **place =
		&answer->variants[answer->next_variant % ANSWER_VARIANTS];

	if (headers.size == 0)
		return answer_ref(answer);
	for (size_t i = 0; i < ANSWER_VARIANTS; i++)
		if (answer->variants[i] != NULL &&
		    text_equal(headers, extra_headers(answer->variants[i])))
			return answer_ref(answer->variants[i]);
	answer->next_variant++;
	answer_unref(*place);
	*place = make_variant(answer, headers);
	return answer_ref(*place);
}

struct answer *answer_framed(int status, struct text headers, struct text body,
                             bool closes)
{
	struct buffer head = {0};

	buffer_printf(&head, "HTTP/1.1 %d %s\r\n", status, status_reason(status));
	add_date(&head);
	buffer_add_text(&head, headers);
	struct answer *answer = answer_new(buffer_text(&head), body, closes);
	buffer_release(&head);
	return answer;
}

struct answer *answer_empty(int status, struct text headers, bool closes)
{
	return answer_framed(status, headers, (struct text){"", 0}, closes);
}

struct answer *answer_text(int status, const char *media_type, const char *headers,
                           struct text body, bool closes)
{
	struct buffer head = {0};

	buffer_printf(&head, "HTTP/1.1 %d %s\r\n", status, status_reason(status));
	add_date(&head);
	buffer_printf(&head,
	              "Content-Type: %s\r\nContent-Length: %zu\r\n"
	              "Cache-Control: no-store\r\n%s",
	              media_type, body.size, headers);
	struct answer *answer = answer_new(buffer_text(&head), body, closes);
	buffer_release(&head);
	return answer;
}

enum { CHUNK_HEAD_MAX = sizeof "ffffffffffffffff\r\n" };

/* Returns the size of a chunk's first line. */
static size_t print_chunk_head(char line[static CHUNK_HEAD_MAX], size_t size)
{
	return (size_t)snprintf(line, CHUNK_HEAD_MAX, "%zx\r\n", size);
}

void chunk_add(struct buffer *b, struct text content)
{
	char line[CHUNK_HEAD_MAX];

	assert(content.size > 0);
	buffer_add(b, line, print_chunk_head(line, content.size));
	buffer_add_text(b, content);
	buffer_add_string(b, "\r\n");
}

void chunk_add_end(struct buffer *b)
{
	buffer_add_string(b, "0\r\n\r\n");
}

struct answer *answer_piece(struct text bytes, bool closes)
{
	struct answer *answer =
		memory_resize(NULL, sizeof *answer + bytes.size);

	*answer = (struct answer){.refcount = 1,
	                          .size = bytes.size,
	                          .closes = closes};
	if (bytes.size > 0)
		memcpy(answer->data, bytes.data, bytes.size);
	return answer;
}

struct answer *answer_chunk(struct text content)
{
	char line[CHUNK_HEAD_MAX];
	size_t head_size = print_chunk_head(line, content.size);
	size_t size = head_size + content.size + sizeof empty_line;
	struct answer *answer = memory_resize(NULL, sizeof *answer + size);
	char *at = answer->data;

	assert(content.size > 0);
	*answer = (struct answer){.refcount = 1,
	                          .size = size,
	                          .head_size = head_size,
	                          .is_chunk = true};
	memcpy(at, line, head_size);
	memcpy(at + head_size, content.data, content.size);
	memcpy(at + head_size + content.size, empty_line, sizeof empty_line);
	return answer;
}

struct answer *answer_ref(struct answer *answer)
{
	answer->refcount++;
	return answer;
}

static bool is_last_reference(struct answer *answer)
{
	assert(answer->refcount > 0);
	return --answer->refcount == 0;
}

/* A variant has no variants. */
void answer_unref(struct answer *answer)
{
	if (answer == NULL || !is_last_reference(answer))
		return;
	for (size_t i = 0; i < ANSWER_VARIANTS; i++)
		if (answer->variants[i] != NULL &&
		    is_last_reference(answer->variants[i]))
			free(answer->variants[i]);
	free(answer);
}
