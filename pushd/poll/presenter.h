/* Shows deliveries as pages over HTTP/1.1 (PROTOCOL section 6). */
#ifndef LONGROOM_PRESENTER_H
#define LONGROOM_PRESENTER_H

#include "http/answer.h"
#include "hub/delivery.h"

/* Renders it, by way of `scratch`, once for all who get it; an answer that ends its
 * connection is another one. Returns a reference. */
struct answer *present_page(struct delivery *delivery, bool closes,
                            struct buffer *scratch);

#endif
