#include "codec/problem.h"

#include <assert.h>

static const struct {
	const char *type;
	int status;
	const char *title;
} problems[] = {
	[PROBLEM_NONE] = {"", 200, ""},
#define PROBLEM(name, type, status, title) \
	[PROBLEM_##name] = {type, status, title},
#include "codec/problem.def"
#undef PROBLEM
};

int problem_status(enum problem_type type)
{
	return problems[type].status;
}

void problem_render(const struct problem *problem, struct buffer *b)
{
	assert(problem->type != PROBLEM_NONE);
	buffer_printf(b, "{\"type\":\"%s\",\"title\":\"%s\",\"status\":%d",
	              problems[problem->type].type,
	              problems[problem->type].title,
	              problems[problem->type].status);
	buffer_add_string(b, ",\"detail\":");
	buffer_add_json(b, text_of(problem->detail));
	buffer_add_string(b, "}");
}

const char *status_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}
