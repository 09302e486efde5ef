/* Which arguments of a CGI program are its own. Pure.
 *
 * A web server appends the words of a query without '=' to the command line (RFC
 * 3875 section 4.4), and anyone can send one: none of them is to be taken for an
 * option. */
#ifndef LONGROOM_CGI_ARGUMENTS_H
#define LONGROOM_CGI_ARGUMENTS_H

/* How many of argv, of argc, are left when the query's are taken from its end; argv
 * is as it was. They are found decoded, as they should be, with a backslash before
 * what a shell would heed, as some servers have it, or as they were sent. A server
 * may also pass none of them; then nothing is taken. All from "--" on are the
 * query's, if the query has no such word itself. */
int cgi_own_arguments(const char *query, int argc, char *const *argv);

#endif
