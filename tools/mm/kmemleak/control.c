// SPDX-License-Identifier: GPL-2.0
/*
 * The control file: commands, scans, and what stands in the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kmemleak.h"

#define DEBUGFS_MAGIC	0x64626720

#define MIN_UNREF_SCANS	"/sys/module/kmemleak/parameters/min_unref_scans"
#define EXACT_US	"/sys/module/kmemleak/parameters/exact_us"

/* Microseconds for which a scan may stop all CPUs: what the detector takes at most. */
#define EXACT_US_MAX	1000000U

static bool is_debugfs(const char *dir)
{
	struct statfs fs;

	return !statfs(dir, &fs) && fs.f_type == DEBUGFS_MAGIC;
}

static void __noreturn no_access(const char *path, int error)
{
	if (geteuid())
		die(EXIT_TROUBLE, "%s: %s: only root may use the detector", path,
		    strerror(error));
	die(EXIT_TROUBLE, "%s: %s, even for root: is the kernel locked down?", path,
	    strerror(error));
}

static void __noreturn no_file(const char *debugfs, const char *file)
{
	if (!is_debugfs(debugfs))
		die(EXIT_TROUBLE, "no debugfs is mounted at %s: mount -t debugfs none %s",
		    debugfs, debugfs);
	die(EXIT_TROUBLE, "no %s: this kernel lacks CONFIG_DEBUG_KMEMLEAK", file);
}

/* A report or a log need not be in a directory of its own. */
static bool is_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) || S_ISDIR(st.st_mode))
		return false;
	if (is_debugfs(path))
		die(EXIT_TROUBLE, "%s: name the directory that debugfs is mounted at", path);
	return true;
}

static void __noreturn is_off(void)
{
	die(EXIT_TROUBLE, "the detector is off: use \"kmemleak on\", or boot with kmemleak=on");
}

/* Or what is usual, where there is no such parameter. */
static unsigned int read_parameter(const char *path, unsigned int usual)
{
	FILE *from = fopen(path, "re");
	unsigned int value = usual;

	if (from) {
		if (fscanf(from, "%u", &value) != 1)
			value = usual;
		fclose(from);
	}
	return value;
}

static void set_exact(unsigned int us)
{
	FILE *to = fopen(EXACT_US, "we");
	bool done = to && fprintf(to, "%u", us) > 0;

	if (to && fclose(to))
		done = false;
	if (!done)
		die(EXIT_TROUBLE, "%s: %s: --exact needs a detector that has it", EXACT_US,
		    strerror(errno));
}

/* Whether there was a proof. What is known by one look needs none. */
static bool was_exact(const struct control *control)
{
	FILE *from = fopen(control->stats, "re");
	unsigned int passes = 0;
	bool exact = false;
	char line[128];

	while (from && fgets(line, sizeof(line), from)) {
		exact |= !strcmp(line, "last scan verdict: exact\n");
		if (sscanf(line, "last scan passes: %u", &passes) == 1)
			break;
	}
	if (from)
		fclose(from);
	return exact || passes < 3;
}

/**
 * control_open() - find the control file, or end the tool
 * @control: filled in
 * @options: where to look
 *
 * A file that is in no debugfs is a report or a log that was saved: it is read, and
 * nothing is written to it.
 */
void control_open(struct control *control, const struct options *options)
{
	struct stat st;
	int fd;

	memset(control, 0, sizeof(*control));
	control->file = is_file(options->debugfs) ? xstrdup(options->debugfs) :
						    path_join(options->debugfs, "kmemleak");
	control->details = path_join(options->debugfs, "kmemleak_info/leaks.json");
	control->stats = path_join(options->debugfs, "kmemleak_info/stats");
	control->live = path_join(options->debugfs, "kmemleak_info/live.json");
	control->wait = options->wait;
	control->exact = options->exact;
	control->empty_is_clean = options->empty_is_clean;

	fd = open(control->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		switch (errno) {
		case EACCES:
		case EPERM:
			no_access(control->file, errno);
		case ENOENT:
		case ENOTDIR:
			no_file(options->debugfs, control->file);
		default:
			die(EXIT_TROUBLE, "%s: %s", control->file, strerror(errno));
		}
	}
	close(fd);

	control->saved = !is_debugfs(options->debugfs);
	control->decides_at_once = !stat(control->stats, &st);
	if (control->decides_at_once) {
		unsigned int further = read_parameter(MIN_UNREF_SCANS, 1);

		control->scans = further < 2 ? 1 : further + 1;
	} else {
		/* The first one takes checksums, the second one compares them. */
		control->scans = 2;
	}
}

/* 0 or an errno. */
static int try_command(const struct control *control, const char *command)
{
	int fd = open(control->file, O_WRONLY | O_CLOEXEC);
	struct statfs fs;
	ssize_t done;
	int error;

	if (fd < 0) {
		if (errno == EACCES || errno == EPERM)
			no_access(control->file, errno);
		die(EXIT_TROUBLE, "%s: %s", control->file, strerror(errno));
	}
	/* A path that led to debugfs may lead elsewhere now. */
	if (fstatfs(fd, &fs) || fs.f_type != DEBUGFS_MAGIC)
		die(EXIT_TROUBLE, "%s is in no debugfs any more", control->file);
	done = write(fd, command, strlen(command));
	error = done < 0 ? errno : 0;
	close(fd);
	return error;
}

static void __noreturn not_taken(const struct control *control, const char *command,
				 int error)
{
	die(EXIT_TROUBLE, "%s does not take \"%s\": %s", control->file, command,
	    strerror(error));
}

/* 0, EINTR or ECANCELED; other errors end the tool. */
static int write_command(const struct control *control, const char *command)
{
	int error = try_command(control, command);

	if (error == EPERM)
		is_off();
	if (error && error != EINTR && error != ECANCELED)
		not_taken(control, command, error);
	return error;
}

/**
 * control_on() - switch the detector on
 * @control: the control file
 *
 * Return: false if it was on.
 */
bool control_on(const struct control *control)
{
	int error = try_command(control, "on");

	/* So says one that never heard of the command, whether it is off or not. */
	if (error == EINVAL || error == EPERM)
		die(EXIT_TROUBLE, "only a boot with kmemleak=on switches this detector on");
	if (error && error != EALREADY)
		not_taken(control, "on", error);
	return !error;
}

/**
 * control_off() - switch the detector off, and let it forget what it has found
 * @control: the control file
 *
 * Return: false if it was off.
 */
bool control_off(const struct control *control)
{
	int error = try_command(control, "off");
	bool was_on = !error;

	if (error == EPERM)
		error = 0;
	if (!error)
		error = try_command(control, "clear");
	if (error)
		not_taken(control, "off", error);
	return was_on;
}

static const struct control *to_be_ended;

static void end_use(void)
{
	/* Nobody is there who could do something about it. */
	if (try_command(to_be_ended, "off") || try_command(to_be_ended, "clear"))
		warn("the detector could not be switched off again");
}

/**
 * control_use() - let the detector be on until the tool ends, if that is wanted
 * @control: the control file, for as long
 * @options: of the command line
 *
 * One that was on stays on.
 */
void control_use(const struct control *control, const struct options *options)
{
	if (!options->on || !control_on(control))
		return;
	to_be_ended = control;
	if (atexit(end_use)) {
		control_off(control);
		die(EXIT_TROUBLE, "out of memory");
	}
}

/**
 * control_scan() - let the detector scan once
 * @control: the control file
 *
 * Return: false if a signal, or somebody else, ended it; the report is as it was
 * then.
 */
bool control_scan(struct control *control)
{
	return control->saved || !write_command(control, "scan");
}

/**
 * control_scan_all() - let the detector scan until its report is complete
 * @control: the control file
 *
 * A signal that does not end the tool ends a scan, and so does "scan=off"; then
 * there is no answer.
 */
void control_scan_all(struct control *control)
{
	unsigned int i, before = read_parameter(EXACT_US, 0);
	bool done = true;

	if (control->saved)
		return;
	if (control->exact)
		set_exact(EXACT_US_MAX);
	for (i = 0; i < control->scans && done; i++) {
		/* Elsewhere no object is reported that is younger than 5 seconds. */
		if (i && !control->decides_at_once)
			sleep(control->wait);
		done = control_scan(control);
	}
	if (control->exact)
		set_exact(before);
	if (!done)
		die(EXIT_TROUBLE, "a signal, or \"scan=off\", ended the scan");
	if (control->exact && !was_exact(control))
		warn("this is no proof: it would have stopped all CPUs for too long");
}

/**
 * control_clear() - set aside what is reported now
 * @control: the control file
 */
void control_clear(struct control *control)
{
	if (!control->saved)
		write_command(control, "clear");
}

/**
 * control_mark() - let a new interval begin, or end the tool
 * @control: the control file
 */
void control_mark(const struct control *control)
{
	if (!control->saved && write_command(control, "mark"))
		die(EXIT_TROUBLE, "a signal ended it");
}

/**
 * control_need_live() - end the tool if there is nothing but a saved report
 * @control: the control file
 */
void control_need_live(const struct control *control)
{
	if (control->saved)
		die(EXIT_TROUBLE, "%s is in no debugfs: nothing can be scanned there",
		    control->file);
}
