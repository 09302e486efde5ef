/* hold_signatures.so: preloaded (LD_PRELOAD), it makes a program wait before it
 * verifies a signature of RSA, ECDSA or EdDSA, while the byte in the file that
 * LONGROOM_HOLD names is not 0. So a test sees what happens meanwhile. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef int verify(void *context, const unsigned char *signature, size_t size,
                   const unsigned char *text, size_t text_size);

static const volatile char *held;
static verify *real;

static __attribute__((constructor)) void map_file(void)
{
	const char *path = getenv("LONGROOM_HOLD");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *found = dlsym(RTLD_NEXT, "EVP_DigestVerify");

	if (fd < 0)
		abort();
	void *map = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED || found == NULL)
		abort();
	held = map;
	/* Allowed by POSIX, not by ISO C: a function's address from dlsym(). */
	*(void **)&real = found;
}

int EVP_DigestVerify(void *context, const unsigned char *signature, size_t size,
                     const unsigned char *text, size_t text_size);

int EVP_DigestVerify(void *context, const unsigned char *signature, size_t size,
                     const unsigned char *text, size_t text_size)
{
	static const struct timespec moment = {0, 1000000};

	while (*held != 0)
		nanosleep(&moment, NULL);
	return real(context, signature, size, text, text_size);
}
