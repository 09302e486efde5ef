/* The one request of a CGI process (RFC 3875). */
#ifndef LONGROOM_CGI_H
#define LONGROOM_CGI_H

#include "router.h"

/* Whether a web server started this process, for a request. */
bool cgi_is_asked(void);

/* Answer it, and return the exit status. The second, to a query that may be meant for
 * options (cgi_arguments.h). */
int cgi_answer(const struct settings *settings,
               const struct router_shared *shared);
int cgi_refuse_query(void);

#endif
