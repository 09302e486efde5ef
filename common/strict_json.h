/* JSON that can be read in one way only, for what is signed. Pure.
 *
 * It is RFC 8259 to the letter, where json-c is more lenient, and beyond it: an
 * object at the top, in UTF-8, nested no deeper than 32, no member given twice
 * in an object, no character U+0000, escaped or not. */
#ifndef LONGROOM_STRICT_JSON_H
#define LONGROOM_STRICT_JSON_H

#include <json.h>

#include "text.h"

/* NULL if it is not like this. Returns an object, caller puts. */
json_object *strict_json_parse(struct text text);

#endif
