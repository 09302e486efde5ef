/* Talks to nchan, nginx's push module, which Longroom is compared with. Pure.
 *
 * nchan's subscribers are long-polls too, but a position in a channel is given by
 * the headers Last-Modified and Etag, and nchan assigns no ids. So the messages are
 * made here, in Longroom's form, with the message's number in the run as its id. The
 * body of an answer is one message, or several separated by line ends
 * (nchan_longpoll_multipart_response raw). Its streams are Server-Sent Events as
 * Longroom's are, without names; they begin with a comment.
 *
 * The paths are Longroom's; nginx maps them to a publisher and a subscriber. The
 * first poll, without a position, must be answered at once: the subscriber starts at
 * the channel's last message, so there must be one. */
#ifndef LONGROOM_LOAD_NCHAN_H
#define LONGROOM_LOAD_NCHAN_H

#include "answer.h"
#include "page.h"
#include "target.h"

enum {
	NCHAN_PLACE_SIZE = 64, /* with the NUL */
	XX
};

/* Writes a poll and returns its size. place: the position from the last answer;
 * empty: none. */
size_t nchan_write_poll(const struct target *target, const char *room,
                        const char *place, char *request);

/* Fills the page except for its room. page->cursor is the position, stored in
 * `place`. False: this is not an answer to a poll. */
bool nchan_read(const struct answer *answer, struct page *page, char *place);

/* Writes the message to publish and returns its size. line_end: polls need it to
 * tell messages apart; streams would get it as an empty line of data. */
size_t nchan_write_message(const char *room, int64_t id, uint32_t sender,
                           const char *content, bool line_end, char *body);

#endif
