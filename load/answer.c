#define _GNU_SOURCE 1 /* memmem */
#include "answer.h"

#include <strings.h>

enum body_kind { BODY_TO_THE_END, BODY_SIZED, BODY_CHUNKED };

struct head {
	int status;
	bool closes;
	bool streams;
	enum body_kind kind;
	size_t body_size; /* of a sized body */
	struct text last_modified, etag;
};

static bool text_is_nocase(struct text text, const char *string)
{
	return text.size == strlen(string) &&
	       strncasecmp(text.data, string, text.size) == 0;
}

static bool text_begins_nocase(struct text text, const char *string)
{
	size_t size = strlen(string);

	return text.size >= size && strncasecmp(text.data, string, size) == 0;
}

/* Takes the line up to CRLF off the text; false if there is no CRLF. */
static bool take_line(struct text *rest, struct text *line)
{
	char *end = memmem(rest->data, rest->size, "\r\n", 2);

	if (end == NULL)
		return false;
	*line = (struct text){rest->data, (size_t)(end - rest->data)};
	rest->size -= line->size + 2;
	rest->data = end + 2;
	return true;
}

/* 16 if it is none. */
static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 'a' ^ 'A';
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static bool parse_number(struct text text, unsigned base, size_t *number)
{
	*number = 0;
	if (text.size == 0 || text.size > 12)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned digit = digit_of(text.data[i]);

		if (digit >= base)
			return false;
		*number = *number * base + digit;
	}
	return true;
}

static bool parse_status(struct text line, int *status)
{
	size_t number;

	if (line.size < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 ||
	    line.data[8] != ' ')
		return false;
	if (!parse_number((struct text){line.data + 9, 3}, 10, &number))
		return false;
	*status = (int)number;
	return number >= 200 && number <= 599;
}

static struct text without_spaces(struct text text)
{
	while (text.size > 0 && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.size--;
	}
	while (text.size > 0 && (text.data[text.size - 1] == ' ' ||
	                         text.data[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static bool parse_header(struct text line, struct head *head)
{
	const char *colon = memchr(line.data, ':', line.size);

	if (colon == NULL)
		return false;
	struct text name = {line.data, (size_t)(colon - line.data)};
	struct text value = without_spaces(
		(struct text){colon + 1, line.size - name.size - 1});

	if (text_is_nocase(name, "Content-Length")) {
		if (head->kind != BODY_CHUNKED)
			head->kind = BODY_SIZED;
		return parse_number(value, 10, &head->body_size);
	}
	if (text_is_nocase(name, "Transfer-Encoding")) {
		head->kind = BODY_CHUNKED;
		return text_is_nocase(value, "chunked");
	}
	if (text_is_nocase(name, "Connection"))
		head->closes = text_is_nocase(value, "close");
	else if (text_is_nocase(name, "Content-Type"))
		head->streams = text_begins_nocase(value, "text/event-stream");
	else if (text_is_nocase(name, "Last-Modified"))
		head->last_modified = value;
	else if (text_is_nocase(name, "Etag"))
		head->etag = value;
	return true;
}

static bool parse_head(struct text head_text, struct head *head)
{
	struct text line;

	*head = (struct head){.kind = BODY_TO_THE_END};
	if (!take_line(&head_text, &line) || !parse_status(line, &head->status))
		return false;
	while (take_line(&head_text, &line))
		if (!parse_header(line, head))
			return false;
	if (head->kind == BODY_TO_THE_END &&
	    (head->status == 204 || head->status == 304))
		head->kind = BODY_SIZED;
	if (head->kind == BODY_TO_THE_END)
		head->closes = true;
	return true;
}

/* Takes one chunk off the rest. The last one is empty and takes the trailers
 * and the empty line behind them along. */
static enum answer_state take_chunk(struct text *rest, struct text *chunk)
{
	struct text line;
	size_t size;

	if (!take_line(rest, &line))
		return rest->size > 64 ? ANSWER_BAD : ANSWER_PARTIAL;
	const char *extension = memchr(line.data, ';', line.size);
	if (extension != NULL)
		line.size = (size_t)(extension - line.data);
	if (!parse_number(line, 16, &size))
		return ANSWER_BAD;

	*chunk = (struct text){rest->data, size};
	if (size == 0) {
		do {
			if (!take_line(rest, &line))
				return ANSWER_PARTIAL;
		} while (line.size > 0);
		return ANSWER_WHOLE;
	}
	if (rest->size < size + 2)
		return ANSWER_PARTIAL;
	if (memcmp(rest->data + size, "\r\n", 2) != 0)
		return ANSWER_BAD;
	rest->data += size + 2;
	rest->size -= size + 2;
	return ANSWER_WHOLE;
}

/* Looks at all chunks before it moves any: a part that is parsed again later
 * must still be as it came. */
static enum answer_state join_chunks(char *data, size_t size,
                                     struct text *body)
{
	struct text rest = {data, size};
	struct text chunk;

	do {
		enum answer_state state = take_chunk(&rest, &chunk);

		if (state != ANSWER_WHOLE)
			return state;
	} while (chunk.size > 0);
	if (rest.size > 0)
		return ANSWER_BAD;

	char *end = data;

	rest = (struct text){data, size};
	while (take_chunk(&rest, &chunk) == ANSWER_WHOLE && chunk.size > 0) {
		memmove(end, chunk.data, chunk.size);
		end += chunk.size;
	}
	*body = (struct text){data, (size_t)(end - data)};
	return ANSWER_WHOLE;
}

static enum answer_state take_sized(struct answer *answer, size_t body_size,
                                    size_t head_size, size_t size)
{
	answer->expected = head_size + body_size;
	answer->body.size = body_size;
	if (size < answer->expected)
		return ANSWER_PARTIAL;
	return size == answer->expected ? ANSWER_WHOLE : ANSWER_BAD;
}

enum answer_state answer_parse(char *data, size_t size, bool ended,
                               struct answer *answer)
{
	const char *head_end = memmem(data, size, "\r\n\r\n", 4);
	struct head head;

	*answer = (struct answer){0};
	if (head_end == NULL)
		return ANSWER_PARTIAL;
	size_t head_size = (size_t)(head_end - data) + 4;
	if (!parse_head((struct text){data, head_size - 2}, &head))
		return ANSWER_BAD;

	answer->status = head.status;
	answer->closes = head.closes;
	answer->last_modified = head.last_modified;
	answer->etag = head.etag;
	answer->body = (struct text){data + head_size, size - head_size};
	answer->chunked = head.kind == BODY_CHUNKED;
	answer->streams = head.streams && head.status == 200;
	if (answer->streams && head.kind != BODY_SIZED)
		return ANSWER_STREAM;
	switch (head.kind) {
	case BODY_SIZED:
		return take_sized(answer, head.body_size, head_size, size);
	case BODY_CHUNKED:
		return join_chunks(data + head_size, size - head_size,
		                   &answer->body);
	case BODY_TO_THE_END:
		return ended ? ANSWER_WHOLE : ANSWER_PARTIAL;
	}
	return ANSWER_BAD;
}
