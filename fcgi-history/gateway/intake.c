#include "gateway/intake.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	/* Beside content and data: the other fields, names, quotes, braces. */
	BODY_OVERHEAD = 8 * 1024,
	/* What records take, if they are not tiny. */
	RECORDS_OVERHEAD = 64 * 1024,
	READ_BYTES = 16 * 1024,
	READS_AT_ONCE = 8,
	/* See gateway_write(). The kernel takes less if it has to. */
	SEND_BUFFER_BYTES = 256 * 1024,
	SEND_SECONDS = 1,
};

int64_t intake_body_limit(int64_t content_limit, int64_t data_limit)
{
	return 6 * content_limit + 3 * data_limit + BODY_OVERHEAD;
}

/* Data is written only when the connection has room, so writes do not block. If the
 * kernel blocks nevertheless, this timeout keeps it short. */
static void prepare(int connection)
{
	static const struct timeval timeout = {SEND_SECONDS, 0};
	int size = SEND_BUFFER_BYTES;

	setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout,
	           sizeof timeout);
}

void intake_begin(struct exchange *exchange, int connection,
                  int64_t body_limit)
{
	size_t body = (size_t)body_limit;

	prepare(connection);
	exchange->connection = connection;
	exchange->scan = (struct fastcgi_scan){0};
	exchange->limits = (struct fastcgi_limits){
		.parameters = INTAKE_PARAMETERS_MAX,
		.body = body,
		.kept = INTAKE_PARAMETERS_MAX + body + RECORDS_OVERHEAD,
	};
	buffer_clear(&exchange->input);
}

enum fastcgi_state intake_read(struct exchange *exchange)
{
	struct buffer *input = &exchange->input;
	enum fastcgi_state state = FASTCGI_MORE;

	for (int reads = 0; state == FASTCGI_MORE && reads < READS_AT_ONCE; reads++) {
		ssize_t size = recv(exchange->connection,
		                    buffer_reserve(input, READ_BYTES),
		                    READ_BYTES, MSG_DONTWAIT);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return FASTCGI_MORE;
		if (size <= 0)
			return FASTCGI_BROKEN;
		input->size += (size_t)size;
		state = fastcgi_scan(&exchange->scan, &exchange->limits, input);
	}
	return state;
}

enum fastcgi_state intake_wait(struct exchange *exchange, int wait_ms)
{
	struct pollfd connection = {.fd = exchange->connection, .events = POLLIN};

	if (poll(&connection, 1, wait_ms) <= 0)
		return FASTCGI_MORE;
	return intake_read(exchange);
}

void intake_abandon(struct exchange *exchange)
{
	close(exchange->connection);
	exchange->connection = -1;
	buffer_release(&exchange->input);
}
