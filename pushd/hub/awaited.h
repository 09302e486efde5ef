/* Something made by longroom-history that may be missing at a first start: the log,
 * the bus. A log line says once that the program waits for it, which is no failure.
 * If it stays away, a warning follows. */
#ifndef LONGROOM_AWAITED_H
#define LONGROOM_AWAITED_H

#include <stdbool.h>
#include <stdint.h>

/* The time that the other program may take to start. */
enum { AWAITED_PATIENCE_MS = 10000 };

/* {0}: not looked for yet. */
struct awaited {
	int64_t since_ms; /* monotonic; 0: not waiting */
	bool is_told;
	bool is_warned_of;
};

/* It is missing: begins to wait, unless waiting has begun. The other two say whether
 * to log now that the program waits, and whether to warn. */
void awaited_miss(struct awaited *awaited);
bool awaited_may_tell(struct awaited *awaited, int64_t after_ms);
bool awaited_may_warn(struct awaited *awaited);

/* It is there; resets everything. Returns whether waiting was logged, so that its
 * arrival must be logged too. */
bool awaited_came(struct awaited *awaited);

#endif
