#include "poll/alike.h"

#include "poll/admission.h"

bool alike_begin_by_token(struct poll *poll, struct text bytes)
{
	struct pass pass;

	if (!admit_by_token(poll, bytes, &pass))
		return false;
	bool has_begun = alike_begin(poll, &pass);
	users_unref(&polls_of(poll)->users, pass.user);
	return has_begun;
}
