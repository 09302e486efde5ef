/* The file beside a database that lists the bus addresses of its writers: the
 * database's name followed by "-writers".
 *
 * It has WRITERS_MAX slots of SLOT_BYTES, each with an address, padded with zeros. A
 * writer locks the first byte of a free slot, writes its address there, and then
 * locks the second: a slot counts while its second byte is locked. These locks end
 * with the process, so a writer that was killed leaves nothing that counts. */
#ifndef LONGROOM_WRITERS_FILE_H
#define LONGROOM_WRITERS_FILE_H

/* More writers than that are not seen. */
enum { WRITERS_MAX = 16 };

struct writers_file;

/* Opens nothing yet. */
struct writers_file *writers_file_new(void);
void writers_file_free(struct writers_file *file);

typedef void writers_file_visit(void *context, const char *address);

/* Visits the addresses of the other processes that write to this database now. If
 * `own` is not NULL, others see it from now on, until the file is freed. A file that
 * can't be opened is not reported: only a warning is lost. */
void writers_file_look(struct writers_file *file, const char *database,
                       const char *own, writers_file_visit *visit, void *context);

#endif
