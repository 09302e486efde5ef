#include "poll/presenter.h"

#include "codec/page.h"

static void unref_answer(void *form)
{
	answer_unref(form);
}

void present_json(const struct delivery *delivery, struct buffer *body)
{
	const struct page_end end = {
		.cursor = delivery->cursor,
		.earliest = delivery->earliest,
		.more = delivery->more,
		.gap = delivery->gap,
		.reset = delivery->reset,
		.ephemeral = delivery->ephemeral,
		.retry_ms = delivery->retry_ms,
		.gap_rooms = buffer_text(&delivery->gap_rooms),
		.forbidden = buffer_text(&delivery->forbidden),
	};
	struct page page;

	page_begin(&page, body,
	           delivery->is_several ? NULL : &delivery->room);
	page_add_all(&page, buffer_text(&delivery->messages), delivery->count);
	page_end(&page, &end);
}

static struct answer *render_page(const struct delivery *delivery, bool closes,
                                  struct buffer *body)
{
	buffer_clear(body);
	present_json(delivery, body);
	/* A final newline, for reading with curl. */
	buffer_add_string(body, "\n");
	return answer_text(200, "application/json", "", buffer_text(body), closes);
}

struct answer *present_anew(struct delivery *delivery, enum presenter_form form,
                            struct buffer *scratch)
{
	struct answer *answer =
		render_page(delivery, form == FORM_CLOSING_PAGE, scratch);

	delivery_keep_form(delivery, form, answer, unref_answer);
	return answer;
}
