#include "codec/message_data.h"

/* One value on its way from a reader to a buffer. */
struct data_copy {
	struct json_reader *reader;
	int outside; /* the reader's depth around the value */
	size_t limit;
	struct buffer *data;
	size_t before; /* the buffer's size before the value */
};

static bool is_token_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text skip_space(struct text text)
{
	while (text.size > 0 && is_token_space(text.data[0])) {
		text.data++;
		text.size--;
	}
	return text;
}

/* A name is written with the colon behind it, and maybe white space between. */
static struct text name_alone(struct text written)
{
	while (written.data[written.size - 1] != '"')
		written.size--;
	return written;
}

/* A string as it was written, whose escapes were checked. */
static void add_string(struct buffer *data, struct text written)
{
	const char *escape;

	while ((escape = memchr(written.data, '\\', written.size)) != NULL) {
		size_t plain = (size_t)(escape - written.data);
		bool is_unpaired;

		buffer_add(data, written.data, plain);
		written.data += plain;
		written.size -= plain;
		size_t size = json_escape_size(written, &is_unpaired);
		buffer_add(data, is_unpaired ? "\\ufffd" : escape, size);
		written.data += size;
		written.size -= size;
	}
	buffer_add_text(data, written);
}

/* Takes what was read for a token: white space, maybe a comma and more white space, and
 * the token. */
static enum message_data_fault add_token(struct data_copy *copy, enum json_token token,
                                         struct text written)
{
	size_t used = copy->data->size - copy->before;
	bool has_comma, is_name = token == JSON_NAME;

	written = skip_space(written);
	has_comma = written.data[0] == ',';
	if (has_comma)
		written = skip_space((struct text){written.data + 1, written.size - 1});
	if (is_name)
		written = name_alone(written);
	if (used + has_comma + written.size + is_name > copy->limit)
		return MESSAGE_DATA_TOO_LONG;
	if (has_comma)
		buffer_add(copy->data, ",", 1);
	if (is_name || token == JSON_STRING)
		add_string(copy->data, written);
	else
		buffer_add_text(copy->data, written);
	if (is_name)
		buffer_add(copy->data, ":", 1);
	return MESSAGE_DATA_FINE;
}

static enum message_data_fault fault_of(const struct json_reader *reader)
{
	switch (reader->fault) {
	case JSON_TOO_DEEP:
		return MESSAGE_DATA_TOO_DEEP;
	case JSON_NUL:
		return MESSAGE_DATA_NUL;
	case JSON_TWICE:
		return MESSAGE_DATA_TWICE;
	case JSON_FINE:
	case JSON_SYNTAX:
	case JSON_NOT_UTF8:
		break;
	}
	return MESSAGE_DATA_NOT_JSON;
}

static enum message_data_fault copy_token(struct data_copy *copy,
                                          enum json_token *token,
                                          struct buffer *string)
{
	struct text written = copy->reader->rest;

	*token = json_next(copy->reader, string);
	if (*token == JSON_FAULT)
		return fault_of(copy->reader);
	if (copy->reader->depth - copy->outside > MESSAGE_DATA_DEPTH_MAX)
		return MESSAGE_DATA_TOO_DEEP;
	written.size = (size_t)(copy->reader->rest.data - written.data);
	return add_token(copy, *token, written);
}

static enum message_data_fault copy_object(struct data_copy *copy,
                                           struct buffer *string)
{
	enum json_token token;
	enum message_data_fault fault = copy_token(copy, &token, string);

	if (token != JSON_OBJECT_BEGIN && token != JSON_FAULT)
		return MESSAGE_DATA_NOT_OBJECT;
	while (fault == MESSAGE_DATA_FINE && copy->reader->depth > copy->outside)
		fault = copy_token(copy, &token, string);
	return fault;
}

/* With names a member twice is a fault. Around the value members may come again. */
static enum message_data_fault read_value(struct json_reader *reader,
                                          struct json_names *names, size_t limit,
                                          struct buffer *data, struct buffer *string)
{
	struct data_copy copy = {reader, reader->depth, limit, data, data->size};

	reader->names = names;
	enum message_data_fault fault = copy_object(&copy, string);
	reader->names = NULL;
	if (fault != MESSAGE_DATA_FINE)
		data->size = copy.before;
	return fault;
}

static enum message_data_fault read_data_text(struct text text,
                                              struct json_names *names,
                                              size_t limit, struct buffer *data,
                                              struct buffer *string)
{
	struct json_reader reader;
	size_t before = data->size;

	json_reader_init(&reader, text);
	enum message_data_fault fault =
		read_value(&reader, names, limit, data, string);
	if (fault != MESSAGE_DATA_FINE || json_next(&reader, string) == JSON_END)
		return fault;
	data->size = before;
	return MESSAGE_DATA_NOT_JSON;
}

enum message_data_fault message_data_read(struct json_reader *reader, size_t limit,
                                          struct buffer *data, struct buffer *name)
{
	struct json_names seen = {0};
	enum message_data_fault fault = read_value(reader, &seen, limit, data, name);

	json_names_release(&seen);
	return fault;
}

enum message_data_fault message_data_read_text(struct text text, size_t limit,
                                               struct buffer *data,
                                               struct buffer *name)
{
	struct json_names seen = {0};
	enum message_data_fault fault = read_data_text(text, &seen, limit, data, name);

	json_names_release(&seen);
	return fault;
}

bool message_data_add(struct text text, struct buffer *data)
{
	struct buffer string = {0};
	enum message_data_fault fault =
		read_data_text(text, NULL, MESSAGE_DATA_MAX, data, &string);

	buffer_release(&string);
	return fault == MESSAGE_DATA_FINE;
}
