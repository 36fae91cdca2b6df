// SPDX-License-Identifier: GPL-2.0
/*
 * What any user can do: allocate under one name after the other; and how long others
 * take to allocate meanwhile.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH	100
#define BATCHES	1000

/* What poll() allocates nothing for. */
#define FILES_FREE	30
/* Those above that are timed, in the order of sizes; 0: a path. */
static const unsigned int files_more[] = { 0, 1, 6, 14, 30 };
#define FILES_MAX	(FILES_FREE + 30)

static struct pollfd files[FILES_MAX];

/*
 * The kernel allocates room for the path, which is empty, or 16 bytes and 8 for each file
 * above those, and frees it at once.
 */
static void allocate(unsigned int more)
{
	if (more)
		poll(files, FILES_FREE + more, 0);
	else
		access("", F_OK);
}

static void take_names(unsigned long number)
{
	char name[32];

	while (number--) {
		snprintf(name, sizeof(name), "name-%lx", number);
		prctl(PR_SET_NAME, name);
		allocate(0);
	}
}

static long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* Of an allocation, in the batch that nobody has disturbed. */
static long time_allocation(unsigned int more)
{
	long start, best = 0;
	int batch, i;

	for (batch = 0; batch < BATCHES; batch++) {
		start = nanoseconds();
		for (i = 0; i < BATCH; i++)
			allocate(more);
		start = nanoseconds() - start;
		if (!best || start < best)
			best = start;
	}
	return best / BATCH;
}

/*
 * Of several sizes, which come from as many pages, by as many tasks: one that has ended
 * stays a zombie, whose memory the next one does not get.
 */
static int time_allocations(void)
{
	size_t i, sizes = sizeof(files_more) / sizeof(*files_more);
	siginfo_t info;
	pid_t child;

	for (i = 0; i < FILES_MAX; i++)
		files[i].fd = -1;
	for (i = 0; i < sizes; i++) {
		child = fork();
		if (!child) {
			printf("%ld ", time_allocation(files_more[i]));
			exit(0);
		}
		if (child < 0 || waitid(P_PID, child, &info, WEXITED | WNOWAIT) ||
		    info.si_code != CLD_EXITED || info.si_status)
			return 1;
	}
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "take")) {
		take_names(strtoul(argv[2], NULL, 0));
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "time"))
		return time_allocations();
	fprintf(stderr, "usage: kmemleak_names take NUMBER\n"
			"       kmemleak_names time\n");
	return 2;
}
