// SPDX-License-Identifier: GPL-2.0
/*
 * Figures of the whole system, from /proc/meminfo.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmemleak.h"

const char * const meminfo_names[NR_MEM_FIELDS] = {
	[MEM_FREE]		= "MemFree",
	[MEM_AVAILABLE]		= "MemAvailable",
	[MEM_SLAB]		= "Slab",
	[MEM_SRECLAIMABLE]	= "SReclaimable",
	[MEM_SUNRECLAIM]	= "SUnreclaim",
	[MEM_KERNEL_STACK]	= "KernelStack",
};

/*
 * What memory is used for, by the kernel's own figures, none of which has a part of another
 * one. The rest was allocated as pages.
 */
static const char * const accounted[] = {
	"MemFree", "Slab", "Buffers", "Cached", "SwapCached", "AnonPages", "PageTables",
	"SecPageTables", "Percpu", "VmallocUsed", "Hugetlb", "Zswap", "GPUActive", "GPUReclaim",
	"Balloon",
};

struct sums {
	unsigned long long total;
	unsigned long long accounted;
	unsigned long long stacks;
	unsigned long long vmalloc;
	/* That of slab caches is in there. */
	unsigned long long reclaimable;
	unsigned long long slab_reclaimable;
};

static void add_up(struct sums *sums, const char *name, unsigned long long kib)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(accounted); i++)
		if (!strcmp(name, accounted[i]))
			sums->accounted += kib;
	if (!strcmp(name, "MemTotal"))
		sums->total = kib;
	else if (!strcmp(name, "KernelStack"))
		sums->stacks = kib;
	else if (!strcmp(name, "VmallocUsed"))
		sums->vmalloc = kib;
	else if (!strcmp(name, "KReclaimable"))
		sums->reclaimable = kib;
	else if (!strcmp(name, "SReclaimable"))
		sums->slab_reclaimable = kib;
}

/* Free pages that CPUs keep for themselves are in no figure of the other file. */
static unsigned long long kept_free(const struct options *options)
{
	FILE *from = open_in(options->proc, "zoneinfo");
	unsigned long long pages = 0, count;
	char line[256];

	if (!from)
		return 0;
	while (fgets(line, sizeof(line), from))
		if (sscanf(line, " count: %llu", &count) == 1)
			pages += count;
	fclose(from);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static unsigned long long rest_of(const struct sums *sums, unsigned long long kept)
{
	unsigned long long known = sums->accounted + kept;

	/* Mostly stacks are vmalloc areas, and among those. */
	if (sums->vmalloc < sums->stacks)
		known += sums->stacks;
	if (sums->reclaimable > sums->slab_reclaimable)
		known += sums->reclaimable - sums->slab_reclaimable;
	return sums->total > known ? sums->total - known : 0;
}

/**
 * meminfo_read() - the figures as they are now, or end the tool
 * @info: filled in; 0 for what the kernel does not tell
 * @options: where to look
 */
void meminfo_read(struct meminfo *info, const struct options *options)
{
	FILE *from = open_in(options->proc, "meminfo");
	struct sums sums = { 0 };
	char *line = NULL;
	size_t room = 0;

	memset(info, 0, sizeof(*info));
	if (!from)
		die(EXIT_TROUBLE, "%s/meminfo: %s", options->proc, strerror(errno));
	while (getline(&line, &room, from) >= 0) {
		char name[32];
		unsigned long long kib;
		size_t i;

		if (sscanf(line, "%31[^:]: %llu kB", name, &kib) != 2)
			continue;
		add_up(&sums, name, kib);
		for (i = 0; i < NR_MEM_FIELDS; i++)
			if (!strcmp(name, meminfo_names[i]))
				info->kib[i] = kib;
	}
	free(line);
	fclose(from);
	info->unaccounted = rest_of(&sums, kept_free(options));
}
