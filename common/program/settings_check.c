#include "program/settings_check.h"

#include "auth/auth_check.h"
#include "program/listening.h"
#include "store/store.h"

static bool check_store(const struct settings *s, struct buffer *error)
{
	struct buffer why = {0};
	bool good = store_check_url(s->store.url, &why);

	if (!good) {
		settings_blame(s, SETTING_store_url, error);
		buffer_add_text(error, buffer_text(&why));
	}
	buffer_release(&why);
	return good;
}

static bool check_bus(const struct settings *s, enum setting_index index,
                      const char *address, struct buffer *error)
{
	if (strncmp(address, "ipc:///", 7) == 0 ||
	    strncmp(address, "tcp://", 6) == 0)
		return true;
	settings_blame(s, index, error);
	buffer_printf(error, "'%s': write ipc:///path or tcp://host:port", address);
	return false;
}

/* Only one of the programs could bind it; this says so before they start. */
static bool check_own_bus(const struct settings *s, struct buffer *error)
{
	if (strcmp(s->push.publish, s->bus.publish) != 0)
		return true;
	settings_blame(s, SETTING_push_publish, error);
	buffer_printf(error, "'%s' is bus.publish too: longroom-pushd needs an "
	                     "address of its own", s->push.publish);
	return false;
}

static bool check_buses(const struct settings *s, struct buffer *error)
{
	if (s->bus.publish[0] != '\0' &&
	    !check_bus(s, SETTING_bus_publish, s->bus.publish, error))
		return false;
	if (s->push.publish[0] != '\0' &&
	    (!check_bus(s, SETTING_push_publish, s->push.publish, error) ||
	     !check_own_bus(s, error)))
		return false;
	for (size_t i = 0; i < s->bus.subscribe.count; i++)
		if (!check_bus(s, SETTING_bus_subscribe,
		               s->bus.subscribe.words[i], error))
			return false;
	return true;
}

static bool check_listeners(const struct settings *s, struct buffer *error)
{
	if (!listening_check(s, SETTING_history_listen, s->history.listen, error))
		return false;
	for (size_t i = 0; i < s->push.listen.count; i++)
		if (!listening_check(s, SETTING_push_listen,
		                     s->push.listen.words[i], error))
			return false;
	if (s->push.listen.count > 0)
		return true;
	settings_blame(s, SETTING_push_listen, error);
	buffer_add_string(error, "needs at least one address");
	return false;
}

static bool check_stream_life(const struct settings *s, struct buffer *error)
{
	if (s->push.stream_life == 0 || s->push.stream_life >= 1000)
		return true;
	settings_blame(s, SETTING_push_stream_life, error);
	buffer_add_string(error, "is less than 1s: write 0 for the default, or "
	                         "1s to 1d");
	return false;
}

bool settings_check(const struct settings *s, struct buffer *error)
{
	return check_store(s, error) && check_buses(s, error) &&
	       auth_check_patterns(s, SETTING_rooms_ephemeral,
	                           &s->rooms.ephemeral, error) &&
	       check_stream_life(s, error) && auth_check(s, error) &&
	       check_listeners(s, error);
}
