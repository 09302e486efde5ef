/* One request after another: reads it, lets send.c, history.c or operator.c
 * answer. A service belongs to one thread. */
#ifndef LONGROOM_SERVICE_H
#define LONGROOM_SERVICE_H

#include "live_settings.h"
#include "reads.h"
#include "request.h"
#include "store/store.h"
#include "writer/writer.h"

/* What all services have in common. */
struct service_shared {
	struct live_settings *live;
	struct access *access;
	struct send_limits *limits; /* NULL in CGI: nobody is there to count */
	struct reads *reads;        /* the same */
	struct verifications *verifications; /* NULL in CGI: nobody else is there */
	struct writer *writer; /* NULL in CGI: then the saver is used at once */
};

struct service {
	const struct service_shared *shared;
	const struct settings *settings; /* of this request */
	struct saver *saver;   /* CGI only */
	struct store *store;   /* for reading */
};

/* For threads; the service borrows all, settings are those of the start. False:
 * *error says why. */
bool service_init(struct service *service, const struct settings *settings,
                  const struct service_shared *shared, struct buffer *error);

/* For CGI. */
bool service_init_cgi(struct service *service, const struct settings *settings,
                      const struct service_shared *shared,
                      struct buffer *error);

void service_release(struct service *service);

enum service_next {
	SERVICE_ANSWERED, /* it has its answer */
	SERVICE_VERIFIES, /* its verification is to be done, then it begins anew */
	SERVICE_READS,    /* it is admitted (reads.h), for service_read() */
	SERVICE_SAVES,    /* it was handed to the writer, for service_finish() */
};

/* Begins with the request that the gateway has: says whether it may be, and answers
 * it unless that takes a read or a save. */
enum service_next service_begin(struct service *service, struct request *request);

/* After SERVICE_VERIFIES, if it can't wait for that: it has its answer. */
void service_cannot_verify(struct request *request);

void service_read(struct service *service, struct request *request);

/* Its save has its outcome. */
void service_finish(struct service *service, struct request *request);

/* All of it, as CGI. */
void service_answer(struct service *service, struct request *request);

/* For those who answer: make the answer an error. */
void service_refuse(struct request *request, enum problem_type type,
                    const char *detail);
/* The same after the store has failed to read; tells the operator. */
void service_refuse_unread(struct service *service, struct request *request);

#endif
