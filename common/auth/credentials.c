#include "auth/credentials.h"

const struct credential_name credential_names[CREDENTIALS] = {
	[CREDENTIAL_USER_ID] = {"Longroom-User-Id", "LONGROOM_USER_ID"},
	[CREDENTIAL_USERNAME] = {"Longroom-Username", "LONGROOM_USERNAME"},
	[CREDENTIAL_SENDER_TYPE] = {"Longroom-Sender-Type", "LONGROOM_SENDER_TYPE"},
	[CREDENTIAL_READ] = {"Longroom-Read", "LONGROOM_READ"},
	[CREDENTIAL_WRITE] = {"Longroom-Write", "LONGROOM_WRITE"},
	[CREDENTIAL_AUTHORIZATION] = {"Authorization", "HTTP_AUTHORIZATION"},
	[CREDENTIAL_COOKIE] = {"Cookie", "HTTP_COOKIE"},
	[CREDENTIAL_ORIGIN] = {"Origin", "HTTP_ORIGIN"},
	[CREDENTIAL_FETCH_SITE] = {"Sec-Fetch-Site", "HTTP_SEC_FETCH_SITE"},
	[CREDENTIAL_HOST] = {"Host", "HTTP_HOST"},
};
