/* Parses a request piece by piece, up to the end of its head. No body is read. It
 * knows nothing of connections. */
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

/* Sets the parser's own limit of a head, for all requests of the process. */
void request_parser_set_most(int64_t bytes);

struct request_parser *request_parser_new(void);
/* Does nothing for NULL. */
void request_parser_free(struct request_parser *request);

/* Begins a request. Keeps the head's memory. */
void request_parser_start(struct request_parser *request);

/* Takes the part of data that belongs to the request, and returns its size. The
 * request may have at most `limit` bytes. request->is_whole says whether it is
 * complete. *wrong is PROBLEM_NONE unless this is not a valid request; then no other
 * can follow. */
size_t request_parser_feed(struct request_parser *request, struct text data,
                           size_t limit, struct problem *wrong);

/* For a complete request: returns what is wrong with it although it can be parsed;
 * NULL: nothing. */
const char *request_parser_complaint(const struct request_parser *request);

/* For a complete request: whether another may follow on the connection. */
bool request_parser_keeps_alive(const struct request_parser *request);

static inline enum http_method
request_parser_method(const struct request_parser *request)
{
	return (enum http_method)request->parser.method;
}

static inline bool
request_parser_takes_chunks(const struct request_parser *request)
{
	return request->parser.http_minor > 0;
}

static inline bool request_parser_has_body(const struct request_parser *request)
{
	const struct http_parser *parser = &request->parser;

	return parser->uses_transfer_encoding ||
	       (parser->content_length > 0 &&
	        parser->content_length != UINT64_MAX);
}

#endif
