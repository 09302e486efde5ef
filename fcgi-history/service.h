/* One request after another: reads it, lets send.c or history.c answer, sends
 * the answer. A service belongs to one thread. */
#ifndef LONGROOM_SERVICE_H
#define LONGROOM_SERVICE_H

#include "live_settings.h"
#include "response.h"
#include "route.h"
#include "store.h"
#include "writer.h"

struct service {
	struct live_settings *live;
	const struct settings *settings; /* of this request */
	struct writer *writer; /* NULL in CGI: then the saver is used at once */
	struct saver *saver;   /* CGI only */
	struct store *store;   /* for reading */
	struct gateway *gateway;
	struct response response;
	struct buffer body; /* of the request */
};

/* For worker threads; the service borrows all, settings are those of the start.
 * False: *error says why. */
bool service_init(struct service *service, const struct settings *settings,
                  struct live_settings *live, struct writer *writer,
                  struct buffer *error);

/* For CGI. */
bool service_init_cgi(struct service *service, const struct settings *settings,
                      struct live_settings *live, struct buffer *error);

void service_release(struct service *service);

/* Answers the request that the gateway has. */
void service_answer(struct service *service);

/* For those who answer: make the answer an error. */
void service_refuse(struct service *service, enum problem_type type,
                    const char *detail);
/* The same after the store has failed to read; tells the operator. */
void service_refuse_unread(struct service *service, const struct room_name *room);

#endif
