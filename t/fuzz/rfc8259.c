#include "rfc8259.h"

struct reader {
	const char *at, *end;
	int deepest;
	rfc8259_visit *visit;
	void *context;
};

static bool skip_value(struct reader *r, int depth);

static int peek(const struct reader *r)
{
	return r->at < r->end ? (unsigned char)*r->at : -1;
}

static bool skip(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

static void skip_white(struct reader *r)
{
	while (skip(r, ' ') || skip(r, '\t') || skip(r, '\n') || skip(r, '\r'))
		;
}

static bool skip_word(struct reader *r, const char *word)
{
	for (; *word != '\0'; word++)
		if (!skip(r, *word))
			return false;
	return true;
}

static bool skip_digits(struct reader *r)
{
	const char *first = r->at;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at > first;
}

static bool skip_number(struct reader *r)
{
	skip(r, '-');
	if (!skip(r, '0') && !skip_digits(r))
		return false;
	if (skip(r, '.') && !skip_digits(r))
		return false;
	if (!skip(r, 'e') && !skip(r, 'E'))
		return true;
	if (!skip(r, '+'))
		skip(r, '-');
	return skip_digits(r);
}

static bool read_hex4(struct reader *r, uint32_t *unit)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	*unit = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		const char *digit = peek(r) > 0 ? strchr(digits, peek(r)) : NULL;

		if (digit == NULL)
			return false;
		*unit = *unit * 16 + (uint32_t)(digit - digits) % 16;
	}
	return true;
}

static void add_point(struct buffer *b, uint32_t point)
{
	char c[4];
	size_t size = point < 0x80      ? 1
	              : point < 0x800   ? 2
	              : point < 0x10000 ? 3
	                                : 4;

	for (size_t i = size - 1; i > 0; i--, point /= 64)
		c[i] = (char)(0x80 + point % 64);
	c[0] = (char)(size == 1 ? point : (0xf00 >> size & 0xff) + point);
	buffer_add(b, c, size);
}

/* After \u. A high surrogate takes the following low one along. */
static bool read_unicode(struct reader *r, struct buffer *b)
{
	uint32_t unit, low;

	if (!read_hex4(r, &unit))
		return false;
	if (unit < 0xd800 || unit > 0xdfff) {
		add_point(b, unit);
		return true;
	}
	const char *behind = r->at;
	if (unit < 0xdc00 && skip_word(r, "\\u") && read_hex4(r, &low) &&
	    low >= 0xdc00 && low <= 0xdfff) {
		add_point(b, 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00));
		return true;
	}
	r->at = behind;
	add_point(b, 0xfffd);
	return true;
}

static bool read_escape(struct reader *r, struct buffer *b)
{
	static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (skip(r, 'u'))
		return read_unicode(r, b);
	name = peek(r) > 0 ? strchr(names, peek(r)) : NULL;
	if (name == NULL)
		return false;
	r->at++;
	buffer_add(b, &meant[name - names], 1);
	return true;
}

static bool read_string(struct reader *r, struct buffer *b)
{
	/* Not NULL, even if it stays empty. */
	buffer_reserve(b, 1);
	if (!skip(r, '"'))
		return false;
	while (!skip(r, '"')) {
		if (peek(r) < 0x20)
			return false;
		if (skip(r, '\\')) {
			if (!read_escape(r, b))
				return false;
		} else {
			buffer_add(b, r->at++, 1);
		}
	}
	return true;
}

static bool read_value(struct reader *r, struct text name, int depth)
{
	struct buffer value = {0};
	bool is_string = peek(r) == '"';
	bool good = is_string ? read_string(r, &value) : skip_value(r, depth);

	if (depth > r->deepest)
		r->deepest = depth;
	/* Only the outermost object's. */
	if (good && depth == 2)
		r->visit(r->context, name, buffer_text(&value));
	buffer_release(&value);
	return good;
}

static bool read_member(struct reader *r, int depth)
{
	struct buffer name = {0};
	bool good;

	skip_white(r);
	good = read_string(r, &name);
	skip_white(r);
	good = good && skip(r, ':');
	skip_white(r);
	good = good && read_value(r, buffer_text(&name), depth + 1);
	skip_white(r);
	buffer_release(&name);
	return good;
}

static bool skip_object(struct reader *r, int depth)
{
	if (!skip(r, '{'))
		return false;
	skip_white(r);
	if (skip(r, '}'))
		return true;
	do
		if (!read_member(r, depth))
			return false;
	while (skip(r, ','));
	return skip(r, '}');
}

static bool skip_array(struct reader *r, int depth)
{
	skip(r, '[');
	skip_white(r);
	if (skip(r, ']'))
		return true;
	do {
		skip_white(r);
		if (!skip_value(r, depth + 1))
			return false;
		skip_white(r);
	} while (skip(r, ','));
	return skip(r, ']');
}

static bool skip_value(struct reader *r, int depth)
{
	struct buffer string = {0};

	if (depth > r->deepest)
		r->deepest = depth;
	switch (peek(r)) {
	case '{':
		return skip_object(r, depth);
	case '[':
		return skip_array(r, depth);
	case 't':
		return skip_word(r, "true");
	case 'f':
		return skip_word(r, "false");
	case 'n':
		return skip_word(r, "null");
	case '"': {
		bool good = read_string(r, &string);
		buffer_release(&string);
		return good;
	}
	default:
		return skip_number(r);
	}
}

bool rfc8259_read(struct text json, rfc8259_visit *visit, void *context,
                  int *depth)
{
	struct reader r = {.at = json.data,
	                   .end = json.data + json.size,
	                   .deepest = 1,
	                   .visit = visit,
	                   .context = context};

	skip_white(&r);
	bool good = skip_object(&r, 1);
	skip_white(&r);
	*depth = r.deepest;
	return good && r.at == r.end;
}
