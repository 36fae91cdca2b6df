// SPDX-License-Identifier: GPL-2.0
/*
 * The common end of scan, run and module: they print the leaks once.
 */
#include "kmemleak.h"

static size_t count_module(const struct groups *groups, const char *module)
{
	size_t nr = 0;
	size_t i;

	for (i = 0; i < groups->nr; i++)
		nr += trace_has_module(groups->groups[i].trace, module);
	return nr;
}

static void say_text(const struct answer *answer, const struct groups *groups,
		     const struct options *options, FILE *to)
{
	if (answer->head)
		answer->head(to, answer->data);
	show_summary(to, groups, answer->what);
	if (answer->module && groups->nr)
		fprintf(to, "with frames of %s: %zu of %zu\n", answer->module,
			count_module(groups, answer->module), groups->nr);
	show_groups(to, groups, options);
	if (answer->tail)
		answer->tail(to, answer->data);
}

static void say_json(const struct answer *answer, const struct groups *groups,
		     const struct options *options, FILE *to)
{
	struct json json = { .to = to };

	json_open(&json, NULL, '{');
	json_string(&json, "command", answer->command);
	if (answer->members)
		answer->members(&json, answer->data);
	if (answer->module)
		json_number(&json, "places_in_module", count_module(groups, answer->module));
	show_groups_json(&json, groups, options);
	json_close(&json, '}');
}

/**
 * answer_leaks() - say what is leaked, or end the tool
 * @answer: what the command has to say beside it
 * @control: where the report is
 * @options: of the command line
 * @to: where to, from out_open(); closed
 *
 * Return: whether there are leaks.
 */
bool answer_leaks(const struct answer *answer, const struct control *control,
		  const struct options *options, FILE *to)
{
	struct groups groups;
	bool leaks;

	groups_load(&groups, control);
	frames_resolve(&groups, groups_limit(&groups, options), options);
	switch (options->format) {
	case FORMAT_TEXT:
		say_text(answer, &groups, options, to);
		break;
	case FORMAT_CSV:
		show_groups_csv(to, &groups, options);
		break;
	case FORMAT_JSON:
		say_json(answer, &groups, options, to);
		break;
	}
	out_close(to);
	leaks = groups.report.nr;
	groups_free(&groups);
	return leaks;
}
