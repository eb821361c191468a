/*
 * wording - what letters say of roles, links and working time, from configuration and policy.
 *
 * Shared by the mails about single notices, by the lists of challenges, and by previews.
 */
#ifndef CORE_WORDING_H
#define CORE_WORDING_H

#include "base/arena.h"
#include "core/language.h"
#include "core/letter.h"
#include "core/recipient.h"

/*
 * The roles of a set, each once, with their side, without the role whose token is `without`
 * ("": with all), joined in the language. "" for a NULL set. The string lives in the arena. 0
 * or -ENOMEM.
 */
MUST_CHECK int wording_titles(const struct role_rule *rules, size_t rule_count,
			      const struct policy *policy, const struct language *language,
			      const struct role_set *set, const char *without,
			      struct arena *arena, const char **ret, struct error *error);

/*
 * Everybody who hears of the moment of this entry, which may be among `entries`: whoever is
 * told that a time ran out should read who was told that the challenge moved up, and the other
 * way.
 */
struct role_set wording_told(const struct entry *entries, size_t count,
			     const struct entry *entry);

/* The configured link (mail.link) with the reference in it, as RFC 3986 wants it written; "" of
 * "". */
MUST_CHECK int wording_link(const char *link, const char *reference, struct arena *arena,
			    const char **ret, struct error *error);

/* Sets how much working time lies between `now` and the letter's due date, if it has one. */
void wording_time(struct letter_notice *letter, const struct calendar *calendar,
		  struct instant now);

/* True when the obligation's clock starts from `resolved`: feedback is what is owed. */
bool wording_is_feedback(const struct policy *policy, int obligation);

#endif
