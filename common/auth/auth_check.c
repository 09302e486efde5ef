#include "auth/auth_check.h"

#include "codec/pattern.h"

bool auth_check_patterns(const struct settings *s, enum setting_index index,
                         const struct word_list *list, struct buffer *error)
{
	for (size_t i = 0; i < list->count; i++) {
		enum pattern_fault fault = pattern_check(list->words[i]);

		if (fault == PATTERN_GOOD)
			continue;
		settings_blame(s, index, error);
		buffer_printf(error, "'%s' %s", list->words[i],
		              fault == PATTERN_NO_NAME
		                      ? "cannot match any room name"
		                      : "has more than 8 stars");
		return false;
	}
	return true;
}

/* As browsers write them: a scheme and a host, no path (RFC 6454 section 6.2). */
static bool is_origin(const char *origin)
{
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-._:[]";
	const char *host = strstr(origin, "://");

	return host != NULL && host > origin && host[3] != '\0' &&
	       host[3 + strspn(host + 3, rest)] == '\0';
}

static bool check_origins(const struct settings *s, struct buffer *error)
{
	for (size_t i = 0; i < s->auth.origins.count; i++) {
		if (is_origin(s->auth.origins.words[i]))
			continue;
		settings_blame(s, SETTING_auth_origins, error);
		buffer_printf(error, "'%s' is not an origin: write it like "
		              "https://example.org, in lower case, without a path",
		              s->auth.origins.words[i]);
		return false;
	}
	return true;
}

/* RFC 6265 section 4.1.1. With a name that no cookie can have, every user would be
 * refused. */
static bool check_cookie(const struct settings *s, struct buffer *error)
{
	static const char of_none[] = " \t\"(),/:;<=>?@[\\]{}";

	if (strpbrk(s->auth.cookie, of_none) == NULL)
		return true;
	settings_blame(s, SETTING_auth_cookie, error);
	buffer_printf(error, "'%s' is not a cookie name: leave out white space "
	              "and any of \"(),/:;<=>?@[\\]{}", s->auth.cookie);
	return false;
}

static bool check_keys(const struct settings *s, struct buffer *error)
{
	if (s->auth.mode != AUTH_TOKEN || s->auth.keys.count > 0)
		return true;
	settings_blame(s, SETTING_auth_keys, error);
	buffer_add_string(error, "auth.mode = token needs at least one file with a "
	                         "key (longroom-token key makes one)");
	return false;
}

bool auth_check(const struct settings *s, struct buffer *error)
{
	return auth_check_patterns(s, SETTING_auth_anonymous_read,
	                           &s->auth.anonymous_read, error) &&
	       check_origins(s, error) && check_cookie(s, error) &&
	       check_keys(s, error);
}
