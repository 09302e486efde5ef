#include "http/head_check.h"

enum part {
	HEAD_BEFORE, /* empty lines before the first may be passed over */
	HEAD_FIRST_LINE,
	HEAD_LINE_START,
	HEAD_NAME,
	HEAD_VALUE,
	/* The value of Host: before it, in it, behind it. */
	HEAD_HOST_START,
	HEAD_HOST,
	HEAD_HOST_END,
};

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

static void check_name(struct head_check *check, char c)
{
	if (c != ':') {
		check->has_stray_space = check->has_stray_space || is_space(c);
		match(check, c);
		return;
	}
	check->part = HEAD_VALUE;
	if (check->matched != HOST_SIZE)
		return;
	check->part = HEAD_HOST_START;
	if (check->hosts < MANY)
		check->hosts++;
}

/* What a host and a port may have (RFC 3986 sections 3.2.2, 3.2.3). */
static bool host_may_have(char c)
{
	static const char others[] = "-._~%!$&'()*+,;=:[]";

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c) != NULL);
}

static void take_host(struct head_check *check, char c)
{
	bool is_end = is_space(c) || c == '\r';

	if (is_end && check->part == HEAD_HOST)
		check->part = HEAD_HOST_END;
	if (is_end)
		return;
	if (check->part == HEAD_HOST_END || !host_may_have(c))
		check->has_bad_host = true;
	check->part = HEAD_HOST;
}

static void start_line(struct head_check *check, char c)
{
	if (c == '\r')
		return;
	check->has_stray_space = check->has_stray_space || is_space(c);
	check->matched = 0;
	check->part = HEAD_NAME;
	check_name(check, c);
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
			check_name(check, c);
		else if (check->part >= HEAD_HOST_START)
			take_host(check, c);
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
		return "a header has white space where HTTP does not allow it";
	if (check->hosts > 1)
		return "there is more than one Host header";
	if (check->has_bad_host)
		return "the Host header is invalid";
	if (check->hosts == 0 && host_is_required)
		return "the Host header is missing";
	return NULL;
}
