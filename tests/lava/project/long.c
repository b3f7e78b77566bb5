#include <stdio.h>
#include <unistd.h>

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("KTAP version 1\n1..1");
	for (int second = 0; second < 20; second++) {
		printf("# second %d\n", second);
		sleep(1);
	}
	puts("ok 1 waits");
	return 0;
}
