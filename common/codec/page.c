#include "codec/page.h"

#include <inttypes.h>
#include <stdio.h>

void page_begin(struct page *page, struct buffer *buffer,
                const struct room_name *room)
{
	page->buffer = buffer;
	page->count = 0;
	page->is_of_several = room == NULL;
	buffer_add_string(buffer, "{");
	if (room != NULL) {
		buffer_add_string(buffer, "\"room_id\":");
		buffer_add_json(buffer, room_name_text(room));
		buffer_add_string(buffer, ",");
	}
	buffer_add_string(buffer, "\"count\":");
	page->count_at = buffer->size;
	buffer_add_string(buffer, ",\"messages\":[");
}

void page_separate(struct page *page)
{
	if (page->count > 0)
		buffer_add_string(page->buffer, ",");
	page->count++;
}

void page_add_all(struct page *page, struct text messages, int64_t count)
{
	buffer_add_text(page->buffer, messages);
	page->count = count;
}

static void add_flag(struct buffer *b, const char *name, bool flag)
{
	if (flag)
		buffer_printf(b, ",\"%s\":true", name);
}

static void add_names(struct buffer *b, const char *name, struct text names)
{
	if (names.size == 0)
		return;
	buffer_printf(b, ",\"%s\":[", name);
	buffer_add_text(b, names);
	buffer_add_string(b, "]");
}

static void add_earliest(struct buffer *b, int64_t earliest)
{
	buffer_add_string(b, ",\"earliest\":");
	if (earliest > 0)
		buffer_add_integer(b, earliest);
	else
		buffer_add_string(b, "null");
}

static void insert_count(struct page *page)
{
	struct buffer *b = page->buffer;
	char digits[24];
	size_t size = (size_t)snprintf(digits, sizeof digits, "%" PRId64,
	                               page->count);

	buffer_reserve(b, size);
	memmove(b->data + page->count_at + size, b->data + page->count_at,
	        b->size - page->count_at);
	memcpy(b->data + page->count_at, digits, size);
	b->size += size;
}

void page_end(struct page *page, const struct page_end *end)
{
	struct buffer *b = page->buffer;

	insert_count(page);
	buffer_add_string(b, "],\"cursor\":\"");
	cursor_render(&end->cursor, b);
	buffer_add_string(b, "\"");
	if (!page->is_of_several)
		add_earliest(b, end->earliest);
	buffer_add_string(b, end->more ? ",\"more\":true" : ",\"more\":false");
	add_flag(b, "gap", end->gap);
	if (page->is_of_several) {
		add_names(b, "gap_rooms", end->gap_rooms);
		add_names(b, "forbidden", end->forbidden);
	}
	add_flag(b, "reset", end->reset);
	add_flag(b, "ephemeral", end->ephemeral && !page->is_of_several);
	if (end->retry_ms > 0)
		buffer_printf(b, ",\"retry_ms\":%" PRId64, end->retry_ms);
	buffer_add_string(b, "}");
}
