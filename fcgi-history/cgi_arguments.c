#include "cgi_arguments.h"

#include "base/buffer.h"
#include "codec/params.h"

static const char end_of_options[] = "--";

static bool equals_escaped(const char *argument, struct text word)
{
	size_t at = 0;

	for (; *argument != '\0'; argument++) {
		if (*argument == '\\' && argument[1] != '\0' &&
		    (at == word.size || word.data[at] != '\\' ||
		     argument[1] == '\\'))
			argument++;
		if (at == word.size || word.data[at] != *argument)
			return false;
		at++;
	}
	return at == word.size;
}

static bool is_word(const char *argument, struct text word)
{
	struct buffer decoded = {0};
	bool is = text_is(word, argument);

	if (!is && percent_decode(word, false, &decoded))
		is = equals_escaped(argument, buffer_text(&decoded));
	buffer_release(&decoded);
	return is;
}

/* Cuts the last word off; false: there is none. */
static bool cut_last(struct text *query, struct text *word)
{
	size_t size = 0;

	if (query->data == NULL)
		return false;
	while (size < query->size && query->data[query->size - size - 1] != '+')
		size++;
	*word = (struct text){query->data + query->size - size, size};
	if (size < query->size)
		query->size -= size + 1;
	else
		query->data = NULL;
	return true;
}

static bool has_word(struct text query, const char *wanted)
{
	struct text word;

	while (cut_last(&query, &word))
		if (is_word(wanted, word))
			return true;
	return false;
}

/* -1: they are not the query's. */
static int without_words(struct text query, int argc, char *const *argv)
{
	struct text word;

	while (cut_last(&query, &word)) {
		if (argc <= 1 || !is_word(argv[argc - 1], word))
			return -1;
		argc--;
	}
	return argc;
}

static int end_of_own(int argc, char *const *argv)
{
	int own = 1;

	while (own < argc && strcmp(argv[own], end_of_options) != 0)
		own++;
	return own;
}

int cgi_own_arguments(const char *query, int argc, char *const *argv)
{
	struct text words = text_of(query);

	if (words.size == 0 || strchr(query, '=') != NULL)
		return argc;
	int end = end_of_own(argc, argv);
	if (end < argc)
		return has_word(words, end_of_options) ? 0 : end;
	int own = without_words(words, argc, argv);
	return own >= 1 ? own : argc;
}
