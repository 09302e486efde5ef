/* A strict JSON (RFC 8259) pull reader: reads a text once, front to back. Pure.
 *
 * No tree is built. The caller takes one token after another and may stop at the
 * first that it can't use; the rest is then never read. Only strings need memory,
 * which the caller provides.
 *
 * The caller chooses whether an object may repeat a member. RFC 8259 (section 4)
 * allows it, but readers differ in which value they take. So use the strict choice
 * for texts that are signed or passed on. */
#ifndef LONGROOM_JSON_READER_H
#define LONGROOM_JSON_READER_H

#include "codec/json_names.h"

enum json_token {
	JSON_FAULT, /* final: fault says which */
	JSON_END,   /* the end of a complete text; final */
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

/* Begins to read a text, which may be any bytes. Borrows it until the end. */
void json_reader_init(struct json_reader *reader, struct text text);

/* The same, but a repeated member is a fault. Names are compared after decoding
 * their escapes. Empties *names, and uses it until the end. */
void json_reader_init_strict(struct json_reader *reader, struct text text,
                             struct json_names *names);

/* Reads the next token. For a name or a string, *string is replaced by its
 * characters in UTF-8, with U+FFFD for an unpaired surrogate. After JSON_TWICE it is
 * the name. After other tokens and faults its content is unspecified. */
enum json_token json_next(struct json_reader *reader, struct buffer *string);

/* The size of the escape at the beginning of a text, which is part of a string that
 * was read: 2, 6, or 12 for two that are one character. */
size_t json_escape_size(struct text text, bool *is_unpaired_surrogate);

#endif
