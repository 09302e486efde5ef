#include "store/acknowledged_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/memory.h"
#include "os/beside.h"

/* The bytes that are locked, after the record, where there is no data. */
enum { HELD_AT = 1024, WRITTEN_AT = 1025 };

/* A write takes microseconds. */
enum { WRITE_TRIES = 50, WRITE_TRY_MS = 2 };

static const char suffix[] = "-acknowledged";

struct acknowledged_file {
	struct beside beside;
	bool is_held;
	bool failing; /* said so already */
	char line[ACKNOWLEDGED_SIZE]; /* the last that was written here */
};

/* One byte more than a record has, to see whether the file has more. */
enum { LINE_ROOM = ACKNOWLEDGED_SIZE + 1 };

static struct text read_line(int fd, char line[LINE_ROOM])
{
	ssize_t size = pread(fd, line, LINE_ROOM, 0);

	return (struct text){line, size > 0 ? (size_t)size : 0};
}

bool acknowledged_file_read(const char *database, struct acknowledged *record)
{
	char *path = beside_path(database, suffix);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char line[LINE_ROOM];
	bool found = fd >= 0 && acknowledged_parse(read_line(fd, line), record);

	if (fd >= 0)
		close(fd);
	free(path);
	return found;
}

static bool acknowledged_open_file(struct acknowledged_file *file)
{
	if (!beside_open(&file->beside))
		return false;
	if (file->is_held)
		beside_lock(&file->beside, F_RDLCK, HELD_AT);
	return true;
}

static void note_result(struct acknowledged_file *file, bool good)
{
	if (!good && !file->failing)
		journal_error("can't write %s: %s: a restored backup may not be "
		              "noticed", file->beside.path, strerror(errno));
	if (good && file->failing)
		journal_info("%s can be written again", file->beside.path);
	file->failing = !good;
}

struct acknowledged_file *acknowledged_file_open(const char *database)
{
	struct acknowledged_file *file = memory_get(sizeof *file);

	beside_init(&file->beside, database, suffix);
	if (!acknowledged_open_file(file))
		note_result(file, false);
	return file;
}

void acknowledged_file_close(struct acknowledged_file *file)
{
	if (file == NULL)
		return;
	beside_release(&file->beside);
	free(file);
}

bool acknowledged_file_is_there(const struct acknowledged_file *file)
{
	return file->beside.fd >= 0;
}

void acknowledged_file_hold(struct acknowledged_file *file)
{
	file->is_held = true;
	if (file->beside.fd >= 0)
		beside_lock(&file->beside, F_RDLCK, HELD_AT);
}

bool acknowledged_file_claim(struct acknowledged_file *file)
{
	return file->beside.fd >= 0 &&
	       beside_lock(&file->beside, F_WRLCK, HELD_AT);
}

/* Waits only briefly: the process that holds the lock may be stopped. */
static bool lock_to_write(const struct beside *beside)
{
	static const struct timespec pause = {
		.tv_nsec = WRITE_TRY_MS * 1000000L};

	for (int i = 0; i < WRITE_TRIES; i++) {
		if (beside_lock(beside, F_WRLCK, WRITTEN_AT))
			return true;
		if (errno != EAGAIN && errno != EACCES)
			return false;
		nanosleep(&pause, NULL);
	}
	errno = EAGAIN;
	return false;
}

static bool acknowledged_write_record(struct acknowledged_file *file,
                                      const struct acknowledged *now)
{
	acknowledged_render(now, file->line);
	ssize_t size = pwrite(file->beside.fd, file->line, ACKNOWLEDGED_SIZE, 0);
	if (size >= 0 && size < ACKNOWLEDGED_SIZE)
		errno = ENOSPC;
	return size == ACKNOWLEDGED_SIZE;
}

/* Removes anything that is not a record, whatever its size. */
static bool is_further_on(const struct acknowledged_file *file,
                          const struct acknowledged *now,
                          const struct incarnations *list)
{
	char line[LINE_ROOM];
	struct text text = read_line(file->beside.fd, line);
	struct acknowledged was;

	/* Nearly always it is our own record, of the previous commit. */
	if (text_equal(text, (struct text){file->line, sizeof file->line}))
		return false;
	if (acknowledged_parse(text, &was))
		return !acknowledged_follows(&was, now, list);
	int ignored = ftruncate(file->beside.fd, 0);
	(void)ignored;
	return false;
}

static bool raise_record(struct acknowledged_file *file,
                         const struct acknowledged *now,
                         const struct incarnations *list)
{
	if (!lock_to_write(&file->beside))
		return false;
	bool good = is_further_on(file, now, list) ||
	            acknowledged_write_record(file, now);
	int why = errno;
	beside_lock(&file->beside, F_UNLCK, WRITTEN_AT);
	errno = why;
	return good;
}

void acknowledged_file_raise(struct acknowledged_file *file,
                             const struct acknowledged *now,
                             const struct incarnations *list)
{
	bool is_open = beside_is_in_place(&file->beside) || acknowledged_open_file(file);

	note_result(file, is_open && raise_record(file, now, list));
}
