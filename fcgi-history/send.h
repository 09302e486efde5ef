/* POST /rooms/{room}/messages (PROTOCOL section 4). */
#ifndef LONGROOM_SEND_H
#define LONGROOM_SEND_H

#include "service.h"

/* Leaves an error in request->exchange.response, or the message to be saved in
 * request->save. */
void send_message(struct service *service, struct request *request);

#endif
