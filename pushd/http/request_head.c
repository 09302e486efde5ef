#include "http/request_head.h"

#include <strings.h>

#include "auth/credentials.h"

_Static_assert(HEAD_LAST_EVENT_ID - HEAD_USER_ID == CREDENTIAL_ORIGIN + 1,
               "the parts behind the target are the first credentials, in order");

static const char *name_of(enum head_part part)
{
	if (part == HEAD_LAST_EVENT_ID)
		return "Last-Event-ID";
	return credential_names[part - HEAD_USER_ID].header;
}

void request_head_clear(struct request_head *head)
{
	struct buffer bytes = head->bytes;

	*head = (struct request_head){.bytes = bytes};
	buffer_clear(&head->bytes);
}

/* The pieces of a part come one after the other, with nothing between them. */
static void request_head_add(struct request_head *head, struct text piece)
{
	struct head_place *place = &head->parts[head->part];

	if (place->size == 0)
		place->at = (uint32_t)head->bytes.size;
	buffer_add_text(&head->bytes, piece);
	place->size += (uint32_t)piece.size;
}

void request_head_add_target(struct request_head *head, struct text piece)
{
	head->part = HEAD_TARGET;
	request_head_add(head, piece);
}

void request_head_add_name(struct request_head *head, struct text piece)
{
	if (!head->in_name)
		head->name_size = 0;
	head->in_name = true;
	if (head->name_size + piece.size <= HEAD_NAME_MAX)
		memcpy(head->name + head->name_size, piece.data, piece.size);
	head->name_size += (uint32_t)piece.size;
}

static enum head_part find_part(const struct request_head *head)
{
	enum head_part part = HEAD_USER_ID;

	while (part < HEAD_PARTS &&
	       (strlen(name_of(part)) != head->name_size ||
	        strncasecmp(name_of(part), head->name, head->name_size) != 0))
		part++;
	return part;
}

static void note_part(struct request_head *head, enum head_part part)
{
	bool is_second = head->given >> part & 1;

	head->given |= UINT32_C(1) << part;
	if (part == HEAD_LAST_EVENT_ID)
		head->has_two_event_ids |= is_second;
	else
		head->is_ambiguous |= is_second;
}

void request_head_add_value(struct request_head *head, struct text piece)
{
	if (head->in_name) {
		head->in_name = false;
		head->part = find_part(head);
		if (head->part < HEAD_PARTS)
			note_part(head, head->part);
	}
	if (head->part < HEAD_PARTS)
		request_head_add(head, piece);
}
