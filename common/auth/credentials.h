/* The credentials of a request, and their names. nginx passes them to longroom-pushd
 * as HTTP headers and to longroom-history as FastCGI variables.
 *
 * A FastCGI variable made of a client's header always begins with HTTP_, however the
 * client spells it. The variables that nginx sets itself do not, so a client cannot
 * forge them. */
#ifndef LONGROOM_CREDENTIALS_H
#define LONGROOM_CREDENTIALS_H

#include "base/text.h"

struct token_proof;

/* As received. Empty means absent. */
struct credentials {
	struct text user_id, username, sender_type; /* from nginx, as %XX */
	struct text read, write;                    /* ... patterns, spaces */
	struct text authorization, cookie;          /* headers of the client */
	struct text origin, fetch_site, host;       /* the same */
	struct token_proof *proof; /* of its token, by access_prove(); or NULL */
};

enum credential {
	CREDENTIAL_USER_ID,
	CREDENTIAL_USERNAME,
	CREDENTIAL_SENDER_TYPE,
	CREDENTIAL_READ,
	CREDENTIAL_WRITE,
	CREDENTIAL_AUTHORIZATION,
	CREDENTIAL_COOKIE,
	CREDENTIAL_ORIGIN,
	CREDENTIAL_FETCH_SITE,
	CREDENTIAL_HOST,
	CREDENTIALS
};

struct credential_name {
	const char *header;   /* HTTP; in any case */
	const char *variable; /* FastCGI */
};

extern const struct credential_name credential_names[CREDENTIALS];

#endif
