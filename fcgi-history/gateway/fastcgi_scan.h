/* Whether all of a FastCGI request has come: which records there are, and where
 * they end (FastCGI specification, sections 3.3 and 5). What is in them is for
 * libfcgi. Pure.
 *
 * Taken is what a web server sends: one request a connection, its parameters, then
 * its body, each to its end. Records of another request or of none (management),
 * and an abort, break it. */
#ifndef LONGROOM_FASTCGI_SCAN_H
#define LONGROOM_FASTCGI_SCAN_H

#include "base/buffer.h"

struct fastcgi_limits {
	size_t parameters; /* bytes of them all, and more than these break it */
	size_t body;       /* bytes; what comes beyond is passed over */
	size_t kept;       /* of all, with what the records take themselves */
};

enum fastcgi_state { FASTCGI_MORE, FASTCGI_WHOLE, FASTCGI_BROKEN };

struct fastcgi_scan {
	size_t at;   /* where the next record begins */
	size_t skip; /* bytes that are to be passed over from there */
	size_t parameters, body;
	unsigned id;
	int stage; /* the scan's own */
};

/* Looks at what has been added to *bytes, which belong to the scan from its first
 * call on, {0}, to its last. When the request is whole *bytes are its records. */
enum fastcgi_state fastcgi_scan(struct fastcgi_scan *scan,
                                const struct fastcgi_limits *limits,
                                struct buffer *bytes);

#endif
