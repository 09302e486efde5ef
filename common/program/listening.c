#include "program/listening.h"

#include <fcntl.h>

#include "os/inherited.h"

bool listening_check(const struct settings *settings, enum setting_index index,
                     const char *address, struct buffer *error)
{
	struct buffer why = {0};
	bool good = endpoint_check(address, &why);

	if (!good) {
		settings_blame(settings, index, error);
		buffer_add_text(error, buffer_text(&why));
	} else if (settings->auth.mode == AUTH_OPEN &&
	           !endpoint_is_local(address)) {
		settings_blame(settings, index, error);
		buffer_printf(error,
		              "%s: auth.mode = open allows only unix sockets and "
		              "loopback addresses: change the address or auth.mode",
		              address);
		good = false;
	}
	buffer_release(&why);
	return good;
}

static bool is_allowed(const struct settings *settings,
                       const struct endpoint *endpoint)
{
	return settings->auth.mode != AUTH_OPEN ||
	       endpoint_descriptor_is_local(endpoint->fd);
}

static bool refuse_open(struct endpoint *endpoint, struct buffer *error)
{
	buffer_add_string(error, "auth.mode = open allows only unix sockets and "
	                         "loopback: change the socket or auth.mode");
	endpoint_close(endpoint);
	return false;
}

bool listening_open(const struct settings *settings, enum setting_index index,
                    const char *address, struct endpoint *endpoint,
                    struct buffer *error)
{
	if (!endpoint_open(endpoint, address, error))
		return false;
	if (is_allowed(settings, endpoint))
		return true;
	settings_blame(settings, index, error);
	return refuse_open(endpoint, error);
}

bool listening_inherit(const struct settings *settings, size_t which,
                       struct endpoint *endpoint, struct buffer *error)
{
	*endpoint = (struct endpoint){.fd = INHERITED_FIRST + (int)which,
	                              .outlives_us = true};
	if (is_allowed(settings, endpoint))
		return true;
	buffer_add_string(error, "LISTEN_FDS: ");
	return refuse_open(endpoint, error);
}

bool listening_adopt(const struct settings *settings, int fd, const char *from,
                     struct endpoint *endpoint, struct buffer *error)
{
	*endpoint = (struct endpoint){.fd = fd};
	if (is_allowed(settings, endpoint)) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		return true;
	}
	buffer_printf(error, "%s: ", from);
	return refuse_open(endpoint, error);
}
