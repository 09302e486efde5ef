#include "event.h"

enum { RETRY_MAX_MS = 24 * 3600 * 1000 };

static bool is_field(struct text name, const char *field, size_t size)
{
	return name.size == size && memcmp(name.data, field, size) == 0;
}

#define IS_FIELD(name, literal) is_field(name, literal, sizeof(literal) - 1)

/* A value that is no number is ignored, as the standard says. */
static void take_retry(struct event *event, struct text value)
{
	int64_t number = 0;

	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return;
		if (number < RETRY_MAX_MS)
			number = number * 10 + (value.data[i] - '0');
	}
	if (value.size > 0)
		event->retry_ms = number;
}

/* Further lines are moved up to those before them, which end before them. */
static void add_data(struct event *event, char *value, size_t size)
{
	if (event->data.data == NULL) {
		event->data = (struct text){value, size};
		return;
	}
	size_t back = (size_t)(value - event->data.data);
	char *end = value - back + event->data.size;

	*end = '\n';
	memmove(end + 1, value, size);
	event->data.size += size + 1;
}

static void take_line(struct event *event, char *line, size_t size)
{
	char *colon = memchr(line, ':', size);
	struct text name = {line, colon != NULL ? (size_t)(colon - line) : size};
	char *value = colon != NULL ? colon + 1 : line + size;

	if (value < line + size && *value == ' ')
		value++;
	size_t value_size = (size_t)(line + size - value);

	if (IS_FIELD(name, "data"))
		add_data(event, value, value_size);
	else if (IS_FIELD(name, "id"))
		event->id = (struct text){value, value_size};
	else if (IS_FIELD(name, "event"))
		event->name = (struct text){value, value_size};
	else if (IS_FIELD(name, "retry"))
		take_retry(event, (struct text){value, value_size});
	else if (name.size == 0)
		event->comment = true;
}

/* Returns the end of the first empty line; NULL: there is none. */
static const char *find_empty_line(const char *data, size_t size)
{
	const char *line = data, *end = data + size;

	while (line < end) {
		const char *line_end = memchr(line, '\n', (size_t)(end - line));

		if (line_end == NULL || line_end == line)
			return line_end;
		line = line_end + 1;
	}
	return NULL;
}

/* Nothing is changed before the event is complete: an incomplete one is parsed again
 * and must still be as it came. */
size_t event_take(char *data, size_t size, struct event *event)
{
	const char *end = find_empty_line(data, size);

	if (end == NULL)
		return 0;
	*event = (struct event){.retry_ms = -1};
	for (char *line = data; line < end;) {
		char *line_end = memchr(line, '\n', (size_t)(end - line));

		take_line(event, line, (size_t)(line_end - line));
		line = line_end + 1;
	}
	return (size_t)(end - data) + 1;
}
