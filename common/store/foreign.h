/* Rows written by other programs: decides which can be given to a client, and logs
 * those that can't. longroom-history(8) has the rules. */
#ifndef LONGROOM_FOREIGN_H
#define LONGROOM_FOREIGN_H

#include "codec/message.h"

/* They may be longer than any message. */
enum { FOREIGN_ROW_BYTES_MAX = 4 << 20 };

/* Logs, once, that a row is skipped. From any thread. */
void foreign_pass_over(int64_t id, const char *why);

/* False: it is longer than that, and is skipped. */
bool foreign_may_be_given(const struct message *m);

#endif
