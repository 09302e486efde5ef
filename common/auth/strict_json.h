/* JSON that can be read in one way only, for what is signed. Pure.
 *
 * It is what json_reader.h takes, RFC 8259 to the letter, where json-c is more
 * lenient; and an object at the top, in UTF-8, no member given twice in an object. */
#ifndef LONGROOM_STRICT_JSON_H
#define LONGROOM_STRICT_JSON_H

#include <json.h>

#include "base/text.h"

/* NULL if it is not like this. Returns an object, caller puts. */
json_object *strict_json_parse(struct text text);

#endif
