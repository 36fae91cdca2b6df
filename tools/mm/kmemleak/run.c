// SPDX-License-Identifier: GPL-2.0
/*
 * run: what is leaked while a program runs.
 */
#include "kmemleak.h"

static void show(FILE *to, char **argv, const struct child *child, const struct groups *groups,
		 const struct options *options)
{
	struct json json = { .to = to };
	char end[128];
	char **arg;

	switch (options->format) {
	case FORMAT_TEXT:
		child_describe(child, end, sizeof(end));
		fprintf(to, "%s %s\n", argv[0], end);
		show_summary(to, groups, "new ");
		show_groups(to, groups, options);
		break;
	case FORMAT_CSV:
		show_groups_csv(to, groups, options);
		break;
	case FORMAT_JSON:
		json_open(&json, NULL, '{');
		json_string(&json, "command", "run");
		json_open(&json, "argv", '[');
		for (arg = argv; *arg; arg++)
			json_string(&json, NULL, *arg);
		json_close(&json, ']');
		child_json(&json, "ended", child);
		show_groups_json(&json, groups, options);
		json_close(&json, '}');
		break;
	}
}

/**
 * command_run() - run a program and show what was leaked meanwhile
 * @options: of the command line
 * @args: the program and its arguments
 *
 * What was lost before is set aside: it is no longer in the detector's report.
 *
 * Return: whether there are leaks; if there are none, how the program ended.
 */
int command_run(const struct options *options, char **args)
{
	struct control control;
	struct report report;
	struct groups groups;
	struct child child;
	FILE *to;

	if (!args[0])
		die(EXIT_USAGE, "run needs a program: kmemleak run -- PROGRAM [ARGUMENT...]");
	control_open(&control, options);
	control_need_live(&control);
	/* Before anything is done that a bad file name would make useless. */
	to = out_open(options);

	control_scan_all(&control);
	control_clear(&control);
	/* Standard output is either ours alone or the program's. */
	child_run(&child, args, options->format == FORMAT_TEXT || to != stdout);
	control_scan_all(&control);
	report_load(&report, &control);
	groups_make(&groups, &report);
	frames_resolve(&groups, groups_limit(&groups, options), options);

	show(to, args, &child, &groups, options);
	out_close(to);
	return groups.leaks ? EXIT_LEAKS : child_exit(&child);
}
