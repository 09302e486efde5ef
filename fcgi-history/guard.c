#include "guard.h"

#include "base/clock.h"
#include "metrics/metrics.h"

static struct text read_credential(struct gateway *g, enum credential which)
{
	return gateway_variable(g, credential_names[which].variable);
}

static void read_identity(struct gateway *g, struct credentials *credentials)
{
	credentials->user_id = read_credential(g, CREDENTIAL_USER_ID);
	credentials->username = read_credential(g, CREDENTIAL_USERNAME);
	credentials->sender_type = read_credential(g, CREDENTIAL_SENDER_TYPE);
	credentials->read = read_credential(g, CREDENTIAL_READ);
	credentials->write = read_credential(g, CREDENTIAL_WRITE);
}

static struct credentials read_credentials(struct gateway *g,
                                           enum auth_mode mode)
{
	struct credentials credentials = {
		.origin = read_credential(g, CREDENTIAL_ORIGIN),
		.fetch_site = read_credential(g, CREDENTIAL_FETCH_SITE),
		.host = read_credential(g, CREDENTIAL_HOST),
	};

	if (mode == AUTH_NGINX) {
		read_identity(g, &credentials);
	} else {
		credentials.authorization =
			read_credential(g, CREDENTIAL_AUTHORIZATION);
		credentials.cookie = read_credential(g, CREDENTIAL_COOKIE);
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

/* By what is known of the token, or by the proof once there is one. */
static struct problem ask(struct service *service, struct request *request,
                          enum access_right right, struct grant *grant)
{
	const struct settings *settings = service->settings;
	struct verification *verification = &request->verification;
	struct moment now = clock_now();
	struct credentials credentials =
		read_credentials(request->exchange.gateway, settings->auth.mode);

	if (verification->is_done) {
		credentials.proof = &verification->proof;
		metrics_add(verification->proof.is_genuine
		            ? METRIC_HISTORY_VERIFIED_GOOD
		            : METRIC_HISTORY_VERIFIED_BAD, 1);
	}
	verification->is_done = false;
	return access_ask(service->shared->access, &settings->auth,
	                  &credentials, &request->route.room, right, &now, grant);
}

static void refuse(struct service *service, struct request *request,
                   struct problem wrong)
{
	access_add_challenge(&service->settings->auth, wrong,
	                     &request->exchange.response.headers);
	response_set_problem(&request->exchange.response, wrong);
}

bool guard_let_in(struct service *service, struct request *request,
                  enum access_right right)
{
	struct grant grant;

	if (service->settings->auth.mode == AUTH_OPEN)
		return true;
	struct problem wrong = ask(service, request, right, &grant);
	if (wrong.type != PROBLEM_NONE) {
		refuse(service, request, wrong);
		return false;
	}
	if (grant.unverified.size > 0) {
		request->verification.token = grant.unverified;
		request->verification.context = request;
		request->is_unverified = true;
		return false;
	}
	keep_sender(request, grant.identity);
	access_give_back(&grant);
	return true;
}

void guard_add_cors(struct service *service, struct request *request)
{
	access_add_cors(&service->settings->auth,
	                read_credential(request->exchange.gateway, CREDENTIAL_ORIGIN),
	                &request->exchange.response.headers);
}

bool guard_answer_preflight(struct service *service, struct request *request,
                            const char *methods)
{
	struct text method = gateway_variable(request->exchange.gateway, "REQUEST_METHOD");
	struct text origin = read_credential(request->exchange.gateway, CREDENTIAL_ORIGIN);

	if (!text_is(method, "OPTIONS") ||
	    !access_is_listed(&service->settings->auth, origin))
		return false;
	access_add_preflight(methods, &request->exchange.response.headers);
	request->exchange.response.status = 204;
	return true;
}
