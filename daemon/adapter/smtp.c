/*
 * smtp.c - see smtp.h.
 *
 * Three callbacks watch the dialogue: the sockets that libcurl opens (so that a new connection
 * is known as new, and none is ever waited for at its end), the lines that the server says, and
 * the first word of each command that we say.
 */
#include "adapter/smtp.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Mails are small: a larger buffer would only be given back to the kernel after each. */
enum { CHUNK_SIZE = 16 * 1024 };

enum { SOCKETS_MOST = 16, IDLE_SECONDS = 60, VERB_SIZE = 12, LINE_KEPT = REPLY_SIZE };

/* What is known of the connection that is open now; a new socket begins a new one. */
struct dialogue {
	char verb[VERB_SIZE]; /* the last command said; "" before the first */
	bool greeted;
	bool secure;        /* TLS stands, or none was asked for */
	bool authenticated; /* a 235 was heard */
	bool login_offered; /* in the reply to this EHLO */
	bool carried;       /* a mail has gone over it */
	bool new_line;      /* the next line begins a reply */
	bool leaving;       /* QUIT was said: what comes now is about no mail */
};

struct smtp {
	CURL *curl;
	bool implicit_tls;
	bool clear_text;
	bool login;
	long connect_seconds;
	long reply_seconds;
	long dot_seconds;
	char words[CURL_ERROR_SIZE];
	int sockets[SOCKETS_MOST];
	size_t socket_count;
	struct dialogue dialogue;

	/* of the mail under way */
	const struct sender_mail *mail;
	const struct smtp_watch *watch;
	size_t offset;
	bool body_sent;
	bool opened;    /* a connection was opened for this mail */
	bool too_long;  /* to be made */
	bool no_login;  /* the relay would have taken the mail without our login */
	int reply_code; /* of the last complete reply */
	struct text reply;
};

/* ---- the relay's settings ---- */

static void url_cleanup(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void curl_freep(char **string)
{
	curl_free(*string);
}

/* 127.0.0.0/8 or ::1, written as an address: a name could come to mean another host. */
static bool is_literal_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;
	char inner[INET6_ADDRSTRLEN + 1];
	size_t length = strlen(host);

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (length < 3 || length - 2 >= sizeof inner || host[0] != '[' ||
	    host[length - 1] != ']')
		return false;
	memcpy(inner, host + 1, length - 2);
	inner[length - 2] = '\0';
	return inet_pton(AF_INET6, inner, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool is_host_name(const char *name)
{
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789-.") == strlen(name) &&
	       strlen(name) <= 255;
}

/* True when the URL has this part, other than an empty one or the path "/". */
static bool url_has(CURLU *url, CURLUPart part)
{
	CLEANUP(curl_freep) char *value = NULL;

	return curl_url_get(url, part, &value, 0) == CURLUE_OK && value[0] != '\0' &&
	       strcmp(value, "/") != 0;
}

static int check_url(CURLU *url, const struct sender_relay *relay, bool *ret_implicit,
		     struct error *error)
{
	CLEANUP(curl_freep) char *scheme = NULL;
	CLEANUP(curl_freep) char *host = NULL;

	if (curl_url_set(url, CURLUPART_URL, relay->url, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return error_set(error, EINVAL, "relay \"%s\" is not an address of a relay",
				 relay->url);
	if (strcmp(scheme, "smtp") != 0 && strcmp(scheme, "smtps") != 0)
		return error_set(error, EINVAL, "relay \"%s\" is neither smtps:// nor smtp://",
				 relay->url);
	if (url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD) ||
	    url_has(url, CURLUPART_OPTIONS) || url_has(url, CURLUPART_PATH) ||
	    url_has(url, CURLUPART_QUERY) || url_has(url, CURLUPART_FRAGMENT))
		return error_set(error, EINVAL,
				 "relay: only scheme, host and port belong there");
	if (relay->clear_text && (strcmp(scheme, "smtp") != 0 || !is_literal_loopback(host)))
		return error_set(error, EINVAL,
				 "relay \"%s\": clear text is for a literal loopback address "
				 "only",
				 relay->url);
	*ret_implicit = strcmp(scheme, "smtps") == 0;
	return 0;
}

/* The path of the URL is the name that libcurl says in EHLO; "" leaves the host's own. */
static int make_url(const struct sender_relay *relay, bool *ret_implicit, char **ret,
		    struct error *error)
{
	CLEANUP(url_cleanup) CURLU *url = curl_url();
	CLEANUP(text_clear) struct text path = { 0 };
	int r;

	if (url == NULL)
		return error_memory(error);
	r = check_url(url, relay, ret_implicit, error);
	if (r < 0)
		return r;
	if (!is_host_name(relay->ehlo))
		return error_set(error, EINVAL, "ehlo \"%s\" is not a host name", relay->ehlo);
	text_appendf(&path, "/%s", relay->ehlo);
	if (text_failed(&path) ||
	    curl_url_set(url, CURLUPART_PATH, text_string(&path), 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_URL, ret, 0) != CURLUE_OK)
		return error_memory(error);
	return 0;
}

static const char *login_options(const char *login)
{
	static const char *const known[][2] = { { "PLAIN", "AUTH=PLAIN" },
						{ "LOGIN", "AUTH=LOGIN" },
						{ "XOAUTH2", "AUTH=XOAUTH2" } };

	for (size_t i = 0; i < COUNT(known); i++)
		if (strcmp(known[i][0], login) == 0)
			return known[i][1];
	return NULL;
}

/* ---- the sockets ---- */

static curl_socket_t on_open(void *self, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct smtp *smtp = self;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || smtp->socket_count == SOCKETS_MOST)
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	smtp->sockets[smtp->socket_count++] = fd;
	smtp->opened = true;
	smtp->dialogue = (struct dialogue){
		.secure = smtp->implicit_tls || smtp->clear_text,
		.new_line = true,
	};
	return fd;
}

static int on_close(void *self, curl_socket_t fd)
{
	struct smtp *smtp = self;

	for (size_t i = 0; i < smtp->socket_count; i++)
		if (smtp->sockets[i] == fd) {
			smtp->sockets[i] = smtp->sockets[--smtp->socket_count];
			break;
		}
	return close(fd);
}

/* SHUT_RD leaves the way out for a QUIT whose answer then is not waited for. */
static void shut_sockets(struct smtp *smtp, int how)
{
	for (size_t i = 0; i < smtp->socket_count; i++)
		(void)shutdown(smtp->sockets[i], how); /* not connected yet: as good */
}

/* ---- what is told of it ---- */

static void tell_line(const struct smtp *smtp, enum sender_speaker who, const char *words,
		      size_t length)
{
	const struct smtp_watch *watch = smtp->watch;

	if (watch == NULL || watch->step == NULL)
		return;
	while (length > 0 && (words[length - 1] == '\n' || words[length - 1] == '\r'))
		length--;
	watch->step(watch->self, who, words, length);
}

/* Of the words that belong to a login only the mechanism is told. */
static void tell_said(const struct smtp *smtp, const char *line, size_t length)
{
	static const char secret[] = "(the login, which is not shown)";
	CLEANUP(text_clear) struct text said = { 0 };
	size_t mechanism = 5;

	if (strcmp(smtp->dialogue.verb, "AUTH") != 0) {
		tell_line(smtp, SAID_BY_US, line, length);
		return;
	}
	if (length < 5 || memcmp(line, "AUTH ", 5) != 0) {
		tell_line(smtp, SAID_BY_US, secret, sizeof secret - 1);
		return;
	}
	while (mechanism < length && line[mechanism] > ' ')
		mechanism++;
	text_append_bytes(&said, line, mechanism);
	if (mechanism < length && line[mechanism] == ' ')
		text_appendf(&said, " %s", secret);
	if (!text_failed(&said))
		tell_line(smtp, SAID_BY_US, said.data, said.length);
}

/* Of libcurl's own remarks those that help with names, connections and TLS. */
static void tell_remark(const struct smtp *smtp, const char *remark, size_t length)
{
	static const char *const helpful[] = { "Could not resolve",
					       "Trying ",
					       "Connected to ",
					       "connect to ",
					       "SSL connection using",
					       " subject:",
					       " expire date:",
					       " issuer:",
					       " SSL certificate verify",
					       "SSL certificate problem",
					       "SSL: no alternative certificate",
					       " CAfile:" };

	while (length > 0 && *remark == ' ' && remark[1] == ' ') {
		remark++;
		length--;
	}
	for (size_t i = 0; i < COUNT(helpful); i++)
		if (length > strlen(helpful[i]) &&
		    memcmp(remark, helpful[i], strlen(helpful[i])) == 0) {
			bool blank = *remark == ' ';

			tell_line(smtp, SAID_AS_NOTE, remark + blank, length - blank);
			return;
		}
}

/* ---- what the server says ---- */

/* The three digits that a reply line begins with; -1: not a reply line. */
static int line_code(const char *line, size_t length)
{
	int code = 0;

	if (length < 3)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		code = code * 10 + (line[i] - '0');
	}
	return length == 3 || line[3] == ' ' || line[3] == '-' || line[3] == '\r' ||
			       line[3] == '\n'
		       ? code
		       : -1;
}

/* The first line whole, of the others the text alone: a reply becomes one line. */
static void note_reply(struct smtp *smtp, const char *line, size_t length)
{
	size_t skip = 0;

	while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
		length--;
	if (smtp->dialogue.new_line)
		text_cut(&smtp->reply, 0);
	else
		skip = length < 4 ? length : 4;
	if (length > LINE_KEPT)
		length = LINE_KEPT;
	if (skip > 0)
		text_append_char(&smtp->reply, ' ');
	text_append_bytes(&smtp->reply, line + skip, length - skip); /* a long reply is cut */
	if (skip == 0 && smtp->reply.length > 3)
		smtp->reply.data[3] = ' '; /* not the '-' of a first line */
}

/* An EHLO was answered on a secure channel without an offer to log in: go no further. */
static bool lacks_login(const struct smtp *smtp)
{
	const struct dialogue *dialogue = &smtp->dialogue;
	bool hello = strcmp(dialogue->verb, "EHLO") == 0 || strcmp(dialogue->verb, "HELO") == 0;

	return smtp->login && hello && dialogue->secure && smtp->reply_code / 100 == 2 &&
	       !dialogue->login_offered;
}

static void note_complete(struct smtp *smtp, int code)
{
	struct dialogue *dialogue = &smtp->dialogue;

	smtp->reply_code = code;
	dialogue->new_line = true;
	if (code == 235)
		dialogue->authenticated = true;
	if (code == 220 && strcmp(dialogue->verb, "STARTTLS") == 0)
		dialogue->secure = true;
}

static size_t on_line(char *line, size_t size, size_t count, void *self)
{
	struct smtp *smtp = self;
	size_t length = size * count;
	int code = line_code(line, length);

	if (code < 0 || smtp->dialogue.leaving)
		return length; /* libcurl skips the former as well */
	smtp->dialogue.greeted = true;
	tell_line(smtp, SAID_BY_RELAY, line, length);
	note_reply(smtp, line, length);
	smtp->dialogue.new_line = false;
	if (length > 9 && memcmp(line + 4, "AUTH ", 5) == 0)
		smtp->dialogue.login_offered = true;
	if (length > 3 && line[3] == '-')
		return length;
	note_complete(smtp, code);
	if (lacks_login(smtp)) {
		smtp->no_login = true;
		return 0;
	}
	return length;
}

/* ---- what we say ---- */

/* Of a command only its verb is kept: the rest may be a password. */
static void note_verb(struct dialogue *dialogue, const char *line, size_t length)
{
	static const char *const verbs[] = { "EHLO", "HELO", "STARTTLS", "AUTH",
					     "MAIL", "RCPT", "DATA",     "QUIT" };

	for (size_t i = 0; i < COUNT(verbs); i++) {
		size_t n = strlen(verbs[i]);

		if (length > n && memcmp(line, verbs[i], n) == 0 &&
		    (line[n] == ' ' || line[n] == '\r')) {
			memcpy(dialogue->verb, verbs[i], n + 1);
			return;
		}
	}
}

static int on_said(CURL *curl, curl_infotype type, char *line, size_t length, void *self)
{
	struct smtp *smtp = self;
	struct dialogue *dialogue = &smtp->dialogue;

	(void)curl;
	if (type == CURLINFO_TEXT)
		tell_remark(smtp, line, length);
	if (type != CURLINFO_HEADER_OUT)
		return 0;
	if (length >= 4 && memcmp(line, "QUIT", 4) == 0) {
		/* It is on its way; libcurl would now wait for the answer, before it tells us
		 * what came of the mail. */
		dialogue->leaving = true;
		shut_sockets(smtp, SHUT_RDWR);
		return 0;
	}
	note_verb(dialogue, line, length);
	tell_said(smtp, line, length);
	if (strcmp(dialogue->verb, "EHLO") == 0 || strcmp(dialogue->verb, "HELO") == 0)
		dialogue->login_offered = false;
	if (strcmp(dialogue->verb, "MAIL") == 0 && smtp->login && !dialogue->authenticated) {
		smtp->no_login = true; /* lacks_login() should have seen it; never a body */
		shut_sockets(smtp, SHUT_RDWR);
	}
	return 0;
}

/* The end of the body is ours to know: libcurl need not ask once more after it. */
static size_t on_read(char *buffer, size_t size, size_t count, void *self)
{
	static const char text_and_dot[] = "(the mail, and the dot that ends it)";
	struct smtp *smtp = self;
	size_t room = size * count;
	size_t left = smtp->mail->length - smtp->offset;
	size_t take = left < room ? left : room;

	if (smtp->no_login)
		return CURL_READFUNC_ABORT;
	if (take == left && !smtp->body_sent) {
		if (!smtp->watch->body(smtp->watch->self))
			return CURL_READFUNC_ABORT;
		(void)curl_easy_setopt(smtp->curl, CURLOPT_SERVER_RESPONSE_TIMEOUT,
				       smtp->dot_seconds); /* in range since smtp_create */
		smtp->body_sent = true;
		tell_line(smtp, SAID_BY_US, text_and_dot, sizeof text_and_dot - 1);
	}
	memcpy(buffer, smtp->mail->bytes + smtp->offset, take);
	smtp->offset += take;
	return take;
}

/*
 * libcurl's own limit on connecting runs on until the login is done; RFC 5321 section 4.5.3.2
 * grants a greeting far more than a connection should take. True: it is not made (nor, with
 * implicit TLS, is the handshake) and its time is over.
 */
static bool connects_too_long(const struct smtp *smtp)
{
	CURLINFO made =
		smtp->implicit_tls ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T;
	bool connecting = smtp->opened || smtp->socket_count == 0;
	curl_off_t at = 0, now = 0;

	if (!connecting || curl_easy_getinfo(smtp->curl, made, &at) != CURLE_OK ||
	    curl_easy_getinfo(smtp->curl, CURLINFO_TOTAL_TIME_T, &now) != CURLE_OK)
		return false;
	return at == 0 && now > (curl_off_t)smtp->connect_seconds * 1000000;
}

static int on_progress(void *self, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct smtp *smtp = self;

	(void)a, (void)b, (void)c, (void)d;
	if (smtp->watch == NULL)
		return 0;
	smtp->too_long = smtp->too_long || connects_too_long(smtp);
	return smtp->too_long || !smtp->watch->go_on(smtp->watch->self) ? 1 : 0;
}

/* ---- the handle ---- */

/* Remembers the first failure of a run of options. */
struct options {
	CURL *curl;
	CURLcode failed;
};

#define OPTION(options, name, value)                                                 \
	do {                                                                         \
		CURLcode code_ = curl_easy_setopt((options)->curl, (name), (value)); \
		if ((options)->failed == CURLE_OK)                                   \
			(options)->failed = code_;                                   \
	} while (0)

static void set_security(struct options *options, const struct sender_relay *relay)
{
	OPTION(options, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	OPTION(options, CURLOPT_PROXY, "");
	OPTION(options, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	OPTION(options, CURLOPT_USE_SSL,
	       (long)(relay->clear_text ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	OPTION(options, CURLOPT_SSL_VERIFYPEER, 1L);
	OPTION(options, CURLOPT_SSL_VERIFYHOST, 2L);
	OPTION(options, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	OPTION(options, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* see https.c */
	if (relay->ca[0] != '\0') {
		OPTION(options, CURLOPT_CAINFO, relay->ca);
		OPTION(options, CURLOPT_CAPATH,
		       NULL); /* else Debian's stays trusted beside it */
	}
}

static void set_login(struct options *options, const struct sender_relay *relay,
		      const char *secret)
{
	if (relay->login[0] == '\0')
		return;
	OPTION(options, CURLOPT_LOGIN_OPTIONS, login_options(relay->login));
	OPTION(options, CURLOPT_SASL_IR, 1L);
	OPTION(options, CURLOPT_USERNAME, relay->user);
	if (strcmp(relay->login, "XOAUTH2") == 0)
		OPTION(options, CURLOPT_XOAUTH2_BEARER, secret);
	else
		OPTION(options, CURLOPT_PASSWORD, secret);
}

static void set_times(struct options *options, const struct sender_relay *relay)
{
	long whole = 2L * (relay->connect_seconds + relay->reply_seconds) + relay->dot_seconds;

	/* 900 s, so that a relay that reads at a crawl has an end as well. */
	OPTION(options, CURLOPT_TIMEOUT, whole);
	OPTION(options, CURLOPT_CONNECTTIMEOUT, whole); /* see connects_too_long */
	OPTION(options, CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS);
	OPTION(options, CURLOPT_NOSIGNAL, 1L);
	OPTION(options, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that hangs */
}

static void set_callbacks(struct options *options, struct smtp *smtp)
{
	OPTION(options, CURLOPT_OPENSOCKETFUNCTION, on_open);
	OPTION(options, CURLOPT_OPENSOCKETDATA, smtp);
	OPTION(options, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	OPTION(options, CURLOPT_CLOSESOCKETDATA, smtp);
	OPTION(options, CURLOPT_HEADERFUNCTION, on_line);
	OPTION(options, CURLOPT_HEADERDATA, smtp);
	OPTION(options, CURLOPT_DEBUGFUNCTION, on_said);
	OPTION(options, CURLOPT_DEBUGDATA, smtp);
	OPTION(options, CURLOPT_VERBOSE, 1L);
	OPTION(options, CURLOPT_READFUNCTION, on_read);
	OPTION(options, CURLOPT_READDATA, smtp);
	OPTION(options, CURLOPT_XFERINFOFUNCTION, on_progress);
	OPTION(options, CURLOPT_XFERINFODATA, smtp);
	OPTION(options, CURLOPT_NOPROGRESS, 0L);
	OPTION(options, CURLOPT_ERRORBUFFER, smtp->words);
	OPTION(options, CURLOPT_UPLOAD, 1L);
	OPTION(options, CURLOPT_UPLOAD_BUFFERSIZE, (long)CHUNK_SIZE);
}

static int set_options(struct smtp *smtp, const struct sender_relay *relay, const char *url,
		       const char *secret, struct error *error)
{
	struct options options = { .curl = smtp->curl };

	OPTION(&options, CURLOPT_URL, url);
	set_security(&options, relay);
	set_login(&options, relay, secret);
	set_times(&options, relay);
	set_callbacks(&options, smtp);
	if (options.failed == CURLE_OUT_OF_MEMORY)
		return error_memory(error);
	if (options.failed != CURLE_OK)
		return error_set(error, EINVAL, "libcurl cannot be set up for this relay: %s",
				 curl_easy_strerror(options.failed));
	return 0;
}

static struct smtp *allocate(void)
{
	struct smtp *smtp = calloc(1, sizeof *smtp);

	if (smtp == NULL)
		return NULL;
	smtp->curl = curl_easy_init();
	if (smtp->curl == NULL) {
		free(smtp);
		return NULL;
	}
	return smtp;
}

int smtp_create(const struct sender_relay *relay, const char *secret, struct smtp **ret,
		struct error *error)
{
	CLEANUP(smtp_destroyp) struct smtp *smtp = NULL;
	CLEANUP(curl_freep) char *url = NULL;
	bool implicit_tls = false;
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(error, EIO, "libcurl cannot be initialised");
	if (relay->login[0] != '\0' && login_options(relay->login) == NULL)
		return error_set(error, EINVAL, "login \"%s\" is not PLAIN, LOGIN or XOAUTH2",
				 relay->login);
	if (relay->login[0] != '\0' && (relay->user[0] == '\0' || secret[0] == '\0'))
		return error_set(error, EINVAL, "login %s needs a user and a credential",
				 relay->login);
	r = make_url(relay, &implicit_tls, &url, error);
	if (r < 0)
		return r;
	smtp = allocate();
	if (smtp == NULL)
		return error_memory(error);
	smtp->implicit_tls = implicit_tls;
	smtp->clear_text = relay->clear_text;
	smtp->login = relay->login[0] != '\0';
	smtp->connect_seconds = relay->connect_seconds;
	smtp->reply_seconds = relay->reply_seconds;
	smtp->dot_seconds = relay->dot_seconds;
	smtp->reply.limit = 8 * REPLY_SIZE;
	r = set_options(smtp, relay, url, secret, error);
	if (r < 0)
		return r;
	*ret = TAKE(smtp);
	return 0;
}

/* ---- one mail ---- */

static void begin(struct smtp *smtp, const struct sender_mail *mail,
		  const struct smtp_watch *watch)
{
	smtp->mail = mail;
	smtp->watch = watch;
	smtp->offset = 0;
	smtp->body_sent = false;
	smtp->opened = false;
	smtp->too_long = false;
	smtp->no_login = false;
	smtp->reply_code = 0;
	smtp->words[0] = '\0';
	text_cut(&smtp->reply, 0);
	smtp->reply.failed = false;
	smtp->dialogue.new_line = true;
}

static CURLcode perform(struct smtp *smtp, struct curl_slist *recipients)
{
	struct options options = { .curl = smtp->curl };

	OPTION(&options, CURLOPT_MAIL_FROM, smtp->mail->envelope_from);
	OPTION(&options, CURLOPT_MAIL_RCPT, recipients);
	OPTION(&options, CURLOPT_INFILESIZE_LARGE, (curl_off_t)smtp->mail->length);
	OPTION(&options, CURLOPT_SERVER_RESPONSE_TIMEOUT, smtp->reply_seconds);
	if (options.failed != CURLE_OK)
		return options.failed;
	return curl_easy_perform(smtp->curl);
}

/* True when the server itself has spoken last, in a whole reply that decided this mail. */
static bool server_decided(CURLcode code, int reply_code)
{
	return code == CURLE_OK ||
	       (reply_code >= 400 &&
		(code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_SEND_ERROR ||
		 code == CURLE_LOGIN_DENIED || code == CURLE_REMOTE_ACCESS_DENIED));
}

static void say_words(const struct smtp *smtp, CURLcode code, struct attempt_result *result)
{
	const char *words = smtp->words[0] != '\0' ? smtp->words : curl_easy_strerror(code);

	if (smtp->no_login)
		words = "the relay offers no login, but one is configured";
	if (smtp->too_long)
		words = "the relay could not be connected to in time";
	if (!smtp->no_login && server_decided(code, result->reply_code) &&
	    smtp->reply.length > 0)
		delivery_reply_clean(text_string(&smtp->reply), smtp->reply.length,
				     result->reply); /* may hold a NUL */
	else
		delivery_reply_clean(words, strlen(words), result->reply);
}

/* Only after these the connection is known to be in step. */
static bool still_sound(CURLcode code, const struct attempt_result *result)
{
	return code == CURLE_OK || (code == CURLE_WEIRD_SERVER_REPLY && result->body_sent &&
				    result->reply_code >= 400 && result->reply_code != 421);
}

bool smtp_send(struct smtp *smtp, const struct sender_mail *mail,
	       const struct smtp_watch *watch, struct attempt_result *ret)
{
	struct curl_slist *recipients = curl_slist_append(NULL, mail->recipient);
	bool carried = smtp->dialogue.carried;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	bool sound;

	begin(smtp, mail, watch);
	if (recipients != NULL)
		code = perform(smtp, recipients);
	if (smtp->too_long && code == CURLE_ABORTED_BY_CALLBACK)
		code = CURLE_OPERATION_TIMEDOUT;
	(void)curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL); /* cannot fail */
	curl_slist_free_all(recipients);
	smtp->mail = NULL;
	smtp->watch = NULL;

	*ret = (struct attempt_result){
		.curl_code = (int)code,
		.reply_code = smtp->reply_code,
		.body_sent = smtp->body_sent,
		.at_rcpt = strcmp(smtp->dialogue.verb, "RCPT") == 0,
		.greeted = smtp->dialogue.greeted,
		.reused = carried && !smtp->opened,
		.configuration = smtp->no_login,
	};
	say_words(smtp, code, ret);
	sound = still_sound(code, ret);
	smtp->dialogue.carried = sound;
	if (!sound)
		shut_sockets(smtp, SHUT_RDWR); /* or libcurl would pick it up again */
	return sound;
}

void smtp_destroy(struct smtp *smtp)
{
	if (smtp == NULL)
		return;
	shut_sockets(smtp, SHUT_RD);
	curl_easy_cleanup(smtp->curl);
	text_clear(&smtp->reply);
	free(smtp);
}

void smtp_destroyp(struct smtp **smtp)
{
	smtp_destroy(*smtp);
}
