#include "page.h"

#include <stdlib.h>

#include "memory.h"

enum {
	DEEPEST = 32,
	CURSOR_LONGEST = 64,
};

/* bad is sticky: the outermost caller looks at it once. */
struct scan {
	const char *at, *end;
	bool bad;
};

static void skip_spaces(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' ||
	                          *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	skip_spaces(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static void expect(struct scan *s, char c)
{
	if (!take(s, c))
		s->bad = true;
}

static bool take_word(struct scan *s, const char *word)
{
	size_t size = strlen(word);

	skip_spaces(s);
	if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0)
		return false;
	s->at += size;
	return true;
}

static bool is_escaped(const char *quote, const char *start)
{
	size_t backslashes = 0;

	while (quote > start && quote[-1] == '\\') {
		quote--;
		backslashes++;
	}
	return backslashes % 2 == 1;
}

static struct text scan_string(struct scan *s)
{
	expect(s, '"');
	const char *start = s->at;

	while (!s->bad) {
		const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));

		if (quote == NULL)
			break;
		s->at = quote + 1;
		if (!is_escaped(quote, start))
			return (struct text){start, (size_t)(quote - start)};
	}
	s->bad = true;
	return (struct text){"", 0};
}

static int64_t scan_integer(struct scan *s)
{
	int64_t value = 0;

	skip_spaces(s);
	const char *start = s->at;

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
		int digit = *s->at - '0';

		if (value > (INT64_MAX - digit) / 10)
			s->bad = true;
		else
			value = value * 10 + digit;
	}
	if (s->at == start || (*start == '0' && s->at - start > 1))
		s->bad = true;
	/* A fraction or an exponent is an error to the caller, which expects , or }
	 * next. */
	return value;
}

static int64_t scan_integer_or_null(struct scan *s)
{
	return take_word(s, "null") ? 0 : scan_integer(s);
}

static bool scan_boolean(struct scan *s)
{
	if (take_word(s, "true"))
		return true;
	if (!take_word(s, "false"))
		s->bad = true;
	return false;
}

/* For the loop  for (bool first = true; next_member(...); first = false)  behind
 * an opening brace: false behind the closing one, or if something is wrong. */
static bool next_member(struct scan *s, bool first, struct text *name)
{
	if (s->bad || take(s, '}'))
		return false;
	if (!first)
		expect(s, ',');
	*name = scan_string(s);
	expect(s, ':');
	return !s->bad;
}

static bool next_element(struct scan *s, bool first)
{
	if (s->bad || take(s, ']'))
		return false;
	if (!first)
		expect(s, ',');
	return !s->bad;
}

static void skip_number(struct scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at != '\0' &&
	       strchr("+-.0123456789Ee", *s->at) != NULL)
		s->at++;
	if (s->at == start)
		s->bad = true;
}

static void skip_value(struct scan *s, int depth)
{
	struct text name;

	skip_spaces(s);
	if (depth > DEEPEST || s->at == s->end) {
		s->bad = true;
	} else if (*s->at == '"') {
		scan_string(s);
	} else if (take(s, '{')) {
		for (bool first = true; next_member(s, first, &name); first = false)
			skip_value(s, depth + 1);
	} else if (take(s, '[')) {
		for (bool first = true; next_element(s, first); first = false)
			skip_value(s, depth + 1);
	} else if (!take_word(s, "null") && !take_word(s, "true") &&
	           !take_word(s, "false")) {
		skip_number(s);
	}
}

static void scan_item(struct scan *s, struct item *item)
{
	struct text name;
	bool has_id = false;

	*item = (struct item){0};
	expect(s, '{');
	for (bool first = true; next_member(s, first, &name); first = false) {
		if (text_is(name, "id")) {
			item->id = scan_integer_or_null(s);
			has_id = true;
		} else if (text_is(name, "room_id")) {
			item->room = scan_string(s);
		} else if (text_is(name, "content")) {
			item->content = scan_string(s);
		} else if (text_is(name, "saved")) {
			item->unsaved = !scan_boolean(s);
		} else {
			skip_value(s, 1);
		}
	}
	if (!has_id || item->room.data == NULL || item->content.data == NULL ||
	    item->unsaved != (item->id == 0))
		s->bad = true;
}

static struct item *new_item(struct page *page)
{
	if (page->count == page->items_room) {
		page->items_room = page->items_room * 2 + 16;
		page->items = load_resize(page->items, page->items_room *
		                                               sizeof *page->items);
	}
	return &page->items[page->count++];
}

static void scan_items(struct scan *s, struct page *page)
{
	expect(s, '[');
	for (bool first = true; next_element(s, first); first = false)
		scan_item(s, new_item(page));
}

static bool cursor_is_sound(struct text cursor)
{
	if (cursor.size == 0 || cursor.size > CURSOR_LONGEST)
		return false;
	for (size_t i = 0; i < cursor.size; i++) {
		char c = cursor.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		    !(c >= 'A' && c <= 'Z') && c != '.' && c != '-' && c != '_')
			return false;
	}
	return true;
}

void page_clear(struct page *page)
{
	page->room = page->cursor = (struct text){0};
	page->more = page->gap = page->reset = false;
	page->retry_ms = 0;
	page->count = 0;
}

bool page_parse(struct page *page, struct text json)
{
	struct scan s = {json.data, json.data + json.size, false};
	struct text name;
	int64_t count = -1;

	page_clear(page);
	expect(&s, '{');
	for (bool first = true; next_member(&s, first, &name); first = false) {
		if (text_is(name, "room_id"))
			page->room = scan_string(&s);
		else if (text_is(name, "count"))
			count = scan_integer(&s);
		else if (text_is(name, "messages"))
			scan_items(&s, page);
		else if (text_is(name, "cursor"))
			page->cursor = scan_string(&s);
		else if (text_is(name, "more"))
			page->more = scan_boolean(&s);
		else if (text_is(name, "gap"))
			page->gap = scan_boolean(&s);
		else if (text_is(name, "reset"))
			page->reset = scan_boolean(&s);
		else if (text_is(name, "retry_ms"))
			page->retry_ms = scan_integer(&s);
		else
			skip_value(&s, 1);
	}
	skip_spaces(&s);
	return !s.bad && s.at == s.end && count == (int64_t)page->count &&
	       cursor_is_sound(page->cursor);
}

bool page_parse_lines(struct page *page, struct text lines)
{
	struct scan s = {lines.data, lines.data + lines.size, false};

	page_clear(page);
	for (skip_spaces(&s); s.at < s.end && !s.bad; skip_spaces(&s))
		scan_item(&s, new_item(page));
	return !s.bad;
}

bool page_add(struct page *page, struct text json)
{
	if (item_parse(new_item(page), json))
		return true;
	page->count--;
	return false;
}

void page_release(struct page *page)
{
	free(page->items);
	*page = (struct page){0};
}

bool item_parse(struct item *item, struct text json)
{
	struct scan s = {json.data, json.data + json.size, false};

	scan_item(&s, item);
	skip_spaces(&s);
	return !s.bad && s.at == s.end;
}

int problem_parse(struct text json)
{
	struct scan s = {json.data, json.data + json.size, false};
	struct text name;
	int64_t status = 0;

	expect(&s, '{');
	for (bool first = true; next_member(&s, first, &name); first = false) {
		if (text_is(name, "status"))
			status = scan_integer(&s);
		else
			skip_value(&s, 1);
	}
	return !s.bad && status >= 400 && status <= 599 ? (int)status : 0;
}
