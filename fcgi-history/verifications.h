/* How many workers may be busy with tokens that have not come before. Anybody may
 * send these, and each takes as long as a hundred requests: without a limit they
 * would hold all workers and all processors.
 *
 * One is verified at a time; as many workers as are let in wait for their turn. From
 * any thread. */
#ifndef LONGROOM_VERIFICATIONS_H
#define LONGROOM_VERIFICATIONS_H

#include <stdbool.h>
#include <stddef.h>

struct verifications;

/* At most so many let in at once, at least 1. */
struct verifications *verifications_new(size_t most);
void verifications_free(struct verifications *verifications);

/* False: too many are in. Else the caller goes on to take_turn() and leave(). */
bool verifications_enter(struct verifications *verifications);

/* Waits, in between, until it is the caller's turn. */
void verifications_take_turn(struct verifications *verifications);
void verifications_leave(struct verifications *verifications);

#endif
