/* Measures other processes by their CPU clock and /proc. */
#ifndef LONGROOM_LOAD_PROCESS_H
#define LONGROOM_LOAD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
	int64_t cpu_ns;     /* user and system time, threads that ended included */
	int64_t memory_kib; /* resident and its own: RssAnon */
};

/* Adds the use of the process and its present children (nginx's workers are children
 * of the known process). False: there is no such process. */
bool process_add_use(pid_t pid, struct process_use *use);

#endif
