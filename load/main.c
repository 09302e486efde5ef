/* Loads Longroom over HTTP and checks its promises.
 *
 * One process, one loop, tens of thousands of connections: waiters that poll,
 * senders that POST. options.c has the options, run.h the phases of a run, check.h
 * and ledger.h what is right and wrong. It shares no code with the programs that it
 * checks (base/text.h has only types and comparisons), so that a mistake can't hide
 * on both sides. */
#include <stdlib.h>

#include "memory.h"
#include "options.h"
#include "report.h"
#include "run.h"

enum { EXIT_CANNOT_START = 2 };

static int report(const struct run *run)
{
	struct verdict verdict;

	run_judge(run, &verdict);
	report_table(run, &verdict, run->options->json ? stderr : stdout);
	if (run->options->json)
		report_json(run, &verdict, stdout);
	return verdict.passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_with(const struct options *options)
{
	/* Too large for a stack. */
	struct run *run = load_get(1, sizeof *run);
	int status = EXIT_CANNOT_START;

	if (run_init(run, options)) {
		run_execute(run);
		status = report(run);
	}
	run_release(run);
	free(run);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	int status;

	if (options_read(argc, argv, &options, &status))
		status = run_with(&options);
	options_release(&options);
	return status;
}
