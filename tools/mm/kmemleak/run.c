// SPDX-License-Identifier: GPL-2.0
/*
 * run: what is leaked while a program runs.
 */
#include "kmemleak.h"

struct program {
	char **argv;
	struct child child;
};

static void head(FILE *to, const void *data)
{
	const struct program *program = data;
	char end[128];

	child_describe(&program->child, end, sizeof(end));
	fprintf(to, "%s %s\n", program->argv[0], end);
}

static void members(struct json *json, const void *data)
{
	const struct program *program = data;
	char **arg;

	json_open(json, "argv", '[');
	for (arg = program->argv; *arg; arg++)
		json_string(json, NULL, *arg);
	json_close(json, ']');
	child_json(json, "ended", &program->child);
}

/**
 * command_run() - run a program and show what was leaked meanwhile
 * @options: of the command line
 * @args: the program and its arguments
 *
 * Sets leaks aside that the detector knew before: its report loses them.
 *
 * Return: whether there are leaks; if there are none, how the program ended.
 */
int command_run(const struct options *options, char **args)
{
	struct program program = { .argv = args };
	const struct answer answer = {
		.command = "run",
		.what = "new ",
		.head = head,
		.members = members,
		.data = &program,
	};
	static struct control control;
	FILE *to;

	if (!args[0])
		die(EXIT_USAGE, "run needs a program: kmemleak run -- PROGRAM [ARGUMENT...]");
	control_open(&control, options);
	control_need_live(&control);
	/* Before anything is done that a bad file name would make useless. */
	to = out_open(options);

	control_use(&control, options);
	control_scan_all(&control);
	control_clear(&control);
	/* Standard output is either ours alone or the program's. */
	child_run(&program.child, args, options->format == FORMAT_TEXT || to != stdout);
	control_scan_all(&control);
	if (answer_leaks(&answer, &control, options, to))
		return EXIT_LEAKS;
	return child_exit(&program.child);
}
