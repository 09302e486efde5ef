#define _GNU_SOURCE 1 /* sysconf */
#include "load_process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load_clock.h"

/* Linux scales both times so that their sum is the scheduler's own count; so
 * this is exact to the ticks that the file is written in. */
static bool add_cpu(pid_t pid, struct process_use *use)
{
	char path[64], line[1024] = "";
	uint64_t user = 0, system = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	bool there = fgets(line, sizeof line, file) != NULL;
	fclose(file);

	/* The name is in parentheses and may hold any character. */
	const char *fields = strrchr(line, ')');
	there = there && fields != NULL &&
	        sscanf(fields + 1,
	               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
	               " %" SCNu64 " %" SCNu64,
	               &user, &system) == 2;
	use->cpu_ns += (int64_t)(user + system) *
	               (NS_PER_S / sysconf(_SC_CLK_TCK));
	return there;
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
