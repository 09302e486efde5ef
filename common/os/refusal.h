/* Why a path leads to no file that this process may use: the first part of it that
 * refuses, whose that is, and who we are. For the operator, who has to mend it.
 *
 * Looks, and opens nothing: to close a file would take all locks of the process on
 * it along (POSIX). */
#ifndef LONGROOM_REFUSAL_H
#define LONGROOM_REFUSAL_H

#include <stdbool.h>

#include "base/buffer.h"

/* How far a path leads. {0} before the first; the caller releases `at`. */
struct path_walk {
	struct buffer at; /* free of symbolic links, ends with a zero byte: the file;
	                   * or the first part that is missing, or refuses */
	int error;        /* errno's; 0: all of it is there */
	bool is_last; /* ENOENT: the file is missing, and its folder is there */
};

/* Walks an absolute path as the system does. */
void path_walk(struct path_walk *walk, const char *path);

/* Whether it may be used so (access(2)'s R_OK, W_OK, X_OK); errno says why not. */
bool path_lets_us(const char *path, int use);

/* Adds a line's part to *why: the path, what may not be done with it, the error,
 * the owner, and the user who runs this. */
void refusal_explain(const char *path, int use, int error, struct buffer *why);

#endif
