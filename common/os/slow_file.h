/* Files to which others may owe an end: a fifo has one when its writer closes
 * it, which may be never. */
#ifndef LONGROOM_SLOW_FILE_H
#define LONGROOM_SLOW_FILE_H

#include <stdio.h>

#include "base/buffer.h"

/* Opens a file to read it. Of a fifo (a shell's <(...) is one, too) all is read
 * into *bytes first, which the caller releases after fclose(), in 10 seconds and
 * 1 MiB at most. NULL: errno says why not, ETIMEDOUT where nobody wrote. */
FILE *slow_file_open(const char *path, struct buffer *bytes);

#endif
