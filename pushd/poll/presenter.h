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

/* Entries that come behind the messages of a page. */
struct present_more {
	struct text entries; /* with commas between */
	int64_t count;
};

/* Adds the page's JSON. NULL: nothing more. */
void present_json(const struct delivery *delivery, const struct present_more *more,
                  struct buffer *body);

/* Renders a page, using `scratch`. The caller drops its reference. */
struct answer *present_with(const struct delivery *delivery,
                            const struct present_more *more, bool closes,
                            struct buffer *scratch);

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
