/* What a program exits with, beside EXIT_SUCCESS and EXIT_FAILURE. */
#ifndef LONGROOM_EXIT_STATUS_H
#define LONGROOM_EXIT_STATUS_H

enum {
	EXIT_SETTINGS = 1, /* settings that are wrong, or can't be had */
	EXIT_USAGE = 2,
};

#endif
