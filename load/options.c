#define _GNU_SOURCE 1 /* getrandom */
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "memory.h"

enum { EXIT_USAGE = 2 };

enum option_kind {
	OPTION_TEXT,
	OPTION_COUNT,
	OPTION_DECIMAL,
	OPTION_SWITCH,
	OPTION_PROCESS,
	OPTION_HELP,
	OPTION_TITLE, /* not an option: heads the ones behind it in the help */
};

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset; /* in struct options */
	double least, most;
	const char *value; /* its name in the help */
	const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
	{"Where", OPTION_TITLE, 0, 0, 0, NULL, NULL},
	{"url", OPTION_TEXT, AT(url), 0, 0, "URL",
	 "http://HOST:PORT[/PREFIX], or unix:PATH for HTTP over\n"
	 "a unix socket, straight to longroom-pushd\n"
	 "[http://127.0.0.1:8080]"},
	{"post-url", OPTION_TEXT, AT(post_url), 0, 0, "URL",
	 "where messages are sent and history is read [--url]"},
	{"source-addresses", OPTION_COUNT, AT(source_addresses), 0, 250, "N",
	 "connect from 127.0.0.1 to 127.0.0.N in turn; one has\n"
	 "28,000 ports, and from 10,000 on Linux takes long to\n"
	 "find a free one; 1 for each 5,000 clients is good"},

	{"tokens", OPTION_TEXT, AT(tokens_path), 0, 0, "FILE",
	 "a token a line: client N of the waiters, and of the\n"
	 "senders, comes as Bearer of the Nth, and then again\n"
	 "from the first"},
	{"nchan", OPTION_SWITCH, AT(nchan), 0, 0, NULL,
	 "talk to nchan, whose nginx has the same paths (see\n"
	 "load/nchan.h); a message's id is its number in the run"},

	{"Rooms", OPTION_TITLE, 0, 0, 0, NULL, NULL},
	{"rooms", OPTION_COUNT, AT(rooms), 1, 1000000, "R", "how many [1]"},
	{"room-prefix", OPTION_TEXT, AT(room_prefix), 0, 0, "NAME",
	 "what stands before the rooms' numbers [room_]"},
	{"first-room", OPTION_COUNT, AT(first_room), 1, 1e18, "N",
	 "the first of the numbers [random]"},
	{"room", OPTION_TEXT, AT(room), 0, 0, "NAME",
	 "one room of exactly this name"},

	{"Waiters", OPTION_TITLE, 0, 0, 0, NULL, NULL},
	{"waiters", OPTION_COUNT, AT(waiters), 0, 1000000, "W",
	 "connections that poll, spread over the rooms [0]"},
	{"streams", OPTION_SWITCH, AT(streams), 0, 0, NULL,
	 "they keep event streams (Server-Sent Events) instead;\n"
	 "one that has ended comes back after its retry, with\n"
	 "Last-Event-ID"},
	{"rooms-each", OPTION_COUNT, AT(rooms_each), 1, 1000, "N",
	 "each follows N rooms in one request [1]"},
	{"start", OPTION_TEXT, AT(start), 0, 0, "now|history",
	 "join with a poll that does not wait (or with the\n"
	 "stream), or by reading the room's history [now]"},
	{"joins-at-once", OPTION_COUNT, AT(joins_at_once), 1, 1000000, "N",
	 "how many may be joining at the same time [200]"},
	{"poll-timeout", OPTION_COUNT, AT(poll_timeout_s), 1, 55, "SECONDS",
	 "how long a poll waits, and how long a stream may be\n"
	 "silent [25]"},
	{"hold", OPTION_DECIMAL, AT(hold_s), 0, 1e6, "SECONDS",
	 "keep all parked so long before the first message [0]"},

	{"Messages", OPTION_TITLE, 0, 0, 0, NULL, NULL},
	{"messages", OPTION_COUNT, AT(messages), 0, 100000000, "N",
	 "how many in all; the rooms take turns [0]"},
	{"senders", OPTION_COUNT, AT(senders), 1, 100000, "S",
	 "connections that POST, one message at a time each [1]"},
	{"rate", OPTION_DECIMAL, AT(rate), 0.001, 1e7, "PER_SECOND",
	 "send by the clock [as fast as answers come]"},
	{"send-seconds", OPTION_DECIMAL, AT(send_s), 0.001, 1e6, "SECONDS",
	 "stop sending then, N or not [never]"},
	{"closed", OPTION_SWITCH, AT(closed), 0, 0, NULL,
	 "send a room's next message when all of its waiters\n"
	 "have the last"},
	{"size", OPTION_COUNT, AT(size), 1, 16777216, "BYTES",
	 "of content; at least its mark of about 60 [100]"},
	{"client-ids", OPTION_SWITCH, AT(client_ids), 0, 0, NULL,
	 "give each message a client_id"},
	{"repeat-lost", OPTION_SWITCH, AT(repeat_lost), 0, 0, NULL,
	 "repeat a POST that got no answer or a 5xx, with the\n"
	 "same client_id, until it gets another; 200 is then as\n"
	 "good as 201"},
	{"allow-unsaved", OPTION_SWITCH, AT(allow_unsaved), 0, 0, NULL,
	 "202 is as good as 201; its message need not arrive"},
	{"signals", OPTION_SWITCH, AT(signals), 0, 0, NULL,
	 "send with \"store\":false, which is answered 202; each\n"
	 "is required of every waiter of its room"},

	{"Checks, limits and the report", OPTION_TITLE, 0, 0, 0, NULL, NULL},
	{"check-history", OPTION_SWITCH, AT(check_history), 0, 0, NULL,
	 "at the end read each room's history too and check it\n"
	 "in the same way"},
	{"settle", OPTION_DECIMAL, AT(settle_s), 0, 1e6, "SECONDS",
	 "how long to wait at the end for what lacks [10]"},
	{"seconds", OPTION_DECIMAL, AT(limit_s), 0.1, 1e6, "LIMIT",
	 "leave after that, finished or not [60]"},
	{"pid", OPTION_PROCESS, 0, 0, 0, "NAME=PID",
	 "report this process's CPU time and memory, with its\n"
	 "children's; repeatable"},
	{"json", OPTION_SWITCH, AT(json), 0, 0, NULL,
	 "one JSON object on stdout; the table goes to stderr"},
	{"help", OPTION_HELP, 0, 0, 0, NULL, "this page"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const char help_head[] =
	"usage: longroom-load [--OPTION[=VALUE] ...]\n"
	"\n"
	"Loads Longroom over HTTP and checks what it answers. With --waiters alone it\n"
	"parks waiters (--hold keeps them), with --messages alone it posts, with both\n"
	"every waiter follows its cursor and must get each message of its room once,\n"
	"in the order of the ids.\n";

static const char help_tail[] =
	"\n"
	"A message is required of every waiter of its room if its POST was answered\n"
	"201, or if any waiter or the history has shown it with an id. Latencies are\n"
	"from sending the POST to having read the answer; under --rate a POST that is\n"
	"late counts from when it is sent, and the report says how late it was.\n"
	"\n"
	"When all are parked it says \"W waiters wait\" on stderr. SIGINT and SIGTERM\n"
	"end the run with its report.\n"
	"\n"
	"Exit status: 0 if nothing was lost, doubled, out of order, damaged or stuck\n"
	"and every POST was answered well; 1 if not; 2 if it could not start.\n";

/* Each line of the help text begins in the same column. */
static void print_row(const struct option_row *row)
{
	char left[64];
	const char *line = row->help;

	snprintf(left, sizeof left, "--%s%s%s", row->name,
	         row->value != NULL ? " " : "",
	         row->value != NULL ? row->value : "");
	for (;;) {
		int size = (int)strcspn(line, "\n");

		printf("  %-23s %.*s\n", left, size, line);
		if (line[size] == '\0')
			return;
		line += size + 1;
		left[0] = '\0';
	}
}

static void print_help(void)
{
	fputs(help_head, stdout);
	for (int i = 0; i < ROW_COUNT; i++) {
		if (rows[i].kind == OPTION_TITLE)
			printf("\n%s\n", rows[i].name);
		else
			print_row(&rows[i]);
	}
	fputs(help_tail, stdout);
}

static bool complain(const char *subject, const char *what)
{
	fprintf(stderr, "longroom-load: %s: %s\n", subject, what);
	return false;
}

static const struct option_row *find_row(const char *name, size_t size)
{
	for (int i = 0; i < ROW_COUNT; i++)
		if (rows[i].kind != OPTION_TITLE &&
		    strlen(rows[i].name) == size &&
		    memcmp(rows[i].name, name, size) == 0)
			return &rows[i];
	return NULL;
}

static bool read_process(const char *value, struct options *options)
{
	const char *equals = strchr(value, '=');
	char *end = NULL;
	long pid = equals != NULL ? strtol(equals + 1, &end, 10) : 0;

	if (equals == value || pid <= 0 || *end != '\0' ||
	    strpbrk(value, "\"\\") != NULL)
		return complain(value, "--pid takes NAME=PID");
	if (options->process_count == PROCESSES_MAX)
		return complain(value, "too many processes");

	struct process *process = &options->processes[options->process_count++];

	process->name = load_there(strndup(value, (size_t)(equals - value)));
	process->pid = (pid_t)pid;
	return true;
}

static bool in_range(const struct option_row *row, double number)
{
	if (number >= row->least && number <= row->most)
		return true;
	fprintf(stderr, "longroom-load: --%s: from %.15g to %.15g\n", row->name,
	        row->least, row->most);
	return false;
}

static bool read_number(const struct option_row *row, const char *value,
                        void *member)
{
	char *end;

	errno = 0;
	if (row->kind == OPTION_COUNT)
		*(int64_t *)member = strtoll(value, &end, 10);
	else
		*(double *)member = strtod(value, &end);
	if (end == value || *end != '\0' || errno != 0)
		return complain(value, "this is not a number");
	return in_range(row, row->kind == OPTION_COUNT
	                             ? (double)*(int64_t *)member
	                             : *(double *)member);
}

static bool read_value(const struct option_row *row, const char *value,
                       struct options *options)
{
	void *member = (char *)options + row->offset;

	switch (row->kind) {
	case OPTION_TEXT:
		*(const char **)member = value;
		return true;
	case OPTION_COUNT:
	case OPTION_DECIMAL:
		return read_number(row, value, member);
	case OPTION_PROCESS:
		return read_process(value, options);
	default:
		*(bool *)member = true;
		return true;
	}
}

/* Reads the option at argv[*at] and moves *at behind it and its value. */
static bool read_option(char **argv, int *at, struct options *options,
                        bool *help)
{
	const char *argument = argv[(*at)++];
	size_t size = strcspn(argument, "=");
	const struct option_row *row =
		size > 2 && strncmp(argument, "--", 2) == 0
			? find_row(argument + 2, size - 2)
			: NULL;
	const char *value = argument[size] == '=' ? argument + size + 1 : NULL;

	if (row == NULL)
		return complain(argument, "no such option; see --help");
	*help = row->kind == OPTION_HELP;
	if ((row->kind == OPTION_SWITCH || *help) && value != NULL)
		return complain(argument, "this one takes no value");
	if (row->kind == OPTION_SWITCH || *help)
		return *help || read_value(row, NULL, options);

	if (value == NULL)
		value = argv[*at] != NULL ? argv[(*at)++] : NULL;
	if (value == NULL)
		return complain(argument, "a value is missing");
	return read_value(row, value, options);
}

static bool parse_targets(struct options *options)
{
	const char *wrong = target_parse(options->url, &options->poll_target);

	if (wrong != NULL)
		return complain(options->url, wrong);
	if (options->post_url == NULL)
		options->post_url = options->url;
	wrong = target_parse(options->post_url, &options->post_target);
	return wrong == NULL || complain(options->post_url, wrong);
}

static bool read_tokens(struct options *options)
{
	const char *path = options->tokens_path;
	const char *wrong = path != NULL ? tokens_read(path, &options->tokens)
	                                 : NULL;

	return wrong == NULL || complain(path, wrong);
}

static int name_room(const struct options *options, int64_t i, char *name)
{
	if (options->room != NULL)
		return snprintf(name, ROOM_NAME_SIZE, "%s", options->room);
	return snprintf(name, ROOM_NAME_SIZE, "%s%" PRId64,
	                options->room_prefix, options->first_room + i);
}

static bool name_rooms(struct options *options)
{
	static const char room_letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._~-";

	options->room_names = load_get((size_t)options->rooms, ROOM_NAME_SIZE);
	for (int64_t i = 0; i < options->rooms; i++) {
		char *name = options->room_names[i];
		int size = name_room(options, i, name);

		if (size >= ROOM_NAME_SIZE)
			return complain(name, "a room's name has at most 64 bytes");
		if (name[strspn(name, room_letters)] != '\0')
			return complain(name, "no room has such a name");
	}
	return true;
}

/* Rooms of their own for each run, so that a run finds them empty. */
static int64_t random_room(void)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		return 1000000;
	return 1000000 + (int64_t)number % 1000000000 * 1000;
}

static bool complete(struct options *options)
{
	options->starts_with_history = strcmp(options->start, "history") == 0;
	if (!options->starts_with_history && strcmp(options->start, "now") != 0)
		return complain(options->start, "--start is now or history");
	if (options->waiters == 0 && options->messages == 0)
		return complain("nothing to do",
		                "give --waiters or --messages; see --help");
	if (options->room != NULL && options->rooms != 1)
		return complain(options->room, "--room is for one room");
	if (options->rooms_each > options->rooms)
		return complain("--rooms-each", "there are not so many --rooms");
	if (options->rooms_each > 1 &&
	    (options->nchan || options->starts_with_history))
		return complain("--rooms-each",
		                "not with --nchan, or --start history, whose "
		                "cursor is of one room");
	if (options->nchan && (options->check_history || options->repeat_lost ||
	                       options->starts_with_history))
		return complain("--nchan", "it has no history to read or compare");
	if (options->nchan && options->tokens_path != NULL)
		return complain("--nchan", "it knows no tokens");
	if (options->first_room == 0)
		options->first_room = random_room();
	return parse_targets(options) && read_tokens(options) &&
	       name_rooms(options);
}

bool options_read(int argc, char **argv, struct options *options,
                  int *exit_status)
{
	bool help = false;

	*options = (struct options){
		.url = "http://127.0.0.1:8080",
		.rooms = 1,
		.room_prefix = "room_",
		.start = "now",
		.rooms_each = 1,
		.joins_at_once = 200,
		.poll_timeout_s = 25,
		.senders = 1,
		.size = 100,
		.limit_s = 60,
		.settle_s = 10,
	};
	*exit_status = EXIT_USAGE;
	for (int at = 1; at < argc;) {
		if (!read_option(argv, &at, options, &help))
			return false;
		if (help) {
			print_help();
			*exit_status = EXIT_SUCCESS;
			return false;
		}
	}
	return complete(options);
}

void options_release(struct options *options)
{
	for (int i = 0; i < options->process_count; i++)
		free(options->processes[i].name);
	free(options->room_names);
	tokens_release(&options->tokens);
}
