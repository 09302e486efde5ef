#define _GNU_SOURCE 1 /* clock_getcpuclockid */
#include "process.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "clock.h"

/* The scheduler's own count, in nanoseconds: the ticks of /proc/PID/stat are too
 * coarse for what a short run takes. */
static bool add_cpu(pid_t pid, struct process_use *use)
{
	clockid_t clock;
	struct timespec spent;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &spent) != 0)
		return false;
	use->cpu_ns += spent.tv_sec * NS_PER_S + spent.tv_nsec;
	return true;
}

static void add_memory(pid_t pid, struct process_use *use)
{
	char path[64], line[256];
	int64_t kib;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "RssAnon: %" SCNd64, &kib) == 1)
			use->memory_kib += kib;
	fclose(file);
}

bool process_add_use(pid_t pid, struct process_use *use)
{
	char path[96];
	int child;

	if (!add_cpu(pid, use))
		return false;
	add_memory(pid, use);

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
	         (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return true;
	while (fscanf(file, "%d", &child) == 1)
		process_add_use((pid_t)child, use);
	fclose(file);
	return true;
}
