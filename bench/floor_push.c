/* The floor for pushing: the smallest program that keeps waiters and answers
 * them, against which longroom-pushd is measured.
 *
 *     floor-push ADDRESS...        unix:/path or host:port
 *
 * A delivery costs one recv, one send and a share of an epoll_wait
 * (floor_server.h). It speaks just enough of PROTOCOL for longroom-load to check
 * every delivery: a GET parks, unless its cursor is behind the last message; a POST
 * is answered and goes to all parked clients. One room, one message, no timeouts,
 * no limits. */
#include "floor_message.h"
#include "floor_server.h"

static struct {
	int *parked; /* descriptors of the waiters */
	size_t parked_count;
	int64_t newest;       /* the last message's id */
	struct buffer answer; /* to all waiters */
	struct buffer page, scratch;
} push;

static void deliver(void)
{
	for (size_t i = 0; i < push.parked_count; i++)
		floor_send(push.parked[i], &push.answer);
	push.parked_count = 0;
}

static void post(int fd, struct text line, struct text body)
{
	struct text room = floor_room(line);

	push.newest++;
	floor_add_message(&push.scratch, room, push.newest, body);
	floor_wrap(&push.page, "201 Created", &push.scratch);
	floor_send(fd, &push.page);
	floor_add_page(&push.scratch, room, push.newest, body);
	floor_wrap(&push.answer, "200 OK", &push.scratch);
	deliver();
}

static void get(int fd, struct text line)
{
	int64_t after = floor_after(line);

	if (after == push.newest) {
		push.parked[push.parked_count++] = fd;
	} else if (after >= 0) {
		floor_send(fd, &push.answer);
	} else {
		floor_add_page(&push.scratch, floor_room(line), push.newest,
		               (struct text){"", 0});
		floor_wrap(&push.page, "200 OK", &push.scratch);
		floor_send(fd, &push.page);
	}
}

static void take_request(int fd, struct text line, struct text body)
{
	if (line.data[0] == 'P')
		post(fd, line, body);
	else
		get(fd, line);
}

static void leave(int fd)
{
	push.parked_count = floor_drop(push.parked, push.parked_count, fd);
}

int main(int argc, char **argv)
{
	static const struct floor_handlers handlers = {
		.program = "floor-push",
		.request = take_request,
		.left = leave,
	};

	push.parked = floor_descriptors();
	return floor_serve(argc, argv, &handlers);
}
