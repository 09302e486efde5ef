/* The file beside a database that says on which addresses its writers publish: the
 * database's name with "-writers" behind it.
 *
 * It has WRITERS_MAX slots of SLOT_BYTES, each with an address, filled up with zeros.
 * A writer locks the first byte of a free slot, writes its address there, and then
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

/* Visits the addresses of other processes that write to this database now. If own is
 * not NULL, others see it from now on, until the file is freed. Nothing is told of
 * a file that can't be had: a warning is then missing, and that is all. */
void writers_file_look(struct writers_file *file, const char *database,
                       const char *own, writers_file_visit *visit, void *context);

#endif
