#include "verbs/media_type.h"

#include <strings.h>

static bool equal_ignoring_case(struct text text, const char *string)
{
	return text.size == strlen(string) &&
	       strncasecmp(text.data, string, text.size) == 0;
}

/* Cuts at the next of a separator and takes white space off the part. */
static struct text cut(struct text *rest, char separator)
{
	if (rest->size == 0)
		return (struct text){NULL, 0};
	const char *end = memchr(rest->data, separator, rest->size);
	size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
	struct text part = {rest->data, size};

	rest->data += size + (end != NULL);
	rest->size -= size + (end != NULL);
	while (part.size > 0 && strchr(" \t", part.data[0]) != NULL) {
		part.data++;
		part.size--;
	}
	while (part.size > 0 && strchr(" \t", part.data[part.size - 1]) != NULL)
		part.size--;
	return part;
}

struct text header_without_quotes(struct text text)
{
	if (text.size >= 2 && text.data[0] == '"' &&
	    text.data[text.size - 1] == '"')
		return (struct text){text.data + 1, text.size - 2};
	return text;
}

/* UTF-8, as it is registered and as it is often misspelled, and its part ASCII. */
static bool is_utf8_charset(struct text name)
{
	return equal_ignoring_case(name, "utf-8") ||
	       equal_ignoring_case(name, "utf8") ||
	       equal_ignoring_case(name, "us-ascii");
}

enum media media_type_read(struct text header)
{
	struct text type = cut(&header, ';');

	while (header.size > 0) {
		struct text value = cut(&header, ';');
		struct text name = cut(&value, '=');

		if (equal_ignoring_case(name, "charset") &&
		    !is_utf8_charset(header_without_quotes(value)))
			return MEDIA_OTHER;
	}
	if (equal_ignoring_case(type, "application/json"))
		return MEDIA_JSON;
	if (equal_ignoring_case(type, "application/x-www-form-urlencoded"))
		return MEDIA_FORM;
	if (equal_ignoring_case(type, "text/plain"))
		return MEDIA_TEXT;
	return MEDIA_OTHER;
}
