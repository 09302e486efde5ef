#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "presence/roster_private.h"

/* ---- Rooms ---- */

/* Both begin with the key, so a pointer to a key serves for a search. */
static int compare_rooms(const void *a, const void *b)
{
	const struct room_name *left = a, *right = b;

	if (left->size != right->size)
		return left->size - right->size;
	return memcmp(left->string, right->string, left->size);
}

static int compare_members(const void *a, const void *b)
{
	const struct text *left = a, *right = b;

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return memcmp(left->data, right->data, left->size);
}

static_assert(offsetof(struct roster_room, name) == 0, "see compare_rooms");
static_assert(offsetof(struct member, person.user_id) == 0, "see compare_members");

static struct roster_room *find_room(const struct roster *roster,
                                     const struct room_name *name)
{
	struct roster_room **found = tfind(name, &roster->tree, compare_rooms);

	return found != NULL ? *found : NULL;
}

static struct roster_room *get_room(struct roster *roster,
                                    const struct room_name *name)
{
	struct roster_room *room = find_room(roster, name);

	if (room != NULL)
		return room;
	room = memory_get(sizeof *room);
	room->name = *name;
	list_init(&room->members);
	if (tsearch(room, &roster->tree, compare_rooms) == NULL)
		memory_give_up(3 * sizeof(void *)); /* a node */
	return room;
}

static void unkeep_room(struct roster *roster, struct roster_room *room)
{
	assert(room->kept > 0);
	if (--room->kept > 0)
		return;
	tdelete(room, &roster->tree, compare_rooms);
	free(room);
}

/* The callee may drop the room: it stays, since what has changed is still in it. */
static void note_change(struct roster *roster, struct roster_room *room)
{
	room->changes++;
	roster->changed(roster->context, room);
}

struct roster_room *roster_find(const struct roster *roster,
                                const struct room_name *name)
{
	struct roster_room *room = find_room(roster, name);

	/* It may have nothing but news of those who left. */
	if (room == NULL || (room->users == 0 && room->anonymous == 0 &&
	                     room->holds == 0))
		return NULL;
	return room;
}

struct roster_room *roster_hold(struct roster *roster, const struct room_name *name)
{
	struct roster_room *room = get_room(roster, name);

	room->holds++;
	room->kept++;
	return room;
}

void roster_drop(struct roster *roster, struct roster_room *room)
{
	assert(room->holds > 0);
	room->holds--;
	unkeep_room(roster, room);
}

/* ---- Claims ---- */

struct claims *roster_claims_of(struct roster *roster, const struct claim *claim)
{
	return claim->member != NULL ? &roster->users[claim->source]
	                             : &roster->anonymous[claim->source];
}

static struct claim **claims_about(struct claim *claim)
{
	return claim->member != NULL ? &claim->member->claims
	                             : &claim->room->counts;
}

static struct claim *claim_of_source(struct claim *first, unsigned source)
{
	while (first != NULL && first->source != source)
		first = first->next;
	return first;
}

static struct claim *claim_new(struct roster *roster, struct roster_room *room,
                               struct member *member, unsigned source)
{
	struct claim *claim = memory_get(sizeof *claim);

	list_init(&claim->in_source);
	claim->room = room;
	claim->member = member;
	claim->source = (unsigned char)source;
	/* Until it is said. */
	claim->is_over = true;
	claim->next = *claims_about(claim);
	*claims_about(claim) = claim;
	roster_claims_of(roster, claim)->count++;
	roster->claims++;
	return claim;
}

void roster_free_claim(struct roster *roster, struct claim *claim)
{
	struct claim **at = claims_about(claim);

	while (*at != claim)
		at = &(*at)->next;
	*at = claim->next;
	roster_claims_of(roster, claim)->count--;
	roster->claims--;
	list_remove(&claim->in_source);
	free(claim);
}

static bool is_to_be_told(const struct roster *roster, const struct claim *claim)
{
	return claim->source == ROSTER_HERE && roster->keeps_news;
}

/* Moves a claim to where it belongs after its source said it. */
static void put_claim(struct roster *roster, struct claim *claim, bool is_news)
{
	struct claims *claims = roster_claims_of(roster, claim);

	claim->said_ms = roster->now_ms;
	if (!is_to_be_told(roster, claim))
		list_append(&claims->told, &claim->in_source);
	else if (is_news)
		list_append(&claims->news, &claim->in_source);
}

/* ---- Members ---- */

static bool has_space(struct roster *roster, unsigned source)
{
	size_t most = source == ROSTER_HERE
	                      ? ROSTER_MEMBERS_MAX
	                      : ROSTER_MEMBERS_MAX - ROSTER_MEMBERS_OWN;

	if (roster->claims < most)
		return true;
	complaint_warn(&roster->about_size,
	               "presence: more than %zu users in rooms: not all are told of",
	               most);
	return false;
}

static struct member *find_member(const struct roster_room *room,
                                  const struct text *user_id)
{
	struct member **found = tfind(user_id, &room->tree, compare_members);

	return found != NULL ? *found : NULL;
}

static struct member *member_new(struct roster_room *room, struct text user_id)
{
	struct member *member = memory_get(sizeof *member + user_id.size);

	assert(user_id.size <= MESSAGE_NAME_MAX);
	memcpy(member->user_id, user_id.data, user_id.size);
	member->person.user_id = (struct text){member->user_id, user_id.size};
	list_init(&member->in_room);
	member->room = room;
	if (tsearch(member, &room->tree, compare_members) == NULL)
		memory_give_up(3 * sizeof(void *)); /* a node */
	room->kept++;
	return member;
}

static void member_free(struct roster *roster, struct member *member)
{
	struct roster_room *room = member->room;

	tdelete(member, &room->tree, compare_members);
	free(member->names);
	free(member);
	unkeep_room(roster, room);
}

static uint64_t print_of_names(const struct person *person)
{
	return hash_text(person->username) * 31 + hash_text(person->sender_type);
}

/* Returns whether it is another name. */
static bool rename_member(struct member *member, const struct person *person)
{
	struct text name = person->username, type = person->sender_type;

	if (member->names != NULL && text_equal(member->person.username, name) &&
	    text_equal(member->person.sender_type, type))
		return false;
	/* The new texts may be the old ones' bytes. */
	char *names = memory_get(name.size + type.size + 1);
	memcpy(names, name.data, name.size);
	memcpy(names + name.size, type.data, type.size);
	free(member->names);
	member->names = names;
	member->person.username = (struct text){names, name.size};
	member->person.sender_type = (struct text){names + name.size, type.size};
	return true;
}

/* Returns whether clients can see it. */
static bool show_member(struct member *member, unsigned source)
{
	bool came = member->sources == 0;

	member->sources |= (uint64_t)1 << source;
	if (came) {
		list_append(&member->room->members, &member->in_room);
		member->room->users++;
	}
	return came;
}

static void claim_member(struct roster *roster, struct member *member,
                         unsigned source, const struct person *person)
{
	struct claim *claim = claim_of_source(member->claims, source);
	uint64_t names = print_of_names(person);
	bool changed = false;

	if (claim == NULL)
		claim = claim_new(roster, member->room, member, source);
	bool is_news = claim->is_over || claim->names != names;
	claim->is_over = false;
	claim->names = names;
	put_claim(roster, claim, is_news);
	if (is_news) {
		changed = rename_member(member, person);
		changed = show_member(member, source) || changed;
	}
	if (changed)
		note_change(roster, member->room);
}

bool roster_enter(struct roster *roster, const struct room_name *name,
                  unsigned source, const struct person *person)
{
	struct roster_room *room = find_room(roster, name);
	struct member *member =
		room != NULL ? find_member(room, &person->user_id) : NULL;

	if ((member == NULL || claim_of_source(member->claims, source) == NULL) &&
	    !has_space(roster, source))
		return false;
	if (member == NULL) {
		room = get_room(roster, name);
		member = member_new(room, person->user_id);
	}
	claim_member(roster, member, source, person);
	return true;
}

/* Frees the claim, unless it is to be told that it is over. */
static void end_claim(struct roster *roster, struct claim *claim)
{
	claim->is_over = true;
	if (is_to_be_told(roster, claim))
		list_append(&roster_claims_of(roster, claim)->news, &claim->in_source);
	else
		roster_free_claim(roster, claim);
}

void roster_settle_member(struct roster *roster, struct member *member)
{
	if (member->claims == NULL)
		member_free(roster, member);
}

void roster_end_member(struct roster *roster, struct claim *claim)
{
	struct member *member = claim->member;

	member->sources &= ~((uint64_t)1 << claim->source);
	end_claim(roster, claim);
	if (member->sources == 0) {
		list_remove(&member->in_room);
		member->room->users--;
		note_change(roster, member->room);
	}
	roster_settle_member(roster, member);
}

void roster_leave(struct roster *roster, const struct room_name *name,
                  unsigned source, struct text user_id)
{
	struct roster_room *room = find_room(roster, name);
	struct member *member = room != NULL ? find_member(room, &user_id) : NULL;
	struct claim *claim = member != NULL
	                              ? claim_of_source(member->claims, source)
	                              : NULL;

	if (claim != NULL && !claim->is_over)
		roster_end_member(roster, claim);
}

/* ---- Anonymous ---- */

void roster_free_count(struct roster *roster, struct claim *claim)
{
	struct roster_room *room = claim->room;

	roster_free_claim(roster, claim);
	unkeep_room(roster, room);
}

void roster_set_count(struct roster *roster, struct claim *claim, int64_t count)
{
	struct roster_room *room = claim->room;
	bool changed = claim->anonymous != count;

	room->anonymous += count - claim->anonymous;
	claim->anonymous = count;
	claim->is_over = count == 0;
	put_claim(roster, claim, changed);
	if (changed)
		note_change(roster, room);
	if (claim->is_over && !is_to_be_told(roster, claim))
		roster_free_count(roster, claim);
}

bool roster_count_anonymous(struct roster *roster, const struct room_name *name,
                            unsigned source, int64_t count)
{
	struct roster_room *room = find_room(roster, name);
	struct claim *claim =
		room != NULL ? claim_of_source(room->counts, source) : NULL;

	if (claim == NULL) {
		if (count == 0)
			return true;
		if (!has_space(roster, source))
			return false;
		room = get_room(roster, name);
		claim = claim_new(roster, room, NULL, source);
		room->kept++;
	}
	roster_set_count(roster, claim, count);
	return true;
}

/* ---- What this process counts ---- */

/* NULL: this process does not say that they are there. */
static struct claim *find_claim_here(const struct roster *roster,
                                     const struct room_name *name,
                                     const struct text *user_id)
{
	const struct roster_room *room = find_room(roster, name);
	const struct member *member =
		room != NULL ? find_member(room, user_id) : NULL;
	struct claim *claim = member != NULL
	                              ? claim_of_source(member->claims, ROSTER_HERE)
	                              : NULL;

	return claim != NULL && !claim->is_over ? claim : NULL;
}

bool roster_come(struct roster *roster, const struct room_name *name,
                 const struct person *person)
{
	if (!roster_enter(roster, name, ROSTER_HERE, person))
		return false;
	find_claim_here(roster, name, &person->user_id)->times++;
	return true;
}

void roster_go(struct roster *roster, const struct room_name *name,
               struct text user_id)
{
	struct claim *claim = find_claim_here(roster, name, &user_id);

	if (claim != NULL && --claim->times == 0)
		roster_end_member(roster, claim);
}

bool roster_add_anonymous(struct roster *roster, const struct room_name *name,
                          int64_t count)
{
	const struct roster_room *room = find_room(roster, name);
	const struct claim *claim =
		room != NULL ? claim_of_source(room->counts, ROSTER_HERE) : NULL;
	int64_t sum = (claim != NULL ? claim->anonymous : 0) + count;

	return roster_count_anonymous(roster, name, ROSTER_HERE, sum > 0 ? sum : 0);
}

/* ---- The roster's life ---- */

struct roster *roster_new(void (*changed)(void *context, struct roster_room *room),
                          void *context)
{
	struct roster *roster = memory_get(sizeof *roster);

	for (size_t i = 0; i < ROSTER_SOURCES; i++) {
		list_init(&roster->users[i].told);
		list_init(&roster->users[i].news);
		list_init(&roster->anonymous[i].told);
		list_init(&roster->anonymous[i].news);
	}
	roster->changed = changed;
	roster->context = context;
	return roster;
}

static void free_claims(struct claim *claim)
{
	while (claim != NULL) {
		struct claim *next = claim->next;

		free(claim);
		claim = next;
	}
}

static void room_free_all(struct roster_room *room)
{
	/* The root's key; so for the rooms below. */
	while (room->tree != NULL) {
		struct member *member = *(struct member **)room->tree;

		tdelete(member, &room->tree, compare_members);
		free_claims(member->claims);
		free(member->names);
		free(member);
	}
	free_claims(room->counts);
	free(room);
}

void roster_free(struct roster *roster)
{
	if (roster == NULL)
		return;
	while (roster->tree != NULL) {
		struct roster_room *room = *(struct roster_room **)roster->tree;

		tdelete(room, &roster->tree, compare_rooms);
		room_free_all(room);
	}
	free(roster);
}
