/* The operator's log: one line an event, on standard error. The service manager
 * decides where lines go from there.
 *
 * A line is written with one write(2), so lines of several threads never mix. Bytes
 * of the arguments that are not plain text become '?' (utf8_flatten()), so a client
 * cannot forge a line. errno is kept.
 *
 *     2026-11-22T06:02:00.123Z longroom-history[812]: info: ... */
#ifndef LONGROOM_JOURNAL_H
#define LONGROOM_JOURNAL_H

/* Sets the program's name; borrows it for the life of the process. */
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
