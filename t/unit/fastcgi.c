/* Tests of when a FastCGI request is complete (FastCGI specification, 3.3), and of
 * how it is read. */
#include "unit.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/fastcgi_scan.h"
#include "gateway/intake.h"

enum { BEGIN = 1, ABORT = 2, PARAMS = 4, STDIN = 5 };

static const struct fastcgi_limits limits = {
	.parameters = 100, .body = 50, .kept = 1000};

static void add_record(struct buffer *b, unsigned type, unsigned id,
                       size_t content, size_t padding)
{
	const unsigned char header[] = {1, (unsigned char)type,
	                                (unsigned char)(id >> 8),
	                                (unsigned char)id,
	                                (unsigned char)(content >> 8),
	                                (unsigned char)content,
	                                (unsigned char)padding, 0};

	buffer_add(b, header, sizeof header);
	for (size_t i = 0; i < content + padding; i++)
		buffer_add_string(b, "x");
}

static void add_begin(struct buffer *b)
{
	add_record(b, BEGIN, 7, 8, 0);
}

/* Adds this many bytes of parameters and of body, each in two records, with
 * their ends. */
static void add_streams(struct buffer *b, size_t parameters, size_t body)
{
	add_record(b, PARAMS, 7, parameters / 2, 3);
	add_record(b, PARAMS, 7, parameters - parameters / 2, 0);
	add_record(b, PARAMS, 7, 0, 0);
	add_record(b, STDIN, 7, body / 2, 0);
	add_record(b, STDIN, 7, body - body / 2, 5);
	add_record(b, STDIN, 7, 0, 8);
}

/* Scans bytes that arrive in pieces, into *taken. */
static enum fastcgi_state scan_pieces(const struct buffer *bytes, size_t piece,
                                      struct buffer *taken)
{
	enum fastcgi_state state = FASTCGI_MORE;
	struct fastcgi_scan scan = {0};
	size_t at = 0;

	buffer_clear(taken);
	while (state == FASTCGI_MORE && at < bytes->size) {
		size_t size = bytes->size - at < piece ? bytes->size - at : piece;

		buffer_add(taken, bytes->data + at, size);
		at += size;
		state = fastcgi_scan(&scan, &limits, taken);
		if (state == FASTCGI_WHOLE)
			assert_true(at >= taken->size);
	}
	return state;
}

static void requests_are_whole_at_their_last_byte(void **state)
{
	struct buffer bytes = {0}, taken = {0};

	(void)state;
	add_begin(&bytes);
	add_streams(&bytes, 60, 40);
	for (size_t piece = 1; piece < 70; piece++) {
		assert_int_equal(scan_pieces(&bytes, piece, &taken),
		                 FASTCGI_WHOLE);
		assert_true(text_equal(buffer_text(&taken),
		                       buffer_text(&bytes)));
	}
	bytes.size--;
	assert_int_equal(scan_pieces(&bytes, 7, &taken), FASTCGI_MORE);
	bytes.size++;
	buffer_add_string(&bytes, "behind");
	assert_int_equal(scan_pieces(&bytes, 1000, &taken), FASTCGI_WHOLE);
	assert_int_equal(taken.size, bytes.size - 6);
	buffer_release(&bytes);
	buffer_release(&taken);
}

/* One record crosses the limit and one is beyond it: both are left out. */
static void bodies_beyond_the_limit_are_passed_over(void **state)
{
	struct buffer bytes = {0}, expected = {0}, taken = {0};

	(void)state;
	add_begin(&bytes);
	add_record(&bytes, PARAMS, 7, 0, 0);
	add_record(&bytes, STDIN, 7, 30, 2);
	buffer_add_text(&expected, buffer_text(&bytes));
	add_record(&bytes, STDIN, 7, 21, 1);
	add_record(&bytes, STDIN, 7, 60000, 255);
	add_record(&bytes, STDIN, 7, 0, 0);
	add_record(&expected, STDIN, 7, 0, 0);
	for (size_t piece = 1; piece < 70000; piece = piece * 3 + 1) {
		assert_int_equal(scan_pieces(&bytes, piece, &taken),
		                 FASTCGI_WHOLE);
		assert_true(text_equal(buffer_text(&taken),
		                       buffer_text(&expected)));
	}
	buffer_release(&bytes);
	buffer_release(&expected);
	buffer_release(&taken);
}

static void check_broken(struct buffer *bytes, const char *what)
{
	struct buffer taken = {0};

	expect(scan_pieces(bytes, 11, &taken) == FASTCGI_BROKEN, "%s", what);
	buffer_release(&taken);
	buffer_clear(bytes);
}

static void what_no_web_server_sends_breaks_it(void **state)
{
	struct buffer bytes = {0};

	(void)state;
	buffer_add_string(&bytes, "GET / HTTP/1.1\r\n");
	check_broken(&bytes, "HTTP");
	add_record(&bytes, PARAMS, 7, 0, 0);
	check_broken(&bytes, "no beginning");
	add_record(&bytes, BEGIN, 0, 8, 0);
	check_broken(&bytes, "request 0");
	add_record(&bytes, BEGIN, 7, 9, 0);
	check_broken(&bytes, "a long beginning");
	add_begin(&bytes);
	add_begin(&bytes);
	check_broken(&bytes, "two beginnings");
	add_begin(&bytes);
	add_record(&bytes, PARAMS, 8, 0, 0);
	check_broken(&bytes, "another request");
	add_begin(&bytes);
	add_record(&bytes, ABORT, 7, 0, 0);
	check_broken(&bytes, "an abort");
	add_begin(&bytes);
	add_record(&bytes, STDIN, 7, 1, 0);
	check_broken(&bytes, "a body first");
	add_begin(&bytes);
	add_record(&bytes, PARAMS, 7, 60, 0);
	add_record(&bytes, PARAMS, 7, 41, 0);
	check_broken(&bytes, "too many parameters");
	add_begin(&bytes);
	add_record(&bytes, PARAMS, 7, 0, 0);
	for (int i = 0; i < 40; i++)
		add_record(&bytes, STDIN, 7, 1, 20);
	check_broken(&bytes, "more padding than content");
	buffer_release(&bytes);
}

/* A peer that sends faster than it is read, and has no end. */
static void fill(int connection, const struct buffer *records)
{
	int size = 256 * 1024;

	setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	while (send(connection, records->data, records->size, MSG_DONTWAIT) > 0)
		;
}

static int bytes_left(int connection)
{
	int left = 0;

	assert_int_equal(ioctl(connection, FIONREAD, &left), 0);
	return left;
}

static void a_read_ends_before_a_peer_does(void **state)
{
	struct exchange exchange = {.connection = -1};
	struct buffer records = {0};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	add_begin(&records);
	add_record(&records, PARAMS, 7, 0, 0);
	assert_true(send(ends[1], records.data, records.size, 0) > 0);
	buffer_clear(&records);
	add_record(&records, STDIN, 7, 32768, 0);
	fill(ends[1], &records);
	int sent = bytes_left(ends[0]);
	intake_begin(&exchange, ends[0], 0);
	for (int left = sent; left > 0; left = bytes_left(ends[0])) {
		assert_int_equal(intake_read(&exchange), FASTCGI_MORE);
		int taken = left - bytes_left(ends[0]);
		expect(taken > 0 && taken < sent, "%d of %d", taken, sent);
	}
	intake_abandon(&exchange);
	close(ends[1]);
	buffer_release(&records);
}

int run_fastcgi(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("a request is complete at its last byte, however it "
	             "arrives",
	             requests_are_whole_at_their_last_byte),
		TEST("a body beyond its limit is skipped",
	             bodies_beyond_the_limit_are_passed_over),
		TEST("a malformed request is an error",
	             what_no_web_server_sends_breaks_it),
		TEST("a read ends, though its peer sends without an end",
	             a_read_ends_before_a_peer_does),
	};

	return cmocka_run_group_tests_name("fastcgi", tests, NULL, NULL);
}
