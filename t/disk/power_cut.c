/* power-cut: what t/power-cut.t runs below faulty_disk.so.
 *
 *   power-cut run FOLDER
 *       sends 200 messages straight to the store in FOLDER, and notes the
 *       results in FOLDER/longroom.db-answers
 *   power-cut sweep TRACE FOLDER FROM TO STEP SEEDS
 *       cuts the power at the operation FROM of that run, and at each STEPth
 *       after it up to TO; with SEEDS 0 no unsynced data survives, otherwise
 *       part of it, drawn that many times. What is left is put into FOLDER and
 *       checked
 *   power-cut check FOLDER undone|in-doubt
 *       checks what a run has left in FOLDER; in-doubt: a message that could
 *       not be saved may be there all the same
 *   power-cut leave TRACE SEED FOLDER
 *       puts into FOLDER what is left if the power is cut at the trace's end
 *
 * Reports faults on stderr, and then exits with 1. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk.h"
#include "talk.h"

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno != 0 ? strerror(errno) : "wrong");
	exit(2);
}

static struct buffer path_in(const char *folder, const char *name)
{
	struct buffer path = {0};

	buffer_printf(&path, "%s/%s", folder, name);
	buffer_add(&path, "", 1);
	return path;
}

static void read_file(const char *path, struct buffer *bytes)
{
	char data[65536];
	size_t size;
	FILE *in = fopen(path, "rb");

	if (in == NULL)
		die(path);
	while ((size = fread(data, 1, sizeof data, in)) > 0)
		buffer_add(bytes, data, size);
	fclose(in);
}

static void settings_for(struct settings *settings, const char *folder)
{
	struct buffer assignment = {0}, error = {0};

	settings_init(settings);
	buffer_printf(&assignment, "store.url=sqlite:%s/longroom.db", folder);
	buffer_add(&assignment, "", 1);
	if (!settings_override(settings, assignment.data, &error))
		die(folder);
	buffer_release(&assignment);
	buffer_release(&error);
}

static void empty_folder(const char *folder)
{
	static const char *const names[] = {
		"longroom.db", "longroom.db-wal", "longroom.db-shm",
		"longroom.db-journal",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct buffer path = path_in(folder, names[i]);

		unlink(path.data);
		buffer_release(&path);
	}
}

static int run(const char *folder)
{
	struct settings settings;
	struct buffer path = path_in(folder, "longroom.db-answers");
	int notes = open(path.data, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (notes < 0)
		die(path.data);
	settings_for(&settings, folder);
	talk_run(&settings, notes);
	close(notes);
	buffer_release(&path);
	settings_release(&settings);
	return 0;
}

/* ---- The sweep ---- */

struct sweep {
	const char *folder;
	struct settings settings;
	struct disk *disk;
	struct talk talk;
	uint64_t operations, cuts, wrong;
};

/* What is swept. */
struct span {
	uint64_t from, to, step, seeds;
};

static bool is_in(const struct span *span, uint64_t n)
{
	return n >= span->from && n <= span->to &&
	       (n - span->from) % span->step == 0;
}

static void check_cut(struct sweep *sweep, uint64_t seed)
{
	struct buffer error = {0};

	empty_folder(sweep->folder);
	disk_leave(sweep->disk, seed, sweep->folder);
	sweep->cuts++;
	if (!talk_check(&sweep->talk, &sweep->settings, TALK_FAILED_MAY_BE_THERE,
	                &error)) {
		fprintf(stderr, "cut at operation %" PRIu64 ", seed %" PRIu64
		        ":\n%.*s", sweep->operations, seed,
		        TEXT_ARGS(buffer_text(&error)));
		sweep->wrong++;
	}
	buffer_release(&error);
}

/* Each n gets seeds that its neighbours do not. */
static void check_cuts(struct sweep *sweep, uint64_t seeds)
{
	if (seeds == 0)
		check_cut(sweep, 0);
	for (uint64_t i = 1; i <= seeds; i++)
		check_cut(sweep, (sweep->operations * seeds + i) *
		                         0x9E3779B97F4A7C15ULL);
}

static void sweep_trace(struct sweep *sweep, struct text trace,
                        const struct span *span)
{
	struct trace_record record;
	struct text bytes;
	size_t at = 0;

	while (trace_next(trace, &at, &record, &bytes)) {
		if (record.kind == TRACE_ANSWER) {
			talk_note(&sweep->talk, bytes);
			continue;
		}
		sweep->operations++;
		/* Operations under way when the power fails may be on disk or
		 * not; but a sync is not done. */
		if (record.kind != TRACE_SYNC)
			disk_apply(sweep->disk, &record, bytes);
		if (is_in(span, sweep->operations))
			check_cuts(sweep, span->seeds);
		if (record.kind == TRACE_SYNC)
			disk_apply(sweep->disk, &record, bytes);
	}
}

static int sweep(char **arguments)
{
	struct sweep sweep = {.folder = arguments[1], .disk = disk_new()};
	struct span span = {
		.from = strtoull(arguments[2], NULL, 10),
		.to = strtoull(arguments[3], NULL, 10),
		.step = strtoull(arguments[4], NULL, 10),
		.seeds = strtoull(arguments[5], NULL, 10),
	};
	struct buffer trace = {0};

	read_file(arguments[0], &trace);
	settings_for(&sweep.settings, sweep.folder);
	sweep_trace(&sweep, buffer_text(&trace), &span);
	printf("%" PRIu64 " operations, %" PRIu64 " cuts, %" PRIu64 " wrong\n",
	       sweep.operations, sweep.cuts, sweep.wrong);
	disk_free(sweep.disk);
	settings_release(&sweep.settings);
	buffer_release(&trace);
	return sweep.wrong > 0;
}

/* ---- What is left at the end ---- */

static int check(const char *folder, const char *doubt)
{
	struct buffer path = path_in(folder, "longroom.db-answers");
	struct buffer notes = {0}, error = {0};
	struct settings settings;
	struct talk talk = {0};

	read_file(path.data, &notes);
	talk_note(&talk, buffer_text(&notes));
	settings_for(&settings, folder);
	bool good = talk_check(&talk, &settings,
	                       strcmp(doubt, "undone") == 0
	                               ? TALK_FAILED_IS_NOT_THERE
	                               : TALK_FAILED_MAY_BE_THERE,
	                       &error);
	fprintf(stderr, "%.*s", TEXT_ARGS(buffer_text(&error)));
	settings_release(&settings);
	buffer_release(&error);
	buffer_release(&notes);
	buffer_release(&path);
	return !good;
}

static int leave(const char *path, const char *seed, const char *folder)
{
	struct disk *disk = disk_new();
	struct buffer trace = {0};
	struct trace_record record;
	struct text bytes;
	size_t at = 0;

	read_file(path, &trace);
	while (trace_next(buffer_text(&trace), &at, &record, &bytes))
		if (record.kind != TRACE_ANSWER)
			disk_apply(disk, &record, bytes);
	disk_leave(disk, strtoull(seed, NULL, 10), folder);
	disk_free(disk);
	buffer_release(&trace);
	return 0;
}

int main(int count, char **arguments)
{
	const char *verb = count > 1 ? arguments[1] : "";

	if (strcmp(verb, "run") == 0 && count == 3)
		return run(arguments[2]);
	if (strcmp(verb, "sweep") == 0 && count == 8)
		return sweep(&arguments[2]);
	if (strcmp(verb, "check") == 0 && count == 4)
		return check(arguments[2], arguments[3]);
	if (strcmp(verb, "leave") == 0 && count == 5)
		return leave(arguments[2], arguments[3], arguments[4]);
	errno = 0;
	die("power-cut: arguments");
}
