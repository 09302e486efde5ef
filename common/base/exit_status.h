/* What a program exits with, beside EXIT_SUCCESS and EXIT_FAILURE. */
#ifndef LONGROOM_EXIT_STATUS_H
#define LONGROOM_EXIT_STATUS_H

enum {
	EXIT_SETTINGS = 1, /* settings are invalid or can't be read */
	EXIT_USAGE = 2,
};

#endif
