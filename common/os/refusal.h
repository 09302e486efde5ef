/* Explains to the operator why this process may not use a file: the first part of
 * its path that refuses access, the owner of that part, and the user of this
 * process.
 *
 * Nothing is opened, because closing a file drops all locks that the process has on
 * it (POSIX). */
#ifndef LONGROOM_REFUSAL_H
#define LONGROOM_REFUSAL_H

#include <stdbool.h>

#include "base/buffer.h"

/* The result of a walk along a path. {0} before the first; the caller releases
 * `at`. */
struct path_walk {
	struct buffer at; /* without symbolic links, ends with a zero byte: the file,
	                   * or the first part that is missing or refuses access */
	int error;        /* an errno; 0: the whole path exists */
	bool is_last; /* ENOENT: only the file is missing, its folder exists */
};

/* Walks an absolute path as the kernel does. */
void path_walk(struct path_walk *walk, const char *path);

/* Whether the path may be used this way (access(2)'s R_OK, W_OK, X_OK). False: errno
 * says why not. */
bool path_lets_us(const char *path, int use);

/* Adds to *why: the path, what may not be done with it, the error, the owner, and
 * the user of this process. */
void refusal_explain(const char *path, int use, int error, struct buffer *why);

#endif
