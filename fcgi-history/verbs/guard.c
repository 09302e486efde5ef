#include "verbs/guard.h"

#include "base/clock.h"
#include "metrics/metrics.h"

static struct text read_credential(struct request *request,
                                   enum credential which)
{
	return request_variable(request, credential_names[which].variable);
}

static void read_identity(struct request *request, struct credentials *credentials)
{
	credentials->user_id = read_credential(request, CREDENTIAL_USER_ID);
	credentials->username = read_credential(request, CREDENTIAL_USERNAME);
	credentials->sender_type = read_credential(request, CREDENTIAL_SENDER_TYPE);
	credentials->read = read_credential(request, CREDENTIAL_READ);
	credentials->write = read_credential(request, CREDENTIAL_WRITE);
}

static struct credentials read_credentials(struct request *request,
                                           enum auth_mode mode)
{
	struct credentials credentials = {
		.origin = read_credential(request, CREDENTIAL_ORIGIN),
		.fetch_site = read_credential(request, CREDENTIAL_FETCH_SITE),
		.host = read_credential(request, CREDENTIAL_HOST),
	};

	if (mode == AUTH_NGINX) {
		read_identity(request, &credentials);
	} else {
		credentials.authorization =
			read_credential(request, CREDENTIAL_AUTHORIZATION);
		credentials.cookie = read_credential(request, CREDENTIAL_COOKIE);
	}
	return credentials;
}

static void keep_sender(struct request *request, const struct identity *identity)
{
	struct sender *sender = &request->sender;

	if (!identity->is_known)
		return;
	sender->is_known = true;
	buffer_add_string(&sender->id, identity->user_id);
	buffer_add_string(&sender->name, identity->username);
	buffer_add_string(&sender->type, identity->sender_type);
}

/* By the token cache, or by the proof once the token is verified. */
static struct problem ask(struct access *access,
                          const struct auth_settings *settings,
                          struct request *request, enum access_right right,
                          struct grant *grant)
{
	struct verification *verification = &request->verification;
	struct moment now = clock_now();
	struct credentials credentials =
		read_credentials(request, settings->mode);

	if (verification->is_done) {
		credentials.proof = &verification->proof;
		metrics_add(verification->proof.is_genuine
		            ? METRIC_HISTORY_VERIFIED_GOOD
		            : METRIC_HISTORY_VERIFIED_BAD, 1);
	}
	verification->is_done = false;
	return access_ask(access, settings, &credentials, &request->route.room,
	                  right, &now, grant);
}

static void guard_refuse(const struct auth_settings *settings,
                         struct request *request, struct problem wrong)
{
	access_add_challenge(settings, wrong, &request->exchange.response.headers);
	response_set_problem(&request->exchange.response, wrong);
}

enum guard_verdict guard_ask(struct access *access,
                             const struct auth_settings *settings,
                             struct request *request, enum access_right right)
{
	struct grant grant;

	if (settings->mode == AUTH_OPEN)
		return GUARD_ALLOWED;
	struct problem wrong = ask(access, settings, request, right, &grant);
	if (wrong.type != PROBLEM_NONE) {
		guard_refuse(settings, request, wrong);
		return GUARD_REFUSED;
	}
	if (grant.unverified.size > 0) {
		request->verification.token = grant.unverified;
		return GUARD_UNVERIFIED;
	}
	keep_sender(request, grant.identity);
	access_release_grant(&grant);
	return GUARD_ALLOWED;
}

void guard_add_cors(const struct auth_settings *settings,
                    struct request *request)
{
	access_add_cors(settings, read_credential(request, CREDENTIAL_ORIGIN),
	                &request->exchange.response.headers);
}

bool guard_answer_preflight(const struct auth_settings *settings,
                            struct request *request, const char *methods)
{
	struct response *response = &request->exchange.response;

	if (request->method != METHOD_OPTIONS ||
	    !access_is_listed(settings,
	                      read_credential(request, CREDENTIAL_ORIGIN)))
		return false;
	access_add_preflight(methods, &response->headers);
	response->status = 204;
	return true;
}
