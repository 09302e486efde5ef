/* Whether the settings of [auth] can stand together. */
#ifndef LONGROOM_AUTH_CHECK_H
#define LONGROOM_AUTH_CHECK_H

#include "config/settings.h"

/* False: *error says what is wrong, and on which line. */
bool auth_check(const struct settings *s, struct buffer *error);

/* Checks one setting that is a list of patterns. */
bool auth_check_patterns(const struct settings *s, enum setting_index index,
                         const struct word_list *list, struct buffer *error);

#endif
