#include "store/sqlite/place.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/journal.h"
#include "base/memory.h"

static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sqlite_place *places; /* under the lock */

void sqlite_places_lock(void)
{
	pthread_mutex_lock(&places_lock);
}

void sqlite_places_unlock(void)
{
	pthread_mutex_unlock(&places_lock);
}

static struct sqlite_place *find_or_add(const char *path)
{
	struct sqlite_place *place = places;

	while (place != NULL && strcmp(place->path, path) != 0)
		place = place->next;
	if (place != NULL)
		return place;
	place = memory_get(sizeof *place);
	place->path = memory_copy(path, strlen(path));
	place->next = places;
	places = place;
	return place;
}

void sqlite_place_join(struct sqlite_store *s)
{
	sqlite_places_lock();
	s->place = find_or_add(s->path);
	s->next = s->place->first;
	s->place->first = s;
	s->place->writers += s->access == STORE_WRITE;
	sqlite_places_unlock();
}

static void forget(struct sqlite_place *place)
{
	struct sqlite_place **at = &places;

	while (*at != place)
		at = &(*at)->next;
	*at = place->next;
	free(place->path);
	free(place);
}

void sqlite_place_leave(struct sqlite_store *s)
{
	struct sqlite_store **at = &s->place->first;

	sqlite_places_lock();
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->place->writers -= s->access == STORE_WRITE;
	if (s->place->first == NULL)
		forget(s->place);
	s->place = NULL;
	sqlite_places_unlock();
}

/* Whether it is connected, to this file if one is named. */
static bool is_connected(struct sqlite_store *s, const struct file_look *database)
{
	pthread_mutex_lock(&s->use);
	bool connected = s->db != NULL &&
	                 (database == NULL || file_is_same(&s->seen.database, database));
	pthread_mutex_unlock(&s->use);
	return connected;
}

bool sqlite_place_is_connected(const struct sqlite_store *s,
                               const struct file_look *database)
{
	for (struct sqlite_store *other = s->place->first; other != NULL;
	     other = other->next)
		if (other != s && !other->is_taken &&
		    is_connected(other, database))
			return true;
	return false;
}

void sqlite_place_revoke(const struct sqlite_store *s)
{
	for (struct sqlite_store *other = s->place->first; other != NULL;
	     other = other->next) {
		if (other == s || other->is_taken)
			continue;
		pthread_mutex_lock(&other->use);
		sqlite_disconnect(other);
		pthread_mutex_unlock(&other->use);
	}
}

/* Takes it if it is connected to what is no longer in its place. */
static bool take_stale(struct sqlite_store *other)
{
	pthread_mutex_lock(&other->use);
	other->is_taken = other->db != NULL && !sqlite_is_in_place(other);
	pthread_mutex_unlock(&other->use);
	return other->is_taken;
}

static void give_back(struct sqlite_store *other)
{
	pthread_mutex_lock(&other->use);
	other->is_taken = false;
	pthread_mutex_unlock(&other->use);
}

void sqlite_place_drop_stale(const struct sqlite_store *s)
{
	for (struct sqlite_store *other = s->place->first; other != NULL;
	     other = other->next) {
		if (other == s || !take_stale(other))
			continue;
		sqlite_let_go(other);
		give_back(other);
	}
}

void sqlite_place_damage(struct sqlite_place *place, const char *why)
{
	static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&telling);
	if (!atomic_load(&place->is_damaged)) {
		snprintf(place->damage, sizeof place->damage, "%s", why);
		journal_error("the database %s is damaged: %s: nothing is saved "
		              "until it has passed a check",
		              place->path, why);
	}
	atomic_store(&place->is_damaged, true);
	pthread_mutex_unlock(&telling);
}
