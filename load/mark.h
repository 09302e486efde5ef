/* The mark in a message's content, which describes the message:
 *
 *     lr-5f3a9c01 123 4 56 26 8273649182736:abcdefghijklm...
 *
 * These are the run's tag, the message's number in the run, its sender, the sender's
 * own count, the room's index in the run, and when it was first sent (monotonic ns);
 * then padding up to the wanted size. It needs no escapes in JSON, so it can be
 * compared as it is. Pure. */
#ifndef LONGROOM_LOAD_MARK_H
#define LONGROOM_LOAD_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum {
	MARK_TAG_SIZE = 11, /* lr- and eight hexadecimal digits */
	MARK_MAX = 96,
};

struct mark {
	uint32_t number;
	uint32_t sender;
	uint32_t sequence; /* the sender's count, from 1 */
	uint32_t room;
	int64_t sent_ns;
};

/* How this run writes its contents. */
struct mark_style {
	char tag[MARK_TAG_SIZE + 1];
	char *padding; /* `size` bytes */
	size_t size;   /* of a content, if the mark is not longer */
};

void mark_style_init(struct mark_style *style, uint32_t tag, size_t size);
void mark_style_release(struct mark_style *style);

/* Room that mark_write wants for a content, with the NUL. */
size_t mark_room(const struct mark_style *style);

/* Writes a content with a NUL behind it; returns its size. */
size_t mark_write(const struct mark_style *style, const struct mark *mark,
                  char *content);

enum mark_reading {
	MARK_OURS,
	MARK_FOREIGN, /* of another run, or not ours at all */
	MARK_DAMAGED, /* begins like ours, but is not a valid mark */
};

enum mark_reading mark_read(const struct mark_style *style, struct text content,
                            struct mark *mark);

#endif
