/* The floor for streams: the smallest program that keeps event streams and writes each
 * message to all of them, against which longroom-pushd's Server-Sent Events are
 * measured.
 *
 *     floor-events ADDRESS...      unix:/path or host:port
 *
 * A delivery costs one send (floor_server.h); nothing comes back. It speaks just enough
 * of PROTOCOL for longroom-load to check every delivery: a GET of events begins a
 * stream; a POST is answered and goes to all streams as one event, framed as one chunk.
 * One room, no past, no timeouts, no limits; a stream that does not take an event at
 * once ends the program. Other GETs, which wait for it to start, are answered with an
 * empty page. */
#define _GNU_SOURCE 1 /* memmem */
#include "floor_message.h"
#include "floor_server.h"

static struct {
	int *streams; /* their descriptors */
	size_t count;
	int64_t newest; /* the last message's id */
	struct buffer event; /* to all streams */
	struct buffer answer, scratch;
} floor_events;

/* Makes one chunk of the scratch buffer's events. */
static void frame(struct buffer *chunk)
{
	buffer_printf(chunk, "%zx\r\n", floor_events.scratch.size);
	buffer_add_text(chunk, buffer_text(&floor_events.scratch));
	buffer_add_string(chunk, "\r\n");
	buffer_clear(&floor_events.scratch);
}

static void post(int fd, struct text line, struct text body)
{
	struct text room = floor_room(line);
	struct buffer *scratch = &floor_events.scratch;

	floor_events.newest++;
	floor_add_message(scratch, room, floor_events.newest, body);
	floor_wrap(&floor_events.answer, "201 Created", scratch);
	floor_send(fd, &floor_events.answer);

	floor_add_event(scratch, room, floor_events.newest, body);
	buffer_clear(&floor_events.event);
	frame(&floor_events.event);
	for (size_t i = 0; i < floor_events.count; i++)
		floor_send(floor_events.streams[i], &floor_events.event);
}

static void begin_stream(int fd, struct text line)
{
	struct buffer *answer = &floor_events.answer;

	buffer_clear(answer);
	buffer_add_string(answer, "HTTP/1.1 200 OK\r\n"
	                          "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
	                          "Content-Type: text/event-stream\r\n"
	                          "Transfer-Encoding: chunked\r\n"
	                          "Cache-Control: no-store\r\n"
	                          "X-Accel-Buffering: no\r\n\r\n");
	floor_add_ready(&floor_events.scratch, floor_room(line),
	                floor_events.newest);
	frame(answer);
	floor_send(fd, answer);
	floor_events.streams[floor_events.count++] = fd;
}

static void take_request(int fd, struct text line, struct text body)
{
	if (line.data[0] == 'P') {
		post(fd, line, body);
	} else if (memmem(line.data, line.size, "/events", 7) != NULL) {
		begin_stream(fd, line);
	} else {
		floor_add_page(&floor_events.scratch, floor_room(line),
		               floor_events.newest, (struct text){"", 0});
		floor_wrap(&floor_events.answer, "200 OK",
		           &floor_events.scratch);
		floor_send(fd, &floor_events.answer);
	}
}

static void leave(int fd)
{
	floor_events.count = floor_drop(floor_events.streams,
	                                floor_events.count, fd);
}

int main(int argc, char **argv)
{
	static const struct floor_handlers handlers = {
		.program = "floor-events",
		.request = take_request,
		.left = leave,
	};

	floor_events.streams = floor_descriptors();
	return floor_serve(argc, argv, &handlers);
}
