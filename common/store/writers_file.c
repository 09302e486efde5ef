#include "store/writers_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/beside.h"

/* An address of nanomsg has less than 128 bytes. */
enum { SLOT_BYTES = 128 };

struct writers_file {
	struct beside beside;
	bool is_ours; /* our address is in a slot of it */
};

static off_t claim_of(int slot)
{
	return (off_t)slot * SLOT_BYTES;
}

static off_t written_of(int slot)
{
	return claim_of(slot) + 1;
}

struct writers_file *writers_file_new(void)
{
	struct writers_file *file = memory_get(sizeof *file);

	file->beside.fd = -1;
	return file;
}

void writers_file_free(struct writers_file *file)
{
	if (file == NULL)
		return;
	beside_release(&file->beside);
	free(file);
}

static bool write_address(const struct writers_file *file, int slot,
                          const char *own)
{
	char text[SLOT_BYTES] = {0};

	if (snprintf(text, sizeof text, "%s", own) >= (int)sizeof text)
		return false;
	return pwrite(file->beside.fd, text, sizeof text, claim_of(slot)) ==
	       (ssize_t)sizeof text;
}

static bool claim_slot(const struct writers_file *file, const char *own)
{
	for (int slot = 0; slot < WRITERS_MAX; slot++)
		if (beside_lock(&file->beside, F_WRLCK, claim_of(slot)))
			return write_address(file, slot, own) &&
			       beside_lock(&file->beside, F_WRLCK,
			                   written_of(slot));
	return false;
}

/* A symbolic link may lead to another database than last time. */
static bool is_of(const struct writers_file *file, const char *database)
{
	return file->beside.database != NULL &&
	       strcmp(file->beside.database, database) == 0 &&
	       beside_is_in_place(&file->beside);
}

static bool writers_open_file(struct writers_file *file, const char *database,
                              const char *own)
{
	beside_release(&file->beside);
	beside_init(&file->beside, database, "-writers");
	file->is_ours = false;
	return own != NULL ? beside_open(&file->beside)
	                   : beside_open_to_read(&file->beside);
}

static bool read_address(const struct writers_file *file, int slot,
                         char text[SLOT_BYTES])
{
	return beside_is_locked(&file->beside, written_of(slot)) &&
	       pread(file->beside.fd, text, SLOT_BYTES, claim_of(slot)) ==
	               SLOT_BYTES &&
	       text[0] != '\0' && text[SLOT_BYTES - 1] == '\0';
}

void writers_file_look(struct writers_file *file, const char *database,
                       const char *own, writers_file_visit *visit, void *context)
{
	char text[SLOT_BYTES];

	if (!is_of(file, database) && !writers_open_file(file, database, own))
		return;
	if (own != NULL && !file->is_ours)
		file->is_ours = claim_slot(file, own);
	for (int slot = 0; slot < WRITERS_MAX; slot++)
		if (read_address(file, slot, text))
			visit(context, text);
}
