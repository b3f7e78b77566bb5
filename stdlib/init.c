/*
 * The first process of an initramfs: mounts what the kernel has, runs /suite, powers off. Without a /suite it starts a
 * shell on the console, for whoever drives the machine from outside.
 * Built -static -Os for any arch. What it prints is read by the engine's console reader.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/*
 * One write per line: the kernel prints on the same console and would come in between. Each begins a line of its own, whatever the suite
 * left unfinished.
 */
#define say(...) dprintf(STDOUT_FILENO, __VA_ARGS__)

/* A kernel without the file system is no error: a suite that needs it skips. */
static void try_mount(const char *type, const char *where, const char *options)
{
	mkdir(where, 0755);
	mount(type, where, type, MS_NOSUID, options);
}

/* An initramfs without /dev/console starts us without any open file. */
static void open_console(void)
{
	int fd;

	if (fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
	    fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return;
	fd = open("/dev/console", O_RDWR);
	if (fd < 0) {
		mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
		fd = open("/dev/console", O_RDWR);
	}
	if (fd < 0)
		return;
	for (int target = STDIN_FILENO; target <= STDERR_FILENO; target++)
		if (fd != target)
			dup2(fd, target);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void run_suite(void)
{
	char *argv[] = { "/suite", NULL };
	char *envp[] = { "PATH=/bin:/sbin", "HOME=/", "TERM=dumb", NULL };
	int status;
	pid_t suite = fork();

	if (suite == 0) {
		setsid();
		execve(argv[0], argv, envp);
		say("\nengine: cannot run /suite: %s\n", strerror(errno));
		_exit(127);
	}
	if (suite < 0) {
		say("\nengine: cannot fork: %s\n", strerror(errno));
		say("\nengine: suite exited 127\n");
		return;
	}
	/* Orphans of the suite are ours too. */
	for (;;) {
		pid_t ended = wait(&status);

		if (ended == suite)
			break;
		if (ended < 0 && errno != EINTR)
			return;
	}
	if (WIFSIGNALED(status))
		say("\nengine: suite killed by signal %d\n", WTERMSIG(status));
	else
		say("\nengine: suite exited %d\n", WEXITSTATUS(status));
}

/* Busybox has its commands as links to itself. A shell that ends is started again. */
static void run_shell(void)
{
	char *install[] = { "/bin/busybox", "--install", "-s", "/bin", NULL };
	char *shell[] = { "/bin/busybox", "setsid", "/bin/busybox", "cttyhack", "/bin/sh", NULL };
	char *envp[] = { "PATH=/bin:/sbin", "HOME=/root", "TERM=dumb", "PS1=root@engine:# ", NULL };
	char **commands[] = { install, shell };

	for (int command = 0;; command = 1) {
		pid_t child = fork();

		if (child == 0) {
			execve(commands[command][0], commands[command], envp);
			say("\nengine: cannot run a shell: %s\n", strerror(errno));
			_exit(127);
		}
		if (child < 0)
			return;
		while (wait(NULL) != child)
			;
		if (command == 1)
			poll(NULL, 0, 1000);
	}
}

int main(void)
{
	struct utsname name;

	try_mount("devtmpfs", "/dev", "mode=0755");
	open_console();
	try_mount("proc", "/proc", NULL);
	try_mount("sysfs", "/sys", NULL);
	try_mount("tmpfs", "/tmp", "mode=1777");

	say("\nengine: init reached\n");
	if (uname(&name) == 0)
		say("\nengine: kernel %s %s %s %s\n", name.sysname, name.release, name.version,
		    name.machine);
	if (access("/suite", X_OK) == 0)
		run_suite();
	else
		run_shell();
	sync();
	/* The kernel does not wait for the console before it reboots. */
	tcdrain(STDOUT_FILENO);

	/* QEMU with -no-reboot ends on a reboot; boards that can not reboot may power off. */
	reboot(RB_AUTOBOOT);
	reboot(RB_POWER_OFF);
	reboot(RB_HALT_SYSTEM);
	for (;;)
		pause();
}
