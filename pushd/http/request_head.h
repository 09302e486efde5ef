/* Collects a request's head, piece by piece: its target, the few headers that
 * identify the user and the page's origin, and Last-Event-ID. Other headers are
 * ignored. */
#ifndef LONGROOM_REQUEST_HEAD_H
#define LONGROOM_REQUEST_HEAD_H

#include "base/buffer.h"

enum head_part {
	HEAD_TARGET,
	HEAD_USER_ID, /* from here on as in credentials.h */
	HEAD_USERNAME,
	HEAD_SENDER_TYPE,
	HEAD_READ,
	HEAD_WRITE,
	HEAD_AUTHORIZATION,
	HEAD_COOKIE,
	HEAD_ORIGIN,
	HEAD_LAST_EVENT_ID, /* no credential; may be given twice */
	HEAD_PARTS, /* also: a header that is ignored */
};

enum { HEAD_NAME_MAX = 24 }; /* no header that is looked for has a longer name */

struct request_head {
	struct buffer bytes; /* of all parts, in the order in which they came */
	struct head_place {
		uint32_t at, size;
	} parts[HEAD_PARTS];
	enum head_part part; /* that comes now */
	bool in_name;
	bool is_ambiguous;   /* one of the credentials was given twice */
	bool has_two_event_ids;
	uint32_t given;      /* bits, by part */
	uint32_t name_size;  /* may be more than HEAD_NAME_MAX */
	char name[HEAD_NAME_MAX];
};

/* Empties it, and keeps its memory. */
void request_head_clear(struct request_head *head);

void request_head_add_target(struct request_head *head, struct text piece);
void request_head_add_name(struct request_head *head, struct text piece);
void request_head_add_value(struct request_head *head, struct text piece);

/* Borrowed until the next change. */
static inline struct text request_head_part(const struct request_head *head,
                                            enum head_part part)
{
	const struct head_place *place = &head->parts[part];

	if (place->size == 0)
		return (struct text){NULL, 0};
	return (struct text){head->bytes.data + place->at, place->size};
}

#endif
