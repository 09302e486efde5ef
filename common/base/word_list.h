/* A list of words that it owns: {0} is empty. */
#ifndef LONGROOM_WORD_LIST_H
#define LONGROOM_WORD_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct word_list {
	char **words;
	size_t count;
};

/* Adds the words of a text: they are separated by commas or white space. */
void word_list_add(struct word_list *list, const char *text);
void word_list_release(struct word_list *list);

/* Replaces the words of the list. */
void word_list_copy(struct word_list *list, const struct word_list *from);
/* Whether both have the same words in the same order. */
bool word_list_is_same(const struct word_list *a, const struct word_list *b);

#endif
