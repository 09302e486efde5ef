#include "rfc8259.h"

#include "fuzz.h"

struct reader {
	const char *at, *end;
	struct rfc8259_found *found;
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
	r->found->has_nul = r->found->has_nul || unit == 0;
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

static void note_depth(struct reader *r, int depth)
{
	if (depth > r->found->depth)
		r->found->depth = depth;
	if ((peek(r) == '{' || peek(r) == '[') && depth > r->found->nested)
		r->found->nested = depth;
}

static bool read_value(struct reader *r, struct text name, int depth)
{
	const char *first = r->at;
	struct buffer value = {0};

	note_depth(r, depth);
	bool is_string = peek(r) == '"';
	bool good = is_string ? read_string(r, &value) : skip_value(r, depth);

	/* Only the outermost object's. */
	if (good && depth == 2)
		r->visit(r->context, name, buffer_text(&value),
		         (struct text){first, (size_t)(r->at - first)});
	buffer_release(&value);
	return good;
}

/* Names are kept one after another, each behind its size. */
static bool is_among(const struct buffer *names, struct text name)
{
	size_t size;

	for (size_t at = 0; at < names->size; at += sizeof size + size) {
		memcpy(&size, names->data + at, sizeof size);
		if (text_equal((struct text){names->data + at + sizeof size, size},
		               name))
			return true;
	}
	return false;
}

static void note_name(struct reader *r, struct buffer *names, struct text name)
{
	r->found->has_twice = r->found->has_twice || is_among(names, name);
	buffer_add(names, &name.size, sizeof name.size);
	buffer_add_text(names, name);
}

static bool read_member(struct reader *r, struct buffer *names, int depth)
{
	struct buffer name = {0};
	bool good;

	skip_white(r);
	good = read_string(r, &name);
	if (good)
		note_name(r, names, buffer_text(&name));
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
	struct buffer names = {0};
	bool good = true;

	if (!skip(r, '{'))
		return false;
	skip_white(r);
	if (skip(r, '}'))
		return true;
	do
		good = read_member(r, &names, depth);
	while (good && skip(r, ','));
	buffer_release(&names);
	return good && skip(r, '}');
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

	note_depth(r, depth);
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
                  struct rfc8259_found *found)
{
	struct reader r = {.at = json.data,
	                   .end = json.data + json.size,
	                   .found = found,
	                   .visit = visit,
	                   .context = context};

	*found = (struct rfc8259_found){.depth = 1, .nested = 1};
	skip_white(&r);
	bool good = skip_object(&r, 1);
	skip_white(&r);
	return good && r.at == r.end;
}

/* Adds an escape, and returns where it ends. */
static const char *add_escape(struct buffer *b, const char *at, const char *end)
{
	struct rfc8259_found unused = {0};
	struct buffer character = {0};
	struct reader r = {.at = at + 1, .end = end, .found = &unused};

	CLAIM(read_escape(&r, &character));
	if (text_is(buffer_text(&character), "\xef\xbf\xbd") && (at[2] | 0x20) == 'd')
		buffer_add_string(b, "\\ufffd");
	else
		buffer_add(b, at, (size_t)(r.at - at));
	buffer_release(&character);
	return r.at;
}

void rfc8259_compact(struct text json, struct buffer *b)
{
	const char *at = json.data, *end = json.data + json.size;
	bool is_in_string = false;

	while (at < end) {
		if (is_in_string && *at == '\\') {
			at = add_escape(b, at, end);
			continue;
		}
		if (*at == '"')
			is_in_string = !is_in_string;
		if (is_in_string || strchr(" \t\n\r", *at) == NULL)
			buffer_add(b, at, 1);
		at++;
	}
}
