/* What the fuzz targets share. Each target is one file with one function, which
 * libFuzzer calls with inputs of its own making; it makes claims that must hold
 * for all of them. What a claim compares with is written independently here,
 * from the standards and PROTOCOL, and shares no code with what it checks. */
#ifndef LONGROOM_FUZZ_H
#define LONGROOM_FUZZ_H

#include <json.h>
#include <stdint.h>

#include "base/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert() it cannot be compiled away. */
#define CLAIM(holds)                                                           \
	((holds) ? (void)0 : claim_failed(__FILE__, __LINE__, #holds))

_Noreturn void claim_failed(const char *file, int line, const char *claim);

/* The input as the codecs get bytes: NULL if there are none. */
struct text input_text(const uint8_t *data, size_t size);

/* Cuts the part before the next '\n' (or the end) from *rest. */
struct text cut_line(struct text *rest);

/* The part before the first NUL: all that an environment variable or a
 * program's argument can hold. */
struct text without_nul(struct text text);

/* Parses all of the text, which must be one valid JSON object; caller puts. */
json_object *json_must_parse(struct text text);

/* Borrowed from a member that must exist and be a string. */
struct text json_must_have(json_object *object, const char *name);

/* RFC 3629, by decoding and encoding again. */
bool is_utf8(struct text text);

/* For UTF-8: PROTOCOL's control characters, and its white space at an end. */
bool has_control(struct text text);
bool has_white_end(struct text text);

#endif
