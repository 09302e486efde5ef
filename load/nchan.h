/* How to talk to nchan, nginx's push module, which Longroom is measured beside.
 * Pure.
 *
 * Its subscribers are long-polls as well, but a place in a channel is told by
 * the headers Last-Modified and Etag, and nothing is stored for it to number.
 * So the messages that go through it are made here, in Longroom's shape, with
 * the message's number in the run for an id; an answer's body is one of them, or
 * several with line ends between (nchan_longpoll_multipart_response raw).
 *
 * The paths are Longroom's: the nginx in question maps them to a publisher and
 * a subscriber. A first poll, without a place, must be answered at once: the
 * subscriber starts at a channel's last message, and one must be there. */
#ifndef LONGROOM_LOAD_NCHAN_H
#define LONGROOM_LOAD_NCHAN_H

#include "answer.h"
#include "page.h"
#include "target.h"

enum {
	NCHAN_PLACE_SIZE = 64, /* with the NUL */
	XX
};

/* Writes a poll and returns its size. place: of the last answer; empty: none. */
size_t nchan_write_poll(const struct target *target, const char *room,
                        const char *place, char *request);

/* Fills the page, but for its room. page->cursor is the place, which stands in
 * `place`. False: this is no answer to a poll. */
bool nchan_read(const struct answer *answer, struct page *page, char *place);

/* Writes what is to be published and returns its size. */
size_t nchan_write_message(const char *room, int64_t id, uint32_t sender,
                           const char *content, char *body);

#endif
