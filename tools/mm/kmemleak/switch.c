// SPDX-License-Identifier: GPL-2.0
/*
 * on, off, status: whether the detector is on, and since when.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* What of the figures is told; those that a detector has not are left out. */
static const char * const told[] = {
	"state", "on since", "objects", "bytes", "metadata bytes", "unknown slots",
	"root pages", "root pages kmalloc", "root pages accounted", "root pages compound",
	"root pages single", "unknown objects", "scans", "leaks now",
};

/* The value of a line "NAME: VALUE". Ends the line behind it. */
static char *value_of(char *line, const char *name)
{
	size_t len = strlen(name);

	line[strcspn(line, "\n")] = '\0';
	return !strncmp(line, name, len) && !strncmp(line + len, ": ", 2) ? line + len + 2 :
									    NULL;
}

static void tell(FILE *to, struct json *json, const struct options *options,
		 const char *name, const char *value)
{
	char *end;
	long long number = strtoll(value, &end, 10);

	if (options->format == FORMAT_TEXT)
		fprintf(to, "%s: %s\n", name, value);
	else if (options->format == FORMAT_CSV)
		fprintf(to, "%s,%s\n", name, value);
	else if (*value && !*end)
		json_number(json, name, number);
	else
		json_string(json, name, value);
}

static int make_it(bool on, const struct options *options)
{
	struct control control;

	control_open(&control, options);
	control_need_live(&control);
	if (!(on ? control_on(&control) : control_off(&control)))
		warn("the detector is %s already", on ? "on" : "off");
	return EXIT_CLEAN;
}

/**
 * command_on() - let the detector track from now on
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: that it is on.
 */
int command_on(const struct options *options, char **args)
{
	(void)args;
	return make_it(true, options);
}

/**
 * command_off() - let it track no longer, and give its memory back
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: that it is off.
 */
int command_off(const struct options *options, char **args)
{
	(void)args;
	return make_it(false, options);
}

/**
 * command_status() - tell whether the detector is on, and how much it knows
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: that this was told.
 */
int command_status(const struct options *options, char **args)
{
	struct json json = {};
	struct control control;
	char line[256];
	FILE *from, *to;
	size_t i;

	(void)args;
	control_open(&control, options);
	from = fopen(control.stats, "re");
	if (!from)
		die(EXIT_TROUBLE, "no %s: this detector does not tell", control.stats);
	to = out_open(options);
	json.to = to;
	if (options->format == FORMAT_JSON)
		json_open(&json, NULL, '{');
	else if (options->format == FORMAT_CSV)
		fputs("name,value\n", to);
	while (fgets(line, sizeof(line), from)) {
		for (i = 0; i < ARRAY_SIZE(told); i++) {
			const char *value = value_of(line, told[i]);

			if (value)
				tell(to, &json, options, told[i], value);
		}
	}
	fclose(from);
	if (options->format == FORMAT_JSON) {
		json_close(&json, '}');
		fputc('\n', to);
	}
	out_close(to);
	return EXIT_CLEAN;
}
