/* Runs the tests of the modules that need no running program, and prints their
 * results in TAP: `unit` all of them, `unit GROUP...` some. Every group is a
 * TAP stream of its own; t/unit.t makes one of them. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

static const struct group {
	const char *name;
	int (*run)(void);
} groups[] = {
	{"codecs", run_codecs},
	{"json reader", run_json_reader},
	{"message data", run_message_data},
	{"fastcgi", run_fastcgi},
	{"frame", run_frame},
	{"render", run_render},
	{"room lists", run_room_lists},
	{"peers", run_peers},
	{"presence frame", run_presence_frame},
	{"roster", run_roster},
	{"presence", run_presence},
	{"settings", run_settings},
	{"submission", run_submission},
	{"store", run_store},
	{"store reads", run_store_reads},
	{"carried", run_carried},
	{"wal", run_wal},
	{"pushd", run_pushd},
	{"http", run_http},
	{"hub", run_hub},
	{"feeds", run_feeds},
	{"signals", run_signals},
	{"incarnations", run_incarnations},
	{"tokens", run_tokens},
	{"access", run_access},
	{"patterns", run_patterns},
	{"limits", run_limits},
	{"window", run_window},
};

static int run_all(void)
{
	int failed = 0;

	for (size_t i = 0; i < LENGTH(groups); i++)
		failed += groups[i].run();
	return failed;
}

static int run_named(const char *name)
{
	for (size_t i = 0; i < LENGTH(groups); i++)
		if (strcmp(groups[i].name, name) == 0)
			return groups[i].run();
	fprintf(stderr, "unit: there is no group %s\n", name);
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	/* Output must be flushed in case a test ends the process. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (argc < 2)
		failed = run_all();
	for (int i = 1; i < argc; i++)
		failed += run_named(argv[i]);
	return failed > 0 ? 1 : 0;
}
