#include "poll/presenter.h"

#include "codec/page.h"

static void unref_answer(void *form)
{
	answer_unref(form);
}

static const struct delivery_presenter staying = {unref_answer};
static const struct delivery_presenter closing = {unref_answer};

static struct answer *render_page(const struct delivery *delivery, bool closes,
                                  struct buffer *body)
{
	const struct page_end end = {
		.cursor = delivery->cursor,
		.earliest = delivery->earliest,
		.more = delivery->more,
		.gap = delivery->gap,
		.reset = delivery->reset,
		.ephemeral = delivery->ephemeral,
		.retry_ms = delivery->retry_ms,
	};
	struct page page;

	buffer_clear(body);
	page_begin(&page, body, &delivery->room);
	page_add_all(&page, buffer_text(&delivery->messages), delivery->count);
	page_end(&page, &end);
	/* For those who read with curl. */
	buffer_add_string(body, "\n");
	return answer_text(200, "application/json", "", buffer_text(body), closes);
}

struct answer *present_page(struct delivery *delivery, bool closes,
                            struct buffer *scratch)
{
	const struct delivery_presenter *presenter = closes ? &closing : &staying;
	struct answer *answer = delivery_form(delivery, presenter);

	if (answer == NULL) {
		answer = render_page(delivery, closes, scratch);
		delivery_keep_form(delivery, presenter, answer);
	}
	return answer_ref(answer);
}
