// SPDX-License-Identifier: GPL-2.0
/*
 * Figures of the whole system, from /proc/meminfo.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

const char * const meminfo_names[NR_MEM_FIELDS] = {
	[MEM_FREE]		= "MemFree",
	[MEM_AVAILABLE]		= "MemAvailable",
	[MEM_SLAB]		= "Slab",
	[MEM_SRECLAIMABLE]	= "SReclaimable",
	[MEM_SUNRECLAIM]	= "SUnreclaim",
	[MEM_KERNEL_STACK]	= "KernelStack",
};

/**
 * meminfo_read() - the figures as they are now, or end the tool
 * @info: filled in; 0 for what the kernel does not tell
 * @options: where to look
 */
void meminfo_read(struct meminfo *info, const struct options *options)
{
	FILE *from = open_in(options->proc, "meminfo");
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
		for (i = 0; i < NR_MEM_FIELDS; i++)
			if (!strcmp(name, meminfo_names[i]))
				info->kib[i] = kib;
	}
	free(line);
	fclose(from);
}
