/* Rows written by other programs: decides which can be given to a client, and logs
 * those that can't. longroom-history(8) has the rules. */
#ifndef LONGROOM_FOREIGN_H
#define LONGROOM_FOREIGN_H

#include "codec/message.h"

/* They may be longer than any message. */
enum { FOREIGN_ROW_BYTES_MAX = 4 << 20 };

/* Logs, once, that a row is skipped. From any thread. */
void foreign_pass_over(int64_t id, const char *why);

/* Returns the type that the message has for clients: empty, which is chat_message,
 * instead of one that no client may send. */
struct text foreign_type(struct text type);
/* Returns 0 instead of a number that is no id. */
static inline int64_t foreign_reply_to(int64_t id)
{
	return id > 0 ? id : 0;
}

/* False: it is longer than that, and is skipped. */
bool foreign_may_be_given(const struct message *m);

#endif
