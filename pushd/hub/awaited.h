/* Something that longroom-history makes, and that a first start need not find: the
 * log, the bus. The operator is told once that it is waited for, which is no
 * failure, and once more, as a warning, if that lasts. */
#ifndef LONGROOM_AWAITED_H
#define LONGROOM_AWAITED_H

#include <stdbool.h>
#include <stdint.h>

/* So long the other program may take to be started. */
enum { AWAITED_PATIENCE_MS = 10000 };

/* {0}: nobody has looked for it yet. */
struct awaited {
	int64_t since_ms; /* monotonic; 0: it is not waited for */
	bool is_told;
	bool is_warned_of;
};

/* It is not there: begins to wait, if that has not begun. Whether to say now that
 * it is waited for, and whether to warn. */
void awaited_miss(struct awaited *awaited);
bool awaited_may_tell(struct awaited *awaited, int64_t after_ms);
bool awaited_may_warn(struct awaited *awaited);

/* It is there. Returns whether anything was said of it, so that its coming is news;
 * all begins anew. */
bool awaited_came(struct awaited *awaited);

#endif
