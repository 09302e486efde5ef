#include "program/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/access.h"
#include "base/journal.h"
#include "program/settings_check.h"
#include "store/store.h"

static const char *known_verb; /* NULL: the program has none */

static void usage(const char *program, FILE *to)
{
	fprintf(to,
	        "usage: %s [-c FILE] [-o section.name=value ...] [-t] [-V] [-h]\n",
	        program);
	if (known_verb != NULL)
		fprintf(to,
		        "       %s [-c FILE] [-o section.name=value ...] %s\n",
		        program, known_verb);
}

bool command_line_take_verb(int *argc, char **argv, const char *verb)
{
	int kept = 1;

	known_verb = verb;
	if (*argc < 2)
		return false;
	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], verb) != 0)
			argv[kept++] = argv[i];
	bool found = kept < *argc;
	*argc = kept;
	argv[kept] = NULL;
	return found;
}

static const char *default_file(void)
{
	const char *file = getenv("LONGROOM_CONF");

	return file != NULL ? file : SYSCONFDIR "/longroom/longroom.conf";
}

struct wishes {
	const char *file;
	bool only_check;
};

/* Logs the error of a step that failed. Returns whether it succeeded. */
static bool report(bool good, struct buffer *error)
{
	if (!good)
		journal_error("%.*s", TEXT_ARGS(buffer_text(error)));
	buffer_release(error);
	return good;
}

/* False: leave with *exit_status. */
static bool read_common_options(int argc, char **argv, const char *program,
                                struct settings *settings, struct wishes *wishes,
                                int *exit_status)
{
	struct buffer error = {0};
	int option;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(program, stdout);
		*exit_status = EXIT_SUCCESS;
		return false;
	}
	optind = 1;
	while ((option = getopt(argc, argv, "c:o:tVh")) != -1) {
		switch (option) {
		case 'c':
			wishes->file = optarg;
			break;
		case 'o':
			if (report(settings_override(settings, optarg, &error),
			           &error))
				break;
			*exit_status = EXIT_SETTINGS;
			return false;
		case 't':
			wishes->only_check = true;
			break;
		case 'V':
			printf("%s %s\n", program, PACKAGE_VERSION);
			*exit_status = EXIT_SUCCESS;
			return false;
		case 'h':
			usage(program, stdout);
			*exit_status = EXIT_SUCCESS;
			return false;
		default:
			usage(program, stderr);
			*exit_status = EXIT_USAGE;
			return false;
		}
	}
	if (optind == argc)
		return true;
	usage(program, stderr);
	*exit_status = EXIT_USAGE;
	return false;
}

static bool check_settings(const struct settings *settings)
{
	struct buffer error = {0};

	return report(settings_check(settings, &error), &error);
}

static bool read_keys(const struct settings *settings, struct keyring **keyring)
{
	struct buffer error = {0};

	return report(access_read_keys(&settings->auth, keyring, &error), &error);
}

/* Reads the settings from the command line and the file. False: exit with
 * *exit_status. The caller releases them in any case. */
static bool read_command_line(int argc, char **argv, const char *program,
                              struct settings *settings, struct wishes *wishes,
                              int *exit_status)
{
	struct buffer error = {0};

	settings_init(settings);
	if (!read_common_options(argc, argv, program, settings, wishes, exit_status))
		return false;
	bool good = report(settings_read_file(settings, wishes->file, &error),
	                   &error) &&
	            check_settings(settings);
	if (!good)
		*exit_status = EXIT_SETTINGS;
	return good;
}

/* Adds to *found what the program would find in its store now, or why it would not
 * start. */
static bool try_store(const struct settings *settings, enum store_access access,
                      struct buffer *found)
{
	struct store *store = store_new(&settings->store, access, found);
	/* Of a known kind, since the settings have been checked. */
	bool good = store != NULL && store_is_worth_a_start(store, found);

	store_free(store);
	return good;
}

/* The exit status of -t. */
static int check_and_say(const struct settings *settings, enum store_access access,
                         const char *file)
{
	struct buffer found = {0};
	struct keyring *keyring;

	if (!read_keys(settings, &keyring))
		return EXIT_SETTINGS;
	keyring_free(keyring);
	bool good = try_store(settings, access, &found);
	if (good)
		printf("%s: the settings are good\n%s: %.*s\n", file,
		       settings->store.url, TEXT_ARGS(buffer_text(&found)));
	buffer_release(&found);
	return good ? EXIT_SUCCESS : EXIT_SETTINGS;
}

bool command_line_read(int argc, char **argv, const char *program,
                       enum store_access access, struct settings *settings,
                       int *exit_status)
{
	struct wishes wishes = {default_file(), false};
	bool go_on = read_command_line(argc, argv, program, settings, &wishes,
	                               exit_status);

	if (go_on && wishes.only_check) {
		*exit_status = check_and_say(settings, access, wishes.file);
		go_on = false;
	}
	if (!go_on)
		settings_release(settings);
	return go_on;
}

bool command_line_read_again(int argc, char **argv, const char *program,
                             const struct settings *used, struct settings *fresh,
                             struct keyring **keyring)
{
	struct wishes wishes = {default_file(), false};
	struct buffer differing = {0};
	int status;
	bool good = read_command_line(argc, argv, program, fresh, &wishes, &status);

	/* Checked again: the new settings may not fit those that are kept. */
	if (good) {
		settings_keep_started(fresh, used, &differing);
		good = check_settings(fresh) && read_keys(fresh, keyring);
	}
	if (!good) {
		journal_error("reload failed, settings unchanged");
		settings_release(fresh);
		buffer_release(&differing);
		return false;
	}
	journal_info("%s: settings reloaded", wishes.file);
	if (differing.size > 0)
		journal_warning("%s: restart needed for: %.*s",
		                wishes.file, TEXT_ARGS(buffer_text(&differing)));
	buffer_release(&differing);
	return true;
}
