#include "base/word_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void word_list_release(struct word_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->words[i]);
	free(list->words);
	*list = (struct word_list){0};
}

static void append_word(struct word_list *list, const char *word, size_t size)
{
	list->words = memory_resize(list->words,
	                            (list->count + 1) * sizeof *list->words);
	list->words[list->count++] = memory_copy(word, size);
}

void word_list_add(struct word_list *list, const char *text)
{
	static const char separators[] = ", \t";

	for (;;) {
		text += strspn(text, separators);
		size_t size = strcspn(text, separators);
		if (size == 0)
			return;
		append_word(list, text, size);
		text += size;
	}
}

void word_list_copy(struct word_list *list, const struct word_list *from)
{
	word_list_release(list);
	for (size_t i = 0; i < from->count; i++)
		append_word(list, from->words[i], strlen(from->words[i]));
}

bool word_list_is_same(const struct word_list *a, const struct word_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->words[i], b->words[i]) != 0)
			return false;
	return true;
}
