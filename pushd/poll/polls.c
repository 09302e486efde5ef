#include "poll/polls.h"

#include <stdlib.h>

#include "auth/access.h"
#include "base/memory.h"

/* Answers are shared, so what depends on a page's origin is rendered once. */
static void render_headers(struct polls *polls)
{
	const struct word_list *origins = &polls->settings->auth.origins;

	polls->headers = memory_get((origins->count + 1) * sizeof *polls->headers);
	for (size_t i = 0; i <= origins->count; i++) {
		struct buffer b = {0};

		access_add_cors(&polls->settings->auth,
		                text_of(i > 0 ? origins->words[i - 1] : ""), &b);
		polls->headers[i] = buffer_text(&b);
	}
}

static void free_headers(struct polls *polls)
{
	size_t count = polls->settings->auth.origins.count + 1;

	for (size_t i = 0; i < count; i++)
		free((char *)polls->headers[i].data);
	free(polls->headers);
}

void polls_init(struct polls *polls, const struct settings *settings,
                struct hub *hub, struct access *access, struct server *server,
                struct ev_loop *loop, verifier_done *verified)
{
	*polls = (struct polls){.settings = settings,
	                        .hub = hub,
	                        .access = access,
	                        .server = server};
	users_init(&polls->users);
	list_init(&polls->questions);
	render_headers(polls);
	if (settings->auth.mode == AUTH_TOKEN)
		polls->verifier = verifier_start(loop, access, verified);
}

void polls_release(struct polls *polls)
{
	verifier_stop(polls->verifier);
	request_memo_forget(&polls->memo, polls->hub, &polls->users);
	presence_free(polls->presence);
	users_release(&polls->users);
	buffer_release(&polls->scratch);
	free_headers(polls);
}

void polls_change_settings(struct polls *polls, struct keyring *keyring)
{
	access_use_keys(polls->access, &polls->settings->auth, keyring);
	/* The request may be longer than is allowed now, and its rights must be
	 * checked again. */
	request_memo_forget(&polls->memo, polls->hub, &polls->users);
}

const struct text *polls_headers(const struct polls *polls, struct text origin)
{
	const struct word_list *origins = &polls->settings->auth.origins;

	for (size_t i = 0; i < origins->count; i++)
		if (text_is(origin, origins->words[i]))
			return &polls->headers[i + 1];
	return &polls->headers[0];
}
