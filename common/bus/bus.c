#include "bus/bus.h"

#include <errno.h>
#include <libgen.h>
#include <nanomsg/nn.h>
#include <nanomsg/pubsub.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/folder.h"
#include "os/thread.h"

enum {
	/* Frames wait here while the event loop is busy elsewhere. */
	RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024,
	/* A frame holds at most one message more than FRAME_FULL_BYTES. */
	LARGEST_FRAME_BYTES = 4 * 1024 * 1024,
};

static const char ipc[] = "ipc://", tcp[] = "tcp://";

struct bus {
	int socket;
	int descriptor;
};

static bool begins_with(const char *address, const char *scheme)
{
	return strncmp(address, scheme, strlen(scheme)) == 0;
}

static struct bus *bus_error(struct bus *bus, const char *address,
                             struct buffer *error)
{
	int why = nn_errno();

	buffer_printf(error, "bus %s: %s", address, nn_strerror(why));
	if (begins_with(address, ipc))
		folder_advise(address + sizeof ipc - 1, why, error);
	bus_free(bus);
	return NULL;
}

/* NULL: nanomsg could not start its thread. */
static struct bus *bus_new(int protocol, struct buffer *error)
{
	if (!thread_can_start(error))
		return NULL;
	struct bus *bus = memory_get(sizeof *bus);

	bus->socket = nn_socket(AF_SP, protocol);
	bus->descriptor = -1;
	return bus;
}

void bus_free(struct bus *bus)
{
	if (bus == NULL)
		return;
	if (bus->socket >= 0)
		nn_close(bus->socket);
	free(bus);
}

/* nanomsg removes the socket of a dead publisher, and aborts if it may not. */
static bool can_replace(const char *address)
{
	struct stat status;

	if (!begins_with(address, ipc) ||
	    lstat(address + sizeof ipc - 1, &status) != 0)
		return true;
	char *path = memory_copy(address + sizeof ipc - 1,
	                         strlen(address + sizeof ipc - 1));
	bool can = access(dirname(path), W_OK | X_OK) == 0;
	free(path);
	return can;
}

struct bus *bus_publish_on(const char *address, struct buffer *error)
{
	struct bus *bus = bus_new(NN_PUB, error);

	if (bus == NULL)
		return NULL;
	if (!can_replace(address)) {
		buffer_printf(error, "bus %s: %s", address, strerror(errno));
		bus_free(bus);
		return NULL;
	}
	if (bus->socket < 0 || nn_bind(bus->socket, address) < 0)
		return bus_error(bus, address, error);
	return bus;
}

static bool set_up_subscriber(struct bus *bus)
{
	int buffer = RECEIVE_BUFFER_BYTES, largest = LARGEST_FRAME_BYTES;
	size_t size = sizeof bus->descriptor;

	return bus->socket >= 0 &&
	       nn_setsockopt(bus->socket, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0 &&
	       nn_setsockopt(bus->socket, NN_SOL_SOCKET, NN_RCVBUF, &buffer,
	                     sizeof buffer) == 0 &&
	       nn_setsockopt(bus->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest,
	                     sizeof largest) == 0 &&
	       nn_getsockopt(bus->socket, NN_SOL_SOCKET, NN_RCVFD,
	                     &bus->descriptor, &size) == 0;
}

struct bus *bus_subscribe_to(const struct word_list *addresses,
                             struct buffer *error)
{
	struct bus *bus = bus_new(NN_SUB, error);

	if (bus == NULL)
		return NULL;
	if (!set_up_subscriber(bus))
		return bus_error(bus, "subscriber", error);
	for (size_t i = 0; i < addresses->count; i++)
		if (nn_connect(bus->socket, addresses->words[i]) < 0)
			return bus_error(bus, addresses->words[i], error);
	return bus;
}

/* A publisher's tcp address may name an interface, or all of them. */
static bool is_same_port(const char *a, const char *b)
{
	const char *port_a = strrchr(a, ':'), *port_b = strrchr(b, ':');

	return strcmp(port_a, port_b) == 0;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat status_a, status_b;

	return stat(a + sizeof ipc - 1, &status_a) == 0 &&
	       stat(b + sizeof ipc - 1, &status_b) == 0 &&
	       status_a.st_dev == status_b.st_dev &&
	       status_a.st_ino == status_b.st_ino;
}

bool bus_meets(const char *subscribed, const char *published)
{
	if (begins_with(subscribed, tcp) && begins_with(published, tcp))
		return is_same_port(subscribed, published);
	if (begins_with(subscribed, ipc) && begins_with(published, ipc) &&
	    is_same_file(subscribed, published))
		return true;
	return strcmp(subscribed, published) == 0;
}

void bus_send(struct bus *bus, struct text frame)
{
	/* Errors are ignored: the log repairs lost frames. */
	nn_send(bus->socket, frame.data, frame.size, NN_DONTWAIT);
}

size_t bus_connections(struct bus *bus)
{
	return (size_t)nn_get_statistic(bus->socket, NN_STAT_CURRENT_CONNECTIONS);
}

int bus_descriptor(struct bus *bus)
{
	return bus->descriptor;
}

bool bus_receive(struct bus *bus, struct text *frame)
{
	void *data = NULL;
	int size = nn_recv(bus->socket, &data, NN_MSG, NN_DONTWAIT);

	if (size < 0)
		return false;
	*frame = (struct text){data, (size_t)size};
	return true;
}

void bus_release_frame(struct text *frame)
{
	nn_freemsg((void *)frame->data);
}
