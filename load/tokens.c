#define _GNU_SOURCE 1 /* getline */
#include "tokens.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

static void add(struct tokens *tokens, const char *token, size_t size)
{
	static const char format[] = "Authorization: Bearer %.*s\r\n";
	char *header = load_get(sizeof format + size, 1);

	sprintf(header, format, (int)size, token);
	tokens->headers = load_resize(tokens->headers, (tokens->count + 1) *
	                                               sizeof *tokens->headers);
	tokens->headers[tokens->count++] = header;
}

static const char *read_lines(FILE *file, struct tokens *tokens)
{
	const char *wrong = NULL;
	char *line = NULL;
	size_t room = 0;

	while (wrong == NULL && getline(&line, &room, file) > 0) {
		size_t size = strcspn(line, "\r\n");

		if (size == 0 || size > TOKEN_SIZE_MAX)
			wrong = "a line is empty or too long for a token";
		else
			add(tokens, line, size);
	}
	free(line);
	return wrong == NULL && tokens->count == 0 ? "there are no tokens"
	                                           : wrong;
}

const char *tokens_read(const char *path, struct tokens *tokens)
{
	FILE *file = fopen(path, "r");
	const char *wrong;

	if (file == NULL)
		return strerror(errno);
	wrong = read_lines(file, tokens);
	fclose(file);
	return wrong;
}

void tokens_release(struct tokens *tokens)
{
	for (uint32_t i = 0; i < tokens->count; i++)
		free(tokens->headers[i]);
	free(tokens->headers);
}

const char *tokens_header(const struct tokens *tokens, uint32_t i)
{
	return tokens->count > 0 ? tokens->headers[i % tokens->count] : "";
}
