/* Rows that others have put into the tables: which can be given to a client, and
 * what the operator is told of those that can't. The table is in
 * longroom-history(8). */
#ifndef LONGROOM_FOREIGN_H
#define LONGROOM_FOREIGN_H

#include "codec/message.h"

/* They may be longer than any message. */
enum { FOREIGN_ROW_BYTES_MAX = 4 << 20 };

/* Tells the operator, once, of a row that nobody can be given. From any thread. */
void foreign_pass_over(int64_t id, const char *why);

/* False: it is longer than that, and is passed over. */
bool foreign_may_be_given(const struct message *m);

#endif
