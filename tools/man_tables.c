/* Writes the man pages: copies standard input, and replaces the lines @SETTINGS@ and
 * @METRICS program@ by lists made from the tables that the programs are built
 * with. */
#include <stdio.h>
#include <string.h>

static const struct {
	const char *section, *name, *kind, *when, *initial;
	long long least, most;
	const char *choices, *meaning;
} rows[] = {
#define SETTING(section, name, kind, when, initial, least, most, choices, \
                meaning)                                                  \
	{#section, #name, #kind, #when, initial, least, most, choices, meaning},
#include "config/settings.def"
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
		if (*rows[i].initial != '\0')
			printf("Default:\n.Ql %s .\n", rows[i].initial);
		else
			puts("Default: empty.");
		if (strcmp(rows[i].when, "LIVE") == 0)
			puts("Re-read on SIGHUP.");
	}
	puts(".El");
}

static const struct {
	const char *program, *name, *meaning;
} metrics[] = {
#define METRIC(identifier, program, kind, name, labels, meaning) \
	{#program, name, meaning},
#include "metrics/metrics.def"
#undef METRIC
};

/* Rows of one name are adjacent; the first has the description. */
static void print_metrics(const char *program)
{
	const char *name = "";

	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
		if (strcmp(metrics[i].program, program) != 0 ||
		    strcmp(metrics[i].name, name) == 0)
			continue;
		name = metrics[i].name;
		printf(".It Ic longroom_%s_%s\n%s\n", program, name,
		       metrics[i].meaning);
	}
	puts(".El");
}

int main(void)
{
	char line[1024], program[16];

	while (fgets(line, sizeof line, stdin) != NULL)
		if (strcmp(line, "@SETTINGS@\n") == 0)
			print_settings();
		else if (sscanf(line, "@METRICS %15[a-z]@", program) == 1)
			print_metrics(program);
		else
			fputs(line, stdout);
	return ferror(stdin) || fflush(stdout) != 0;
}
