/* Writes longroom.conf(5): copies standard input and puts the table of settings
 * where a line says @SETTINGS@. */
#include <stdio.h>
#include <string.h>

static const struct {
	const char *section, *name, *kind, *initial;
	long long least, most;
	const char *choices, *meaning;
} rows[] = {
#define SETTING(section, name, kind, initial, least, most, choices, meaning) \
	{#section, #name, #kind, initial, least, most, choices, meaning},
#include "settings.def"
#undef SETTING
};

struct kind {
	const char *name, *word, *unit; /* no unit: it has no range */
};

static const struct kind *find_kind(const char *name)
{
	static const struct kind kinds[] = {
		{"TEXT", "text", NULL},    {"LIST", "list", NULL},
		{"INTEGER", "number", ""}, {"SIZE", "size", " bytes"},
		{"TIME", "time", " ms"},   {"CHOICE", NULL, NULL},
	};
	const struct kind *kind = kinds;

	while (strcmp(kind->name, name) != 0)
		kind++;
	return kind;
}

static void print_settings(void)
{
	const char *section = "";

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(section, rows[i].section) != 0)
			printf("%s.Ss [%s]\n.Bl -tag -width Ds\n",
			       i > 0 ? ".El\n" : "", rows[i].section);
		section = rows[i].section;
		const struct kind *kind = find_kind(rows[i].kind);
		printf(".It Ic %s No = Ar %s\n%s\n", rows[i].name,
		       kind->word != NULL ? kind->word : rows[i].choices,
		       rows[i].meaning);
		if (kind->unit != NULL)
			printf("From %lld to %lld%s.\n", rows[i].least,
			       rows[i].most, kind->unit);
		printf("Default:\n.Ql %s .\n", rows[i].initial);
	}
	puts(".El");
}

int main(void)
{
	char line[1024];

	while (fgets(line, sizeof line, stdin) != NULL)
		if (strcmp(line, "@SETTINGS@\n") == 0)
			print_settings();
		else
			fputs(line, stdout);
	return ferror(stdin) || fflush(stdout) != 0;
}
