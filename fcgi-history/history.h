/* GET /rooms/{room}/messages and .../{id} (PROTOCOL section 5). */
#ifndef LONGROOM_HISTORY_H
#define LONGROOM_HISTORY_H

#include "service.h"

/* Both leave the answer in request->exchange.response. */
void history_page(struct service *service, struct request *request);
void history_message(struct service *service, struct request *request);

#endif
