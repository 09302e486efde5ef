/* Runs presence for all polls: its clock, its shares of the loop (turn.h), its
 * limits, and whom it tells. */
#ifndef LONGROOM_TELLING_H
#define LONGROOM_TELLING_H

#include "poll/polls.h"

/* Begins presence, unless push.presence is off. polls_release() frees it. */
void telling_begin(struct polls *polls, struct ev_loop *loop);
void telling_end(struct polls *polls, struct ev_loop *loop);

/* The settings were replaced. */
void telling_use_limits(struct polls *polls);

/* Only if presence is on: does the next share. True: there is more. */
bool telling_go_on(struct polls *polls);
/* The same: whether part of the share has been used, or work waits for the next. */
bool telling_needs_share(const struct polls *polls);

#endif
