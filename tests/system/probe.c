/*
 * probe.c - tries what the daemon's sandbox is to deny, and what it is to allow.
 *
 * Usage: probe   prints "NAME: allowed" or "NAME: denied: why" for each. Linked statically,
 * so that it starts in any sandbox; test_booted.py runs it with the daemon's unit settings, and
 * as root without them, where all must be allowed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

static bool writes(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool done = fd >= 0 && write(fd, "x", 1) == 1;

	if (fd >= 0)
		(void)close(fd);
	return done;
}

static bool reads(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && read(fd, &byte, 1) == 1;

	if (fd >= 0)
		(void)close(fd);
	return done;
}

static bool opens_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* A datagram leaves, or the filter of addresses says no. */
static bool sends_to(const char *address)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done;

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return false;
	done = sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1;
	(void)close(fd);
	return done;
}

/* The status of a child that does what might change or end its process. */
static bool in_child(bool (*work)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(work() ? 0 : errno);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	if (WIFSIGNALED(status))
		errno = EFAULT;
	else
		errno = WEXITSTATUS(status);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool runs_a_shell(void)
{
	(void)execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
	return false;
}

static bool traces(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool makes_namespace(void)
{
	return unshare(CLONE_NEWUTS) == 0;
}

static bool makes_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool mounts(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL) == 0 && umount("/tmp") == 0;
}

static bool sets_the_host_name(void)
{
	return sethostname("probe", 5) == 0;
}

static bool is_more_important(void)
{
	return setpriority(PRIO_PROCESS, 0, -5) == 0;
}

static bool is_real_time(void)
{
	const struct sched_param first = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_RR, &first) == 0;
}

static bool changes_personality(void)
{
	return personality(ADDR_NO_RANDOMIZE) != -1;
}

static bool maps_writable_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0) != MAP_FAILED;
}

static bool makes_code_of_data(void)
{
	void *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool makes_setuid(void)
{
	const char *folder = getenv("STATE_DIRECTORY");
	char path[4096];
	bool done;

	(void)snprintf(path, sizeof path, "%s/probe-setuid", folder != NULL ? folder : "/tmp");
	done = writes(path) && chmod(path, 04755) == 0;
	int kept = errno;
	(void)unlink(path);
	errno = kept;
	return done;
}

static bool changes_root(void)
{
	return chroot("/") == 0;
}

static bool writes_to_etc(void)
{
	return writes("/etc/challenge-notifyd/probe");
}

static bool writes_to_var(void)
{
	return writes("/var/lib/probe");
}

static bool writes_to_usr(void)
{
	return writes("/usr/lib/probe");
}

static bool reads_a_home(void)
{
	return reads("/home/probe/secret");
}

static bool reads_the_password_file(void)
{
	return reads("/etc/challenge-notifyd/smtp-password");
}

static bool sees_other_processes(void)
{
	return reads("/proc/1/stat");
}

static bool reads_the_kernel_log(void)
{
	return reads("/proc/kallsyms");
}

static bool opens_a_raw_socket(void)
{
	return opens_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static bool opens_a_netlink_socket(void)
{
	return opens_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static bool reaches_another_address(void)
{
	return sends_to("192.0.2.25");
}

static bool writes_its_state(void)
{
	return writes("/var/lib/challenge-notifyd/probe") &&
	       unlink("/var/lib/challenge-notifyd/probe") == 0;
}

static bool writes_beside_the_store(void)
{
	return writes("/var/lib/challenge-store/probe") &&
	       unlink("/var/lib/challenge-store/probe") == 0;
}

static bool reaches_this_machine(void)
{
	return sends_to("127.0.0.1");
}

static const struct probe {
	const char *name;
	bool (*work)(void);
} probes[] = {
	{ "write-etc", writes_to_etc },
	{ "write-var", writes_to_var },
	{ "write-usr", writes_to_usr },
	{ "read-home", reads_a_home },
	{ "read-password-file", reads_the_password_file },
	{ "see-other-processes", sees_other_processes },
	{ "read-kernel-symbols", reads_the_kernel_log },
	{ "other-address", reaches_another_address },
	{ "raw-socket", opens_a_raw_socket },
	{ "netlink-socket", opens_a_netlink_socket },
	{ "writable-code", maps_writable_code },
	{ "code-of-data", makes_code_of_data },
	{ "setuid-file", makes_setuid },
	{ "new-namespace", makes_namespace },
	{ "new-user-namespace", makes_user_namespace },
	{ "mount", mounts },
	{ "chroot", changes_root },
	{ "host-name", sets_the_host_name },
	{ "ptrace", traces },
	{ "shell", runs_a_shell },
	{ "priority", is_more_important },
	{ "real-time", is_real_time },
	{ "personality", changes_personality },
	{ "own-state", writes_its_state },
	{ "store-folder", writes_beside_the_store },
	{ "this-machine", reaches_this_machine },
};

int main(void)
{
	/* What it tries must not happen to a machine that somebody uses. */
	if (access("/etc/this-machine-may-be-probed", F_OK) < 0)
		return 2;
	for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
		bool allowed;

		(void)fflush(stdout);
		errno = 0;
		allowed = in_child(probes[i].work);
		if (allowed)
			(void)printf("%s: allowed\n", probes[i].name);
		else
			(void)printf("%s: denied: %s\n", probes[i].name, strerror(errno));
	}
	return 0;
}
