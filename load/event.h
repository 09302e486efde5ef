/* Parses an event stream (Server-Sent Events, HTML standard 9.2.6). Pure.
 *
 * Lines end with LF, as Longroom's and nchan's do; the standard also allows CR. */
#ifndef LONGROOM_LOAD_EVENT_H
#define LONGROOM_LOAD_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Texts point into the stream. What is absent has no data. */
struct event {
	struct text name;
	struct text id;
	struct text data;  /* its lines, joined by LF */
	int64_t retry_ms;  /* -1: none */
	bool comment;      /* it has one */
};

/* Takes the first event in the stream: all up to the first empty line, which may be
 * only comments. Returns its size, with that line; 0: it is not complete yet. */
size_t event_take(char *data, size_t size, struct event *event);

#endif
