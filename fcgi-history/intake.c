#include "intake.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	BODY_OVERHEAD = 8 * 1024, /* beside the content: names, quotes, braces */
	/* What records take, if they are not tiny. */
	RECORDS_OVERHEAD = 64 * 1024,
	READ_BYTES = 16 * 1024,
	/* See gateway_write(). The kernel takes less if it has to. */
	SEND_BUFFER_BYTES = 256 * 1024,
	SEND_SECONDS = 1,
};

int64_t intake_body_limit(const struct settings *settings)
{
	return 6 * settings->limits.content + BODY_OVERHEAD;
}

/* Nothing is written but where there is room for it, so writing takes no time; if
 * the kernel thinks otherwise, it takes little. */
static void prepare(int connection)
{
	static const struct timeval patience = {SEND_SECONDS, 0};
	int size = SEND_BUFFER_BYTES;

	setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience,
	           sizeof patience);
}

void intake_begin(struct request *request, int connection,
                  const struct settings *settings)
{
	size_t body = (size_t)intake_body_limit(settings);

	prepare(connection);
	request->connection = connection;
	request->scan = (struct fastcgi_scan){0};
	request->intake = (struct fastcgi_limits){
		.parameters = INTAKE_PARAMETERS_MAX,
		.body = body,
		.kept = INTAKE_PARAMETERS_MAX + body + RECORDS_OVERHEAD,
	};
	buffer_clear(&request->input);
}

enum fastcgi_state intake_read(struct request *request)
{
	struct buffer *input = &request->input;
	enum fastcgi_state state = FASTCGI_MORE;

	while (state == FASTCGI_MORE) {
		ssize_t size = recv(request->connection,
		                    buffer_reserve(input, READ_BYTES),
		                    READ_BYTES, MSG_DONTWAIT);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return FASTCGI_MORE;
		if (size <= 0)
			return FASTCGI_BROKEN;
		input->size += (size_t)size;
		state = fastcgi_scan(&request->scan, &request->intake, input);
	}
	return state;
}

enum fastcgi_state intake_wait(struct request *request, int wait_ms)
{
	struct pollfd connection = {.fd = request->connection, .events = POLLIN};

	if (poll(&connection, 1, wait_ms) <= 0)
		return FASTCGI_MORE;
	return intake_read(request);
}

void intake_abandon(struct request *request)
{
	close(request->connection);
	request->connection = -1;
	buffer_release(&request->input);
}
