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
	struct control control;
	struct report report;
	struct groups groups;
	struct json json = { 0 };
	FILE *to;

	(void)args;
	control_open(&control, options);
	if (!options->no_scan)
		control_scan_all(&control);
	report_load(&report, &control);
	groups_make(&groups, &report);
	frames_resolve(&groups, groups_limit(&groups, options), options);

	to = out_open(options);
	switch (options->format) {
	case FORMAT_TEXT:
		show_summary(to, &groups, "");
		show_groups(to, &groups, options);
		break;
	case FORMAT_CSV:
		show_groups_csv(to, &groups, options);
		break;
	case FORMAT_JSON:
		json.to = to;
		json_open(&json, NULL, '{');
		json_string(&json, "command", "scan");
		show_groups_json(&json, &groups, options);
		json_close(&json, '}');
		break;
	}
	out_close(to);
	return groups.leaks ? EXIT_LEAKS : EXIT_CLEAN;
}
