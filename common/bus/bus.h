/* The bus: nanomsg PUB/SUB, and the only file that knows it is bus.c.
 *
 * It is lossy by design: a subscriber that stalls loses frames without an error
 * at either end. So a frame is a hint and nothing more. */
#ifndef LONGROOM_BUS_H
#define LONGROOM_BUS_H

#include "base/buffer.h"
#include "base/word_list.h"

struct bus;

/* Binds to address. NULL, and *error says why, if that fails. */
struct bus *bus_publish_on(const char *address, struct buffer *error);

/* Connects to all addresses, now or as soon as somebody binds there. */
struct bus *bus_subscribe_to(const struct word_list *addresses,
                             struct buffer *error);

/* Whether a subscriber to one address hears the publisher on the other, as far as
 * addresses tell: by the port, or by the file. */
bool bus_meets(const char *subscribed, const char *published);

void bus_free(struct bus *bus);

/* Hands a frame to whoever is subscribed; never blocks. */
void bus_send(struct bus *bus, struct text frame);

/* Whether there is anybody at the other end. */
bool bus_is_connected(struct bus *bus);

/* Becomes readable when a frame is there. */
int bus_descriptor(struct bus *bus);

/* Takes the next frame; false when there is none. The frame lives until
 * bus_release_frame(). */
bool bus_receive(struct bus *bus, struct text *frame);
void bus_release_frame(struct text *frame);

#endif
