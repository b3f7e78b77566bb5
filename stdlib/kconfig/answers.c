/* Linked into kconfig's `conf` in place of popen and pclose: answers what Kconfig files ask of the shell.
 *
 * Kconfig files ask while they are read, before any .config is, so the questions are always the same and in the same order.
 * ENGINE_RECORD=FILE: a command is run, and goes into the file with its output and status.
 * ENGINE_REPLAY=FILE: a command that is the next of the file is answered from there without a process. Any other is run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

FILE *__real_popen(const char *command, const char *mode);
int __real_pclose(FILE *stream);

/* What is answered, and its stream while that is open. */
static struct {
	FILE *stream;
	char *output;
	size_t length;
	int status;
} answer;

/* Runs a command to its end; whether all of its output is known. */
static int run(const char *command)
{
	FILE *process = __real_popen(command, "r");
	char chunk[4096];
	size_t count;

	if (!process)
		return 0;
	while ((count = fread(chunk, 1, sizeof(chunk), process))) {
		char *longer = realloc(answer.output, answer.length + count);

		if (!longer)
			break;
		answer.output = longer;
		memcpy(longer + answer.length, chunk, count);
		answer.length += count;
	}
	answer.status = __real_pclose(process);
	return !count && answer.status != -1;
}

static void record(FILE *table, const char *command)
{
	fprintf(table, "%zu %zu %d\n%s", strlen(command), answer.length, answer.status, command);
	fwrite(answer.output, 1, answer.length, table);
	fflush(table);
}

/* Takes the next answer of a table, if it is that to the command; whether it is. */
static int replay(FILE *table, const char *command)
{
	long place = ftell(table);
	size_t length;
	int same = 0;

	if (fscanf(table, "%zu %zu %d", &length, &answer.length, &answer.status) == 3 && fgetc(table) == '\n' &&
	    length == strlen(command)) {
		char *asked = malloc(length + 1);

		answer.output = malloc(answer.length + 1);
		same = asked && answer.output && fread(asked, 1, length, table) == length &&
		       !memcmp(asked, command, length) &&
		       fread(answer.output, 1, answer.length, table) == answer.length;
		free(asked);
	}
	if (!same)
		fseek(table, place, SEEK_SET);
	return same;
}

static FILE *opened(const char *variable, const char *mode)
{
	const char *path = getenv(variable);

	return path ? fopen(path, mode) : NULL;
}

FILE *__wrap_popen(const char *command, const char *mode)
{
	static FILE *from, *to;
	int known = 0;

	if (!from && !to && !(from = opened("ENGINE_REPLAY", "re")))
		to = opened("ENGINE_RECORD", "ae");
	/* What this machine's kernel is called is no answer for others. */
	if (answer.stream || strcmp(mode, "r") || !strncmp(command, "uname ", 6))
		return __real_popen(command, mode);
	memset(&answer, 0, sizeof(answer));
	if (from)
		known = replay(from, command);
	else if (to && (known = run(command)))
		record(to, command);
	if (known && answer.length)
		answer.stream = fmemopen(answer.output, answer.length, "r");
	else if (known)
		answer.stream = fopen("/dev/null", "r");
	if (answer.stream)
		return answer.stream;
	free(answer.output);
	return __real_popen(command, mode);
}

int __wrap_pclose(FILE *stream)
{
	if (!stream || stream != answer.stream)
		return __real_pclose(stream);
	fclose(stream);
	free(answer.output);
	answer.stream = NULL;
	return answer.status;
}
