/* Error answers: application/problem+json (RFC 9457). Pure. */
#ifndef LONGROOM_PROBLEM_H
#define LONGROOM_PROBLEM_H

#include "base/buffer.h"

enum problem_type {
	PROBLEM_NONE,
#define PROBLEM(name, type, status, title) PROBLEM_##name,
#include "codec/problem.def"
#undef PROBLEM
};

/* What is wrong with a request. {0}: nothing. */
struct problem {
	enum problem_type type;
	const char *detail; /* for people; a string constant */
};

/* 400 to 599. */
int problem_status(enum problem_type type);

/* Adds the JSON object. */
void problem_render(const struct problem *problem, struct buffer *b);

/* The reason phrase of a status that Longroom sends (RFC 9110 section 15). */
const char *status_reason(int status);

#endif
