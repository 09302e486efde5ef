/* Writes longroom.conf(5): copies standard input and puts the table of settings
 * where a line says @SETTINGS@. */
#include <stdio.h>
#include <string.h>

static const struct {
	const char *section, *name, *kind, *initial, *choices, *meaning;
} rows[] = {
#define SETTING(section, name, kind, initial, least, most, choices, meaning) \
	{#section, #name, #kind, initial, choices, meaning},
#include "settings.def"
#undef SETTING
};

static const char *describe(const char *kind, const char *choices)
{
	static const struct {
		const char *kind, *words;
	} kinds[] = {
		{"TEXT", "text"},      {"LIST", "list"}, {"INTEGER", "number"},
		{"SIZE", "size"},      {"TIME", "time"},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].words;
	return choices;
}

static void print_settings(void)
{
	const char *section = "";

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(section, rows[i].section) != 0)
			printf("%s.Ss [%s]\n.Bl -tag -width Ds\n",
			       i > 0 ? ".El\n" : "", rows[i].section);
		section = rows[i].section;
		printf(".It Ic %s No = Ar %s\n%s\nDefault:\n.Ql %s .\n",
		       rows[i].name, describe(rows[i].kind, rows[i].choices),
		       rows[i].meaning, rows[i].initial);
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
