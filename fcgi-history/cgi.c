#include "cgi.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/journal.h"
#include "writer/saver.h"

bool cgi_is_asked(void)
{
	return getenv("GATEWAY_INTERFACE") != NULL ||
	       getenv("REQUEST_METHOD") != NULL;
}

/* PROTOCOL needs no such query: all of its parameters have a '='. */
int cgi_refuse_query(void)
{
	struct response response = {0};

	response_clear(&response);
	response_set_problem(&response,
	                     (struct problem){PROBLEM_BAD_PARAMETER,
	                                      "a query without = must not have --"});
	response_seal(&response, true);
	printf("%.*s%.*s", TEXT_ARGS(buffer_text(&response.head)),
	       TEXT_ARGS(buffer_text(&response.body)));
	response_release(&response);
	return EXIT_SUCCESS;
}

/* A process that lives for one request has no bus: it ends before subscribers could
 * connect. longroom-pushd finds the message in the log. */
static struct saver *saver_without_bus(const struct settings *settings,
                                       struct buffer *error)
{
	struct saver *saver = saver_new(settings, "", error);

	/* Before the first request there is no database to read. */
	if (saver != NULL)
		saver_check(saver);
	return saver;
}

static enum router_next begin_proved(struct router *router, struct request *request)
{
	enum router_next next = router_begin(router, request);
	struct verification *verification = &request->verification;

	if (next != ROUTER_VERIFIES)
		return next;
	access_prove(router->shared->access, verification->token,
	             &verification->proof);
	verification->is_done = true;
	next = router_begin(router, request);
	/* What is neither answered nor refused by now would be completed. */
	assert(next != ROUTER_VERIFIES);
	return next;
}

static void answer_asked(struct router *router, struct saver *saver,
                         struct request *request)
{
	struct exchange *exchange = &request->exchange;
	struct save *save = &request->save;

	gateway_begin_cgi(exchange->gateway);
	enum router_next next = begin_proved(router, request);
	if (next == ROUTER_SAVES)
		saver_save(saver, &save, 1);
	if (next != ROUTER_ANSWERED)
		router_complete(router, request);
	response_send(&exchange->response, exchange->gateway);
	gateway_finish(exchange->gateway);
}

static void answer_one(struct router *router, struct saver *saver)
{
	struct requests *requests = requests_new(1);
	struct request *request = requests_take(requests);

	answer_asked(router, saver, request);
	requests_put_back(requests, request);
	requests_free(requests);
}

int cgi_answer(const struct settings *settings,
               const struct router_shared *shared)
{
	struct buffer error = {0};
	struct saver *saver = NULL;
	struct router router;

	if (router_init(&router, &settings->store, shared, &error))
		saver = saver_without_bus(settings, &error);
	if (saver != NULL)
		answer_one(&router, saver);
	else
		journal_error("%.*s", TEXT_ARGS(buffer_text(&error)));
	saver_free(saver);
	router_release(&router);
	buffer_release(&error);
	return saver != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
