#include "codec/params.h"

#include "base/number.h"
#include "base/utf8.h"

/* Returns the byte that %XX stands for; -1: no two digits follow. */
static int escaped_byte(struct text text, size_t at)
{
	if (text.size - at <= 2)
		return -1;
	int high = number_hex_digit(text.data[at + 1]);
	int low = number_hex_digit(text.data[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool percent_decode(struct text text, bool plus_is_space, struct buffer *decoded)
{
	char *out = buffer_reserve(decoded, text.size);

	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (c == '%') {
			int byte = escaped_byte(text, i);

			if (byte < 0)
				return false;
			c = (char)byte;
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*out++ = c;
		decoded->size++;
	}
	return true;
}

bool params_next(struct text *rest, struct param *param)
{
	while (rest->size > 0) {
		const char *end = memchr(rest->data, '&', rest->size);
		size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
		struct text pair = {rest->data, size};

		rest->data += size + (end != NULL);
		rest->size -= size + (end != NULL);
		if (size == 0)
			continue;
		const char *equals = memchr(pair.data, '=', size);
		param->name = pair;
		param->value = (struct text){pair.data + size, 0};
		if (equals != NULL) {
			param->name.size = (size_t)(equals - pair.data);
			param->value.data = equals + 1;
			param->value.size = size - param->name.size - 1;
		}
		return true;
	}
	return false;
}

enum param_found params_find(struct text query, const char *name,
                             struct buffer *value)
{
	enum param_found found = PARAM_ABSENT;
	struct param param;

	while (params_next(&query, &param)) {
		if (!text_is(param.name, name))
			continue;
		if (found != PARAM_ABSENT)
			return PARAM_TWICE;
		found = percent_decode(param.value, true, value) ? PARAM_FOUND
		                                                 : PARAM_MALFORMED;
	}
	if (found == PARAM_FOUND && !utf8_valid(buffer_text(value)))
		return PARAM_NOT_UTF8;
	return found;
}
