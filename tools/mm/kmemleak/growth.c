// SPDX-License-Identifier: GPL-2.0
/*
 * growth: which places allocate more and more, lost or not.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* Milliseconds between two looks while a program runs, and how many looks a time has. */
#define INTERVAL	1000
#define LOOKS		20

/* With fewer looks nothing can be said about how steadily something grows. */
#define FEWEST_LOOKS	5

/* What the last look has of a place that has more than at the first one. */
struct place {
	const struct census_group *group;
	struct series *series;
	unsigned long long first, grown;
	bool steady;
	double slope;
};

struct growth_run {
	const struct options *options;
	struct control control;
	/* Of each look, in seconds from the first one. */
	double *times;
	size_t times_room;
	unsigned int looks;
	/* The last one. */
	struct census census;
	struct place *places;
	size_t nr;
	/* Of all that has grown, steadily or not; and what is shown. */
	size_t unsteady;
	size_t shown;
	unsigned long long grown;
	unsigned long long leaked;
	char **argv;
	struct child child;
};

static void look(struct growth_run *run)
{
	size_t i;

	census_free(&run->census);
	run->times = xgrow(run->times, &run->times_room, run->looks, sizeof(*run->times));
	run->times[run->looks] = time_now();
	census_load(&run->census, &run->control);
	for (i = 0; i < run->census.nr; i++) {
		const struct census_group *group = &run->census.groups[i];

		series_add(series_of(group->trace), run->looks, group->all.objects,
			   group->all.bytes);
	}
	run->looks++;
}

/*
 * Looks at the begin and at the end come right after a scan: it has waited for frees
 * that were under way.
 */
static void look_after_scan(struct growth_run *run)
{
	if (!run->options->no_scan)
		control_scan_all(&run->control);
	if (!run->looks)
		control_mark(&run->control);
	look(run);
}

static void look_while_it_runs(struct growth_run *run)
{
	unsigned int interval = run->options->interval ? run->options->interval : INTERVAL;
	struct timespec next;

	look_after_scan(run);
	child_start(&run->child, run->argv, run->options->format == FORMAT_TEXT &&
		    !run->options->folded);
	time_in(&next, interval);
	while (!child_wait(&run->child, &next)) {
		look(run);
		time_later(&next, interval);
	}
	look_after_scan(run);
}

/* Stopped by a signal, it shows what has grown until then. */
static void look_for_a_time(struct growth_run *run)
{
	unsigned int duration = run->options->duration, done = 0;
	unsigned int interval = run->options->interval;
	struct timespec next;
	enum wait_end end;

	if (!interval)
		interval = duration / LOOKS > 0 ? duration / LOOKS : 1;
	look_after_scan(run);
	signals_catch();
	time_in(&next, interval);
	for (;;) {
		do
			end = wait_until(&next);
		while (end == WAIT_REDRAW);
		done += interval;
		if (end == WAIT_STOPPED || done >= duration)
			break;
		look(run);
		time_later(&next, interval);
	}
	look_after_scan(run);
}

/* What grows from look to look comes first, the fastest of it at the front. */
static int by_slope(const void *a, const void *b)
{
	const struct place *one = a, *two = b;

	if (one->steady != two->steady)
		return one->steady ? -1 : 1;
	if (one->steady && one->slope != two->slope)
		return one->slope > two->slope ? -1 : 1;
	if (one->grown != two->grown)
		return one->grown > two->grown ? -1 : 1;
	return strcmp(one->group->trace->text, two->group->trace->text);
}

static void judge(struct growth_run *run)
{
	/* A program may do all that it does at once; a time shows what goes on. */
	bool all = run->argv || run->looks < FEWEST_LOOKS;
	size_t i;

	run->places = xalloc(run->census.nr * sizeof(*run->places));
	for (i = 0; i < run->census.nr; i++) {
		const struct census_group *group = &run->census.groups[i];
		struct series *series = group->trace->data;
		struct place *place = &run->places[run->nr];
		unsigned long long first = series_at(series, 0);

		if (group->all.bytes <= first)
			continue;
		*place = (struct place){
			.group = group,
			.series = series,
			.first = first,
			.grown = group->all.bytes - first,
		};
		place->steady = run->looks >= FEWEST_LOOKS &&
				series_is_steady(series, 0, run->looks);
		if (place->steady)
			place->slope = series_slope(series, run->times, 0, run->looks);
		run->nr++;
		run->unsteady += !place->steady;
		if (!all && !place->steady)
			continue;
		run->shown++;
		run->grown += place->grown;
		run->leaked += group->all.leaked;
	}
	if (run->nr)
		qsort(run->places, run->nr, sizeof(*run->places), by_slope);
}

static void show_place(FILE *to, const struct place *place)
{
	const struct census_part *all = &place->group->all;
	char grown[16], before[16], after[16], slope[16], some[64];
	const char *fate = all->leaks ? "lost" : "held";
	const struct series *series = place->series;
	unsigned long long objects = series->points[0].look ? 0 : series->points[0].objects;

	if (all->leaks && all->leaks != all->objects) {
		snprintf(some, sizeof(some), "%llu of %llu lost", all->leaks, all->objects);
		fate = some;
	}
	human(place->grown, grown);
	human(place->first, before);
	human(all->bytes, after);
	objects = all->objects - objects;
	if (place->steady)
		fprintf(to, "\n%s more in %lld objects, %s to %s, %s/s, %s\n", grown,
			(long long)objects, before, after,
			human(place->slope > 0 ? place->slope : 0, slope), fate);
	else
		fprintf(to, "\n%s more in %lld objects, %s to %s, %s\n", grown,
			(long long)objects, before, after, fate);
	census_show_place(to, place->group);
}

static void show_text(FILE *to, const struct growth_run *run, size_t nr)
{
	double seconds = run->times[run->looks - 1] - run->times[0];
	char grown[16], leaked[16], end[128];
	size_t i;

	if (run->argv) {
		child_describe(&run->child, end, sizeof(end));
		fprintf(to, "%s %s\n", run->argv[0], end);
	}
	if (!run->shown)
		fprintf(to, "nothing grows, in %.0f s with %u looks\n", seconds, run->looks);
	else
		fprintf(to, "%s more from %zu place%s in %.0f s with %u looks; %s lost\n",
			human(run->grown, grown), run->shown, plural(run->shown), seconds,
			run->looks, human(run->leaked, leaked));
	if (run->shown < run->nr)
		fprintf(to, "%zu place%s larger at the end, but not from look to look\n",
			run->unsteady, run->unsteady == 1 ? " is" : "s are");
	for (i = 0; i < nr; i++)
		show_place(to, &run->places[i]);
	if (nr < run->shown)
		fprintf(to, "\n... and %zu more place%s\n", run->shown - nr,
			plural(run->shown - nr));
}

static void show_json(FILE *to, const struct growth_run *run, size_t nr)
{
	struct json json = { .to = to };
	size_t i;

	json_open(&json, NULL, '{');
	json_string(&json, "command", "growth");
	if (run->argv)
		child_json(&json, "ended", &run->child);
	json_number(&json, "looks", run->looks);
	json_number(&json, "ms", (run->times[run->looks - 1] - run->times[0]) * 1000);
	json_number(&json, "places", run->shown);
	json_number(&json, "grown", run->grown);
	json_number(&json, "leaked", run->leaked);
	json_number(&json, "unsteady", run->unsteady);
	json_open(&json, "groups", '[');
	for (i = 0; i < nr; i++) {
		const struct place *place = &run->places[i];

		json_open(&json, NULL, '{');
		json_number(&json, "grown", place->grown);
		json_number(&json, "first", place->first);
		json_number(&json, "last", place->group->all.bytes);
		json_bool(&json, "steady", place->steady);
		json_number(&json, "bytes_per_hour", place->slope * 3600);
		census_json_place(&json, place->group);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

static void show_csv(FILE *to, const struct growth_run *run, size_t nr)
{
	size_t i;

	csv_row(to, ',', "ssssssss", "grown", "first", "last", "objects", "leaks", "steady",
		"bytes_per_hour", "site");
	for (i = 0; i < nr; i++) {
		const struct place *place = &run->places[i];
		const struct census_part *all = &place->group->all;
		struct frame site;
		char *name;

		trace_site(place->group->trace, &site);
		name = xstrndup(site.text, site.len);
		csv_row(to, ',', "uuuuuuds", place->grown, place->first, all->bytes,
			all->objects, all->leaks, (unsigned long long)place->steady,
			(long long)(place->slope * 3600), name);
		free(name);
	}
}

static void answer(struct growth_run *run, FILE *to)
{
	const struct options *options = run->options;
	size_t i, nr = run->shown;

	if (options->limit && options->limit < nr)
		nr = options->limit;
	if (!options->folded) {
		struct census shown = { .nr = nr };

		shown.groups = xalloc(nr * sizeof(*shown.groups));
		for (i = 0; i < nr; i++)
			shown.groups[i] = *run->places[i].group;
		census_resolve(&shown, nr, options);
		free(shown.groups);
	}
	if (options->folded) {
		for (i = 0; i < run->shown; i++)
			folded_line(to, run->places[i].group->trace, run->places[i].grown);
	} else if (options->format == FORMAT_JSON) {
		show_json(to, run, nr);
	} else if (options->format == FORMAT_CSV) {
		show_csv(to, run, nr);
	} else {
		show_text(to, run, nr);
	}
	out_close(to);
}

/**
 * command_growth() - show which places grow
 * @options: of the command line
 * @args: a program and its arguments, or nothing
 *
 * Return: EXIT_LEAKS if more has grown than is allowed; else how the program ended.
 */
int command_growth(const struct options *options, char **args)
{
	struct growth_run run = { .options = options };
	FILE *to;

	if (args[0])
		run.argv = args;
	if (!run.argv == !options->duration)
		die(EXIT_USAGE,
		    "growth needs a program or a time: kmemleak growth -- PROGRAM [ARGUMENT...], or --for TIME");
	if (options->folded && options->format != FORMAT_TEXT)
		die(EXIT_USAGE, "--folded has a form of its own: neither --json nor --csv");
	control_open(&run.control, options);
	control_need_live(&run.control);
	/* Before anything is done that a bad file name would make useless. */
	to = out_open(options);

	if (run.argv)
		look_while_it_runs(&run);
	else
		look_for_a_time(&run);
	judge(&run);
	answer(&run, to);
	signals_pass_on();
	if (options->fail_above != NO_BOUND && run.grown > options->fail_above)
		return EXIT_LEAKS;
	return run.argv ? child_exit(&run.child) : EXIT_CLEAN;
}
