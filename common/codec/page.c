#include "codec/page.h"

#include <inttypes.h>
#include <stdio.h>

void page_begin(struct page *page, struct buffer *buffer,
                const struct room_name *room)
{
	page->buffer = buffer;
	page->count = 0;
	buffer_add_string(buffer, "{\"room_id\":");
	buffer_add_json(buffer, room_name_text(room));
	buffer_add_string(buffer, ",\"count\":");
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
	buffer_add_string(b, "\",\"earliest\":");
	if (end->earliest > 0)
		buffer_add_integer(b, end->earliest);
	else
		buffer_add_string(b, "null");
	buffer_add_string(b, end->more ? ",\"more\":true" : ",\"more\":false");
	add_flag(b, "gap", end->gap);
	add_flag(b, "reset", end->reset);
	add_flag(b, "ephemeral", end->ephemeral);
	if (end->retry_ms > 0)
		buffer_printf(b, ",\"retry_ms\":%" PRId64, end->retry_ms);
	buffer_add_string(b, "}");
}
