#define _GNU_SOURCE 1 /* getrandom, sigaction */
#include "run.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	LINGER_MS = 200,
	OTHER_DESCRIPTORS = 16,
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* Blocked except while waiting, so that none comes between looking at
 * `interrupted` and going to sleep. */
static void catch_signals(sigset_t *mask)
{
	struct sigaction action = {.sa_handler = interrupt};
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &ours, mask);
	sigdelset(mask, SIGINT);
	sigdelset(mask, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static bool raise_descriptor_limit(const struct options *options)
{
	uint64_t wanted = (uint64_t)options->waiters +
	                  (uint64_t)options->senders + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (options->check_history)
		wanted += (uint64_t)options->rooms;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (wanted <= limit.rlim_cur)
		return true;
	fprintf(stderr,
	        "longroom-load: this takes %llu descriptors, but the hard limit "
	        "is %llu\n",
	        (unsigned long long)wanted, (unsigned long long)limit.rlim_cur);
	return false;
}

static uint64_t draw_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = (uint64_t)load_now_ns();
	return seed | 1;
}

bool run_init(struct run *run, const struct options *options)
{
	uint64_t seed = draw_seed();

	memset(run, 0, sizeof *run);
	run->options = options;
	schedule_init(&run->schedule, (uint32_t)options->messages,
	              (uint32_t)options->rooms, options->rate);
	if (options->closed)
		schedule_close(&run->schedule, (uint32_t)(options->waiters *
		                                          options->rooms_each));
	check_init(&run->check, options, &run->schedule,
	           (uint32_t)(seed >> 32));
	bool there = network_init(&run->network,
	                          (uint32_t)options->source_addresses, seed);
	followers_init(&run->followers, options, &run->network, &run->check);
	senders_init(&run->senders, options, &run->network, &run->schedule,
	             &run->check);
	if (!there)
		fprintf(stderr, "longroom-load: epoll: %s\n", strerror(errno));
	return there && raise_descriptor_limit(options);
}

void run_release(struct run *run)
{
	senders_release(&run->senders);
	followers_release(&run->followers);
	network_release(&run->network);
	check_release(&run->check);
	schedule_release(&run->schedule);
}

static void measure(struct run *run, size_t moment)
{
	int count = run->options->process_count;

	for (int i = 0; i <= count; i++) {
		pid_t pid = i < count ? run->options->processes[i].pid : getpid();
		struct process_usage *usage = &run->usage[i];
		struct process_use *use = (struct process_use *)
			((char *)usage + moment);

		*use = (struct process_use){0};
		if (!process_add_use(pid, use))
			usage->gone = true;
	}
}

#define MEASURE(run, moment) \
	measure(run, offsetof(struct process_usage, moment))

static void enter(struct run *run, enum phase phase)
{
	run->phase = phase;
	run->began_ns[phase] = run->network.now_ns;
	switch (phase) {
	case PHASE_JOINING:
		MEASURE(run, alone);
		break;
	case PHASE_HOLDING:
		MEASURE(run, joined);
		fprintf(stderr, "longroom-load: %llu waiters wait\n",
		        (unsigned long long)run->options->waiters);
		break;
	case PHASE_SENDING:
		MEASURE(run, parked);
		schedule_start(&run->schedule, run->network.now_ns);
		if (run->options->send_s > 0)
			run->schedule.end_ns = run->network.now_ns +
			                       (int64_t)(run->options->send_s *
			                                 NS_PER_S);
		break;
	case PHASE_LINGERING:
		MEASURE(run, end);
		break;
	case PHASE_READING:
		followers_read(&run->followers);
		break;
	default:
		break;
	}
}

static bool phase_lasted(const struct run *run, double seconds)
{
	return load_seconds(run->network.now_ns - run->began_ns[run->phase]) >=
	       seconds;
}

static void dispatch(struct run *run)
{
	uint32_t number;

	while (run->senders.free_count > 0 &&
	       schedule_take(&run->schedule, run->network.now_ns, &number))
		senders_post(&run->senders, number);
}

/* A closed schedule stands still if a waiter never gets the last message. */
static bool stands_still(struct run *run)
{
	uint64_t progress = run->check.deliveries + run->senders.accepted;

	if (!run->options->closed || progress != run->progress ||
	    run->progress_ns == 0) {
		run->progress = progress;
		run->progress_ns = run->network.now_ns;
	}
	return load_seconds(run->network.now_ns - run->progress_ns) >=
	       run->options->settle_s + 1;
}

static bool all_sent(const struct run *run)
{
	return schedule_is_over(&run->schedule, run->network.now_ns) &&
	       !senders_are_busy(&run->senders);
}

/* Rooms take turns, so each has about as many waiters and signals as the others. */
static uint64_t lacking_signals(const struct run *run)
{
	const struct options *options = run->options;
	uint64_t followed = (uint64_t)(options->waiters * options->rooms_each);
	uint64_t due = run->senders.accepted * followed / (uint64_t)options->rooms;

	return options->signals && due > run->check.unsaved
	               ? due - run->check.unsaved
	               : 0;
}

static uint64_t lacking(const struct run *run)
{
	return lacking_signals(run) +
	       ledger_lacking(&run->check.ledger, 0,
	                      run->check.ledger.followers_count);
}

/* Does the phase's work. Returns the next phase if this one is over. */
static enum phase work(struct run *run)
{
	switch (run->phase) {
	case PHASE_JOINING:
		followers_join_more(&run->followers);
		return followers_have_joined(&run->followers) ? PHASE_HOLDING
		                                              : PHASE_JOINING;
	case PHASE_HOLDING:
		return phase_lasted(run, run->options->hold_s) ? PHASE_SENDING
		                                               : PHASE_HOLDING;
	case PHASE_SENDING:
		dispatch(run);
		return all_sent(run) || stands_still(run) ? PHASE_SETTLING
		                                          : PHASE_SENDING;
	case PHASE_SETTLING:
		return lacking(run) == 0 ||
		                       phase_lasted(run, run->options->settle_s)
		               ? PHASE_LINGERING
		               : PHASE_SETTLING;
	case PHASE_LINGERING:
		return phase_lasted(run, LINGER_MS / 1000.0) ? PHASE_READING
		                                             : PHASE_LINGERING;
	case PHASE_READING:
		return followers_have_read(&run->followers) ? PHASE_DONE
		                                            : PHASE_READING;
	default:
		return PHASE_DONE;
	}
}

static int64_t wake_ns(const struct run *run)
{
	if (run->phase == PHASE_SENDING && run->senders.free_count > 0)
		return schedule_due_ns(&run->schedule);
	return INT64_MAX;
}

static void cut_short(struct run *run, const char *why)
{
	/* To end it is the only thing that was left to do. */
	if (run->phase != PHASE_HOLDING || run->options->messages > 0)
		run->cut_short = why;
	if (run->phase < PHASE_HOLDING)
		MEASURE(run, joined);
	if (run->phase < PHASE_SENDING)
		MEASURE(run, parked);
	if (run->phase < PHASE_LINGERING)
		MEASURE(run, end);
	enter(run, PHASE_DONE);
}

void run_execute(struct run *run)
{
	catch_signals(&run->mask);
	run->limit_ns = run->network.now_ns +
	                (int64_t)(run->options->limit_s * NS_PER_S);
	enter(run, PHASE_JOINING);
	while (run->phase != PHASE_DONE) {
		enum phase next = work(run);

		if (next != run->phase)
			enter(run, next);
		else if (interrupted)
			cut_short(run, "a signal");
		else if (run->network.now_ns >= run->limit_ns)
			cut_short(run, "the time limit");
		else
			network_turn(&run->network, wake_ns(run), &run->mask);
	}
	check_complain_lost(&run->check);
}

static bool all_is_well(const struct run *run, const struct verdict *verdict)
{
	const struct check *check = &run->check;
	const struct followers *followers = &run->followers;

	return run->cut_short == NULL && verdict->lost == 0 &&
	       verdict->unsent == 0 && verdict->refused == 0 &&
	       check->doubled == 0 && check->out_of_order == 0 &&
	       check->damaged == 0 && followers->stuck == 0 &&
	       followers->refused == 0;
}

void run_judge(const struct run *run, struct verdict *verdict)
{
	const struct ledger *ledger = &run->check.ledger;
	uint32_t taken = run->schedule.taken;

	*verdict = (struct verdict){
		.required = ledger_required(ledger, run->check.readers,
		                            ledger->followers_count),
		.lost = lacking(run),
		.unsent = run->options->send_s > 0 && run->cut_short == NULL
		                  ? 0
		                  : run->schedule.messages - taken,
		.refused = taken - run->senders.accepted,
	};
	verdict->passed = all_is_well(run, verdict);
}
