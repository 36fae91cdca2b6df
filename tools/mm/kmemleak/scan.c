// SPDX-License-Identifier: GPL-2.0
/*
 * scan: one look at what is leaked now.
 */
#include "kmemleak.h"

/**
 * command_scan() - let the detector scan, and show what it found
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: whether there are leaks.
 */
int command_scan(const struct options *options, char **args)
{
	static const struct answer answer = { .command = "scan", .what = "" };
	struct control control;
	FILE *to;

	(void)args;
	control_open(&control, options);
	to = out_open(options);
	if (!options->no_scan)
		control_scan_all(&control);
	return answer_leaks(&answer, &control, options, to) ? EXIT_LEAKS : EXIT_CLEAN;
}
