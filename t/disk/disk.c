#include "disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

enum { SECTOR = 512, FILES_MAX = 4096, NAMES_MAX = 8, NO_FILE = 0 };

/* Of a file: not synced yet. */
struct change {
	bool is_truncation;
	uint64_t at; /* or the new length */
	struct text bytes;
};

/* Of the folder: the name now means this file, or none. */
struct naming {
	size_t name;
	uint32_t file;
};

struct file {
	struct buffer synced;
	struct change *changes;
	size_t count, room;
};

struct disk {
	struct file *files; /* by number; that of the folder is not used */
	char *names[NAMES_MAX];
	uint32_t synced[NAMES_MAX]; /* the file of each name */
	size_t name_count;
	struct naming *namings;
	size_t count, room;
	uint64_t version;
};

struct disk *disk_new(void)
{
	struct disk *disk = memory_get(sizeof *disk);

	disk->files = memory_get(FILES_MAX * sizeof *disk->files);
	return disk;
}

static void forget_changes(struct file *file)
{
	for (size_t i = 0; i < file->count; i++)
		free((char *)file->changes[i].bytes.data);
	file->count = 0;
}

void disk_free(struct disk *disk)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		forget_changes(&disk->files[i]);
		free(disk->files[i].changes);
		buffer_release(&disk->files[i].synced);
	}
	for (size_t i = 0; i < disk->name_count; i++)
		free(disk->names[i]);
	free(disk->namings);
	free(disk->files);
	free(disk);
}

uint64_t disk_version(const struct disk *disk)
{
	return disk->version;
}

bool trace_next(struct text trace, size_t *at, struct trace_record *record,
                struct text *bytes)
{
	size_t left = trace.size - *at;

	if (left < sizeof *record)
		return false;
	memcpy(record, trace.data + *at, sizeof *record);
	if (left - sizeof *record < record->size)
		return false;
	*bytes = (struct text){trace.data + *at + sizeof *record, record->size};
	*at += sizeof *record + record->size;
	return true;
}

static size_t name_index(struct disk *disk, struct text name)
{
	for (size_t i = 0; i < disk->name_count; i++)
		if (text_is(name, disk->names[i]))
			return i;
	if (disk->name_count == NAMES_MAX)
		abort();
	disk->names[disk->name_count] = memory_copy(name.data, name.size);
	return disk->name_count++;
}

static void set_length(struct buffer *bytes, uint64_t length)
{
	if (length > bytes->size)
		memset(buffer_reserve(bytes, length - bytes->size), 0,
		       length - bytes->size);
	bytes->size = length;
}

static void put(struct buffer *bytes, uint64_t at, struct text data)
{
	if (at + data.size > bytes->size)
		set_length(bytes, at + data.size);
	memcpy(bytes->data + at, data.data, data.size);
}

static void make(struct buffer *bytes, const struct change *change)
{
	if (change->is_truncation)
		set_length(bytes, change->at);
	else if (change->bytes.size > 0)
		put(bytes, change->at, change->bytes);
}

static void add_change(struct file *file, bool is_truncation, uint64_t at,
                       struct text bytes)
{
	if (file->count == file->room) {
		file->room = 2 * file->room + 16;
		file->changes = memory_resize(file->changes,
		                              file->room * sizeof *file->changes);
	}
	file->changes[file->count++] = (struct change){
		.is_truncation = is_truncation,
		.at = at,
		.bytes = {memory_copy(bytes.data, bytes.size), bytes.size},
	};
}

static void add_naming(struct disk *disk, struct text name, uint32_t file)
{
	if (disk->count == disk->room) {
		disk->room = 2 * disk->room + 16;
		disk->namings = memory_resize(disk->namings,
		                              disk->room * sizeof *disk->namings);
	}
	disk->namings[disk->count++] =
		(struct naming){name_index(disk, name), file};
}

static void sync_folder(struct disk *disk)
{
	for (size_t i = 0; i < disk->count; i++)
		disk->synced[disk->namings[i].name] = disk->namings[i].file;
	disk->count = 0;
}

static void sync_file(struct file *file)
{
	for (size_t i = 0; i < file->count; i++)
		make(&file->synced, &file->changes[i]);
	forget_changes(file);
}

static void apply_sync(struct disk *disk, const struct trace_record *record)
{
	struct file *file = &disk->files[record->file];

	disk->version++;
	if (record->file != TRACE_FOLDER && record->result == TRACE_FAILED)
		forget_changes(file);
	else if (record->file != TRACE_FOLDER)
		sync_file(file);
	else if (record->result != TRACE_FAILED)
		sync_folder(disk);
}

void disk_apply(struct disk *disk, const struct trace_record *record,
                struct text bytes)
{
	if (record->file >= FILES_MAX)
		abort();
	if (record->kind == TRACE_SYNC)
		apply_sync(disk, record);
	else if (record->result == TRACE_FAILED)
		return;
	else if (record->kind == TRACE_WRITE || record->kind == TRACE_TRUNCATE)
		add_change(&disk->files[record->file],
		           record->kind == TRACE_TRUNCATE, record->at, bytes);
	else if (record->kind == TRACE_OPEN && record->result == TRACE_CREATED)
		add_naming(disk, bytes, record->file);
	else if (record->kind == TRACE_UNLINK)
		add_naming(disk, bytes, NO_FILE);
}

/* ---- The cut ---- */

/* xorshift64*: the same everywhere. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545F4914F6CDD1DULL >> 32;
}

static bool draws_true(uint64_t *seed, unsigned percent)
{
	return draw(seed) % 100 < percent;
}

static void make_torn(struct buffer *bytes, const struct change *change,
                      uint64_t *seed, unsigned percent)
{
	uint64_t end = change->at + change->bytes.size;

	if (change->is_truncation) {
		if (draws_true(seed, percent))
			set_length(bytes, change->at);
		return;
	}
	for (uint64_t at = change->at, next; at < end; at = next) {
		next = (at / SECTOR + 1) * SECTOR;
		next = next < end ? next : end;
		if (draws_true(seed, percent))
			put(bytes, at, (struct text){change->bytes.data +
			                             (at - change->at), next - at});
	}
	if (bytes->size < end && draws_true(seed, percent))
		set_length(bytes, end);
}

static void make_noise(struct buffer *bytes, uint64_t *seed)
{
	enum { SHM_SIZE = 32768 };
	char *noise = buffer_reserve(bytes, SHM_SIZE);

	for (size_t i = 0; i < SHM_SIZE; i++)
		noise[i] = (char)draw(seed);
	bytes->size = SHM_SIZE;
}

static void write_file(const char *folder, const char *name, struct text bytes)
{
	struct buffer path = {0};

	buffer_printf(&path, "%s/%s", folder, name);
	buffer_add(&path, "", 1);
	FILE *out = fopen(path.data, "wb");
	if (out == NULL ||
	    (bytes.size > 0 && fwrite(bytes.data, bytes.size, 1, out) != 1) ||
	    fclose(out) != 0) {
		perror(path.data);
		abort();
	}
	buffer_release(&path);
}

static void leave_file(const struct file *file, const char *folder,
                       const char *name, uint64_t seed)
{
	static const unsigned percents[] = {10, 50, 90};
	struct buffer bytes = {0};
	uint64_t draws = seed;

	buffer_add_text(&bytes, buffer_text(&file->synced));
	if (strstr(name, "-shm") != NULL) {
		draws = seed + 1;
		make_noise(&bytes, &draws);
	}
	for (size_t i = 0; seed != 0 && i < file->count; i++)
		make_torn(&bytes, &file->changes[i], &draws, percents[seed % 3]);
	write_file(folder, name, buffer_text(&bytes));
	buffer_release(&bytes);
}

void disk_leave(const struct disk *disk, uint64_t seed, const char *folder)
{
	uint32_t files[NAMES_MAX];
	uint64_t draws = seed;

	memcpy(files, disk->synced, sizeof files);
	for (size_t i = 0; seed != 0 && i < disk->count; i++)
		if (draws_true(&draws, 50))
			files[disk->namings[i].name] = disk->namings[i].file;
	for (size_t i = 0; i < disk->name_count; i++)
		if (files[i] != NO_FILE)
			leave_file(&disk->files[files[i]], folder, disk->names[i],
			           seed);
}
