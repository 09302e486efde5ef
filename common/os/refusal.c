#define _GNU_SOURCE 1 /* AT_EACCESS */

#include "os/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* ---- The walk ---- */

enum { LINKS_MAX = 40 }; /* as Linux has it */

static const char *end_string(struct buffer *b)
{
	*buffer_reserve(b, 1) = '\0';
	return b->data;
}

/* Returns the rest of the path after following a link: its target, then the rest as
 * it was. Caller frees; NULL: errno says why. */
static char *read_link(const char *path, const char *behind)
{
	char target[PATH_MAX];
	struct buffer way = {0};
	ssize_t size = readlink(path, target, sizeof target);

	if (size < 0)
		return NULL;
	buffer_printf(&way, "%.*s/%s", (int)size, target, behind);
	char *copy = memory_copy(way.data, way.size);
	buffer_release(&way);
	return copy;
}

/* Checks the last part of the path. If it was the folder above that refuses, the
 * walk has already ended there. */
static bool stat_folder(struct path_walk *walk, size_t folder, struct stat *status)
{
	if (lstat(end_string(&walk->at), status) == 0)
		return true;
	walk->error = errno;
	if (errno == EACCES || errno == ENOTDIR)
		walk->at.size = folder;
	return false;
}

/* Takes the next part of the path. False: the walk has ended. */
static bool take_step(struct path_walk *walk, char **way, size_t *at, int *links)
{
	const char *name = *way + *at + strspn(*way + *at, "/");
	size_t size = strcspn(name, "/"), folder = walk->at.size;
	const char *behind = name + size + strspn(name + size, "/");
	struct stat status;

	if (size == 0)
		return false;
	*at = (size_t)(behind - *way);
	buffer_printf(&walk->at, "/%.*s", (int)size, name);
	if (!stat_folder(walk, folder, &status)) {
		walk->is_last = *behind == '\0';
		return false;
	}
	if (!S_ISLNK(status.st_mode))
		return true;
	char *next = --*links >= 0 ? read_link(walk->at.data, behind) : NULL;
	if (next == NULL) {
		walk->error = *links < 0 ? ELOOP : errno;
		return false;
	}
	free(*way);
	*way = next;
	*at = 0;
	walk->at.size = next[0] == '/' ? 0 : folder;
	return true;
}

void path_walk(struct path_walk *walk, const char *path)
{
	char *way = memory_copy(path, strlen(path));
	size_t at = 0;
	int links = LINKS_MAX;

	buffer_clear(&walk->at);
	walk->error = 0;
	walk->is_last = false;
	while (take_step(walk, &way, &at, &links))
		;
	/* In a loop any link will do. */
	if (walk->error == ELOOP) {
		buffer_clear(&walk->at);
		buffer_add_string(&walk->at, path);
	}
	if (walk->at.size == 0)
		buffer_add_string(&walk->at, "/");
	end_string(&walk->at);
	free(way);
}

bool path_lets_us(const char *path, int use)
{
	if (faccessat(AT_FDCWD, path, use, AT_EACCESS) == 0)
		return true;
	/* Older containers answer so to faccessat2(2), which they do not know. */
	return errno == EPERM && access(path, use) == 0;
}

/* ---- Whose it is ---- */

enum { NAME_ROOM = 4096 };

static void add_user(struct buffer *b, uid_t user)
{
	char room[NAME_ROOM];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(user, &entry, room, sizeof room, &found) == 0 &&
	    found != NULL)
		buffer_add_string(b, entry.pw_name);
	else
		buffer_printf(b, "user %lu", (unsigned long)user);
}

static void add_group(struct buffer *b, gid_t group)
{
	char room[NAME_ROOM];
	struct group entry, *found = NULL;

	if (getgrgid_r(group, &entry, room, sizeof room, &found) == 0 &&
	    found != NULL)
		buffer_add_string(b, entry.gr_name);
	else
		buffer_printf(b, "%lu", (unsigned long)group);
}

static const char *name_of_use(int use)
{
	return use & X_OK ? "entered" : use & W_OK ? "written" : "read";
}

void refusal_explain(const char *path, int use, int error, struct buffer *why)
{
	struct stat status;

	buffer_printf(why, "%s may not be %s: %s", path, name_of_use(use),
	              strerror(error));
	if ((error != EACCES && error != EPERM) || stat(path, &status) != 0)
		return;
	buffer_add_string(why, ": owned by ");
	add_user(why, status.st_uid);
	buffer_add_string(why, ", running as ");
	add_user(why, geteuid());
	buffer_printf(why, "; mode %04o, group ",
	              (unsigned)status.st_mode & 07777);
	add_group(why, status.st_gid);
}
