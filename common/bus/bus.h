/* The bus: nanomsg PUB/SUB. Only bus.c knows nanomsg.
 *
 * The bus is lossy by design: a subscriber that stalls loses frames, without an
 * error at either end. So a frame is only a hint. */
#ifndef LONGROOM_BUS_H
#define LONGROOM_BUS_H

#include "base/buffer.h"
#include "base/word_list.h"

struct bus;

/* Binds to address. NULL, and *error says why, if that fails. */
struct bus *bus_publish_on(const char *address, struct buffer *error);

/* Connects to all addresses, now or as soon as a publisher binds there. */
struct bus *bus_subscribe_to(const struct word_list *addresses,
                             struct buffer *error);

/* Whether a subscriber to one address gets the frames published on the other. Tcp
 * addresses are compared by port, ipc addresses by file. */
bool bus_meets(const char *subscribed, const char *published);

void bus_free(struct bus *bus);

/* Sends a frame to all subscribers. Never blocks. */
void bus_send(struct bus *bus, struct text frame);

/* How many peers are connected. */
size_t bus_connections(struct bus *bus);

/* Returns a descriptor that becomes readable when a frame is there. */
int bus_descriptor(struct bus *bus);

/* Takes the next frame; false: there is none. The frame lives until
 * bus_release_frame(). */
bool bus_receive(struct bus *bus, struct text *frame);
void bus_release_frame(struct text *frame);

#endif
