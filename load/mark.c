#include "mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"

void mark_style_init(struct mark_style *style, uint32_t tag, size_t size)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	snprintf(style->tag, sizeof style->tag, "lr-%08" PRIx32, tag);
	style->size = size;
	style->padding = load_get(size, 1);
	for (size_t i = 0; i < size; i++)
		style->padding[i] = letters[i % (sizeof letters - 1)];
}

void mark_style_release(struct mark_style *style)
{
	free(style->padding);
}

size_t mark_room(const struct mark_style *style)
{
	return (style->size > MARK_MAX ? style->size : MARK_MAX) + 1;
}

static size_t padding_size(const struct mark_style *style, size_t mark_size)
{
	return style->size > mark_size ? style->size - mark_size : 0;
}

size_t mark_write(const struct mark_style *style, const struct mark *mark,
                  char *content)
{
	size_t size = (size_t)snprintf(
		content, MARK_MAX,
		"%s %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRId64 ":",
		style->tag, mark->number, mark->sender, mark->sequence,
		mark->room, mark->sent_ns);
	size_t padding = padding_size(style, size);

	memcpy(content + size, style->padding, padding);
	content[size + padding] = '\0';
	return size + padding;
}

/* Takes digits and the character `end` off the text. False: it does not begin so. */
static bool take_number(struct text *rest, char end, int64_t most,
                        int64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < rest->size; i++) {
		char c = rest->data[i];

		if (c == end && i > 0) {
			rest->data += i + 1;
			rest->size -= i + 1;
			return true;
		}
		if (c < '0' || c > '9' || *number > (most - (c - '0')) / 10)
			return false;
		*number = *number * 10 + (c - '0');
	}
	return false;
}

static bool take_number32(struct text *rest, uint32_t *number)
{
	int64_t value;

	if (!take_number(rest, ' ', UINT32_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

enum mark_reading mark_read(const struct mark_style *style, struct text content,
                            struct mark *mark)
{
	struct text rest = content;

	if (content.size <= MARK_TAG_SIZE ||
	    memcmp(content.data, style->tag, MARK_TAG_SIZE) != 0)
		return MARK_FOREIGN;
	rest.data += MARK_TAG_SIZE;
	rest.size -= MARK_TAG_SIZE;
	if (*rest.data != ' ')
		return MARK_DAMAGED;
	rest.data++;
	rest.size--;

	if (!take_number32(&rest, &mark->number) ||
	    !take_number32(&rest, &mark->sender) ||
	    !take_number32(&rest, &mark->sequence) ||
	    !take_number32(&rest, &mark->room) ||
	    !take_number(&rest, ':', INT64_MAX, &mark->sent_ns))
		return MARK_DAMAGED;
	if (rest.size != padding_size(style, content.size - rest.size) ||
	    memcmp(rest.data, style->padding, rest.size) != 0)
		return MARK_DAMAGED;
	return MARK_OURS;
}
