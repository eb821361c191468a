/*
 * render_summary.c - the daemon's own mails, about no single challenge.
 */
#include "service/render_internal.h"

#include "adapter/journal.h"
#include "base/list.h"

#include <errno.h>

static const struct zone *house_zone(const struct config *config)
{
	static const struct zone utc = { .name = "UTC" };

	return config->calendar_count > 0 ? calendar_zone(config->calendars[0].calendar) : &utc;
}

int render_summary(const struct world *world, const struct summary *summary, struct instant now,
		   struct error *error)
{
	struct letter letter = render_letter_for(world, house_zone(world->config), now);
	/* It carries no notice, whose ids are positive: this is never the serial of one that
	 * does. */
	const int64_t serial[] = { -1 - render_name_number(summary->name), summary->key[0],
				   summary->key[1], summary->place };
	struct outgoing out = {
		.letter = &letter,
		.address = summary->address,
		.language = summary->language,
		.contact = summary->contact,
		.serial = serial,
		.serial_count = COUNT(serial),
	};

	letter.recipient_name = summary->recipient_name;
	letter.summary = summary->name;
	letter.summary_count = summary->count;
	letter.counts = summary->counts;
	letter.summary_at = summary->at;
	letter.trouble = summary->trouble;
	letter.notices = summary->rows;
	letter.count = summary->row_count;
	return render_store_mail(world, &out, error);
}

/* To the partnership's inbox, with one number. What cannot be written is told loudly, and holds
 * up nothing: it comes with outcomes that must be recorded. */
static int tell_inbox(const struct world *world, const char *name, int64_t count,
		      struct instant now, struct error *error)
{
	const struct summary summary = {
		.name = name,
		.key = { count, now.seconds },
		.count = count,
		.at = INSTANT_NEVER,
		.trouble = "",
		.address = world->config->partnership.inbox,
		.recipient_name = "",
		.language = "en",
	};

	struct error why = { 0 };
	int r = render_summary(world, &summary, now, &why);

	if (r == -EINVAL) {
		journal_send(JOURNAL_HELD, NULL, 0, "the %s mail cannot be written: %s", name,
			     why.text);
		return 0;
	}
	return r < 0 ? error_set(error, why.code, "%s", why.text) : r;
}

int render_adoption(const struct world *world, size_t adopted, struct instant now,
		    struct error *error)
{
	return tell_inbox(world, "adoption", (int64_t)adopted, now, error);
}

int render_flood(const struct world *world, int64_t held, struct instant now,
		 struct error *error)
{
	return tell_inbox(world, "flood", held, now, error);
}

int render_refusal(const struct world *world, int64_t contact, struct instant now,
		   struct error *error)
{
	return tell_inbox(world, "refused", contact, now, error);
}
