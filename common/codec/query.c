#include "codec/query.h"

#include "base/number.h"
#include "codec/params.h"

static const struct problem fine = {PROBLEM_NONE, NULL};
static const struct problem twice = {PROBLEM_BAD_PARAMETER,
                                     "limit, before, after, timeout or presence "
                                     "is given more than once"};

struct problem query_number(struct text query, const char *name, int64_t least,
                            int64_t most, const char *rule, int64_t *number)
{
	struct buffer value = {0};
	enum param_found found = params_find(query, name, &value);
	int64_t parsed = *number;
	bool good = found == PARAM_ABSENT ||
	            (found == PARAM_FOUND &&
	             number_parse(buffer_text(&value), least, most, &parsed));

	buffer_release(&value);
	if (found == PARAM_TWICE)
		return twice;
	if (found == PARAM_NOT_UTF8)
		return (struct problem){PROBLEM_NOT_UTF8,
		                        "a parameter is not UTF-8"};
	if (!good)
		return (struct problem){PROBLEM_BAD_PARAMETER, rule};
	*number = parsed;
	return fine;
}

static bool read_cursor(struct text value, bool now_is_allowed,
                        struct cursor *cursor, enum query_given *given)
{
	*given = now_is_allowed && text_is(value, "now") ? QUERY_NOW
	                                                 : QUERY_CURSOR;
	return *given == QUERY_NOW || cursor_parse(value, cursor);
}

struct problem query_cursor(struct text query, const char *name,
                            bool now_is_allowed, struct cursor *cursor,
                            enum query_given *given)
{
	struct buffer value = {0};
	enum param_found found = params_find(query, name, &value);
	bool good = found == PARAM_FOUND &&
	            read_cursor(buffer_text(&value), now_is_allowed, cursor,
	                        given);

	buffer_release(&value);
	if (found == PARAM_ABSENT)
		*given = QUERY_ABSENT;
	if (found == PARAM_TWICE)
		return twice;
	if (good || found == PARAM_ABSENT)
		return fine;
	return (struct problem){PROBLEM_BAD_CURSOR,
	                        now_is_allowed
	                                ? "after must be a cursor, an id or now"
	                                : "before and after take a cursor or an "
	                                  "id"};
}
