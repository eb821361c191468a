/*
 * config_time.c - settings that are a length of time or a time of day.
 */
#include "adapter/config_main.h"

#include "core/timescale.h"

#include <stdlib.h>
#include <string.h>

/* "15 seconds": the amount and the place of the word, with or without its s, in `words`. */
static bool amount_parse(const char *text, const char *const *words, size_t count,
			 int32_t *ret_amount, size_t *ret_word)
{
	char *end;
	long amount;

	if (text[0] < '1' || text[0] > '9')
		return false;
	amount = strtol(text, &end, 10);
	if (*end != ' ' || amount > 100000)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(words[i]);

		if (strncmp(end + 1, words[i], length) != 0)
			continue;
		if (end[1 + length] == '\0' || strcmp(end + 1 + length, "s") == 0) {
			*ret_amount = (int32_t)amount;
			*ret_word = i;
			return true;
		}
	}
	return false;
}

/* From one second to `most`, which is an hour or a day. */
static void read_interval(struct reader *reader, config_setting_t *setting, int64_t most,
			  int64_t *ret)
{
	static const char *const words[] = { "second", "minute", "hour" };
	static const int64_t seconds[] = { 1, 60, 3600 };
	const char *text = reader_text(reader, setting);
	int32_t amount;
	size_t word;

	if (text == NULL)
		return;
	if (!amount_parse(text, words, COUNT(words), &amount, &word) ||
	    amount * seconds[word] > most)
		reader_fault(reader, setting,
			     "\"%s\" must be like \"15 seconds\", from 1 second to 1 %s", text,
			     most == SECONDS_PER_DAY ? "day" : "hour");
	else
		*ret = amount * seconds[word];
}

void config_poll_read(struct reader *reader, config_setting_t *setting, void *at)
{
	read_interval(reader, setting, 3600, at);
}

void config_every_read(struct reader *reader, config_setting_t *setting, void *at)
{
	read_interval(reader, setting, SECONDS_PER_DAY, at);
}

void config_period_read(struct reader *reader, config_setting_t *setting, void *at)
{
	static const char *const words[] = { "day", "week", "month", "year" };
	const char *text = reader_text(reader, setting);
	int32_t amount;
	size_t word;

	if (text == NULL)
		return;
	if (!amount_parse(text, words, COUNT(words), &amount, &word))
		reader_fault(reader, setting,
			     "\"%s\" must be a number of days, weeks, months or years, like "
			     "\"6 years\"",
			     text);
	else
		*(struct period *)at =
			(struct period){ amount,
					 (enum period_unit)((size_t)PERIOD_DAYS + word) };
}

bool config_time_parse(const char **text, int32_t *ret)
{
	const char *t = *text;

	if (strspn(t, "0123456789") != 2 || t[2] != ':' || strspn(t + 3, "0123456789") != 2)
		return false;
	*ret = ((t[0] - '0') * 10 + t[1] - '0') * 3600 + ((t[3] - '0') * 10 + t[4] - '0') * 60;
	*text = t + 5;
	return t[3] <= '5' && *ret <= SECONDS_PER_DAY;
}

void config_daily_read(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);
	const char *rest = text;
	int32_t second;

	if (text == NULL)
		return;
	if (!config_time_parse(&rest, &second) || *rest != '\0' || second == SECONDS_PER_DAY)
		reader_fault(reader, setting, "\"%s\" must be a time of day, like \"08:30\"",
			     text);
	else
		*(int32_t *)at = second;
}

void config_defer_read(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);
	struct error error = { 0 };
	struct timescale scale;

	if (text == NULL)
		return;
	if (timescale_parse(text, &scale, &error) < 0)
		reader_fault(reader, setting, "%s", error.text);
	else if (scale.unit < TIMESCALE_WORKING_DAYS || scale.unit > TIMESCALE_WEEKS)
		reader_fault(reader, setting, "\"%s\" cannot be used here", text);
	else
		*(struct timescale *)at = scale;
}
