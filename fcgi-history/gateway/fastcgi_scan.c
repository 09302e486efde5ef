#include "gateway/fastcgi_scan.h"

enum {
	VERSION = 1,
	HEADER_SIZE = 8,
	BEGIN_SIZE = 8,
};

enum record_type { BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5 };

/* What is to come. */
enum stage { STAGE_BEGIN, STAGE_PARAMETERS, STAGE_BODY, STAGE_ENDED };

struct record {
	unsigned version, type, id;
	size_t content, size; /* without its header and padding, and with them */
};

static unsigned read_16(const char *data)
{
	return (unsigned)(unsigned char)data[0] << 8 | (unsigned char)data[1];
}

static struct record read_header(const char *data)
{
	size_t content = read_16(data + 4), padding = (unsigned char)data[6];

	return (struct record){
		.version = (unsigned char)data[0],
		.type = (unsigned char)data[1],
		.id = read_16(data + 2),
		.content = content,
		.size = HEADER_SIZE + content + padding,
	};
}

static bool take_begin(struct fastcgi_scan *scan, const struct record *record)
{
	scan->id = record->id;
	scan->stage = STAGE_PARAMETERS;
	return record->type == BEGIN_REQUEST && record->id != 0 &&
	       record->content == BEGIN_SIZE;
}

static bool take_parameters(struct fastcgi_scan *scan,
                            const struct fastcgi_limits *limits,
                            const struct record *record)
{
	scan->parameters += record->content;
	if (record->content == 0)
		scan->stage = STAGE_BODY;
	return record->type == PARAMS && record->id == scan->id &&
	       scan->parameters <= limits->parameters;
}

static bool take_body(struct fastcgi_scan *scan,
                      const struct fastcgi_limits *limits,
                      const struct record *record)
{
	if (record->content == 0)
		scan->stage = STAGE_ENDED;
	else if (record->content > limits->body - scan->body)
		scan->skip = record->size;
	else
		scan->body += record->content;
	return record->type == STDIN && record->id == scan->id;
}

/* False: it breaks the request. */
static bool take_record(struct fastcgi_scan *scan,
                        const struct fastcgi_limits *limits,
                        const struct record *record)
{
	bool good = record->version == VERSION;

	if (scan->stage == STAGE_BEGIN)
		good = good && take_begin(scan, record);
	else if (scan->stage == STAGE_PARAMETERS)
		good = good && take_parameters(scan, limits, record);
	else
		good = good && take_body(scan, limits, record);
	if (scan->skip == 0)
		scan->at += record->size;
	return good && scan->at <= limits->kept;
}

static void pass_over(struct fastcgi_scan *scan, struct buffer *bytes)
{
	size_t there = bytes->size - scan->at;
	size_t size = scan->skip < there ? scan->skip : there;

	memmove(bytes->data + scan->at, bytes->data + scan->at + size,
	        there - size);
	bytes->size -= size;
	scan->skip -= size;
}

enum fastcgi_state fastcgi_scan(struct fastcgi_scan *scan,
                                const struct fastcgi_limits *limits,
                                struct buffer *bytes)
{
	while (scan->stage != STAGE_ENDED) {
		if (scan->skip > 0 && bytes->size > scan->at)
			pass_over(scan, bytes);
		if (scan->skip > 0 || bytes->size < scan->at + HEADER_SIZE)
			return FASTCGI_MORE;
		struct record record = read_header(bytes->data + scan->at);
		if (!take_record(scan, limits, &record))
			return FASTCGI_BROKEN;
	}
	if (bytes->size < scan->at)
		return FASTCGI_MORE;
	bytes->size = scan->at;
	return FASTCGI_WHOLE;
}
