// SPDX-License-Identifier: GPL-2.0
/*
 * Records by allocation trace.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/*
 * Functions that allocate for whoever calls them. The first frame that is none
 * of these names a group.
 */
static const char * const allocators[] = {
	"__alloc_percpu", "__kmalloc", "__kmem_cache", "__kvmalloc", "__slab_", "__vmalloc",
	"alloc_percpu", "devm_kmalloc", "devm_kmemdup", "devm_krealloc", "devm_kstrdup",
	"devm_kasprintf", "devm_kvasprintf", "kasprintf", "kcalloc", "kmalloc", "kmem_cache_",
	"kmemdup", "kmemleak_", "krealloc", "kstrdup", "kstrndup", "kvasprintf", "kvmalloc",
	"kvrealloc", "kzalloc", "pcpu_alloc", "slab_", "vmalloc", "vzalloc",
};

/* A trace is its one copy, so that addresses say whether two are the same. */
static int by_trace(const void *a, const void *b)
{
	const struct record *one = a, *two = b;

	if (one->trace != two->trace)
		return (uintptr_t)one->trace < (uintptr_t)two->trace ? -1 : 1;
	return (one->address > two->address) - (one->address < two->address);
}

static int by_bytes(const void *a, const void *b)
{
	const struct group *one = a, *two = b;

	if (one->bytes != two->bytes)
		return one->bytes > two->bytes ? -1 : 1;
	if (one->nr != two->nr)
		return one->nr > two->nr ? -1 : 1;
	return strcmp(one->trace->text, two->trace->text);
}

/**
 * groups_make() - group the records of a report, most bytes first
 * @groups: filled in; groups_free() frees it
 * @report: must stay until then; its records are sorted
 */
void groups_make(struct groups *groups, struct report *report)
{
	size_t room = 0;
	size_t i;

	memset(groups, 0, sizeof(*groups));
	groups->leaks = report->nr;
	groups->bytes = report->bytes;
	if (!report->nr)
		return;
	qsort(report->records, report->nr, sizeof(*report->records), by_trace);
	for (i = 0; i < report->nr; i++) {
		const struct record *record = &report->records[i];
		struct group *group;

		if (!i || record->trace != record[-1].trace) {
			groups->groups = xgrow(groups->groups, &room, groups->nr,
					       sizeof(*groups->groups));
			group = &groups->groups[groups->nr++];
			*group = (struct group){ .trace = record->trace, .records = record };
		}
		group = &groups->groups[groups->nr - 1];
		group->nr++;
		group->bytes += record->size;
	}
	qsort(groups->groups, groups->nr, sizeof(*groups->groups), by_bytes);
}

/**
 * groups_free() - forget groups
 * @groups: the groups, of which there are none then
 */
void groups_free(struct groups *groups)
{
	free(groups->groups);
	memset(groups, 0, sizeof(*groups));
}

/**
 * groups_limit() - how many groups are to be shown
 * @groups: the groups
 * @options: may have a limit
 *
 * Return: their number.
 */
size_t groups_limit(const struct groups *groups, const struct options *options)
{
	if (options->limit && options->limit < groups->nr)
		return options->limit;
	return groups->nr;
}

/**
 * trace_next() - go through the frames of a trace
 * @frames: the text of a trace, or what this returned last
 * @len: bytes of the frame that begins there; set
 *
 * Return: what follows it, or NULL if it is the last one.
 */
const char *trace_next(const char *frames, size_t *len)
{
	const char *end = strchr(frames, '\n');

	*len = end ? (size_t)(end - frames) : strlen(frames);
	return end ? end + 1 : NULL;
}

static bool is_allocator(const char *frame)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(allocators); i++)
		if (!strncmp(frame, allocators[i], strlen(allocators[i])))
			return true;
	return false;
}

/**
 * trace_site() - the frame that tells most about a trace: who called an allocator
 * @trace: the trace
 * @site: the frame; set
 *
 * Return: its bytes, or 0 if there are no frames.
 */
size_t trace_site(const struct intern *trace, const char **site)
{
	const char *next = trace->text;
	size_t len = 0;

	while (next) {
		*site = next;
		next = trace_next(next, &len);
		if (!is_allocator(*site))
			break;
	}
	return len;
}

/**
 * trace_has_module() - whether a module has to do with a trace
 * @trace: the trace
 * @module: the module's name, with underscores
 *
 * Return: whether one of its functions is in there.
 */
bool trace_has_module(const struct intern *trace, const char *module)
{
	size_t need = strlen(module);
	const char *at = trace->text;

	/* "[name]", or "[name build-id]" */
	while ((at = strstr(at, " ["))) {
		at += 2;
		if (!strncmp(at, module, need) && (at[need] == ']' || at[need] == ' '))
			return true;
	}
	return false;
}

/**
 * group_comms() - the names of the tasks that allocated what a group has
 * @group: the group
 * @comms: set to different ones, in the order of the records
 * @room: at most so many
 *
 * Return: how many there are.
 */
size_t group_comms(const struct group *group, const struct intern **comms, size_t room)
{
	size_t nr = 0;
	size_t i, k;

	for (i = 0; i < group->nr && nr < room; i++) {
		for (k = 0; k < nr && comms[k] != group->records[i].comm; k++)
			;
		if (k == nr)
			comms[nr++] = group->records[i].comm;
	}
	return nr;
}
