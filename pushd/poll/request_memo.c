#define _GNU_SOURCE 1 /* memmem */
#include "poll/request_memo.h"

/* Spelled as nginx does; with another spelling the token's place is not remembered.
 * At the beginning of a line this can only be the header, and there is only one, or
 * the request would have been refused. */
static void memo_find_token(struct request_memo *memo, struct text credential)
{
	static const char name[] = "\r\nAuthorization: ", scheme[] = "Bearer ";
	const char *end = memo->bytes + memo->size;
	const char *at = memmem(memo->bytes, memo->size, name, sizeof name - 1);

	if (at == NULL || credential.size < sizeof scheme)
		return;
	at += sizeof name - 1;
	if (memcmp(credential.data, scheme, sizeof scheme - 1) != 0 ||
	    credential.size > (size_t)(end - at) ||
	    memcmp(at, credential.data, credential.size) != 0)
		return;
	memo->token_at = (size_t)(at - memo->bytes) + sizeof scheme - 1;
	memo->token_size = credential.size - (sizeof scheme - 1);
}

static void hold_pass(struct hub *hub, const struct pass *pass)
{
	hub_hold_again(hub, pass->feed);
	if (pass->user != NULL)
		pass->user->refcount++;
	if (pass->attendance != NULL)
		attendance_hold(pass->attendance);
}

void request_memo_keep(struct request_memo *memo, struct hub *hub,
                       struct users *users, struct text bytes,
                       const struct poll_terms *terms, const struct pass *pass,
                       struct text credential)
{
	if (bytes.size == 0 || bytes.size > sizeof memo->bytes)
		return;
	request_memo_forget(memo, hub, users);
	memcpy(memo->bytes, bytes.data, bytes.size);
	memo->size = bytes.size;
	memo->terms = *terms;
	memo->pass = *pass;
	hold_pass(hub, pass);
	memo_find_token(memo, credential);
}
