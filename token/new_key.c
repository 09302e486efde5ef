#include "new_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/key.h"
#include "base/journal.h"

enum { SECRET_BYTES = 32, PRIVATE_MODE = 0600, PUBLIC_MODE = 0644 };

static bool write_key(int fd, struct text text)
{
	while (text.size > 0) {
		ssize_t put = write(fd, text.data, text.size);

		if (put < 0)
			return false;
		text.data += put;
		text.size -= (size_t)put;
	}
	return true;
}

/* Creates a file. If it fails there is no file. */
static bool save(const char *path, mode_t mode, const struct buffer *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool good;

	if (fd < 0) {
		journal_error("%s: %s", path, strerror(errno));
		return false;
	}
	good = write_key(fd, buffer_text(bytes));
	good = close(fd) == 0 && good;
	if (!good) {
		journal_error("%s: %s", path, strerror(errno));
		unlink(path);
	}
	return good;
}

/* Gives the absolute path of the verifying key: the daemons may be started in
 * another folder. */
static bool name_verifier(const struct options *options, struct buffer *path)
{
	if (options->word[0] != '/') {
		char folder[4096];

		if (getcwd(folder, sizeof folder) == NULL) {
			journal_error("can't determine the current folder: %s",
			              strerror(errno));
			return false;
		}
		buffer_printf(path, "%s/", folder);
	}
	buffer_printf(path, "%s%s", options->word,
	              options->is_secret ? "" : ".pub");
	buffer_add(path, "", 1);
	if (strpbrk(path->data, ", \t\n") == NULL)
		return true;
	journal_error("%s: auth.keys can't name a file with a comma or white "
	              "space: choose another name", path->data);
	return false;
}

static bool make_secret(const char *path)
{
	struct buffer bytes = {0}, digits = {0};
	bool good = key_generate_bytes(SECRET_BYTES, &bytes);

	for (size_t i = 0; i < bytes.size; i++)
		buffer_printf(&digits, "%02x", (unsigned char)bytes.data[i]);
	buffer_add_string(&digits, "\n");
	if (!good)
		journal_error("can't get random bytes from the system");
	good = good && save(path, PRIVATE_MODE, &digits);
	buffer_release(&digits);
	buffer_release(&bytes);
	return good;
}

static bool make_pair(enum key_kind kind, const char *path,
                      const char *public_path)
{
	struct buffer private_pem = {0}, public_pem = {0};
	bool good = key_generate_pair(kind, &private_pem, &public_pem);

	if (!good)
		journal_error("can't get random bytes from the system");
	good = good && save(path, PRIVATE_MODE, &private_pem);
	if (good && !save(public_path, PUBLIC_MODE, &public_pem)) {
		unlink(path);
		good = false;
	}
	buffer_release(&private_pem);
	buffer_release(&public_pem);
	return good;
}

int new_key(const struct options *options)
{
	struct buffer verifier = {0};
	bool good = name_verifier(options, &verifier) &&
	            (options->is_secret
	                     ? make_secret(options->word)
	                     : make_pair(options->is_ed25519 ? KEY_ED25519
	                                                     : KEY_EC_256,
	                                 options->word, verifier.data));

	if (good)
		printf("[auth]\nmode = token\nkeys = %s\n", verifier.data);
	buffer_release(&verifier);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
