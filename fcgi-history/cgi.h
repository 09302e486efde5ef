/* The one request of a CGI process (RFC 3875). */
#ifndef LONGROOM_CGI_H
#define LONGROOM_CGI_H

#include "router.h"

/* Whether a web server started this process to answer a request. */
bool cgi_is_asked(void);

/* Answer the request, and return the exit status. The second refuses a query that
 * cannot be told from options (cgi_arguments.h). */
int cgi_answer(const struct settings *settings,
               const struct router_shared *shared);
int cgi_refuse_query(void);

#endif
