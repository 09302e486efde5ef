#include "http/request_parser.h"

#include <stdlib.h>

#include "base/memory.h"

static int keep_name(struct http_parser *parser, const char *data, size_t size)
{
	struct request_parser *request = parser->data;

	request_head_add_name(&request->head, (struct text){data, size});
	return 0;
}

static int keep_value(struct http_parser *parser, const char *data, size_t size)
{
	struct request_parser *request = parser->data;

	request_head_add_value(&request->head, (struct text){data, size});
	return 0;
}

static int keep_target(struct http_parser *parser, const char *data, size_t size)
{
	struct request_parser *request = parser->data;

	request_head_add_target(&request->head, (struct text){data, size});
	return 0;
}

/* 1: no body. Anything that follows is not parsed: the connection closes. */
static int end_head(struct http_parser *parser)
{
	(void)parser;
	return 1;
}

/* One request at a time: the rest of the input waits for its answer. */
static int end_request(struct http_parser *parser)
{
	http_parser_pause(parser, 1);
	return 0;
}

static const struct http_parser_settings parser_settings = {
	.on_url = keep_target,
	.on_header_field = keep_name,
	.on_header_value = keep_value,
	.on_headers_complete = end_head,
	.on_message_complete = end_request,
};

void request_parser_set_most(int64_t bytes)
{
	http_parser_set_max_header_size((uint32_t)bytes);
}

struct request_parser *request_parser_new(void)
{
	return memory_get(sizeof(struct request_parser));
}

void request_parser_free(struct request_parser *request)
{
	if (request == NULL)
		return;
	buffer_release(&request->head.bytes);
	free(request);
}

void request_parser_start(struct request_parser *request)
{
	http_parser_init(&request->parser, HTTP_REQUEST);
	request->parser.data = request;
	request->check = (struct head_check){0};
	request->is_whole = false;
	request->size = 0;
	request_head_clear(&request->head);
}

static struct problem too_long(const struct request_parser *request)
{
	return (struct problem){head_check_is_past_first_line(&request->check)
	                                ? PROBLEM_HEAD_TOO_LARGE
	                                : PROBLEM_TARGET_TOO_LONG,
	                        "the request line and headers exceed "
	                        "limits.request_head"};
}

size_t request_parser_feed(struct request_parser *request, struct text data,
                           size_t limit, struct problem *wrong)
{
	/* The limit may have been higher a moment ago (SIGHUP). */
	size_t left = (size_t)request->size < limit
		? limit - (size_t)request->size : 1;
	size_t size = left < data.size ? left : data.size;
	size_t used = http_parser_execute(&request->parser, &parser_settings,
	                                  data.data, size);

	request->size += (int64_t)used;
	head_check_feed(&request->check, (struct text){data.data, used});
	*wrong = (struct problem){PROBLEM_NONE, NULL};
	switch (HTTP_PARSER_ERRNO(&request->parser)) {
	case HPE_PAUSED:
		request->is_whole = true;
		break;
	case HPE_OK:
		if (request->size >= (int64_t)limit)
			*wrong = too_long(request);
		break;
	default:
		*wrong = (struct problem){PROBLEM_BAD_REQUEST,
		                          "this is not HTTP/1.1"};
	}
	return used;
}

const char *request_parser_complaint(const struct request_parser *request)
{
	if (request->parser.http_major != 1)
		return "this is not HTTP/1";
	return head_check_complaint(&request->check,
	                            request->parser.http_minor > 0);
}

bool request_parser_keeps_alive(const struct request_parser *request)
{
	return http_should_keep_alive(&request->parser) &&
	       !request->parser.upgrade && request->parser.http_minor > 0;
}
