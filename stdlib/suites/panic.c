/* Crashes the kernel on purpose, to see that a crash is found and reported. Needs MAGIC_SYSRQ. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIGGER "/proc/sysrq-trigger"

int main(void)
{
	int fd;

	dprintf(STDOUT_FILENO, "KTAP version 1\n1..1\n");
	dprintf(STDOUT_FILENO, "# crashing the kernel by writing `c` to " TRIGGER "\n");
	sync();
	fd = open(TRIGGER, O_WRONLY);
	if (fd < 0) {
		dprintf(STDOUT_FILENO, "not ok 1 crash # cannot open " TRIGGER ": %s\n",
			strerror(errno));
		return 1;
	}
	if (write(fd, "c", 1) != 1)
		dprintf(STDOUT_FILENO, "not ok 1 crash # cannot write: %s\n", strerror(errno));
	else
		dprintf(STDOUT_FILENO, "not ok 1 crash # the kernel is still running\n");
	return 1;
}
