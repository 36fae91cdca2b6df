// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak: the command line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmemleak.h"

/* Of this tool, which goes with any kernel. */
#define VERSION	"1.1"

/* Seconds: upstream's detector reports no object that is younger than 5. */
#define WAIT	6

/* Options that have no letter. */
enum {
	OPT_DEBUGFS = 256,
	OPT_JSON,
	OPT_CSV,
	OPT_VMLINUX,
	OPT_MODULES,
	OPT_WAIT,
	OPT_NO_SCAN,
	OPT_GROWTH,
	OPT_EXACT,
	OPT_BY,
	OPT_FOLDED,
	OPT_FOR,
	OPT_FAIL_ABOVE,
	OPT_EMPTY_IS_CLEAN,
	OPT_VERSION,
	OPT_ON,
};

static const struct option long_options[] = {
	{ "debugfs", required_argument, NULL, OPT_DEBUGFS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "csv", no_argument, NULL, OPT_CSV },
	{ "vmlinux", required_argument, NULL, OPT_VMLINUX },
	{ "modules", required_argument, NULL, OPT_MODULES },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "no-scan", no_argument, NULL, OPT_NO_SCAN },
	{ "growth", no_argument, NULL, OPT_GROWTH },
	{ "exact", no_argument, NULL, OPT_EXACT },
	{ "by", required_argument, NULL, OPT_BY },
	{ "folded", no_argument, NULL, OPT_FOLDED },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "fail-above", required_argument, NULL, OPT_FAIL_ABOVE },
	{ "top", required_argument, NULL, 'n' },
	{ "empty-is-clean", no_argument, NULL, OPT_EMPTY_IS_CLEAN },
	{ "on", no_argument, NULL, OPT_ON },
	{ "output", required_argument, NULL, 'o' },
	{ "limit", required_argument, NULL, 'n' },
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'c' },
	{ "log", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ }
};

static const struct command {
	const char *name;
	int (*run)(const struct options *options, char **args);
	bool takes_args;
	/* Options that are not for all commands. */
	int options[8];
} commands[] = {
	{ "scan", command_scan, false,
	  { OPT_VMLINUX, OPT_MODULES, OPT_WAIT, OPT_NO_SCAN, OPT_EXACT, OPT_EMPTY_IS_CLEAN } },
	{ "run", command_run, true,
	  { OPT_VMLINUX, OPT_MODULES, OPT_WAIT, OPT_EXACT, OPT_ON } },
	{ "module", command_module, true,
	  { OPT_VMLINUX, OPT_MODULES, OPT_WAIT, OPT_EXACT, OPT_ON } },
	{ "watch", command_watch, false,
	  { 'i', 'c', 'l', OPT_NO_SCAN, OPT_VMLINUX, OPT_MODULES, OPT_EMPTY_IS_CLEAN } },
	{ "top", command_top, false,
	  { 'i', 'c', OPT_NO_SCAN, OPT_VMLINUX, OPT_MODULES, OPT_WAIT, OPT_EMPTY_IS_CLEAN } },
	{ "slab", command_slab, false, { 'i', OPT_GROWTH } },
	{ "live", command_live, false, { OPT_BY, OPT_FOLDED, OPT_VMLINUX, OPT_MODULES } },
	{ "growth", command_growth, true,
	  { 'i', OPT_FOR, OPT_FAIL_ABOVE, OPT_FOLDED, OPT_NO_SCAN, OPT_VMLINUX, OPT_MODULES } },
	{ "on", command_on, false, { } },
	{ "off", command_off, false, { } },
	{ "status", command_status, false, { } },
};

static const char usage_text[] =
	"usage: kmemleak COMMAND [OPTION...]\n"
	"\n"
	"  scan                          look for leaks now, show them by place\n"
	"  run [--] PROGRAM [ARG...]     show what is leaked while a program runs\n"
	"  module NAME [PARAM...] [-- PROGRAM [ARG...]]\n"
	"                                load a module, let it work, unload it, show\n"
	"                                what stayed\n"
	"  watch                         memory, growing slab caches and new leaks\n"
	"  top                           the places that leak most\n"
	"  slab                          slab caches by size\n"
	"  live                          all that is allocated, lost or not, by place\n"
	"  growth [-- PROGRAM [ARG...]]  which places allocate more and more, while a\n"
	"                                program runs, or for some time\n"
	"  on, off                       switch the detector on or off\n"
	"  status                        whether it is on, and how much it knows\n"
	"\n"
	"      --json, --csv             for other programs\n"
	"  -o, --output FILE             not to standard output\n"
	"  -n, --limit, --top N          only the N largest\n"
	"      --debugfs DIR             where debugfs is; else $KMEMLEAK_DEBUGFS, else\n"
	"                                /sys/kernel/debug; or a copy of what is there, or\n"
	"                                a file: a copy of the report, or a log\n"
	"scan, run, module, watch, top, live, growth:\n"
	"      --vmlinux FILE            source lines of the kernel's frames\n"
	"      --modules PATH            source lines of modules' frames; a file, or a\n"
	"                                directory with all in it; may be repeated\n"
	"scan, run, module, top:\n"
	"      --wait SECONDS            between the two scans of the kernel's older\n"
	"                                detector (6)\n"
	"scan, run, module:\n"
	"      --exact                   stop all CPUs for a moment, so that the answer is\n"
	"                                a proof\n"
	"run, module:\n"
	"      --on                      switch the detector on for that, off afterwards\n"
	"scan, watch, top, growth:\n"
	"      --no-scan                 show what is in the report already\n"
	"scan, watch, top:\n"
	"      --empty-is-clean          take a copy without a record for \"no leaks\"\n"
	"watch, top, slab, growth:\n"
	"  -i, --interval SECONDS        between two looks (60; top and slab: 10; growth:\n"
	"                                a 20th of its time, or 1)\n"
	"watch, top:\n"
	"  -c, --count N                 end after N looks\n"
	"watch:\n"
	"  -l, --log DIR                 tables and a file for each finding go there\n"
	"slab:\n"
	"      --growth                  what grows in the interval\n"
	"live:\n"
	"      --by trace|cache|module|comm\n"
	"live, growth:\n"
	"      --folded                  stacks for programs that draw flame graphs\n"
	"growth:\n"
	"      --for TIME                for so long: seconds, or with s, m or h behind\n"
	"      --fail-above BYTES        end with status 1 if more has grown; K, M, G\n"
	"\n"
	"It ends with status 0 without leaks, 1 with leaks (scan, run, module) or too much\n"
	"growth, 2 for a wrong command line, 3 for what the tool cannot do, and if nothing\n"
	"was leaked: 125 if the program failed, 126 if it cannot be run, 127 if it was not\n"
	"found.\n";

static void __noreturn usage(const char *what, const char *which)
{
	die(EXIT_USAGE, "%s%s; kmemleak --help shows what there is", what, which);
}

static unsigned int parse_number(const char *text, unsigned int least)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < least || value > 1000000000)
		usage("not a number that will do: ", text);
	return value;
}

/* Milliseconds, of a number of seconds that may have a fraction. */
static unsigned int parse_seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (((*text < '0' || *text > '9') && *text != '.') || *end || !(value >= 0.001) ||
	    value > 1000000)
		usage("not a number of seconds that will do: ", text);
	return value * 1000;
}

/* Milliseconds, of a time that may have its unit behind. */
static unsigned int parse_time(const char *text)
{
	static const struct {
		char unit;
		unsigned int seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	size_t len = strlen(text);
	unsigned long long msecs;
	char *number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (len && text[len - 1] == units[i].unit)
			break;
	if (i == ARRAY_SIZE(units))
		return parse_seconds(text);
	number = xstrndup(text, len - 1);
	msecs = (unsigned long long)parse_seconds(number) * units[i].seconds;
	free(number);
	if (msecs > 1000000000)
		usage("not a time that will do: ", text);
	return msecs;
}

static unsigned long long parse_bytes(const char *text)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	unsigned int shift = unit ? 10 * (unit - units + 1) : 0;

	if (*text < '0' || *text > '9' || (*end && !unit) || (unit && end[1]) ||
	    value > (1ULL << 60) >> shift)
		usage("not a number of bytes that will do: ", text);
	return value << shift;
}

static enum by parse_by(const char *text)
{
	static const char * const names[] = {
		[BY_TRACE]	= "trace",
		[BY_CACHE]	= "cache",
		[BY_MODULE]	= "module",
		[BY_COMM]	= "comm",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i]))
			return i;
	usage("not one of trace, cache, module and comm: ", text);
}

static void add_modules(struct options *options, const char *path)
{
	options->modules = realloc(options->modules,
				   (options->nr_modules + 1) * sizeof(*options->modules));
	if (!options->modules)
		die(EXIT_TROUBLE, "out of memory");
	options->modules[options->nr_modules++] = path;
}

static void __noreturn say_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) ? EXIT_TROUBLE : EXIT_CLEAN);
}

static void take_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPT_JSON:
	case OPT_CSV:
		if (options->format != FORMAT_TEXT)
			usage("one of --json and --csv, once", "");
		options->format = option == OPT_JSON ? FORMAT_JSON : FORMAT_CSV;
		break;
	case OPT_DEBUGFS:
		options->debugfs = value;
		break;
	case OPT_VMLINUX:
		options->vmlinux = value;
		break;
	case OPT_MODULES:
		add_modules(options, value);
		break;
	case OPT_WAIT:
		options->wait = parse_number(value, 0);
		break;
	case OPT_NO_SCAN:
		options->no_scan = true;
		break;
	case OPT_GROWTH:
		options->growth = true;
		break;
	case OPT_EXACT:
		options->exact = true;
		break;
	case OPT_BY:
		options->by = parse_by(value);
		break;
	case OPT_FOLDED:
		options->folded = true;
		break;
	case OPT_FOR:
		options->duration = parse_time(value);
		break;
	case OPT_FAIL_ABOVE:
		options->fail_above = parse_bytes(value);
		break;
	case OPT_ON:
		options->on = true;
		break;
	case 'o':
		options->output = value;
		break;
	case 'n':
		options->limit = parse_number(value, 1);
		break;
	case 'i':
		options->interval = parse_time(value);
		break;
	case 'c':
		options->count = parse_number(value, 1);
		break;
	case 'l':
		options->log = value;
		break;
	case OPT_EMPTY_IS_CLEAN:
		options->empty_is_clean = true;
		break;
	case 'h':
		say_and_exit(usage_text);
	case OPT_VERSION:
		say_and_exit("kmemleak " VERSION "\n");
	default:
		/* getopt_long() has said what is wrong. */
		die(EXIT_USAGE, "kmemleak --help shows what there is");
	}
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	usage("no command: ", name);
}

static bool is_for_all(int option)
{
	return option == OPT_DEBUGFS || option == OPT_JSON || option == OPT_CSV ||
	       option == 'o' || option == 'n';
}

/* An option that would have no effect is a mistake. */
static void check_options(const struct command *command, const int *given, size_t nr)
{
	size_t i, k;

	for (i = 0; i < nr; i++) {
		if (is_for_all(given[i]))
			continue;
		for (k = 0; k < ARRAY_SIZE(command->options); k++)
			if (command->options[k] == given[i])
				break;
		if (k == ARRAY_SIZE(command->options))
			usage("an option that is not for ", command->name);
	}
}

static const char *from_environment(const char *name, const char *usual)
{
	const char *value = getenv(name);

	return value && *value ? value : usual;
}

/*
 * A caller that closed one of these shall be told that nothing can be written: no file
 * that the tool opens later may get its number.
 */
static void hold_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options options = {
		.debugfs = from_environment("KMEMLEAK_DEBUGFS", "/sys/kernel/debug"),
		.proc = from_environment("KMEMLEAK_PROC", "/proc"),
		.wait = WAIT,
		.fail_above = NO_BOUND,
	};
	const struct command *command = NULL;
	int *given = xalloc(argc * sizeof(*given));
	size_t nr_given = 0;
	int option, before;

	hold_standard_files();
	/* Options may stand before the command and behind it; the rest is its own. */
	for (;;) {
		before = optind;
		option = getopt_long(argc, argv, "+o:n:i:c:l:h", long_options, NULL);
		if (option >= 0) {
			take_option(&options, option, optarg);
			given[nr_given++] = option;
			continue;
		}
		if (command || !argv[optind] ||
		    (optind > before && !strcmp(argv[optind - 1], "--")))
			break;
		command = find_command(argv[optind++]);
	}
	if (!command)
		usage("no command is given", "");
	check_options(command, given, nr_given);
	free(given);
	if (!command->takes_args && argv[optind])
		usage("too much: ", argv[optind]);
	return command->run(&options, argv + optind);
}
