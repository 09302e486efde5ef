#include "metrics/health.h"

void health_begin(struct buffer *json, bool is_well)
{
	buffer_add_string(json, "{\"status\":");
	buffer_add_string(json, is_well ? "\"ok\"" : "\"failing\"");
}

static void add_fact(struct buffer *json, const char *name)
{
	buffer_add_string(json, ",");
	buffer_add_json(json, text_of(name));
	buffer_add_string(json, ":");
}

void health_add_claim(struct buffer *json, const char *name, bool claim)
{
	add_fact(json, name);
	buffer_add_string(json, claim ? "true" : "false");
}

void health_add_number(struct buffer *json, const char *name, int64_t number)
{
	add_fact(json, name);
	buffer_add_integer(json, number);
}

void health_end(struct buffer *json, bool is_well, struct text reason)
{
	if (!is_well) {
		add_fact(json, "reason");
		buffer_add_json(json, reason);
	}
	buffer_add_string(json, "}");
}

int health_status(bool is_well)
{
	return is_well ? 200 : 503;
}
