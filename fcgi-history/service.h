/* One request after another: reads it, lets send.c, history.c or operator.c
 * answer, sends the answer. A service belongs to one thread. */
#ifndef LONGROOM_SERVICE_H
#define LONGROOM_SERVICE_H

#include "live_settings.h"
#include "request.h"
#include "store.h"
#include "writer.h"

/* What all services have in common. */
struct service_shared {
	struct live_settings *live;
	struct access *access;
	struct send_limits *limits; /* NULL in CGI: nobody is there to count */
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

/* Answers the request that the gateway has. False: it was handed to the writer,
 * and is to be finished when it comes back. */
bool service_answer(struct service *service, struct request *request);

/* Finishes a request that was handed to the writer. */
void service_finish(struct service *service, struct request *request);

/* For those who answer: make the answer an error. */
void service_refuse(struct request *request, enum problem_type type,
                    const char *detail);
/* The same after the store has failed to read; tells the operator. */
void service_refuse_unread(struct service *service, struct request *request);

#endif
