// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at regular times, for watch and top.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* A place that leaks, in all looks so far. */
struct seen {
	unsigned int first_look;
	time_t first;
	size_t first_nr;
};

static void note_groups(struct look *look)
{
	size_t i;

	look->nr_new = 0;
	for (i = 0; i < look->groups.nr; i++) {
		struct group *group = &look->groups.groups[i];
		struct seen *seen = group->trace->data;

		if (seen)
			continue;
		seen = xalloc(sizeof(*seen));
		seen->first_look = look->nr;
		seen->first = look->when;
		seen->first_nr = group->nr;
		group->trace->data = seen;
		look->nr_new++;
	}
}

/**
 * group_is_new() - whether no earlier look had a group
 * @group: the group
 * @look: the look that it is from
 *
 * Return: true if so.
 */
bool group_is_new(const struct group *group, const struct look *look)
{
	const struct seen *seen = group->trace->data;

	return seen->first_look == look->nr;
}

/**
 * group_grown() - how many objects a group has more than when it was new
 * @group: the group
 *
 * Return: their number; less than 0 if there are fewer.
 */
long long group_grown(const struct group *group)
{
	const struct seen *seen = group->trace->data;

	return (long long)group->nr - (long long)seen->first_nr;
}

/* "function [module]", to be freed */
static char *site_name(const struct group *group)
{
	struct frame frame;
	char *name, *plus;

	trace_site(group->trace, &frame);
	name = xstrndup(frame.text, frame.len);
	plus = strchr(name, '+');
	if (plus) {
		char *rest = plus + strcspn(plus, " ");

		memmove(plus, rest, strlen(rest) + 1);
	}
	return name;
}

/**
 * show_places() - groups as a table, one line each
 * @to: where
 * @look: has the groups
 * @limit: not more lines than so many, header included
 */
void show_places(FILE *to, const struct look *look, size_t limit)
{
	bool direct = look->groups.report.detailed;
	size_t i;

	fprintf(to, "\001%9s %7s%s %7s %8s  %-36s %s\n", "bytes", "objects",
		direct ? "  direct" : "", "grown", "since", "allocated in", "by");
	for (i = 0; i < look->groups.nr && i + 1 < limit; i++) {
		const struct group *group = &look->groups.groups[i];
		const struct seen *seen = group->trace->data;
		const struct intern *comm;
		char bytes[16], since[16];
		char *site = site_name(group);

		stamp(since, sizeof(since), "%H:%M:%S", seen->first);
		fprintf(to, "%9s %7zu", human(group->bytes, bytes), group->nr);
		if (direct)
			fprintf(to, " %7zu", group->direct);
		fprintf(to, " %+7lld %8s  ", group_grown(group), since);
		plain_text(to, site, strlen(site));
		fprintf(to, "%*s ", strlen(site) < 36 ? (int)(36 - strlen(site)) : 0, "");
		free(site);
		group_comms(group, &comm, 1);
		readable_text(to, comm->text, strlen(comm->text));
		fputc('\n', to);
	}
}

static bool take_look(struct look *look, struct control *control, const struct options *options)
{
	bool complete = true;

	if (!options->no_scan) {
		signals_let_through(true);
		complete = signals_stopped() || control_scan(control);
		signals_let_through(false);
	}
	if (signals_stopped())
		return false;
	if (!complete)
		warn("a signal, or \"scan=off\", ended the scan");
	groups_free(&look->groups);
	look->when = time(NULL);
	look->nr++;
	groups_load(&look->groups, control);
	note_groups(look);
	return true;
}

/**
 * monitor() - look at the leaks again and again
 * @options: how often, and whether to scan
 * @interval: milliseconds between two looks, if the options do not say
 * @take: called after each look
 * @draw: called to draw the live view if there is one: after each look, and
 *	when the window has changed
 * @data: for both
 *
 * A look is one scan: where the detector needs two, the next look has the answer.
 * Returns when it is stopped, or after as many looks as the options say.
 */
void monitor(const struct options *options, unsigned int interval, look_fn take, look_fn draw,
	     void *data)
{
	bool live = draw && terminal_live(options);
	struct control control;
	struct look look = { 0 };
	struct timespec next;
	enum wait_end end = WAIT_OVER;

	control_open(&control, options);
	if (options->interval)
		interval = options->interval;
	signals_catch();
	if (live) {
		atexit(terminal_leave);
		terminal_enter();
	}
	while (end != WAIT_STOPPED) {
		time_in(&next, interval);
		if (!take_look(&look, &control, options))
			break;
		take(&look, data);
		if (options->count && look.nr >= options->count)
			break;
		do {
			if (live)
				draw(&look, data);
			end = wait_until(&next);
		} while (end == WAIT_REDRAW);
	}
	terminal_leave();
	signals_pass_on();
}
