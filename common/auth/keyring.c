#include "auth/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/memory.h"
#include "codec/json_value.h"

enum {
	FILE_MAX = 64 * 1024, /* bytes */
	READ_SIZE = 4096,
	SECRET_MODE_MOST = 0640,
};

struct key_file {
	struct buffer bytes;
	mode_t mode;
};

/* ---- Files ---- */

static bool read_key_bytes(int fd, struct buffer *bytes, const char **why)
{
	ssize_t got;

	/* Allocated once: a growing buffer would leave parts of a secret in
	 * memory. */
	buffer_reserve(bytes, FILE_MAX + READ_SIZE);
	do {
		got = read(fd, buffer_reserve(bytes, READ_SIZE), READ_SIZE);
		if (got > 0)
			bytes->size += (size_t)got;
	} while (got > 0 && bytes->size <= FILE_MAX);
	*why = got < 0 ? strerror(errno) : "longer than 64 KiB";
	return got == 0;
}

/* Takes the mode from the open file: its name may come to mean another file. */
static bool read_key_file(int fd, struct key_file *file, const char **why)
{
	struct stat status;

	*why = "not a regular file";
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	file->mode = status.st_mode & 0777;
	return read_key_bytes(fd, &file->bytes, why);
}

static bool open_key_file(const char *path, struct key_file *file, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good;

	*file = (struct key_file){0};
	if (fd < 0) {
		*why = strerror(errno);
		return false;
	}
	good = read_key_file(fd, file, why);
	close(fd);
	if (!good)
		key_release_bytes(&file->bytes);
	return good;
}

/* Only a warning: the operator decides who may use the machine. */
static void warn_if_open(const struct key_file *file, const char *path)
{
	if ((file->mode & ~(mode_t)SECRET_MODE_MOST) != 0)
		journal_warning("%s: a secret key with mode %04o: anyone who can "
		                "read it can act as any user: chmod 0640",
		                path, (unsigned int)file->mode);
}

/* ---- What is in them ---- */

static struct text without_newline(struct text text)
{
	if (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	if (text.size > 0 && text.data[text.size - 1] == '\r')
		text.size--;
	return text;
}

static bool is_pem(struct text text)
{
	static const char begin[] = "-----BEGIN ";

	return text.size >= sizeof begin - 1 &&
	       memcmp(text.data, begin, sizeof begin - 1) == 0;
}

static bool is_json(struct text text)
{
	static const char white[] = {' ', '\t', '\r', '\n'};
	size_t at = 0;

	while (at < text.size &&
	       memchr(white, text.data[at], sizeof white) != NULL)
		at++;
	return at < text.size && text.data[at] == '{';
}

/* Returns the place for one more key. The caller counts the key once it is there. */
static struct key *next_key(struct keyring *keyring, const char **why)
{
	*why = "more than 64 keys in auth.keys";
	if (keyring->count == KEYRING_MAX)
		return NULL;
	return &keyring->keys[keyring->count];
}

static bool add_jwk(struct keyring *keyring, struct text jwk, const char **why)
{
	struct key *key = next_key(keyring, why);

	if (key == NULL)
		return false;
	switch (key_from_jwk(jwk, key, why)) {
	case JWK_TAKEN:
		keyring->count++;
		keyring->has_names |= key->kid != NULL;
		return true;
	case JWK_OTHER:
		return true;
	case JWK_WRONG:
		break;
	}
	return false;
}

static bool add_jwks(struct keyring *keyring, struct text keys, const char **why)
{
	struct buffer string = {0};
	struct json_reader reader;
	struct json_value jwk;
	bool good = true;

	json_value_open(keys, &reader);
	while (good && json_item_next(&reader, &jwk, &string))
		good = add_jwk(keyring, jwk.written, why);
	buffer_release(&string);
	return good;
}

static bool add_jwk_set(struct keyring *keyring, const struct key_file *file,
                        const char **why)
{
	static const char *const names[] = {"keys"};
	struct buffer strings = {0};
	struct json_value keys = {0};
	size_t before = keyring->count;

	*why = "not a JWK Set: an object with an array named keys";
	bool good = json_object_read(buffer_text(&file->bytes), names, 1, &keys,
	                             &strings) &&
	            keys.kind == JSON_ARRAY_BEGIN &&
	            add_jwks(keyring, keys.written, why);
	buffer_release(&strings);
	if (good && keyring->count == before) {
		*why = "no key in it can verify tokens";
		good = false;
	}
	return good;
}

static bool add_file(struct keyring *keyring, const struct key_file *file,
                     const char **why)
{
	struct text text = buffer_text(&file->bytes);
	struct key *key = next_key(keyring, why);
	bool good;

	if (is_json(text))
		return add_jwk_set(keyring, file, why);
	if (key == NULL)
		return false;
	good = is_pem(text) ? key_from_public_pem(text, key, why)
	                    : key_from_secret(without_newline(text), key, why);
	keyring->count += good;
	return good;
}

static bool has_secret(const struct keyring *keyring, size_t from)
{
	for (size_t i = from; i < keyring->count; i++)
		if (keyring->keys[i].kind == KEY_SECRET)
			return true;
	return false;
}

static bool add_path(struct keyring *keyring, const char *path, const char **why)
{
	struct key_file file;
	size_t before = keyring->count;
	bool good = open_key_file(path, &file, why) && add_file(keyring, &file, why);

	if (good && has_secret(keyring, before))
		warn_if_open(&file, path);
	key_release_bytes(&file.bytes);
	return good;
}

static bool has_same_name(const struct key *one, const struct key *other)
{
	if (one->kid == NULL || other->kid == NULL)
		return one->kid == other->kid;
	return strcmp(one->kid, other->kid) == 0;
}

/* Only a warning: the first keys work. */
static void warn_if_untried(const struct keyring *keyring, size_t which)
{
	const struct key *key = &keyring->keys[which];
	const char *algorithm = key->algorithm != NULL
	                                ? key->algorithm
	                                : key_usual_algorithm(key);
	size_t before = 0;

	for (size_t i = 0; i < which; i++)
		before += has_same_name(&keyring->keys[i], key) &&
		          key_is_for(&keyring->keys[i], algorithm);
	/* Logged once, however many keys there are. */
	if (before == KEYRING_TRIED_MAX)
		journal_warning("auth.keys: more than %d keys for %s have %s: "
		                "only the first %d are tried: give each a kid "
		                "of its own, in a JWK Set",
		                KEYRING_TRIED_MAX, algorithm,
		                key->kid != NULL ? "the same kid" : "no kid",
		                KEYRING_TRIED_MAX);
}

static void add_path_error(struct buffer *error, const char *path, const char *why)
{
	buffer_printf(error, "%s: %s", path, why);
}

struct keyring *keyring_read(const struct auth_settings *settings,
                             struct buffer *error)
{
	const struct word_list *paths = &settings->keys;
	struct keyring *keyring = memory_get(sizeof *keyring);
	bool good = true;

	keyring->keys = memory_get(KEYRING_MAX * sizeof *keyring->keys);
	for (size_t i = 0; good && i < paths->count; i++) {
		const char *why;

		good = add_path(keyring, paths->words[i], &why);
		if (!good) {
			buffer_add_string(error, "auth.keys: ");
			add_path_error(error, paths->words[i], why);
		}
	}
	for (size_t i = 0; good && i < keyring->count; i++)
		warn_if_untried(keyring, i);
	if (good)
		return keyring;
	keyring_free(keyring);
	return NULL;
}

void keyring_free(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	for (size_t i = 0; i < keyring->count; i++)
		key_release(&keyring->keys[i]);
	free(keyring->keys);
	free(keyring);
}

bool keyring_read_signer(const char *path, struct key *key,
                         struct buffer *error)
{
	struct key_file file;
	const char *why;
	bool good = open_key_file(path, &file, &why);

	if (good) {
		struct text text = buffer_text(&file.bytes);

		good = is_pem(text)
		               ? key_from_private_pem(text, key, &why)
		               : key_from_secret(without_newline(text), key, &why);
	}
	if (good)
		warn_if_open(&file, path);
	key_release_bytes(&file.bytes);
	if (!good)
		add_path_error(error, path, why);
	return good;
}
