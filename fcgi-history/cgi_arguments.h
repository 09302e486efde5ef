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
 * query's.
 *
 * 0: there is a "--", and the query has such a word itself, so it may be either's.
 * Taken for the query's it would let anybody take off a wrapper's own options before
 * it, by repeating them; taken for the wrapper's, give options. */
int cgi_own_arguments(const char *query, int argc, char *const *argv);

#endif
