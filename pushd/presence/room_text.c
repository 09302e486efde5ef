#include "presence/room_text.h"

static void add_text_member(struct buffer *b, const char *before, struct text value)
{
	buffer_add_string(b, before);
	buffer_add_json(b, value);
}

static void add_person(struct buffer *b, const struct person *person)
{
	add_text_member(b, "{\"user_id\":", person->user_id);
	add_text_member(b, ",\"username\":", person->username);
	add_text_member(b, ",\"sender_type\":", person->sender_type);
	buffer_add_string(b, "}");
}

static void add_users(struct buffer *b, const struct roster_room *room, size_t most)
{
	const struct list *at = room->members.next;

	for (size_t i = 0; i < most && at != &room->members; i++, at = at->next) {
		if (i > 0)
			buffer_add_string(b, ",");
		add_person(b, &LIST_OWNER(at, struct member, in_room)->person);
	}
}

void room_text_add(struct buffer *b, const struct room_name *name,
                   const struct roster_room *room,
                   const struct room_text_form *form)
{
	int64_t anonymous = room != NULL ? room->anonymous : 0;

	add_text_member(b, "\"room_id\":", room_name_text(name));
	buffer_add_string(b, ",\"count\":");
	buffer_add_integer(b, anonymous +
	                              (room != NULL ? (int64_t)room->users : 0));
	buffer_add_string(b, ",\"anonymous\":");
	buffer_add_integer(b, anonymous);
	if (!form->has_users)
		return;
	buffer_add_string(b, ",\"users\":[");
	if (room != NULL)
		add_users(b, room, form->users_most);
	buffer_add_string(b, "]");
}

void room_text_add_entry(struct buffer *b, const struct room_name *name,
                         const struct roster_room *room,
                         const struct room_text_form *form)
{
	buffer_add_string(b, "{\"type\":\"presence\",\"id\":null,");
	room_text_add(b, name, room, form);
	buffer_add_string(b, "}");
}
