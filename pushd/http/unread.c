#include "http/unread.h"

void unread_init(struct unread *unread)
{
	list_init(&unread->readers);
	unread->bytes = 0;
}

void unread_reader_init(struct unread_reader *reader)
{
	list_init(&reader->link);
	reader->answer = NULL;
}

void unread_begin(struct unread *unread, struct unread_reader *reader,
                  struct answer *answer)
{
	reader->answer = answer;
	list_append(&unread->readers, &reader->link);
	if (answer->readers++ == 0)
		unread->bytes += (int64_t)answer->size;
}

void unread_go_on(struct unread *unread, struct unread_reader *reader)
{
	list_append(&unread->readers, &reader->link);
}

void unread_end(struct unread *unread, struct unread_reader *reader)
{
	struct answer *answer = reader->answer;

	if (answer == NULL)
		return;
	list_remove(&reader->link);
	reader->answer = NULL;
	if (--answer->readers == 0)
		unread->bytes -= (int64_t)answer->size;
}

struct unread_reader *unread_slowest(const struct unread *unread)
{
	if (list_is_empty(&unread->readers))
		return NULL;
	return LIST_OWNER(unread->readers.next, struct unread_reader, link);
}
