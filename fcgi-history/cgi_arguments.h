/* Separates a CGI program's own arguments from those of the query. Pure.
 *
 * A web server appends the words of a query without '=' to the command line (RFC
 * 3875 section 4.4). Any client can send such a query, so its words must not be
 * taken for options. */
#ifndef LONGROOM_CGI_ARGUMENTS_H
#define LONGROOM_CGI_ARGUMENTS_H

/* Returns how many of argc arguments are left without the query's words, which are
 * at the end of argv. Does not change argv. The words may be decoded, as the RFC
 * says; or have a backslash before characters special to a shell, as from some
 * servers; or be as sent; or be missing, if the server passes none. All words after
 * "--" are the query's.
 *
 * Returns 0 if the arguments have a "--" and so has the query: then it is not known
 * whose it is. If it were taken for the query's, a client could remove the options
 * of a wrapper script by repeating them. If it were taken for the wrapper's, a
 * client could add options. */
int cgi_own_arguments(const char *query, int argc, char *const *argv);

#endif
