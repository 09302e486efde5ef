/* The answers that clients have not read yet, and their memory. An answer counts
 * once, however many clients are still reading it. Beyond the limit, the clients
 * that have read nothing for longest are disconnected. */
#ifndef LONGROOM_UNREAD_H
#define LONGROOM_UNREAD_H

#include "http/answer.h"
#include "base/list.h"

struct unread_reader {
	struct list link; /* in unread.readers while it reads */
	struct answer *answer;
};

struct unread {
	struct list readers; /* struct unread_reader, the slowest first */
	int64_t bytes;
};

void unread_init(struct unread *unread);
void unread_reader_init(struct unread_reader *reader);

/* The reader begins to read an answer, to which it holds a reference meanwhile. */
void unread_begin(struct unread *unread, struct unread_reader *reader,
                  struct answer *answer);
/* It has read a good part of it. */
void unread_go_on(struct unread *unread, struct unread_reader *reader);
/* It has finished or left. Does nothing if it was not reading. */
void unread_end(struct unread *unread, struct unread_reader *reader);

/* Returns the one that has read nothing for longest; NULL: there is no reader. */
struct unread_reader *unread_slowest(const struct unread *unread);

#endif
