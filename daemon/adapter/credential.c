/* credential.c - see credential.h. */
#include "adapter/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MOST = 16 * 1024, PATH_MOST = 4096 };

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read only: nothing can be lost */
}

/* A name, never a path: no '/', and not "." or "..". */
static bool is_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_.";

	return name[0] != '\0' && strspn(name, letters) == strlen(name) &&
	       strspn(name, ".") != strlen(name);
}

static int open_secret(const char *folder, const char *name, int *ret, struct error *error)
{
	CLEANUP(text_clear) struct text path = { .limit = PATH_MOST };
	struct stat status;
	int fd;

	text_appendf(&path, "%s/%s", folder, name);
	if (text_failed(&path))
		return error_set(error, ENAMETOOLONG, "credential %s: path too long", name);
	fd = open(text_string(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return error_set(error, ENOENT,
				 "credential %s is not there: put LoadCredential=%s:FILE into "
				 "the unit file",
				 name, name);
	if (fd < 0)
		return error_set(error, errno, "credential %s: %s", name, strerror(errno));
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		(void)close(fd);
		return error_set(error, EINVAL, "credential %s is not a plain file", name);
	}
	*ret = fd;
	return 0;
}

/* One byte more than allowed is read, so that a file that is too long shows. */
static int read_secret(int fd, const char *name, char buffer[static SECRET_MOST + 1],
		       size_t *ret, struct error *error)
{
	size_t length = 0;

	while (length <= SECRET_MOST) {
		ssize_t n = read(fd, buffer + length, SECRET_MOST + 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(error, errno, "credential %s: %s", name,
					 strerror(errno));
		if (n == 0)
			break;
		length += (size_t)n;
	}
	if (length > SECRET_MOST)
		return error_set(error, EFBIG, "credential %s is longer than 16 KiB", name);
	*ret = length;
	return 0;
}

static size_t without_line_end(const char *bytes, size_t length)
{
	if (length > 0 && bytes[length - 1] == '\n')
		length--;
	if (length > 0 && bytes[length - 1] == '\r')
		length--;
	return length;
}

int credential_read(const char *folder, const char *name, struct text *ret, struct error *error)
{
	CLEANUP(close_descriptor) int fd = -1;
	struct text secret = { .limit = SECRET_MOST };
	char buffer[SECRET_MOST + 1];
	size_t length = 0;
	int r;

	if (!is_name(name))
		return error_set(error, EINVAL,
				 "credential name \"%s\": letters, digits, '-', '_', '.' only",
				 name);
	if (folder == NULL || folder[0] == '\0')
		return error_set(error, ENOENT,
				 "credential %s: $CREDENTIALS_DIRECTORY is not set; put "
				 "LoadCredential=%s:FILE into the unit file",
				 name, name);
	r = open_secret(folder, name, &fd, error);
	if (r < 0)
		return r;
	r = read_secret(fd, name, buffer, &length, error);
	length = r < 0 ? 0 : without_line_end(buffer, length);
	if (r == 0 && length == 0)
		r = error_set(error, EINVAL, "credential %s is empty", name);
	if (r == 0 && memchr(buffer, '\0', length) != NULL)
		r = error_set(error, EINVAL, "credential %s holds a NUL byte", name);
	if (r == 0) {
		text_append_bytes(&secret, buffer, length);
		r = text_failed(&secret) ? error_memory(error) : 0;
	}
	explicit_bzero(buffer, sizeof buffer);
	if (r < 0) {
		credential_wipe(&secret);
		return r;
	}
	credential_wipe(ret);
	*ret = secret;
	return 0;
}

void credential_wipe(struct text *secret)
{
	if (secret->data != NULL)
		explicit_bzero(secret->data, secret->capacity);
	text_clear(secret);
}
