/* Opens files that may never end: a fifo ends only when its writer closes it. */
#ifndef LONGROOM_SLOW_FILE_H
#define LONGROOM_SLOW_FILE_H

#include <stdio.h>

#include "base/buffer.h"

/* Opens a file for reading. A fifo (a shell's <(...) is one too) is first read into
 * *bytes, at most 1 MiB within 10 seconds; the caller releases *bytes after
 * fclose(). NULL: errno says why; ETIMEDOUT if nothing was written in time. */
FILE *slow_file_open(const char *path, struct buffer *bytes);

#endif
