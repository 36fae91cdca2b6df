// SPDX-License-Identifier: GPL-2.0
/*
 * Source lines of frames: symbols are looked up in vmlinux and in the modules'
 * files, and addr2line, of binutils or of LLVM, tells lines of addresses.
 */
#include <ftw.h>
#include <linux/elf-em.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmemleak.h"

/* Addresses for one run of addr2line. */
#define BATCH		200

/* Files of vmlinux and modules, by name; those without a file have none. */
static struct intern_table files;

/* All frames that were looked up; those that were found have a place. */
static struct intern_table frames;

struct place {
	struct elf *elf;
	/* In a module, where addresses count from the section's begin. */
	const char *section;
	unsigned long long address;
	char *source;
};

static struct place **pending;
static size_t nr_pending, pending_room;
static bool told_no_tool, told_no_lines;

/* Where the kernel was built and where its source is, if vmlinux is still there. */
static char *prefixes[2];

/* The file that nftw() is to find, as it takes no argument. */
static const char *wanted;
static char *found;

static bool is_module_file(const char *path, const char *module)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t i;

	for (i = 0; module[i]; i++)
		if (base[i] != module[i] && !(base[i] == '-' && module[i] == '_'))
			return false;
	return !strcmp(base + i, ".ko") || !strcmp(base + i, ".ko.debug");
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type != FTW_F || !is_module_file(path, wanted))
		return 0;
	found = xstrdup(path);
	return 1;
}

static struct elf *open_module(const char *module, const struct options *options)
{
	struct elf *elf = NULL;
	size_t i;

	wanted = module;
	found = NULL;
	for (i = 0; i < options->nr_modules && !found; i++)
		nftw(options->modules[i], visit, 16, FTW_PHYS);
	if (found)
		elf = elf_open(found);
	else if (options->nr_modules)
		warn("no %s.ko is where --modules says", module);
	free(found);
	return elf;
}

/* An empty name is that of the kernel itself. */
static struct elf *file_of(const char *module, size_t len, const struct options *options)
{
	struct intern *file = intern(&files, module, len);
	static const char nothing;

	if (!file->data) {
		if (*file->text)
			file->data = open_module(file->text, options);
		else if (options->vmlinux)
			file->data = elf_open(options->vmlinux);
		if (!file->data)
			file->data = (void *)&nothing;
	}
	return file->data == &nothing ? NULL : file->data;
}

/* "function+0xOFFSET/0xSIZE", or the same and " [module]" */
static struct place *place_of(const char *frame, const struct options *options)
{
	const char *plus = strchr(frame, '+');
	const char *bracket = strstr(frame, " [");
	const char *module = bracket ? bracket + 2 : "";
	unsigned long long offset, size;
	struct place *place;
	struct elf *elf;

	if (!plus || sscanf(plus, "+%llx/%llx", &offset, &size) != 2 || !offset)
		return NULL;
	elf = file_of(module, strcspn(module, "] "), options);
	place = xalloc(sizeof(*place));
	place->elf = elf;
	if (!elf || !elf_find(elf, frame, plus - frame, size, &place->address,
			      &place->section)) {
		free(place);
		return NULL;
	}
	/* It is what the function returns to; the call is before it. */
	place->address += offset - 1;
	return place;
}

static bool in_path(const char *program)
{
	const char *dirs = getenv("PATH");
	bool runs = false;

	if (strchr(program, '/'))
		return !access(program, X_OK);
	while (dirs && *dirs && !runs) {
		size_t len = strcspn(dirs, ":");
		char *dir = xstrndup(dirs, len);
		char *path = path_join(dir, program);

		runs = !access(path, X_OK);
		free(path);
		free(dir);
		dirs += len + (dirs[len] == ':');
	}
	return runs;
}

/*
 * Tools that may do for a place, best first: not each one knows each machine, and that
 * of LLVM does not tell sections apart.
 */
static size_t find_tools(const struct place *place, const char *tools[4])
{
	static const struct {
		unsigned int machine;
		const char *tool;
	} crosses[] = {
		{ EM_AARCH64, "aarch64-linux-gnu-addr2line" },
		{ EM_X86_64, "x86_64-linux-gnu-addr2line" },
		{ EM_RISCV, "riscv64-linux-gnu-addr2line" },
	};
	const char *own = getenv("ADDR2LINE");
	size_t nr = 0;
	size_t i;

	if (own && *own) {
		tools[nr++] = own;
		return nr;
	}
	for (i = 0; i < ARRAY_SIZE(crosses); i++)
		if (crosses[i].machine == elf_machine(place->elf) && in_path(crosses[i].tool))
			tools[nr++] = crosses[i].tool;
	if (in_path("addr2line"))
		tools[nr++] = "addr2line";
	if (!place->section && in_path("llvm-addr2line"))
		tools[nr++] = "llvm-addr2line";
	return nr;
}

static void find_prefixes(const char *vmlinux)
{
	char *dir = xstrdup(vmlinux);
	char *slash = strrchr(dir, '/');
	char *source;

	if (slash)
		*slash = '\0';
	source = path_join(slash ? dir : ".", "source");
	prefixes[0] = realpath(source, NULL);
	prefixes[1] = realpath(slash ? dir : ".", NULL);
	free(source);
	free(dir);
}

static const char *skip_prefix(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = prefixes[i] ? strlen(prefixes[i]) : 0;

		if (len && !strncmp(path, prefixes[i], len) && path[len] == '/')
			return path + len + 1;
	}
	return path;
}

/* The function's own line comes first, and then those of what it inlined. */
static void add_line(struct place *place, const char *line)
{
	const char *old = place->source ? place->source : "";
	const char *colon = strrchr(line, ':');
	size_t size, len;
	char *joined;

	/* Without debug information there is a name at most. */
	if (*line == '?' || !colon || colon[1] == '?' || colon[1] == '0')
		return;
	line = skip_prefix(line);
	/* " (discriminator 1)" */
	len = colon - line + strcspn(colon, "\n ");
	size = len + strlen(old) + 3;
	joined = xalloc(size);
	snprintf(joined, size, "%.*s%s%s", (int)len, line, *old ? ", " : "", old);
	free(place->source);
	place->source = joined;
}

/* -a has it print each address, so that it is known where lines belong. */
static bool run_tool(const char *tool, struct place **batch, size_t nr)
{
	char addresses[BATCH][24];
	char *argv[BATCH + 8];
	size_t args = 0, at = 0;
	char *line = NULL;
	size_t room = 0;
	pid_t pid;
	FILE *from;
	size_t i;

	argv[args++] = (char *)tool;
	argv[args++] = "-a";
	argv[args++] = "-i";
	argv[args++] = "-e";
	argv[args++] = (char *)elf_path(batch[0]->elf);
	if (batch[0]->section) {
		argv[args++] = "-j";
		argv[args++] = (char *)batch[0]->section;
	}
	for (i = 0; i < nr; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "0x%llx", batch[i]->address);
		argv[args++] = addresses[i];
	}
	argv[args] = NULL;
	from = child_read(argv, &pid);
	if (!from)
		return false;
	while (getline(&line, &room, from) >= 0) {
		if (!strncmp(line, "0x", 2))
			at++;
		else if (at && at <= nr)
			add_line(batch[at - 1], line);
	}
	free(line);
	fclose(from);
	waitpid(pid, NULL, 0);
	return at;
}

static void check_lines(struct place **batch, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (batch[i]->source)
			return;
	if (!told_no_lines)
		warn("%s has no source lines: was it built with CONFIG_DEBUG_INFO?",
		     elf_path(batch[0]->elf));
	told_no_lines = true;
}

static void resolve_batch(struct place **batch, size_t nr)
{
	const char *tools[4];
	size_t nr_tools = find_tools(batch[0], tools);
	size_t i;

	for (i = 0; i < nr_tools; i++) {
		if (run_tool(tools[i], batch, nr)) {
			check_lines(batch, nr);
			return;
		}
	}
	if (!told_no_tool)
		warn("no addr2line (binutils or LLVM) that can read %s: no source lines",
		     elf_path(batch[0]->elf));
	told_no_tool = true;
}

static int by_file(const void *a, const void *b)
{
	const struct place *one = *(struct place * const *)a;
	const struct place *two = *(struct place * const *)b;

	if (one->elf != two->elf)
		return (uintptr_t)one->elf < (uintptr_t)two->elf ? -1 : 1;
	return one->section ? strcmp(one->section, two->section) : 0;
}

static void resolve_pending(void)
{
	size_t begin, end;

	if (nr_pending)
		qsort(pending, nr_pending, sizeof(*pending), by_file);
	for (begin = 0; begin < nr_pending; begin = end) {
		end = begin + 1;
		while (end < nr_pending && end - begin < BATCH &&
		       !by_file(&pending[begin], &pending[end]))
			end++;
		resolve_batch(pending + begin, end - begin);
	}
	nr_pending = 0;
}

static void add_frame(const struct frame *of_trace, const struct options *options)
{
	size_t before = frames.nr;
	struct intern *frame = intern(&frames, of_trace->text, of_trace->len);
	struct place *place;

	if (frames.nr == before)
		return;
	place = place_of(frame->text, options);
	frame->data = place;
	if (!place)
		return;
	pending = xgrow(pending, &pending_room, nr_pending, sizeof(*pending));
	pending[nr_pending++] = place;
}

/**
 * frames_resolve() - find the source lines of all frames, if the options say how
 * @groups: the groups whose frames are of interest
 * @nr: the first so many of them
 * @options: of the command line
 */
void frames_resolve(const struct groups *groups, size_t nr, const struct options *options)
{
	size_t i;

	if (!options->vmlinux && !options->nr_modules)
		return;
	if (options->vmlinux && !prefixes[0] && !prefixes[1])
		find_prefixes(options->vmlinux);
	for (i = 0; i < nr; i++) {
		struct frame frame = { 0 };

		while (trace_next(groups->groups[i].trace, &frame))
			add_frame(&frame, options);
	}
	resolve_pending();
}

/**
 * frame_source() - the source line of a frame
 * @frame: the frame
 *
 * Return: "FILE:LINE", with those of inlined functions behind it, or NULL.
 */
const char *frame_source(const struct frame *frame)
{
	struct place *place;

	if (!frames.nr)
		return NULL;
	place = intern(&frames, frame->text, frame->len)->data;
	return place ? place->source : NULL;
}
