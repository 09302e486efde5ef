#include "presence/watching.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "loop/turn.h"
#include "metrics/metrics.h"

enum {
	/* What a share may cost: passing over a watch costs 1. */
	SHARE_COST = 1024,
	TELLING_COST = 16, /* about as much as a deadline (turn.h) */
	SHARE_TEXTS = 4,
	/* With more watches a text may be a second old: each who comes changes it. */
	CROWD = 100,
};

void watching_init(struct watching *watching, struct roster *roster,
                   const struct room_text_form *form,
                   bool (*tell)(struct watch *watch), int64_t now_ms)
{
	*watching = (struct watching){.roster = roster,
	                              .form = *form,
	                              .tell = tell,
	                              .now_ms = now_ms,
	                              .render_left = TURN_RENDER_BYTES};
	deadlines_init(&watching->deadlines, now_ms);
	list_init(&watching->telling);
	list_init(&watching->asked);
	list_init(&watching->owed);
	list_init(&watching->texts);
	list_init(&watching->idle);
}

/* ---- Texts ---- */

static void drop_form(struct watched *watched)
{
	if (watched->form.form != NULL)
		watched->form.unref(watched->form.form);
	watched->form.form = NULL;
}

static void drop_text(struct watched *watched)
{
	drop_form(watched);
	watched->watching->text_bytes -= watched->text.size;
	buffer_release(&watched->text);
	list_remove(&watched->texts);
}

static struct watched *oldest_text(const struct watching *watching)
{
	return LIST_OWNER(watching->texts.next, struct watched, texts);
}

static void keep_text(struct watched *watched)
{
	struct watching *watching = watched->watching;

	list_append(&watching->texts, &watched->texts);
	watching->text_bytes += watched->text.size;
	while (watching->text_bytes > WATCHING_TEXT_BYTES &&
	       oldest_text(watching) != watched)
		drop_text(oldest_text(watching));
}

static void render_text(struct watched *watched)
{
	struct watching *watching = watched->watching;
	const struct roster_room *room = watched->room;
	struct buffer text = {0};

	room_text_add_entry(&text, &room->name, room, &watching->form);
	watching->render_left -= (int64_t)text.size;
	watched->changes = room->changes;
	watched->rendered_ms = watching->now_ms;
	uint64_t print = hash_text(buffer_text(&text));
	bool is_new = watched->version == 0 || watched->print != print;
	if (!is_new && watched->text.size > 0) {
		buffer_release(&text);
		return;
	}
	drop_text(watched);
	watched->text = text;
	keep_text(watched);
	if (!is_new)
		return;
	watched->print = print;
	watched->version++;
	watched->changed_ms = watching->now_ms;
}

static bool may_be_old(const struct watched *watched)
{
	const struct watching *watching = watched->watching;

	return watching->render_left <= 0 ||
	       (watched->count > CROWD &&
	        watching->now_ms - watched->rendered_ms < WATCHING_LEAST_MS);
}

struct text watched_text(struct watched *watched)
{
	bool is_current = watched->changes == watched->room->changes;

	if (watched->text.size == 0 || (!is_current && !may_be_old(watched)))
		render_text(watched);
	return buffer_text(&watched->text);
}

/* ---- Rooms ---- */

static struct watched *watched_new(struct watching *watching,
                                   const struct room_name *name)
{
	struct watched *watched = memory_get(sizeof *watched);

	watched->watching = watching;
	watched->room = roster_hold(watching->roster, name);
	watched->room->told = watched;
	list_init(&watched->watches);
	list_init(&watched->untold);
	deadline_init(&watched->due);
	list_init(&watched->telling);
	list_init(&watched->texts);
	list_init(&watched->idle);
	return watched;
}

static void watched_free(struct watched *watched)
{
	watched->watching->idle_count--;
	list_remove(&watched->idle);
	watched->room->told = NULL;
	roster_drop(watched->watching->roster, watched->room);
	free(watched);
}

/* Unless it runs. */
static void set_timer(struct watched *watched)
{
	struct watching *watching = watched->watching;
	int64_t delay_ms = WATCHING_LEAST_MS;

	if (!list_is_empty(&watched->due.link))
		return;
	if ((int64_t)watched->count > delay_ms)
		delay_ms = (int64_t)watched->count;
	deadline_set(&watching->deadlines, &watched->due,
	             watching->now_ms + delay_ms);
}

static struct watched *longest_idle(const struct watching *watching)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): freed ones left the list */
	return LIST_OWNER(watching->idle.next, struct watched, idle);
}

static void rest_watched(struct watched *watched)
{
	struct watching *watching = watched->watching;

	drop_text(watched);
	deadline_clear(&watched->due);
	list_remove(&watched->telling);
	watched->idle_ms = watching->now_ms;
	list_append(&watching->idle, &watched->idle);
	watching->count--;
	if (++watching->idle_count > WATCHING_IDLE_MAX)
		watched_free(longest_idle(watching));
}

static void forget_idle(struct watching *watching)
{
	while (!list_is_empty(&watching->idle) &&
	       longest_idle(watching)->idle_ms + WATCHING_IDLE_MS <= watching->now_ms)
		watched_free(longest_idle(watching));
}

static struct watched *get_watched(struct watching *watching,
                                   const struct room_name *name)
{
	const struct roster_room *room = roster_find(watching->roster, name);
	struct watched *watched = room != NULL ? room->told : NULL;

	if (watched == NULL) {
		watched = watched_new(watching, name);
		watching->count++;
	} else if (watched->count == 0) {
		list_remove(&watched->idle);
		watching->idle_count--;
		watching->count++;
	}
	return watched;
}

void watching_release(struct watching *watching)
{
	while (!list_is_empty(&watching->idle))
		watched_free(longest_idle(watching));
}

/* ---- Watches ---- */

void watch_begin(struct watching *watching, struct watch *watch, struct visit *visit,
                 const struct room_name *name)
{
	list_init(&watch->link);
	watch->room = get_watched(watching, name);
	watch->visit = visit;
	watch->room->count++;
	list_append(&watch->room->watches, &watch->link);
	/* The room may have changed while nobody watched it. */
	if (watch->room->version == 0 ||
	    watch->room->changes != watch->room->room->changes)
		set_timer(watch->room);
}

void watch_end(struct watch *watch)
{
	struct watched *watched = watch->room;

	list_remove(&watch->link);
	if (--watched->count == 0)
		rest_watched(watched);
}

void watch_ask(struct watch *watch)
{
	list_append(&watch->room->watching->asked, &watch->link);
}

/* The visit may end with it. Returns what it cost: next to nothing, if the client can't
 * be told and the room's text was at hand. */
static int tell_watch(struct watch *watch)
{
	struct watched *watched = watch->room;
	struct watching *watching = watched->watching;
	int64_t render_left = watching->render_left;

	watched_text(watched);
	watch->told = watched->version;
	if (watching->tell(watch)) {
		metrics_add(METRIC_PUSHD_PRESENCE_TOLD, 1);
		return TELLING_COST;
	}
	watch->told = 0;
	list_append(&watching->owed, &watch->link);
	return watching->render_left == render_left ? 1 : TELLING_COST;
}

/* ---- Time ---- */

void watching_note_change(struct roster_room *room)
{
	struct watched *watched = room->told;

	if (watched != NULL && watched->count > 0)
		set_timer(watched);
}

static void announce(struct deadline *due)
{
	struct watched *watched = LIST_OWNER(due, struct watched, due);

	if (watched->changes != watched->room->changes)
		render_text(watched);
	if (watched->announced == watched->version)
		return;
	watched->announced = watched->version;
	list_append_all(&watched->untold, &watched->watches);
	list_append(&watched->watching->telling, &watched->telling);
}

/* Returns what it cost. */
static int tell_next_of(struct watched *watched)
{
	struct watching *watching = watched->watching;

	if (list_is_empty(&watched->untold)) {
		list_remove(&watched->telling);
		return 1;
	}
	struct watch *watch =
		LIST_OWNER(watched->untold.next, struct watch, link);
	list_append(&watched->watches, &watch->link);
	list_append(&watching->telling, &watched->telling);
	if (watch->told == watched->version)
		return 1;
	return tell_watch(watch);
}

static int tell_next_asked(struct watching *watching)
{
	struct watch *watch = LIST_OWNER(watching->asked.next, struct watch, link);

	list_append(&watch->room->watches, &watch->link);
	return tell_watch(watch);
}

bool watching_has_work(const struct watching *watching)
{
	return !list_is_empty(&watching->asked) ||
	       !list_is_empty(&watching->telling) ||
	       !list_is_empty(&watching->deadlines.due) ||
	       watching->render_left < TURN_RENDER_BYTES;
}

/* Both return what is left. */
static int tell_asked(struct watching *watching, int left)
{
	while (left > 0 && !list_is_empty(&watching->asked))
		left -= tell_next_asked(watching);
	return left;
}

static int tell_untold(struct watching *watching, int left)
{
	while (left > 0 && !list_is_empty(&watching->telling))
		left -= tell_next_of(LIST_OWNER(watching->telling.next,
		                                struct watched, telling));
	return left;
}

/* Half of a share is for each. Clients that read nothing are among those asked with each
 * tick: they must not keep the others from being told. */
bool watching_go_on(struct watching *watching)
{
	int left = SHARE_COST / 2;

	watching->render_left = TURN_RENDER_BYTES;
	deadlines_turn(&watching->deadlines, watching->now_ms, SHARE_TEXTS,
	               announce);
	left += tell_asked(watching, SHARE_COST / 2);
	left = tell_untold(watching, left);
	tell_asked(watching, left);
	return watching_has_work(watching);
}

void watching_tick(struct watching *watching)
{
	forget_idle(watching);
	list_append_all(&watching->asked, &watching->owed);
}
