/* The settings as they are now. SIGHUP puts others in their place while threads
 * use them, so a version is immutable and counted: a thread sees the same one to the
 * end of a request. */
#ifndef LONGROOM_LIVE_SETTINGS_H
#define LONGROOM_LIVE_SETTINGS_H

#include "config/settings.h"

struct live_settings;

/* Both take the settings, and leave none there. Returns where they are now, until
 * they are replaced. */
struct live_settings *live_settings_new(struct settings *settings);
const struct settings *live_settings_replace(struct live_settings *live,
                                             struct settings *fresh);

/* When no other reference is left. */
void live_settings_free(struct live_settings *live);

/* A reference to the settings as they are now, until it is dropped. From any
 * thread. */
const struct settings *live_settings_ref(struct live_settings *live);
void live_settings_unref(struct live_settings *live,
                         const struct settings *settings);

#endif
