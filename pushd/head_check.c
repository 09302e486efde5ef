#include "head_check.h"

static const char host[] = "host";

enum {
	HOST_SIZE = sizeof host - 1,
	NO_MATCH = 255,
	MANY = 2,
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void match(struct head_check *check, char c)
{
	/* Only letters differ in this bit by their case. */
	if (check->matched < HOST_SIZE && (c | 0x20) == host[check->matched])
		check->matched++;
	else
		check->matched = NO_MATCH;
}

static void take_name(struct head_check *check, char c)
{
	if (c != ':') {
		check->has_stray_space = check->has_stray_space || is_space(c);
		match(check, c);
		return;
	}
	if (check->matched == HOST_SIZE && check->hosts < MANY)
		check->hosts++;
	check->part = HEAD_VALUE;
}

static void start_line(struct head_check *check, char c)
{
	if (c == '\r')
		return;
	check->has_stray_space = check->has_stray_space || is_space(c);
	check->matched = 0;
	check->part = HEAD_NAME;
	take_name(check, c);
}

static void end_line(struct head_check *check)
{
	if (check->part != HEAD_BEFORE)
		check->part = HEAD_LINE_START;
}

void head_check_feed(struct head_check *check, struct text bytes)
{
	for (size_t i = 0; i < bytes.size; i++) {
		char c = bytes.data[i];

		if (c == '\n')
			end_line(check);
		else if (check->part == HEAD_BEFORE && c != '\r')
			check->part = HEAD_FIRST_LINE;
		else if (check->part == HEAD_LINE_START)
			start_line(check, c);
		else if (check->part == HEAD_NAME)
			take_name(check, c);
	}
}

bool head_check_is_past_first_line(const struct head_check *check)
{
	return check->part > HEAD_FIRST_LINE;
}

const char *head_check_complaint(const struct head_check *check,
                                 bool host_is_required)
{
	if (check->has_stray_space)
		return "there is white space where a header has none";
	if (check->hosts > 1)
		return "there is more than one Host";
	if (check->hosts == 0 && host_is_required)
		return "there is no Host";
	return NULL;
}
