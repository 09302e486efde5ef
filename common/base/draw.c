#include "base/draw.h"

#include <sys/random.h>

void draw_bytes(void *bytes, size_t size)
{
	/* Can't fail for so few bytes (getrandom(2)). */
	ssize_t ignored = getrandom(bytes, size, 0);

	(void)ignored;
}

uint32_t draw_number(void)
{
	uint32_t number = 0;

	draw_bytes(&number, sizeof number);
	return number;
}

int64_t draw_below(int64_t most)
{
	return draw_number() % most;
}
