#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

void claim_failed(const char *file, int line, const char *claim)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, claim);
	abort();
}

struct text input_text(const uint8_t *data, size_t size)
{
	return (struct text){size > 0 ? (const char *)data : NULL, size};
}

struct text cut_line(struct text *rest)
{
	const char *end =
		rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;
	struct text line = *rest;

	if (end == NULL) {
		*rest = (struct text){NULL, 0};
		return line;
	}
	line.size = (size_t)(end - line.data);
	rest->data += line.size + 1;
	rest->size -= line.size + 1;
	return line;
}

struct text without_nul(struct text text)
{
	const char *nul = text.size > 0 ? memchr(text.data, '\0', text.size) : NULL;

	return nul == NULL ? text
	                   : (struct text){text.data, (size_t)(nul - text.data)};
}

/* A message has data of 30 objects and arrays in each other, and json-c counts the
 * values in the innermost too. */
enum { JSON_DEPTH = 33 };

json_object *json_must_parse(struct text text)
{
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
	                                        JSON_TOKENER_VALIDATE_UTF8);
	json_object *value =
		json_tokener_parse_ex(tokener, text.data, (int)text.size);
	CLAIM(json_tokener_get_error(tokener) == json_tokener_success);
	CLAIM(json_tokener_get_parse_end(tokener) == text.size);
	CLAIM(json_object_is_type(value, json_type_object));
	json_tokener_free(tokener);
	return value;
}

struct text json_must_have(json_object *object, const char *name)
{
	json_object *member = NULL;

	CLAIM(json_object_object_get_ex(object, name, &member));
	CLAIM(json_object_is_type(member, json_type_string));
	return (struct text){json_object_get_string(member),
	                     (size_t)json_object_get_string_len(member)};
}

/* The length that the first byte announces; 0 if it cannot be a first byte. */
static size_t announced_length(unsigned char first)
{
	return first < 0x80             ? 1
	       : (first & 0xe0) == 0xc0 ? 2
	       : (first & 0xf0) == 0xe0 ? 3
	       : (first & 0xf8) == 0xf0 ? 4
	                                : 0;
}

/* Cuts a character off. False: it is invalid, or not in its shortest form. */
static bool cut_character(struct text *rest, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = announced_length((unsigned char)rest->data[0]);
	uint32_t bits = length == 1 ? 0x7f : 0x7f >> length;

	if (length == 0 || length > rest->size)
		return false;
	*point = (unsigned char)rest->data[0] & bits;
	for (size_t i = 1; i < length; i++) {
		unsigned char c = (unsigned char)rest->data[i];

		if (c >> 6 != 2)
			return false;
		*point = *point * 64 + c % 64;
	}
	rest->data += length;
	rest->size -= length;
	return *point >= least[length] && *point <= 0x10ffff &&
	       !(*point >= 0xd800 && *point <= 0xdfff);
}

bool is_utf8(struct text text)
{
	uint32_t point;

	while (text.size > 0)
		if (!cut_character(&text, &point))
			return false;
	return true;
}

bool has_control(struct text text)
{
	uint32_t point;

	while (text.size > 0)
		if (!cut_character(&text, &point) || point < 0x20 ||
		    (point >= 0x7f && point < 0xa0))
			return true;
	return false;
}

bool has_white_end(struct text text)
{
	static const char *const white[] = {
		"\t", "\n", "\v", "\f", "\r", " ",
		"\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
		"\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
		"\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f",
		"\u3000", "\ufeff",
	};

	for (size_t i = 0; i < sizeof white / sizeof white[0]; i++) {
		size_t size = strlen(white[i]);

		if (size <= text.size &&
		    (memcmp(text.data, white[i], size) == 0 ||
		     memcmp(text.data + text.size - size, white[i], size) == 0))
			return true;
	}
	return false;
}
