#include "gateway/exchange.h"

void exchange_init(struct exchange *exchange)
{
	*exchange = (struct exchange){.gateway = gateway_new()};
	list_init(&exchange->link);
}

void exchange_release(struct exchange *exchange)
{
	gateway_free(exchange->gateway);
	buffer_release(&exchange->input);
	response_release(&exchange->response);
}
