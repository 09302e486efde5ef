/* A run, from the first connection to the last, in phases:
 *
 *     joining    waiters join, readers mark where the histories end
 *     holding    all are parked
 *     sending
 *     settling   until every waiter has everything, or for so long
 *     lingering  a moment for doubles that come late
 *     reading    histories
 *     done                                                                   */
#ifndef LONGROOM_LOAD_RUN_H
#define LONGROOM_LOAD_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "connection.h"
#include "follower.h"
#include "options.h"
#include "process.h"
#include "schedule.h"
#include "sender.h"

enum phase {
	PHASE_JOINING,
	PHASE_HOLDING,
	PHASE_SENDING,
	PHASE_SETTLING,
	PHASE_LINGERING,
	PHASE_READING,
	PHASE_DONE,
	PHASES,
};

/* What a process has used at certain moments. gone: it was not found at one of
 * them. */
struct process_usage {
	bool gone;
	struct process_use alone;  /* before anyone joined */
	struct process_use joined;
	struct process_use parked; /* before the first message */
	struct process_use end;    /* after the last delivery */
};

struct run {
	const struct options *options;
	struct network network;
	struct schedule schedule;
	struct check check;
	struct followers followers;
	struct senders senders;

	enum phase phase;
	int64_t began_ns[PHASES]; /* 0: that phase never began */
	int64_t limit_ns;
	const char *cut_short;    /* why; NULL: it came to its end */
	sigset_t mask;            /* of signals, while waiting */
	uint64_t progress;        /* of a closed schedule, with when it was made */
	int64_t progress_ns;

	/* The last one is this program. */
	struct process_usage usage[PROCESSES_MAX + 1];
};

/* What is judged at the end. */
struct verdict {
	uint64_t required; /* deliveries to waiters */
	uint64_t lost;     /* by waiters or from histories */
	uint64_t unsent;   /* messages that were never sent, though wanted */
	uint64_t refused;  /* messages whose POST was not answered well */
	bool passed;
};

/* False: it can't start, and the reason has been printed. Call run_release() in any
 * case. */
bool run_init(struct run *run, const struct options *options);
void run_execute(struct run *run);
void run_judge(const struct run *run, struct verdict *verdict);
void run_release(struct run *run);

#endif
