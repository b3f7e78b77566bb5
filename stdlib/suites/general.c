/*
 * A small general suite: does the kernel give user space what every user space needs?
 *
 * Prints KTAP (kernel: Documentation/dev-tools/ktap.rst). Each test runs in a child of its own,
 * so that a crash is one `not ok` and the rest still runs. A test whose kernel feature is not
 * there is skipped with the reason. Exits with 0 if no test failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define TMPFS_FS_MAGIC 0x01021994

enum outcome { PASS, FAIL, SKIP };

/* Where a test's child writes why it failed or was skipped. */
static int reason_fd;

static void end(enum outcome outcome, const char *format, va_list arguments)
{
	vdprintf(reason_fd, format, arguments);
	_exit(outcome);
}

__attribute__((noreturn, format(printf, 1, 2))) static void skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end(SKIP, format, arguments);
	_exit(SKIP);
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end(FAIL, format, arguments);
	_exit(FAIL);
}

/* Fails with the condition as text and, when it is set, what errno says. */
#define check(condition)                                                                     \
	do {                                                                                 \
		errno = 0;                                                                   \
		if (!(condition))                                                            \
			fail("%s%s%s", #condition, errno ? ": " : "",                        \
			     errno ? strerror(errno) : "");                                  \
	} while (0)

static int is_mounted(const char *where, long magic)
{
	struct statfs fs;

	return statfs(where, &fs) == 0 && (long)fs.f_type == magic;
}

static void need_proc(void)
{
	if (!is_mounted("/proc", PROC_MAGIC))
		skip("no procfs");
}

/* Reads the start of a file as a string. */
static void read_text(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		fail("cannot open %s: %s", path, strerror(errno));
	while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
		length += got;
	close(fd);
	text[length] = '\0';
}

static void proc_version(void)
{
	char text[512];

	need_proc();
	read_text("/proc/version", text, sizeof(text));
	check(strncmp(text, "Linux version ", 14) == 0);
}

static void uname_matches_proc_version(void)
{
	char text[512];
	struct utsname name;

	need_proc();
	read_text("/proc/version", text, sizeof(text));
	check(uname(&name) == 0);
	check(strcmp(name.sysname, "Linux") == 0);
	check(strncmp(text + 14, name.release, strlen(name.release)) == 0);
	check(strstr(text, name.version) != NULL);
}

static void proc_cpuinfo(void)
{
	char text[512];

	need_proc();
	if (access("/proc/cpuinfo", R_OK) != 0)
		skip("no /proc/cpuinfo");
	read_text("/proc/cpuinfo", text, sizeof(text));
	check(strchr(text, ':') != NULL);
}

static long meminfo(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	if (!line)
		fail("/proc/meminfo has no %s", key);
	return strtol(line + strlen(key), NULL, 10);
}

static void proc_meminfo(void)
{
	char text[4096];
	long total, unused;

	need_proc();
	read_text("/proc/meminfo", text, sizeof(text));
	total = meminfo(text, "MemTotal:");
	unused = meminfo(text, "MemFree:");
	if (total < 1024 || unused <= 0 || unused > total)
		fail("MemTotal %ld kB, MemFree %ld kB", total, unused);
}

static void dev_null_and_zero(void)
{
	struct stat st;
	char bytes[64];
	int null, zero;

	if (stat("/dev/null", &st) != 0)
		skip("no /dev/null: no devtmpfs");
	check(S_ISCHR(st.st_mode));
	check(stat("/dev/zero", &st) == 0);
	check(S_ISCHR(st.st_mode));

	check((null = open("/dev/null", O_RDWR)) >= 0);
	check(write(null, "gone", 4) == 4);
	check(read(null, bytes, sizeof(bytes)) == 0);

	memset(bytes, 'x', sizeof(bytes));
	check((zero = open("/dev/zero", O_RDONLY)) >= 0);
	check(read(zero, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i])
			fail("byte %zu of /dev/zero is %d", i, bytes[i]);
}

static void fork_and_wait(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(42);
	check(child > 0);
	check(waitpid(child, &status, 0) == child);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	check(waitpid(child, &status, 0) == -1 && errno == ECHILD);
}

static void pipes(void)
{
	char text[16] = "";
	int ends[2];
	pid_t child;

	check(pipe(ends) == 0);
	child = fork();
	if (child == 0)
		_exit(write(ends[1], "through", 8) != 8);
	check(child > 0);
	close(ends[1]);
	check(read(ends[0], text, sizeof(text)) == 8);
	check(strcmp(text, "through") == 0);
	check(read(ends[0], text, sizeof(text)) == 0);
	check(waitpid(child, NULL, 0) == child);
}

static volatile sig_atomic_t got_signal;

static void on_signal(int signal)
{
	got_signal = signal;
}

static void signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t mask;
	int status;
	pid_t child;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	check(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
	check(kill(getpid(), SIGUSR1) == 0);
	check(got_signal == 0);
	check(sigprocmask(SIG_UNBLOCK, &mask, NULL) == 0);
	check(got_signal == SIGUSR1);

	child = fork();
	if (child == 0)
		for (;;)
			pause();
	check(child > 0);
	check(kill(child, SIGTERM) == 0);
	check(waitpid(child, &status, 0) == child);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

#define FAULTED 42

static void on_fault(int signal)
{
	(void)signal;
	_exit(FAULTED);
}

static void mmap_and_mprotect(void)
{
	struct sigaction action = { .sa_handler = on_fault };
	long page = sysconf(_SC_PAGESIZE);
	volatile char *map;
	int status;
	pid_t child;

	check(page >= 4096);
	map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(map != MAP_FAILED);
	for (long i = 0; i < 4 * page; i += page) {
		check(map[i] == 0);
		map[i] = 'x';
	}

	check(mprotect((void *)map, page, PROT_READ) == 0);
	child = fork();
	if (child == 0) {
		/* Caught, so the kernel does not report an unhandled fault. */
		sigaction(SIGSEGV, &action, NULL);
		map[0] = 'y';
		_exit(PASS);
	}
	check(child > 0);
	check(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != FAULTED)
		fail("writing a page mapped PROT_READ gave wait status %d", status);
	check(map[0] == 'x');
	check(mprotect((void *)map, page, PROT_READ | PROT_WRITE) == 0);
	map[0] = 'z';
	check(map[0] == 'z');
	check(munmap((void *)map, 4 * page) == 0);
}

static void monotonic_clock(void)
{
	struct timespec before, after;
	long long elapsed;

	if (clock_gettime(CLOCK_MONOTONIC, &before) != 0)
		skip("no CLOCK_MONOTONIC: %s", strerror(errno));
	/* Unlike nanosleep it is there without POSIX_TIMERS and COMPAT_32BIT_TIME. */
	check(poll(NULL, 0, 20) == 0);
	check(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
	elapsed = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
	if (elapsed < 20 * 1000 * 1000)
		fail("slept 20 ms, the clock advanced %lld ns", elapsed);
}

static void tmpfs_files(void)
{
	char text[16] = "";
	struct stat st;
	int fd;

	if (!is_mounted("/tmp", TMPFS_FS_MAGIC))
		skip("no tmpfs");
	check((fd = open("/tmp/a", O_RDWR | O_CREAT | O_EXCL, 0600)) >= 0);
	check(write(fd, "kept", 4) == 4);
	check(rename("/tmp/a", "/tmp/b") == 0);
	check(stat("/tmp/a", &st) == -1 && errno == ENOENT);
	check(stat("/tmp/b", &st) == 0);
	check(st.st_size == 4);
	check(pread(fd, text, sizeof(text), 0) == 4);
	check(strcmp(text, "kept") == 0);
	close(fd);
	check(unlink("/tmp/b") == 0);
}

static void sysfs(void)
{
	struct stat st;

	if (!is_mounted("/sys", SYSFS_MAGIC))
		skip("no sysfs");
	check(stat("/sys/devices", &st) == 0 && S_ISDIR(st.st_mode));
	check(stat("/sys/kernel", &st) == 0 && S_ISDIR(st.st_mode));
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "proc_version", proc_version },
	{ "uname_matches_proc_version", uname_matches_proc_version },
	{ "proc_cpuinfo", proc_cpuinfo },
	{ "proc_meminfo", proc_meminfo },
	{ "dev_null_and_zero", dev_null_and_zero },
	{ "fork_and_wait", fork_and_wait },
	{ "pipes", pipes },
	{ "signals", signals },
	{ "mmap_and_mprotect", mmap_and_mprotect },
	{ "monotonic_clock", monotonic_clock },
	{ "tmpfs_files", tmpfs_files },
	{ "sysfs", sysfs },
};

/* Prints one result line; returns whether the test failed. */
static int run(size_t index)
{
	char reason[256] = "";
	const char *name = tests[index].name;
	int ends[2], status;
	pid_t child;

	if (pipe(ends) != 0 || (child = fork()) < 0) {
		dprintf(STDOUT_FILENO, "not ok %zu %s # cannot start: %s\n", index + 1, name,
			strerror(errno));
		return 1;
	}
	if (child == 0) {
		close(ends[0]);
		reason_fd = ends[1];
		/* Ends a test that hangs, where the kernel has timers. */
		alarm(20);
		tests[index].run();
		_exit(PASS);
	}
	close(ends[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* A process that the test left behind may hold the other end open. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (read(ends[0], reason, sizeof(reason) - 1) < 0)
		reason[0] = '\0';
	close(ends[0]);

	if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == PASS)
		return dprintf(STDOUT_FILENO, "ok %zu %s\n", index + 1, name) < 0;
	else if (WEXITSTATUS(status) == SKIP)
		return dprintf(STDOUT_FILENO, "ok %zu %s # SKIP %s\n", index + 1, name, reason) < 0;
	dprintf(STDOUT_FILENO, "not ok %zu %s # %s\n", index + 1, name, reason);
	return 1;
}

int main(void)
{
	const size_t count = sizeof(tests) / sizeof(tests[0]);
	size_t failed = 0;

	dprintf(STDOUT_FILENO, "KTAP version 1\n1..%zu\n", count);
	for (size_t i = 0; i < count; i++)
		failed += run(i);
	dprintf(STDOUT_FILENO, "# %zu of %zu failed\n", failed, count);
	return failed != 0;
}
