/* What comes over the socket pair of daemon and sender, in any order and cut anywhere. */
#include "adapter/sender_channel.h"
#include "fuzz.h"

static void read_payload(enum sender_frame type, const char *payload, size_t length)
{
	struct sender_relay relay;
	struct sender_mail mail;
	struct attempt_result result;
	struct sender_get get;
	struct sender_got got;
	int64_t id;

	switch (type) {
	case FRAME_RELAY:
		if (sender_read_relay(payload, length, &relay) == 0)
			ALWAYS(strlen(relay.url) <= length &&
			       strlen(relay.token_url) <= length);
		break;
	case FRAME_MAIL:
		if (sender_read_mail(payload, length, &mail) == 0)
			ALWAYS(mail.length <= length && strlen(mail.recipient) <= length);
		break;
	case FRAME_BODY:
		(void)sender_read_body(payload, length, &id);
		break;
	case FRAME_STEP:
		break;
	case FRAME_RESULT:
		(void)sender_read_result(payload, length, &id, &result);
		break;
	case FRAME_GET:
		if (sender_read_get(payload, length, &get) == 0)
			ALWAYS(strlen(get.url) <= length && get.seconds > 0);
		break;
	case FRAME_GOT:
		if (sender_read_got(payload, length, &got) == 0)
			ALWAYS(strlen(got.words) < sizeof got.words);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *bytes = malloc(size + 1);
	size_t from = 0;

	ALWAYS(bytes != NULL);
	if (size > 0)
		memcpy(bytes, data, size);
	for (;;) {
		enum sender_frame type;
		const char *payload;
		size_t length;
		size_t taken;

		if (sender_take_frame(bytes + from, size - from, &type, &payload, &length,
				      &taken) != 1)
			return 0;
		ALWAYS(taken > 0 && taken <= size - from && length < taken);
		read_payload(type, payload, length);
		from += taken;
	}
}
