/* A request while it comes in, piece by piece, up to the end of its head: no body
 * is read. It knows nothing of connections. */
#ifndef LONGROOM_REQUEST_PARSER_H
#define LONGROOM_REQUEST_PARSER_H

#include <http_parser.h>

#include "codec/problem.h"
#include "http/head_check.h"
#include "http/request_head.h"

struct request_parser {
	struct http_parser parser;
	struct head_check check;
	bool is_whole;
	int64_t size; /* bytes so far */
	struct request_head head;
};

/* A longer head is refused by the parser, whatever the limit for it is; for all. */
void request_parser_set_most(int64_t bytes);

/* Begins a request. The head's bytes keep their memory. */
void request_parser_start(struct request_parser *request);

/* Takes as much of data as belongs to the request, which may be no longer than
 * limit; returns how much that was. request->is_whole says whether all is there. The
 * problem is PROBLEM_NONE unless this is no request; then nothing can follow it. */
size_t request_parser_feed(struct request_parser *request, struct text data,
                           size_t limit, struct problem *wrong);

/* Of a whole one: what is wrong with it, though it can be read; NULL: nothing. */
const char *request_parser_complaint(const struct request_parser *request);

/* Of a whole one: whether another may follow on the connection. */
bool request_parser_keeps_alive(const struct request_parser *request);

static inline enum http_method
request_parser_method(const struct request_parser *request)
{
	return (enum http_method)request->parser.method;
}

static inline bool request_parser_has_body(const struct request_parser *request)
{
	const struct http_parser *parser = &request->parser;

	return parser->uses_transfer_encoding ||
	       (parser->content_length > 0 &&
	        parser->content_length != UINT64_MAX);
}

#endif
