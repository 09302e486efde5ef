/* A borrowed run of bytes, not NUL-terminated. If size is 0, data may be NULL; where
 * "absent" differs from "empty", NULL means absent. */
#ifndef LONGROOM_TEXT_H
#define LONGROOM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
	const char *data;
	size_t size;
};

/* For printf("%.*s", TEXT_ARGS(t)). */
#define TEXT_ARGS(t) (int)(t).size, (t).data

static inline struct text text_of(const char *string)
{
	return (struct text){string, string != NULL ? strlen(string) : 0};
}

static inline bool text_equal(struct text a, struct text b)
{
	return a.size == b.size &&
	       (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool text_is(struct text a, const char *string)
{
	return text_equal(a, text_of(string));
}

#endif
