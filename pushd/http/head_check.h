/* Finds faults in a request's head that the HTTP parser accepts: a line that begins
 * with white space (a folded header, RFC 9112 section 5.2, or after the first line,
 * section 2.2); white space before a colon (section 5.1); and no Host, more than
 * one, or an invalid one (section 3.2). Two programs that read such a head
 * differently make request smuggling possible. Pure. It is fed the bytes that the
 * parser has taken. */
#ifndef LONGROOM_HEAD_CHECK_H
#define LONGROOM_HEAD_CHECK_H

#include "base/text.h"

/* {0}: no bytes seen yet. */
struct head_check {
	unsigned char part;    /* of the head; see head_check.c */
	unsigned char matched; /* bytes of a name that are those of "host" */
	unsigned char hosts;
	bool has_stray_space;
	bool has_bad_host;
};

void head_check_feed(struct head_check *check, struct text bytes);

/* Whether the first line is complete. */
bool head_check_is_past_first_line(const struct head_check *check);

/* Returns what is wrong with a complete head, for people; NULL: nothing. */
const char *head_check_complaint(const struct head_check *check,
                                 bool host_is_required);

#endif
