/* What other processes use: their CPU clock and /proc. */
#ifndef LONGROOM_LOAD_PROCESS_H
#define LONGROOM_LOAD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
	int64_t cpu_ns;     /* user and system time, threads that ended included */
	int64_t memory_kib; /* resident and its own: RssAnon */
};

/* Adds what the process and its present children use (nginx's workers are
 * children of the process that one knows). False: there is none. */
bool process_add_use(pid_t pid, struct process_use *use);

#endif
