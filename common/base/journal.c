#include "base/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

enum { LINE_MAX_BYTES = 1536 }; /* the path of a database is in one twice */

static const char *program_name = "longroom";

void journal_name(const char *program)
{
	program_name = program;
}

static size_t clip(int written, size_t room)
{
	if (written < 0)
		return 0;
	return (size_t)written < room ? (size_t)written : room - 1;
}

static void write_line(const char *level, const char *format, va_list arguments)
{
	int kept_errno = errno;
	char line[LINE_MAX_BYTES];
	char now[CLOCK_TEXT_SIZE];
	size_t size;

	clock_text(clock_wall_ms(), now);
	size = clip(snprintf(line, sizeof line, "%s %s[%ld]: %s: ", now,
	                     program_name, (long)getpid(), level),
	            sizeof line);
	size += clip(vsnprintf(line + size, sizeof line - size, format, arguments),
	             sizeof line - size);
	size = utf8_flatten(line, size);
	line[size++] = '\n';
	/* If this fails there is nowhere left to report it. */
	ssize_t ignored = write(STDERR_FILENO, line, size);
	(void)ignored;
	errno = kept_errno;
}

void journal_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line("info", format, arguments);
	va_end(arguments);
}

void journal_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line("warning", format, arguments);
	va_end(arguments);
}

void journal_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line("error", format, arguments);
	va_end(arguments);
}
