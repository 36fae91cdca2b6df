// SPDX-License-Identifier: GPL-2.0
/*
 * top: the places that leak most, on a screen that follows.
 */

#include "kmemleak.h"

/* Milliseconds between two looks. */
#define INTERVAL	10000

static void draw(const struct look *look, void *data)
{
	const struct options *options = data;
	FILE *to = terminal_begin();
	size_t limit = terminal_rows() > 3 ? terminal_rows() - 3 : 1;
	char when[64];

	if (options->limit && options->limit + 1 < limit)
		limit = options->limit + 1;
	stamp(when, sizeof(when), "%H:%M:%S", look->when);
	fprintf(to, "kmemleak top, %s, look %u (s: look now, q: quit)\n", when, look->nr);
	show_summary(to, &look->groups, "");
	fputc('\n', to);
	show_places(to, look, limit);
	terminal_show();
}

static void nothing(const struct look *look, void *data)
{
	(void)look;
	(void)data;
}

/**
 * command_top() - show the places that leak most
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Where no terminal is, it is the same as scan.
 *
 * Return: EXIT_CLEAN, or as scan.
 */
int command_top(const struct options *options, char **args)
{
	if (!terminal_live(options))
		return command_scan(options, args);
	monitor(options, INTERVAL, nothing, draw, (void *)options);
	return EXIT_CLEAN;
}
