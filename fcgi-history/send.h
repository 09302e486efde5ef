/* POST /rooms/{room}/messages (PROTOCOL section 4). */
#ifndef LONGROOM_SEND_H
#define LONGROOM_SEND_H

#include "service.h"

/* Leaves the answer in service->response. */
void send_message(struct service *service, const struct route *route);

#endif
