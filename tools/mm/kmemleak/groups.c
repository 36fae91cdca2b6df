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

/* Indirect leaks come last. */
static int by_weight(const void *a, const void *b)
{
	const struct group *one = a, *two = b;
	bool one_hangs = one->indirect && !one->direct;
	bool two_hangs = two->indirect && !two->direct;

	if (one_hangs != two_hangs)
		return one_hangs ? 1 : -1;
	if (one->bytes != two->bytes)
		return one->bytes > two->bytes ? -1 : 1;
	if (one->nr != two->nr)
		return one->nr > two->nr ? -1 : 1;
	return strcmp(one->trace->text, two->trace->text);
}

static void add_record(struct groups *groups, struct group *group, const struct record *record)
{
	const struct details *details = &record->details;

	group->nr++;
	group->bytes += record->size;
	group->more += record->more;
	if (!details->kind)
		return;
	group->direct += details->direct;
	group->indirect += !details->direct;
	groups->direct += details->direct;
	groups->indirect += !details->direct;
}

/**
 * groups_load() - group what is in the report now, or end the tool
 * @groups: filled in; groups_free() frees it
 * @control: where the report is
 *
 * Those that have most bytes come first, but for those of which all hangs from
 * other leaks.
 */
void groups_load(struct groups *groups, const struct control *control)
{
	struct report *report = &groups->report;
	size_t room = 0;
	size_t i;

	memset(groups, 0, sizeof(*groups));
	report_load(report, control);
	if (!report->nr)
		return;
	qsort(report->records, report->nr, sizeof(*report->records), by_trace);
	for (i = 0; i < report->nr; i++) {
		const struct record *record = &report->records[i];

		if (!i || record->trace != record[-1].trace) {
			groups->groups = xgrow(groups->groups, &room, groups->nr,
					       sizeof(*groups->groups));
			groups->groups[groups->nr++] = (struct group){
				.trace = record->trace,
				.records = record,
			};
		}
		add_record(groups, &groups->groups[groups->nr - 1], record);
	}
	qsort(groups->groups, groups->nr, sizeof(*groups->groups), by_weight);
}

/**
 * groups_free() - forget groups
 * @groups: the groups, of which there are none then
 */
void groups_free(struct groups *groups)
{
	free(groups->groups);
	report_free(&groups->report);
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
 * @trace: the trace
 * @frame: the one before, or all zeroes; set to the one that follows
 *
 * Return: false if none does.
 */
bool trace_next(const struct intern *trace, struct frame *frame)
{
	const char *end = frame->text ? frame->text + frame->len : NULL;

	if (end ? !*end : !*trace->text)
		return false;
	frame->text = end ? end + 1 : trace->text;
	frame->len = strcspn(frame->text, "\n");
	return true;
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
 * @site: set to the frame, or to words that say that there is none
 *
 * Return: whether there is one.
 */
bool trace_site(const struct intern *trace, struct frame *site)
{
	static const char none[] = "(no trace)";

	memset(site, 0, sizeof(*site));
	while (trace_next(trace, site))
		if (!is_allocator(site->text))
			return true;
	/* Else it is the last one. */
	if (site->text)
		return true;
	*site = (struct frame){ none, sizeof(none) - 1 };
	return false;
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
