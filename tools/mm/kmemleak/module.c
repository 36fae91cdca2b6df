// SPDX-License-Identifier: GPL-2.0
/*
 * module: what a module leaves behind when it is unloaded.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* Of the caches that grew, text shows so many. */
#define MAX_CACHES	10

struct trial {
	const struct options *options;
	char **load;
	char **exercise;
	/* As it is in /proc/modules. */
	char *name;
	bool loaded;
	struct child load_end;
	struct child exercise_end;
	struct child unload_end;
	/* Before it was loaded, before it was unloaded, and afterwards. */
	struct caches before;
	struct caches during;
	struct caches after;
	struct growth *growth;
	size_t nr_growth;
};

static char *module_name(const char *arg)
{
	const char *slash = strrchr(arg, '/');
	const char *base = slash ? slash + 1 : arg;
	char *name = xstrndup(base, strcspn(base, "."));
	char *at;

	for (at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	return name;
}

static bool is_loaded(const struct options *options, const char *name)
{
	FILE *from = open_in(options->proc, "modules");
	size_t len = strlen(name);
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	if (!from)
		return false;
	while (!found && getline(&line, &room, from) >= 0)
		found = !strncmp(line, name, len) && line[len] == ' ';
	free(line);
	fclose(from);
	return found;
}

/* "NAME ARGUMENT... -- PROGRAM..." to a command that loads, and one that works. */
static void split_args(struct trial *trial, char **args)
{
	bool is_file = strchr(args[0], '/') || strstr(args[0], ".ko");
	size_t nr = 0;

	while (args[nr] && strcmp(args[nr], "--")) {
		/* Nor would the kernel complain: it takes any parameter. */
		if (args[nr][0] == '-')
			die(EXIT_USAGE, "module: options stand before the name: %s", args[nr]);
		nr++;
	}
	trial->load = xalloc((nr + 2) * sizeof(*trial->load));
	trial->load[0] = is_file ? "insmod" : "modprobe";
	memcpy(trial->load + 1, args, nr * sizeof(*args));
	if (args[nr])
		trial->exercise = args + nr + 1;
	if (trial->exercise && !trial->exercise[0])
		die(EXIT_USAGE, "module: there is no program behind --");
	trial->name = module_name(args[0]);
}

static void complain(const struct child *child, const char *what)
{
	char end[128];

	if (child_ok(child))
		return;
	child_describe(child, end, sizeof(end));
	warn("%s %s", what, end);
}

static void run_trial(struct trial *trial, struct control *control)
{
	const struct options *options = trial->options;
	bool keep_output = options->format == FORMAT_TEXT || options->output;
	char *unload[3] = { "rmmod", trial->name };
	int error;

	control_scan_all(control);
	control_clear(control);
	caches_read(&trial->before, options);

	child_run(&trial->load_end, trial->load, keep_output);
	complain(&trial->load_end, trial->load[0]);
	trial->loaded = child_ok(&trial->load_end);
	if (trial->loaded && trial->exercise) {
		child_run(&trial->exercise_end, trial->exercise, keep_output);
		complain(&trial->exercise_end, trial->exercise[0]);
	}
	caches_read(&trial->during, options);
	if (trial->loaded) {
		names_keep(trial->name, options);
		child_run(&trial->unload_end, unload, keep_output);
		complain(&trial->unload_end, unload[0]);
	}

	control_scan_all(control);
	error = caches_read(&trial->after, options);
	if (error)
		warn("no slab caches: %s/slabinfo: %s", options->proc, strerror(error));
}

static const char *state_of(const struct trial *trial, const struct growth *growth)
{
	bool after = caches_find(&trial->after, growth->now->name);

	if (growth->before)
		return "grown";
	return after ? "new" : "gone";
}

/* New ones, those that came and went, and at last those that any code may use. */
static void find_growth(struct trial *trial)
{
	struct growth *grown;
	size_t nr, i;

	if (!trial->before.nr)
		return;
	nr = caches_growth(&trial->before, &trial->after, &grown);
	trial->growth = xalloc((nr + trial->during.nr) * sizeof(*grown));
	for (i = 0; i < nr; i++)
		if (!grown[i].before)
			trial->growth[trial->nr_growth++] = grown[i];
	for (i = 0; i < trial->during.nr; i++) {
		const struct cache *cache = &trial->during.caches[i];

		if (!caches_find(&trial->before, cache->name) &&
		    !caches_find(&trial->after, cache->name))
			trial->growth[trial->nr_growth++] = (struct growth){ .now = cache };
	}
	for (i = 0; i < nr && grown[i].used > 0; i++)
		if (grown[i].before)
			trial->growth[trial->nr_growth++] = grown[i];
	free(grown);
}

static unsigned long long used_by(const struct caches *caches, const struct growth *growth)
{
	const struct cache *cache = caches_find(caches, growth->now->name);

	return cache ? cache->used : 0;
}

static void show_caches(FILE *to, const void *data)
{
	const struct trial *trial = data;
	size_t i;

	if (!trial->nr_growth)
		return;
	fprintf(to, "\nslab caches, bytes in use:\n%-24s %12s %12s %12s\n", "", "before", "loaded",
		"unloaded");
	for (i = 0; i < trial->nr_growth && i < MAX_CACHES; i++) {
		const struct growth *growth = &trial->growth[i];

		fprintf(to, "%-24s %12llu %12llu %12llu  %s\n",
			growth->now->name, used_by(&trial->before, growth),
			used_by(&trial->during, growth), used_by(&trial->after, growth),
			state_of(trial, growth));
	}
	if (trial->nr_growth > MAX_CACHES)
		fprintf(to, "... and %zu more\n", trial->nr_growth - MAX_CACHES);
}

static void json_caches(struct json *json, const struct trial *trial)
{
	size_t i;

	json_open(json, "caches", '[');
	for (i = 0; i < trial->nr_growth; i++) {
		const struct growth *growth = &trial->growth[i];

		json_open(json, NULL, '{');
		json_string(json, "name", growth->now->name);
		json_string(json, "state", state_of(trial, growth));
		json_number(json, "before", used_by(&trial->before, growth));
		json_number(json, "loaded", used_by(&trial->during, growth));
		json_number(json, "unloaded", used_by(&trial->after, growth));
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void members(struct json *json, const void *data)
{
	const struct trial *trial = data;

	json_string(json, "module", trial->name);
	child_json(json, "load", &trial->load_end);
	if (trial->loaded && trial->exercise)
		child_json(json, "exercise", &trial->exercise_end);
	if (trial->loaded)
		child_json(json, "unload", &trial->unload_end);
	json_caches(json, trial);
}

/**
 * command_module() - load a module, let it work, unload it, show what stayed
 * @options: of the command line
 * @args: the module, its parameters, and what lets it work
 *
 * Return: whether there are leaks; if there are none, whether all of it worked.
 */
int command_module(const struct options *options, char **args)
{
	struct trial trial = { .options = options };
	struct answer answer = {
		.command = "module",
		.what = "new ",
		.tail = show_caches,
		.members = members,
		.data = &trial,
	};
	static struct control control;
	FILE *to;

	if (!args[0] || !strcmp(args[0], "--"))
		die(EXIT_USAGE, "module needs a name: kmemleak module NAME [PARAM...]");
	split_args(&trial, args);
	control_open(&control, options);
	control_need_live(&control);
	if (is_loaded(options, trial.name))
		die(EXIT_TROUBLE, "%s is loaded already; unload it first", trial.name);
	to = out_open(options);

	control_use(&control, options);
	run_trial(&trial, &control);
	find_growth(&trial);
	answer.module = trial.name;
	if (answer_leaks(&answer, &control, options, to))
		return EXIT_LEAKS;
	/* A program that did not run has the status 0. */
	if (!child_ok(&trial.load_end))
		return child_exit(&trial.load_end);
	if (!child_ok(&trial.exercise_end))
		return child_exit(&trial.exercise_end);
	return child_exit(&trial.unload_end);
}
