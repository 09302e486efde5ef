#include "poll/alike.h"

#include "poll/admission.h"

bool alike_begin_by_token(struct poll *poll, struct text bytes)
{
	struct pass pass;

	if (!admit_by_token(poll, bytes, &pass))
		return false;
	bool has_begun = alike_begin(poll, &pass);
	pass_release(&pass, polls_of(poll)->hub, &polls_of(poll)->users);
	return has_begun;
}
