/* A circular doubly linked list with its links inside the members: being in a list
 * takes no memory, and leaving it needs no search. */
#ifndef LONGROOM_LIST_H
#define LONGROOM_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A head, or a member's link. Linked to itself: an empty list, or a member of
 * none. */
struct list {
	struct list *next, *previous;
};

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

/* Takes a link out of the list that it is in, if any. */
static inline void list_remove(struct list *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	list_init(link);
}

/* Moves a link to the end of a list. */
static inline void list_append(struct list *list, struct list *link)
{
	list_remove(link);
	link->previous = list->previous;
	link->next = list;
	list->previous->next = link;
	list->previous = link;
}

/* Moves all members of one list to the end of another. */
static inline void list_append_all(struct list *list, struct list *members)
{
	if (list_is_empty(members))
		return;
	members->next->previous = list->previous;
	members->previous->next = list;
	list->previous->next = members->next;
	list->previous = members->previous;
	list_init(members);
}

/* Begins a list with all members of another. */
static inline void list_take_all(struct list *list, struct list *members)
{
	list_init(list);
	list_append_all(list, members);
}

static inline size_t list_length(const struct list *list)
{
	size_t length = 0;

	for (const struct list *at = list->next; at != list; at = at->next)
		length++;
	return length;
}

/* The struct that has this link as that member. */
#define LIST_OWNER(link, type, member) \
	((type *)(void *)((char *)(link) - offsetof(type, member)))

#endif
