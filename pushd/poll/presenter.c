#include "poll/presenter.h"

#include "codec/page.h"

static void unref_answer(void *form)
{
	answer_unref(form);
}

static void add_more(struct page *page, const struct present_more *more)
{
	if (more->count == 0)
		return;
	page_separate(page);
	buffer_add_text(page->buffer, more->entries);
	page->count += more->count - 1;
}

void present_json(const struct delivery *delivery, const struct present_more *more,
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
		.gap_rooms = buffer_text(&delivery->gap_rooms),
		.forbidden = buffer_text(&delivery->forbidden),
	};
	struct page page;

	page_begin(&page, body,
	           delivery->is_several ? NULL : &delivery->room);
	page_add_all(&page, buffer_text(&delivery->messages), delivery->count);
	if (more != NULL)
		add_more(&page, more);
	page_end(&page, &end);
}

struct answer *present_with(const struct delivery *delivery,
                            const struct present_more *more, bool closes,
                            struct buffer *scratch)
{
	buffer_clear(scratch);
	present_json(delivery, more, scratch);
	/* A final newline, for reading with curl. */
	buffer_add_string(scratch, "\n");
	return answer_text(200, "application/json", "", buffer_text(scratch), closes);
}

struct answer *present_anew(struct delivery *delivery, enum presenter_form form,
                            struct buffer *scratch)
{
	struct answer *answer =
		present_with(delivery, NULL, form == FORM_CLOSING_PAGE, scratch);

	delivery_keep_form(delivery, form, answer, unref_answer);
	return answer;
}
