/*
 * A C library for Alpha, as much of one as std/init.c and std/suites/ need: Debian's own crashes
 * at its start when it is linked statically. Linked with -nostdlib -ffreestanding -static; types
 * and constants are those of glibc's headers, whose structs have the kernel's layout here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- Alpha: the start, system calls, and what its kernel does in its own way ---- */

int main(int argc, char **argv, char **envp);
void start(long *stack) __attribute__((noreturn));
void restore(void);

__asm__(".text\n"
	".globl _start\n"
	".ent _start\n"
	"_start:\n"
	"	.frame $15, 0, $31\n"
	"	br $29, 1f\n"
	"1:	ldgp $29, 0($29)\n"
	"	mov $31, $15\n"
	"	mov $30, $16\n"
	"	jsr $26, start\n"
	".end _start\n"
	/* Where a signal handler returns to: sigreturn(stack pointer). */
	".globl restore\n"
	".ent restore\n"
	"restore:\n"
	"	.frame $30, 0, $31\n"
	"	mov $30, $16\n"
	"	lda $0, 103\n"
	"	callsys\n"
	".end restore\n");

/* Gives -errno on failure. */
static long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long v0 __asm__("$0") = number;
	register long a0 __asm__("$16") = a;
	register long a1 __asm__("$17") = b;
	register long a2 __asm__("$18") = c;
	register long a3 __asm__("$19") = d;
	register long a4 __asm__("$20") = e;
	register long a5 __asm__("$21") = f;

	__asm__ volatile("callsys"
			 : "+r"(v0), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5)
			 :
			 : "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$22", "$23", "$24",
			   "$25", "$27", "$28", "memory");
	/* A fourth "argument" that is not 0 says that it failed. */
	return a3 ? -v0 : v0;
}

static long check(long result);
#define call(name, a, b, c, d, e, f) \
	check(raw_call(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

/* The kernel's set of signals has one word, and sits behind the flags. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	unsigned long mask;
};

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	struct kernel_action new = { 0 }, before = { 0 };
	long result;

	if (action) {
		new.handler = action->sa_handler;
		new.flags = action->sa_flags;
		new.mask = action->sa_mask.__val[0];
	}
	result = call(rt_sigaction, number, action ? &new : NULL, &before, 8, restore, 0);
	if (result == 0 && old) {
		memset(old, 0, sizeof(*old));
		old->sa_handler = before.handler;
		old->sa_flags = before.flags;
		old->sa_mask.__val[0] = before.mask;
	}
	return result;
}

pid_t getpid(void)
{
	return call(getxpid, 0, 0, 0, 0, 0, 0);
}

/* Only the page size. */
long sysconf(int name)
{
	if (name == _SC_PAGESIZE)
		return call(getpagesize, 0, 0, 0, 0, 0, 0);
	errno = EINVAL;
	return -1;
}

/* There are no system calls alarm and pause. */
unsigned int alarm(unsigned int seconds)
{
	struct itimerval timer = { .it_value.tv_sec = seconds }, old = { 0 };

	call(setitimer, ITIMER_REAL, &timer, &old, 0, 0, 0);
	return old.it_value.tv_sec;
}

int pause(void)
{
	unsigned long mask = 0;

	call(rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8, 0, 0);
	return call(rt_sigsuspend, &mask, 8, 0, 0, 0, 0);
}

int stat(const char *restrict path, struct stat *restrict facts)
{
	return call(stat64, path, facts, 0, 0, 0, 0);
}

/* ---- What is the same on any Linux: thin system calls ---- */

static int last_error;

int *__errno_location(void)
{
	return &last_error;
}

static long check(long result)
{
	if (result < 0 && result >= -4095) {
		last_error = -result;
		return -1;
	}
	return result;
}

void _exit(int status)
{
	for (;;)
		call(exit_group, status, 0, 0, 0, 0, 0);
}

void start(long *stack)
{
	char **argv = (char **)(stack + 1);

	_exit(main(stack[0], argv, argv + stack[0] + 1));
}

pid_t fork(void)
{
	return call(fork, 0, 0, 0, 0, 0, 0);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	return call(execve, path, argv, envp, 0, 0, 0);
}

pid_t waitpid(pid_t child, int *status, int options)
{
	return call(wait4, child, status, options, NULL, 0, 0);
}

pid_t wait(int *status)
{
	return waitpid(-1, status, 0);
}

pid_t setsid(void)
{
	return call(setsid, 0, 0, 0, 0, 0, 0);
}

int kill(pid_t process, int number)
{
	return call(kill, process, number, 0, 0, 0, 0);
}

int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	return call(rt_sigprocmask, how, set, old, 8, 0, 0);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
	va_end(arguments);
	return call(open, path, flags, mode, 0, 0, 0);
}

int close(int fd)
{
	return call(close, fd, 0, 0, 0, 0, 0);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	return call(read, fd, bytes, size, 0, 0, 0);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	return call(pread64, fd, bytes, size, offset, 0, 0);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return call(write, fd, bytes, size, 0, 0, 0);
}

int fcntl(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return call(fcntl, fd, command, argument, 0, 0, 0);
}

int dup2(int from, int to)
{
	return call(dup2, from, to, 0, 0, 0, 0);
}

int pipe(int ends[2])
{
	return call(pipe2, ends, 0, 0, 0, 0, 0);
}

int tcdrain(int fd)
{
	return call(ioctl, fd, TCSBRK, 1, 0, 0, 0);
}

int access(const char *path, int mode)
{
	return call(access, path, mode, 0, 0, 0, 0);
}

int mkdir(const char *path, mode_t mode)
{
	return call(mkdir, path, mode, 0, 0, 0, 0);
}

int mknod(const char *path, mode_t mode, dev_t device)
{
	return call(mknod, path, mode, device, 0, 0, 0);
}

int rename(const char *from, const char *to)
{
	return call(rename, from, to, 0, 0, 0, 0);
}

int unlink(const char *path)
{
	return call(unlink, path, 0, 0, 0, 0, 0);
}

int statfs(const char *path, struct statfs *facts)
{
	return call(statfs, path, facts, 0, 0, 0, 0);
}

int mount(const char *what, const char *where, const char *type, unsigned long flags,
	  const void *options)
{
	return call(mount, what, where, type, flags, options, 0);
}

void sync(void)
{
	call(sync, 0, 0, 0, 0, 0, 0);
}

int reboot(int how)
{
	return call(reboot, 0xfee1dead, 0x28121969, (unsigned int)how, 0, 0, 0);
}

int uname(struct utsname *name)
{
	return call(uname, name, 0, 0, 0, 0, 0);
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
	return (void *)call(mmap, where, size, protection, flags, fd, offset);
}

int mprotect(void *where, size_t size, int protection)
{
	return call(mprotect, where, size, protection, 0, 0, 0);
}

int munmap(void *where, size_t size)
{
	return call(munmap, where, size, 0, 0, 0, 0);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	return call(clock_gettime, clock, time, 0, 0, 0, 0);
}

int poll(struct pollfd *files, nfds_t count, int milliseconds)
{
	return call(poll, files, count, milliseconds, 0, 0, 0);
}

/* ---- What needs no kernel ---- */

/* Keeps the compiler from seeing memset in memset. */
#define opaque() __asm__ volatile("")

dev_t gnu_dev_makedev(unsigned int major, unsigned int minor)
{
	return (dev_t)(major & 0xfff) << 8 | (minor & 0xff) | (dev_t)(minor & ~0xffU) << 12;
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof(*set));
	return 0;
}

int sigaddset(sigset_t *set, int number)
{
	set->__val[0] |= 1UL << (number - 1);
	return 0;
}

void *memset(void *where, int byte, size_t size)
{
	for (char *at = where; size--; at++) {
		*at = byte;
		opaque();
	}
	return where;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	char *out = to;

	for (const char *in = from; size--; in++) {
		*out++ = *in;
		opaque();
	}
	return to;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length]) {
		length++;
		opaque();
	}
	return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

char *strchr(const char *text, int c)
{
	for (;; text++) {
		if (*text == (char)c)
			return (char *)text;
		if (!*text)
			return NULL;
	}
}

char *strstr(const char *text, const char *part)
{
	size_t length = strlen(part);

	for (;; text++) {
		if (strncmp(text, part, length) == 0)
			return (char *)text;
		if (!*text)
			return NULL;
	}
}

/* Decimal only. */
long strtol(const char *restrict text, char **restrict end, int base)
{
	long number = 0;
	int negative;

	(void)base;
	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	negative = *text == '-';
	for (text += negative; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (*text - '0');
	if (end)
		*end = (char *)text;
	return negative ? -number : number;
}

/* The names that tests tell apart; others by number. */
char *strerror(int number)
{
	static char other[24];

	switch (number) {
	case ENOENT:
		return "No such file or directory";
	case ENOSYS:
		return "Function not implemented";
	case ENOMEM:
		return "Out of memory";
	case EACCES:
		return "Permission denied";
	case EINVAL:
		return "Invalid argument";
	}
	snprintf(other, sizeof(other), "Error %d", number);
	return other;
}

/* Where formatted text goes: what does not fit is counted only. */
struct text {
	char *bytes;
	size_t size, length;
};

static void put(struct text *text, char c)
{
	if (text->length + 1 < text->size)
		text->bytes[text->length] = c;
	text->length++;
}

/* Divides by shifting: Alpha has no instruction for it, and the routines are in the C library. */
static unsigned long divide(unsigned long number, unsigned long by, unsigned long *rest)
{
	unsigned long quotient = 0;

	*rest = 0;
	for (int bit = 63; bit >= 0; bit--) {
		*rest = *rest << 1 | (number >> bit & 1);
		if (*rest >= by) {
			*rest -= by;
			quotient |= 1UL << bit;
		}
	}
	return quotient;
}

static void put_number(struct text *text, unsigned long number, unsigned long base)
{
	unsigned long digit;
	char digits[24];
	int count = 0;

	do {
		number = divide(number, base, &digit);
		digits[count++] = "0123456789abcdef"[digit];
	} while (number);
	while (count)
		put(text, digits[--count]);
}

static void put_integer(struct text *text, char conversion, long number)
{
	if (conversion == 'd' && number < 0) {
		put(text, '-');
		number = -(unsigned long)number;
	}
	put_number(text, number, conversion == 'x' ? 16 : 10);
}

/* %s %c %d %u %x and %%, with l, ll and z; neither width nor precision. */
int vsnprintf(char *restrict bytes, size_t size, const char *restrict format, va_list arguments)
{
	struct text text = { bytes, size, 0 };

	for (; *format; format++) {
		int wide = 0;

		if (*format != '%') {
			put(&text, *format);
			continue;
		}
		while (*++format == 'l' || *format == 'z')
			wide = 1;
		if (*format == 's') {
			for (const char *part = va_arg(arguments, const char *); *part; part++)
				put(&text, *part);
		} else if (*format == 'c') {
			put(&text, va_arg(arguments, int));
		} else if (*format == 'd') {
			put_integer(&text, 'd', wide ? va_arg(arguments, long) : va_arg(arguments, int));
		} else if (*format == 'u' || *format == 'x') {
			put_integer(&text, *format,
				    wide ? va_arg(arguments, long) : va_arg(arguments, unsigned int));
		} else if (*format) {
			put(&text, *format);
		} else {
			break;
		}
	}
	if (size)
		bytes[text.length < size ? text.length : size - 1] = '\0';
	return text.length;
}

int snprintf(char *restrict bytes, size_t size, const char *restrict format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(bytes, size, format, arguments);
	va_end(arguments);
	return length;
}

/* One write, as others print on the same console. */
int vdprintf(int fd, const char *restrict format, va_list arguments)
{
	char bytes[1024];
	size_t length = vsnprintf(bytes, sizeof(bytes), format, arguments);

	return write(fd, bytes, length < sizeof(bytes) ? length : sizeof(bytes) - 1);
}

int dprintf(int fd, const char *restrict format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vdprintf(fd, format, arguments);
	va_end(arguments);
	return length;
}
