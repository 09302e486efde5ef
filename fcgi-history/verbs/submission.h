/* Reads and checks the body of a POST. Pure. */
#ifndef LONGROOM_SUBMISSION_H
#define LONGROOM_SUBMISSION_H

#include "codec/message.h"
#include "codec/problem.h"

enum submission_field {
	SUBMISSION_CONTENT,
	SUBMISSION_CLIENT_ID,
	SUBMISSION_USER_ID,
	SUBMISSION_USERNAME,
	SUBMISSION_SENDER_TYPE,
	SUBMISSION_TYPE,
	SUBMISSION_REPLY_TO,
	SUBMISSION_STORE,
	SUBMISSION_DATA,
	SUBMISSION_FIELDS
};

/* The result. The content is trimmed; it may be empty if there is data or a type.
 * user_id, username and sender_type are never empty. given[SUBMISSION_CLIENT_ID] says
 * whether there is a client_id. The type is empty for chat_message. The data is as in
 * message_data.h. */
struct submission {
	struct buffer fields[SUBMISSION_FIELDS];
	bool given[SUBMISSION_FIELDS];
	int64_t reply_to; /* 0: none */
	bool is_signal;   /* "store":false */
	struct buffer detail; /* of a problem, which borrows it */
};

struct submission_source {
	struct text content_type;    /* the header */
	struct text idempotency_key; /* the header; data is NULL: none */
	struct text body;
	size_t content_limit, data_limit; /* bytes */
};

/* Fills an empty submission, which the caller releases in any case. The
 * problem is PROBLEM_NONE if all is well. */
struct problem submission_read(const struct submission_source *source,
                               struct submission *submission);
void submission_release(struct submission *submission);

/* Checks the Content-Type alone, before the body is read. */
struct problem submission_check_type(struct text content_type);

#endif
