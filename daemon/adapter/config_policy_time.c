/*
 * config_policy_time.c - a policy's lengths of time, and which units may stand where.
 */
#include "adapter/config_policy_internal.h"

bool policy_scale_parse(struct reader *reader, const config_setting_t *setting,
			const char *text, unsigned units, struct timescale *ret)
{
	struct error error = { 0 };
	struct timescale scale;

	if (timescale_parse(text, &scale, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		return false;
	}
	if ((units & UNIT(scale.unit)) == 0) {
		reader_fault(reader, setting, "\"%s\" cannot be used here%s", text,
			     scale.unit == TIMESCALE_MONTHS
				     ? ": months are for `every` of a repeat only"
				     : "");
		return false;
	}
	*ret = scale;
	return true;
}

bool policy_scale_read(struct reader *reader, const config_setting_t *setting, unsigned units,
		       struct timescale *ret)
{
	const char *text = reader_text(reader, setting);

	return text != NULL && policy_scale_parse(reader, setting, text, units, ret);
}

void policy_distance_read(struct reader *reader, config_setting_t *setting, void *at)
{
	(void)policy_scale_read(reader, setting, DISTANCE_UNITS, at); /* noted already */
}

void policy_every_read(struct reader *reader, config_setting_t *setting, void *at)
{
	struct obligation *obligation = at;

	/* Its text is the step of an `overdue` notice. Faults are noted already. */
	if (policy_scale_read(reader, setting, REPEAT_UNITS, &obligation->every))
		obligation->every_text = reader_copy(reader, reader_text(reader, setting));
}
