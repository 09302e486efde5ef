/* The command line. */
#ifndef LONGROOM_LOAD_OPTIONS_H
#define LONGROOM_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "target.h"
#include "tokens.h"

enum {
	ROOM_NAME_SIZE = 65,
	PROCESSES_MAX = 16,
};

struct process {
	char *name; /* owned */
	pid_t pid;
};

struct options {
	const char *url;
	const char *post_url;
	struct target poll_target;
	struct target post_target;
	int64_t source_addresses;
	const char *tokens_path; /* NULL: none */
	struct tokens tokens;

	int64_t rooms;
	const char *room;
	const char *room_prefix;
	int64_t first_room;
	char (*room_names)[ROOM_NAME_SIZE]; /* one for each room */

	int64_t waiters;
	bool streams;
	int64_t rooms_each; /* that a waiter follows */
	const char *start;
	bool starts_with_history;
	int64_t joins_at_once;
	int64_t poll_timeout_s;
	double hold_s;

	int64_t messages;
	int64_t senders;
	double rate; /* messages per second; 0: as fast as they are answered */
	double send_s; /* 0: until all are sent */
	bool closed;
	int64_t size;
	bool client_ids;
	bool repeat_lost;
	bool allow_unsaved;
	bool signals;
	bool check_history;
	bool nchan;

	double limit_s;
	double settle_s;
	bool json;
	struct process processes[PROCESSES_MAX];
	int process_count;
};

/* True: continue. False: exit with *exit_status; errors have been printed. Texts
 * point into argv. */
bool options_read(int argc, char **argv, struct options *options,
                  int *exit_status);
void options_release(struct options *options);

#endif
