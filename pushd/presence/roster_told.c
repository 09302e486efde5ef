/* What the sources tell over time: others repeat what they say, or it expires; this
 * process tells its news, and repeats the rest. */
#include <assert.h>

#include "presence/roster_private.h"

/* ---- What is no longer repeated ---- */

void roster_set_time(struct roster *roster, int64_t now_ms)
{
	roster->now_ms = now_ms;
}

/* NULL: the list is empty. */
static struct claim *first_claim(const struct list *list)
{
	return list_is_empty(list)
	               ? NULL : LIST_OWNER(list->next, struct claim, in_source);
}

/* The one said longest ago, if that was before this time; or NULL. */
static struct claim *first_before(const struct claims *claims, int64_t before_ms)
{
	struct claim *claim = first_claim(&claims->told);

	return claim != NULL && claim->said_ms < before_ms ? claim : NULL;
}

size_t roster_expire_users(struct roster *roster, unsigned source, int64_t before_ms,
                           size_t most)
{
	const struct claims *claims = &roster->users[source];
	struct claim *claim;
	size_t count = 0;

	assert(source != ROSTER_HERE);
	while (count < most && (claim = first_before(claims, before_ms)) != NULL) {
		roster_end_member(roster, claim);
		count++;
	}
	return count;
}

size_t roster_expire_anonymous(struct roster *roster, unsigned source,
                               int64_t before_ms, size_t most)
{
	const struct claims *claims = &roster->anonymous[source];
	struct claim *claim;
	size_t count = 0;

	assert(source != ROSTER_HERE);
	while (count < most && (claim = first_before(claims, before_ms)) != NULL) {
		roster_set_count(roster, claim, 0);
		count++;
	}
	return count;
}

/* ---- What this process tells ---- */

void roster_keep_news(struct roster *roster)
{
	roster->keeps_news = true;
}

/* Says that it holds, and moves it behind all that has been told. */
static void tell_claim(struct roster *roster, struct claim *claim,
                       struct statement *statement)
{
	*statement = (struct statement){.room = &claim->room->name};
	if (claim->member != NULL) {
		statement->kind = STATEMENT_HERE;
		statement->person = claim->member->person;
	} else {
		statement->kind = STATEMENT_ANONYMOUS;
		statement->anonymous = claim->anonymous;
	}
	list_append(&roster_claims_of(roster, claim)->told, &claim->in_source);
}

/* Says that it is over, and frees it. */
static void tell_end(struct roster *roster, struct claim *claim,
                     struct statement *statement)
{
	struct member *member = claim->member;

	roster->left_room = claim->room->name;
	*statement = (struct statement){.kind = STATEMENT_ANONYMOUS,
	                                .room = &roster->left_room};
	if (member == NULL) {
		roster_free_count(roster, claim);
		return;
	}
	statement->kind = STATEMENT_LEFT;
	statement->person.user_id = (struct text){roster->left_id,
	                                          member->person.user_id.size};
	memcpy(roster->left_id, member->user_id, member->person.user_id.size);
	roster_free_claim(roster, claim);
	roster_settle_member(roster, member);
}

bool roster_take_news(struct roster *roster, struct statement *statement)
{
	struct claim *claim = first_claim(&roster->users[ROSTER_HERE].news);

	if (claim == NULL)
		claim = first_claim(&roster->anonymous[ROSTER_HERE].news);
	if (claim == NULL)
		return false;
	if (claim->is_over)
		tell_end(roster, claim, statement);
	else
		tell_claim(roster, claim, statement);
	return true;
}

static bool take_told(struct roster *roster, const struct claims *claims,
                      struct statement *statement)
{
	struct claim *claim = first_claim(&claims->told);

	if (claim != NULL)
		tell_claim(roster, claim, statement);
	return claim != NULL;
}

bool roster_take_user(struct roster *roster, struct statement *statement)
{
	return take_told(roster, &roster->users[ROSTER_HERE], statement);
}

bool roster_take_anonymous(struct roster *roster, struct statement *statement)
{
	return take_told(roster, &roster->anonymous[ROSTER_HERE], statement);
}

size_t roster_users_here(const struct roster *roster)
{
	return roster->users[ROSTER_HERE].count;
}

size_t roster_anonymous_here(const struct roster *roster)
{
	return roster->anonymous[ROSTER_HERE].count;
}
