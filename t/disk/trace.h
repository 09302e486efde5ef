/* What faulty_disk.so records of a program's work on a database, and disk.c
 * reads: records one after the other, each followed by `size` bytes. The
 * file is read on the machine that wrote it. */
#ifndef LONGROOM_DISK_TRACE_H
#define LONGROOM_DISK_TRACE_H

#include <stdint.h>

enum trace_kind {
	TRACE_ANSWER, /* bytes: what the program has told its clients; this is
	               * no operation */
	TRACE_OPEN,   /* bytes: the name */
	TRACE_WRITE,  /* bytes: what was written */
	TRACE_TRUNCATE,
	TRACE_SYNC,
	TRACE_UNLINK, /* bytes: the name */
	TRACE_KIND_COUNT
};

enum trace_result {
	TRACE_DONE,
	TRACE_FAILED,
	TRACE_CREATED, /* TRACE_OPEN only: there was no such file */
};

enum { TRACE_FOLDER = 0 }; /* as a file: that of the database */

struct trace_record {
	uint16_t kind, result;
	uint32_t file; /* a number that no two files share; of TRACE_WRITE,
	                * TRACE_TRUNCATE, TRACE_SYNC and TRACE_OPEN */
	uint64_t at;   /* the offset, or the new length */
	uint32_t size;
	uint32_t unused;
};

#endif
