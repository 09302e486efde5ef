/* Parses an HTTP answer's head and body from the bytes received so far. Pure: it
 * keeps no state between calls. If the answer is not complete, call it again with
 * more bytes.
 *
 * It knows what nginx and longroom-pushd send: HTTP/1.x, a body with Content-Length,
 * chunked, or up to the end of the connection. No 1xx. */
#ifndef LONGROOM_LOAD_ANSWER_H
#define LONGROOM_LOAD_ANSWER_H

#include <stdbool.h>

#include "base/text.h"

enum answer_state {
	ANSWER_PARTIAL,
	ANSWER_WHOLE,
	ANSWER_STREAM, /* an event stream of unknown size; the head is complete */
	ANSWER_BAD,
};

struct answer {
	int status;
	bool closes;      /* the other side takes no more requests here */
	bool streams;     /* 200, and the body is an event stream */
	bool chunked;     /* of a stream: its body is, and is not joined here */
	struct text body; /* inside the data given; of a stream, what has come */
	size_t expected;  /* bytes of the whole answer; 0: not known yet */
	struct text last_modified, etag; /* these headers; empty: not there */
};

/* ended: nothing more will come. The pieces of a chunked body are joined in place
 * once all are there. Bytes after the answer make it bad: there was no request for
 * them. */
enum answer_state answer_parse(char *data, size_t size, bool ended,
                               struct answer *answer);

#endif
