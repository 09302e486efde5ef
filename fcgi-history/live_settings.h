/* The settings as they are now. SIGHUP puts others in their place while threads
 * use them, so a version is immutable and counted: whoever holds one sees the
 * same to the end of a request. */
#ifndef LONGROOM_LIVE_SETTINGS_H
#define LONGROOM_LIVE_SETTINGS_H

#include "config/settings.h"

struct live_settings;

/* Both take the settings, and leave none there. Returns where they are now, until
 * they are replaced. */
struct live_settings *live_settings_new(struct settings *settings);
const struct settings *live_settings_replace(struct live_settings *live,
                                             struct settings *fresh);

/* When nobody holds any. */
void live_settings_free(struct live_settings *live);

/* Borrowed until they are released. From any thread. */
const struct settings *live_settings_hold(struct live_settings *live);
void live_settings_release(struct live_settings *live,
                           const struct settings *held);

#endif
