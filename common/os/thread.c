#include "os/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/journal.h"

enum { KIB = 1024 };

static size_t stack_kib(void)
{
	pthread_attr_t attributes;
	size_t size = 0;

	pthread_attr_init(&attributes);
	pthread_attr_getstacksize(&attributes, &size);
	pthread_attr_destroy(&attributes);
	return size / KIB;
}

static void thread_error(int why, struct buffer *error)
{
	buffer_printf(error, "can't start a thread: %s: check ulimit -s (%zu KiB a "
	              "thread), ", strerror(why), stack_kib());
	struct rlimit space;
	if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
		buffer_printf(error, "ulimit -v (%zu KiB in all), ",
		              (size_t)space.rlim_cur / KIB);
	buffer_add_string(error, "ulimit -u and TasksMax=");
}

static void *end_at_once(void *argument)
{
	return argument;
}

bool thread_can_start(struct buffer *error)
{
	pthread_t thread;
	int failed = pthread_create(&thread, NULL, end_at_once, NULL);

	if (failed != 0) {
		thread_error(failed, error);
		return false;
	}
	pthread_join(thread, NULL);
	return true;
}

pthread_t thread_start(void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		struct buffer error = {0};

		thread_error(failed, &error);
		journal_error("%.*s", TEXT_ARGS(buffer_text(&error)));
		_exit(EXIT_FAILURE);
	}
	return thread;
}

void thread_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* On Linux each thread has a priority. By POSIX this would lower the priority of the
 * whole process. */
void thread_give_way(void)
{
#ifdef __linux__
	enum { NICE = 10 };

	setpriority(PRIO_PROCESS, 0, NICE);
#endif
}
