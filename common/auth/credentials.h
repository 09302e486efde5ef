/* What a request carries that says who sends it, and what that is called. nginx gives
 * it to longroom-pushd as headers of HTTP and to longroom-history as variables of
 * FastCGI. There what nginx says has names of its own; what a client sends has HTTP_
 * before it, however the client spells it, so that it is never taken for that. */
#ifndef LONGROOM_CREDENTIALS_H
#define LONGROOM_CREDENTIALS_H

#include "base/text.h"

struct token_proof;

/* As they came. Empty is as good as absent. */
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
