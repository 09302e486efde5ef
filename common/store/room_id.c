#include "store/room_id.h"

bool room_id_read(int64_t room_id, struct text name, struct room_name *room)
{
	if (room_id > 0) {
		room_name_from_number(room_id, room);
		return true;
	}
	return room_id < 0 && name.data != NULL &&
	       room_name_parse(name, room) && room->number == 0;
}
