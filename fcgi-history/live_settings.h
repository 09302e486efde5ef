/* The current settings. SIGHUP replaces them while threads use them, so each version
 * is immutable and reference-counted: a thread sees the same version until the end
 * of a request. */
#ifndef LONGROOM_LIVE_SETTINGS_H
#define LONGROOM_LIVE_SETTINGS_H

#include "config/settings.h"

struct live_settings;

/* Both take the content of *settings. live_settings_replace() returns the settings
 * at their new place, valid until they are replaced. */
struct live_settings *live_settings_new(struct settings *settings);
const struct settings *live_settings_replace(struct live_settings *live,
                                             struct settings *fresh);

/* Call when no other reference is left. */
void live_settings_free(struct live_settings *live);

/* Returns a reference to the current settings; the caller drops it. From any
 * thread. */
const struct settings *live_settings_ref(struct live_settings *live);
void live_settings_unref(struct live_settings *live,
                         const struct settings *settings);

#endif
