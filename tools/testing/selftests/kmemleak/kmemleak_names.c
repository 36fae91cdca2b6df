// SPDX-License-Identifier: GPL-2.0
/*
 * What any user can do: allocate under one name after the other; and how long others
 * take to allocate meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define BATCH	100
#define BATCHES	2000

/* The kernel allocates room for the path, and frees it at once: it is empty. */
static void allocate(void)
{
	access("", F_OK);
}

static void take_names(unsigned long number)
{
	char name[16];

	while (number--) {
		snprintf(name, sizeof(name), "name-%lx", number);
		prctl(PR_SET_NAME, name);
		allocate();
	}
}

static long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* Of an allocation, in the batch that nobody has disturbed. */
static long time_allocation(void)
{
	long start, best = 0;
	int batch, i;

	for (batch = 0; batch < BATCHES; batch++) {
		start = nanoseconds();
		for (i = 0; i < BATCH; i++)
			allocate();
		start = nanoseconds() - start;
		if (!best || start < best)
			best = start;
	}
	return best / BATCH;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "take")) {
		take_names(strtoul(argv[2], NULL, 0));
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "time")) {
		printf("%ld\n", time_allocation());
		return 0;
	}
	fprintf(stderr, "usage: kmemleak_names take NUMBER\n"
			"       kmemleak_names time\n");
	return 2;
}
