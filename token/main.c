/* longroom-token: makes keys and tokens, and prints what a token contains and
 * whether Longroom would accept it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/journal.h"
#include "inspect.h"
#include "make.h"
#include "new_key.h"
#include "base/exit_status.h"

static char program[] = "longroom-token";

static const struct {
	const char *name;
	int (*run)(const struct options *options);
} verbs[] = {
	[VERB_KEY] = {"key", new_key},
	[VERB_MAKE] = {"make", make},
	[VERB_INSPECT] = {"inspect", inspect},
};

enum { VERBS = sizeof verbs / sizeof verbs[0] };

static const char usage[] =
	"usage: longroom-token key [--secret | --ed25519] FILE\n"
	"       longroom-token make --key FILE --user ID [--name NAME] [--type TYPE]\n"
	"           [--read PATTERNS] [--write PATTERNS] [--for TIME] [--kid KID]\n"
	"           [--algorithm ALGORITHM] [-c FILE] [-o section.name=value]\n"
	"       longroom-token inspect [-c FILE] [-o section.name=value] [TOKEN]\n"
	"       longroom-token -h | -V\n";

/* Flushes standard output, and reports if that fails. */
static int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	journal_error("can't write to standard output");
	return EXIT_FAILURE;
}

static int run_verb(int argc, char **argv, enum verb verb)
{
	struct options options;
	int status;

	if (!options_read(argc, argv, verb, &options, &status))
		return status;
	status = verbs[verb].run(&options);
	options_release(&options);
	return status;
}

static bool asks_for_help(const char *word)
{
	return word != NULL &&
	       (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0);
}

int main(int argc, char **argv)
{
	journal_name(program);
	if (argc > 1 && (asks_for_help(argv[1]) || asks_for_help(argv[2]))) {
		fputs(usage, stdout);
		return finish_output(EXIT_SUCCESS);
	}
	if (argc == 2 && strcmp(argv[1], "-V") == 0) {
		printf("%s %s\n", program, PACKAGE_VERSION);
		return finish_output(EXIT_SUCCESS);
	}
	for (int i = 0; argc > 1 && i < VERBS; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		/* The messages of getopt_long begin with this. */
		argv[1] = program;
		return finish_output(run_verb(argc - 1, argv + 1, (enum verb)i));
	}
	fputs(usage, stderr);
	return EXIT_USAGE;
}
