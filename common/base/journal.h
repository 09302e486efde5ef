/* What the operator reads: one line an event, on standard error.
 *
 * Where a line goes from there (a file, the systemd journal) is the service
 * manager's business. A line is written with one write(2), so lines of several
 * threads never mix. What is not plain text in arguments comes out as '?'
 * (utf8_flatten()), so that nobody can forge a line. errno is kept.
 *
 *     2026-11-22T06:02:00.123Z longroom-history[812]: info: ...
 */
#ifndef LONGROOM_JOURNAL_H
#define LONGROOM_JOURNAL_H

/* Borrows the name for the life of the process. */
void journal_name(const char *program);

#if defined(__GNUC__)
#define JOURNAL_PRINTF __attribute__((format(printf, 1, 2)))
#else
#define JOURNAL_PRINTF
#endif

void journal_info(const char *format, ...) JOURNAL_PRINTF;
void journal_warning(const char *format, ...) JOURNAL_PRINTF;
void journal_error(const char *format, ...) JOURNAL_PRINTF;

#endif
