/* Shows deliveries as pages over HTTP/1.1 (PROTOCOL section 6). */
#ifndef LONGROOM_PRESENTER_H
#define LONGROOM_PRESENTER_H

#include "http/answer.h"
#include "hub/delivery.h"

/* The kinds of forms. */
enum presenter_form {
	FORM_PAGE,
	FORM_CLOSING_PAGE, /* an answer that ends its connection */
	FORM_EVENTS,       /* a chunk of events (events.h) */
};

/* Adds the page's JSON. */
void present_json(const struct delivery *delivery, struct buffer *body);

/* Renders a form that the delivery does not have yet, using `scratch`. */
struct answer *present_anew(struct delivery *delivery, enum presenter_form form,
                            struct buffer *scratch);

/* Returns the answer for a delivery. The delivery keeps it, so all clients share it.
 * Borrowed. */
static inline struct answer *present_page(struct delivery *delivery, bool closes,
                                          struct buffer *scratch)
{
	enum presenter_form form = closes ? FORM_CLOSING_PAGE : FORM_PAGE;
	struct answer *answer = delivery_form(delivery, form);

	return answer != NULL ? answer : present_anew(delivery, form, scratch);
}

#endif
