/*
 * bench_curl.c - the yardstick of delivery: a bare libcurl loop, which remembers nothing.
 *
 * usage: bench_curl URL FILE COUNT   sends the bytes of FILE so many times over one connection,
 * and prints one JSON line: mails a second, and CPU a mail.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct mail {
	char bytes[1 << 16];
	size_t length;
	size_t offset;
};

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* cannot fail for these clocks */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t read_mail(char *to, size_t size, size_t count, void *self)
{
	struct mail *mail = self;
	size_t length = mail->length - mail->offset;

	if (length > size * count)
		length = size * count;
	memcpy(to, mail->bytes + mail->offset, length);
	mail->offset += length;
	return length;
}

static int load(const char *path, struct mail *mail)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return -1;
	mail->length = fread(mail->bytes, 1, sizeof mail->bytes, file);
	(void)fclose(file); /* only read */
	return mail->length > 0 ? 0 : -1;
}

static CURLcode send_all(CURL *curl, struct mail *mail, long count)
{
	struct curl_slist *to = curl_slist_append(NULL, "somebody@council.example");
	CURLcode code = to == NULL ? CURLE_OUT_OF_MEMORY : CURLE_OK;

	(void)curl_easy_setopt(curl, CURLOPT_MAIL_FROM, "bounces@partnership.example");
	(void)curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
	(void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_mail);
	(void)curl_easy_setopt(curl, CURLOPT_READDATA, mail);
	(void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->length);
	for (long i = 0; i < count && code == CURLE_OK; i++) {
		mail->offset = 0;
		code = curl_easy_perform(curl);
	}
	curl_slist_free_all(to);
	return code;
}

int main(int argc, char **argv)
{
	static struct mail mail;
	CURL *curl;
	CURLcode code;
	double wall;
	double cpu;
	long count;

	if (argc != 4 || load(argv[2], &mail) < 0 || (count = strtol(argv[3], NULL, 10)) < 1) {
		(void)fputs("usage: bench_curl URL FILE COUNT\n", stderr);
		return 2;
	}
	curl = curl_easy_init();
	if (curl == NULL)
		return 1;
	(void)curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	wall = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	code = send_all(curl, &mail, count);
	wall = seconds_of(CLOCK_MONOTONIC) - wall;
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	curl_easy_cleanup(curl);
	if (code != CURLE_OK) {
		(void)fprintf(stderr, "bench_curl: %s\n", curl_easy_strerror(code));
		return 1;
	}
	printf("{\"figure\": \"bare libcurl loop, nothing remembered\", \"mails\": %ld, "
	       "\"bytes\": %zu, \"mails_per_second\": %.0f, \"cpu_us_per_mail\": %.1f}\n",
	       count, mail.length, (double)count / wall, cpu * 1e6 / (double)count);
	return 0;
}
