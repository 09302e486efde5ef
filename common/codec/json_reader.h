/* JSON as RFC 8259 has it, to the letter, read once from front to back (a pull
 * reader). Pure.
 *
 * Nothing is built: the caller sees one token after the other and stops at the
 * first that it can't use, so that what is behind it costs nothing. Memory is
 * needed only for strings, and is the caller's.
 *
 * Whether an object may have a member twice is the caller's choice. RFC 8259
 * (section 4) leaves it open, and readers differ in which of the two they take, so
 * what is signed, or handed on, has each once. */
#ifndef LONGROOM_JSON_READER_H
#define LONGROOM_JSON_READER_H

#include "codec/json_names.h"

enum json_token {
	JSON_FAULT, /* for good: fault says which */
	JSON_END,   /* of a whole text, for good */
	JSON_OBJECT_BEGIN,
	JSON_OBJECT_END,
	JSON_ARRAY_BEGIN,
	JSON_ARRAY_END,
	JSON_NAME, /* of a member, with the colon behind it; its value is next */
	JSON_STRING,
	JSON_NUMBER, /* as it was written, in the reader's number */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

enum json_fault {
	JSON_FINE,
	JSON_SYNTAX,   /* it is no JSON text */
	JSON_TOO_DEEP, /* or may be one, but not for us */
	JSON_NOT_UTF8, /* a string has bytes that are none (utf8.h) */
	JSON_NUL,      /* a string has \u0000 */
	JSON_TWICE,    /* an object has a member of the same name already */
};

struct json_reader {
	struct text rest;   /* what was not read yet */
	struct text number; /* borrowed from the text */
	enum json_fault fault;
	int expected;     /* what may be next; the reader's own */
	int depth;        /* objects and arrays that are open */
	uint32_t objects; /* bit by bit, which of them are objects */
	struct json_names *names; /* borrowed; NULL: members may come again */
};

/* The text may be any bytes, and stays while it is read. */
void json_reader_init(struct json_reader *reader, struct text text);

/* The same for a text whose objects have each member once: another is a fault. Names
 * are compared without their escapes. *names is emptied, and used until the end. */
void json_reader_init_strict(struct json_reader *reader, struct text text,
                             struct json_names *names);

/* The next token. The characters of a name or a string replace what *string has,
 * in UTF-8, where an unpaired surrogate is U+FFFD; of other tokens, and of a
 * fault, its content has no meaning. */
enum json_token json_next(struct json_reader *reader, struct buffer *string);

#endif
