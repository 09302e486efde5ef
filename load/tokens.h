/* The clients' tokens: read from a file, one a line, and used in turn. */
#ifndef LONGROOM_LOAD_TOKENS_H
#define LONGROOM_LOAD_TOKENS_H

#include <stdint.h>

enum {
	TOKEN_SIZE_MAX = 8 * 1024,
	TOKEN_HEADER_MAX = TOKEN_SIZE_MAX + 32,
};

/* {0} has none: the clients send no token. */
struct tokens {
	char **headers; /* "Authorization: Bearer TOKEN\r\n"; owned */
	uint32_t count;
};

/* Returns what is wrong; NULL if all is well. tokens_release() in any case. */
const char *tokens_read(const char *path, struct tokens *tokens);
void tokens_release(struct tokens *tokens);

/* Returns the header of client number i; "" without tokens. */
const char *tokens_header(const struct tokens *tokens, uint32_t i);

#endif
