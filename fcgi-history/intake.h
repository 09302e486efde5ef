/* Requests on their way in: bytes are taken as they come, and nothing waits for
 * them. */
#ifndef LONGROOM_INTAKE_H
#define LONGROOM_INTAKE_H

#include "config/settings.h"
#include "request.h"

enum {
	/* The shipped nginx sends 64 KiB at most (nginx.conf). */
	INTAKE_PARAMETERS_MAX = 128 * 1024,
};

/* The longest body that is read; any character of the content may come as
 * \uXXXX. */
int64_t intake_body_limit(const struct settings *settings);

/* Begins with a connection, which is the request's from now on. */
void intake_begin(struct request *request, int connection,
                  const struct settings *settings);

/* Takes what has come, as much as there is of one request. */
enum fastcgi_state intake_read(struct request *request);

/* The same after waiting for the first of it, for at most so long. */
enum fastcgi_state intake_wait(struct request *request, int wait_ms);

/* Gives up a request that is not whole, and closes the connection. */
void intake_abandon(struct request *request);

#endif
