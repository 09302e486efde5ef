/**
 * Names as the users of the page type them, and the rooms in its address: #team_red, or
 * #team_red,room_26 with the shown one first.
 */

const ROOM = /^[A-Za-z0-9._~-]{1,64}$/;   // PROTOCOL section 2

/** Whether the server may know a room of this name; it has more rules. */
export function isRoom(name) {
  return ROOM.test(name);
}

/** A number is a numbered room: 26 is room_26. */
export function typedRoom(text) {
  const typed = text.trim();
  return /^[1-9][0-9]*$/.test(typed) ? `room_${typed}` : typed;
}

/**
 * The rooms in a text, each once. A comma is between rooms only if there are rooms on
 * both sides: otherwise the text is one name, which the server refuses.
 */
export function typedRooms(text) {
  const names = text.split(',').map(typedRoom);
  const several = names.length > 1 && names.every(isRoom);
  return several ? [...new Set(names)] : [typedRoom(text)].filter(Boolean);
}

export function typedAs(name) {
  return name.replace(/^room_(?=[1-9][0-9]*$)/, '');
}

export function addressedRooms() {
  const text = location.hash.slice(1);
  try {
    return typedRooms(decodeURIComponent(text));
  } catch {
    return [text];
  }
}

export function cleanName(text) {
  return text.replace(/\p{Cc}/gu, ' ').trim();
}
