/* Reads the header Content-Type (RFC 9110 section 8.3.1). Pure. */
#ifndef LONGROOM_MEDIA_TYPE_H
#define LONGROOM_MEDIA_TYPE_H

#include "base/text.h"

/* What a POST may be. MEDIA_OTHER is everything else, and these in another charset than
 * UTF-8. */
enum media { MEDIA_JSON, MEDIA_FORM, MEDIA_TEXT, MEDIA_OTHER };

enum media media_type_read(struct text header);

/* The value of a header without the double quotes around it, if it has them. */
struct text header_without_quotes(struct text text);

#endif
