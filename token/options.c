#include "options.h"

#include <getopt.h>
#include <stdlib.h>

#include "auth/auth_check.h"
#include "base/journal.h"
#include "base/exit_status.h"

#define HOUR_MS INT64_C(3600000)
#define FOR_LEAST_MS INT64_C(1000)
#define FOR_MOST_MS (INT64_C(3650) * 24 * HOUR_MS)

/* -c and -o have no other name, the others no letter but this. */
static const struct option key_options[] = {
	{"ed25519", no_argument, NULL, 'e'},
	{"secret", no_argument, NULL, 's'},
	{NULL, 0, NULL, 0},
};
static const struct option make_options[] = {
	{"algorithm", required_argument, NULL, 'a'},
	{"for", required_argument, NULL, 'f'},
	{"key", required_argument, NULL, 'k'},
	{"kid", required_argument, NULL, 'i'},
	{"name", required_argument, NULL, 'n'},
	{"read", required_argument, NULL, 'r'},
	{"type", required_argument, NULL, 't'},
	{"user", required_argument, NULL, 'u'},
	{"write", required_argument, NULL, 'w'},
	{NULL, 0, NULL, 0},
};
static const struct option inspect_options[] = {{NULL, 0, NULL, 0}};

static const struct {
	const char *letters;
	const struct option *options;
	int words_least, words_most;
	const char *words; /* what is behind the options, for people */
} rules[] = {
	[VERB_KEY] = {"", key_options, 1, 1, "key takes one FILE"},
	[VERB_MAKE] = {"c:o:", make_options, 0, 0, "make takes options only"},
	[VERB_INSPECT] = {"c:o:", inspect_options, 0, 1,
	                  "inspect takes one TOKEN, or none"},
};

/* Returns where an option's string goes, NULL: elsewhere. */
static const char **option_place(struct options *options, int letter)
{
	switch (letter) {
	case 'a':
		return &options->algorithm;
	case 'i':
		return &options->kid;
	case 'k':
		return &options->key;
	case 'n':
		return &options->name;
	case 't':
		return &options->type;
	case 'u':
		return &options->user;
	default:
		return NULL;
	}
}

static bool take_option(struct options *options, int letter, const char **file,
                        struct buffer *error)
{
	const char **place = option_place(options, letter);

	if (place != NULL)
		*place = optarg;
	else if (letter == 'c')
		*file = optarg;
	else if (letter == 'r')
		word_list_add(&options->read, optarg);
	else if (letter == 'w')
		word_list_add(&options->write, optarg);
	else if (letter == 's')
		options->is_secret = true;
	else if (letter == 'e')
		options->is_ed25519 = true;
	else if (letter == 'o')
		return settings_override(&options->settings, optarg, error);
	else if (!settings_read_time(optarg, FOR_LEAST_MS, FOR_MOST_MS,
	                             &options->for_ms)) {
		buffer_printf(error, "--for: '%s': write a time from 1s to 3650d, "
		              "such as 90s, 30m or 1h", optarg);
		return false;
	}
	return true;
}

/* getopt_long prints its own errors. */
static bool read_verb_options(int argc, char **argv, enum verb verb,
                              struct options *options, const char **file,
                              struct buffer *error)
{
	int letter;

	while ((letter = getopt_long(argc, argv, rules[verb].letters,
	                             rules[verb].options, NULL)) != -1)
		if (letter == '?' || !take_option(options, letter, file, error))
			return false;
	if (argc - optind < rules[verb].words_least ||
	    argc - optind > rules[verb].words_most) {
		buffer_add_string(error, rules[verb].words);
		return false;
	}
	if (options->is_secret && options->is_ed25519) {
		buffer_add_string(error, "give --secret or --ed25519, not both");
		return false;
	}
	options->word = argv[optind];
	return true;
}

static bool read_auth_settings(struct settings *settings, const char *file,
                               struct buffer *error)
{
	return (file == NULL || settings_read_file(settings, file, error)) &&
	       auth_check(settings, error);
}

bool options_read(int argc, char **argv, enum verb verb,
                  struct options *options, int *exit_status)
{
	struct buffer error = {0};
	const char *file = NULL;
	bool good;

	*options = (struct options){.for_ms = HOUR_MS};
	settings_init(&options->settings);
	*exit_status = EXIT_USAGE;
	good = read_verb_options(argc, argv, verb, options, &file, &error);
	if (good) {
		*exit_status = EXIT_SETTINGS;
		good = read_auth_settings(&options->settings, file, &error);
	}
	if (error.size > 0)
		journal_error("%.*s", TEXT_ARGS(buffer_text(&error)));
	if (!good)
		options_release(options);
	buffer_release(&error);
	return good;
}

void options_release(struct options *options)
{
	settings_release(&options->settings);
	word_list_release(&options->read);
	word_list_release(&options->write);
}
