/* Finds out whether a FastCGI request is complete, by its records (FastCGI
 * specification, sections 3.3 and 5). libfcgi parses their content. Pure.
 *
 * Accepts what web servers send: one request a connection, all of its parameters,
 * then all of its body. Records of another request, management records and an abort
 * break the request. */
#ifndef LONGROOM_FASTCGI_SCAN_H
#define LONGROOM_FASTCGI_SCAN_H

#include "base/buffer.h"

struct fastcgi_limits {
	size_t parameters; /* bytes of all parameters; more break the request */
	size_t body;       /* bytes; anything beyond is skipped */
	size_t kept;       /* bytes in all, record headers included */
};

enum fastcgi_state { FASTCGI_MORE, FASTCGI_WHOLE, FASTCGI_BROKEN };

struct fastcgi_scan {
	size_t at;   /* where the next record begins */
	size_t skip; /* bytes that are to be passed over from there */
	size_t parameters, body;
	unsigned id;
	int stage; /* the scan's own */
};

/* Scans the bytes added to *bytes since the last call. Begin with a scan of {0};
 * from the first call to the last, *bytes belongs to the scan. When the request is
 * complete, *bytes has its records. */
enum fastcgi_state fastcgi_scan(struct fastcgi_scan *scan,
                                const struct fastcgi_limits *limits,
                                struct buffer *bytes);

#endif
