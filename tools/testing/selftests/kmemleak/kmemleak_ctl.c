// SPDX-License-Identifier: GPL-2.0
/*
 * Does to a control file what a shell cannot: makes one write of any bytes and
 * names the error it gets, have it interrupted by a signal, read a file in
 * pieces of a given size or at any offset, do one thing after the other to a file
 * that stays open, load one module under many names, or many times, run a program
 * as nobody, of whom /etc/passwd may not know, and tell how long a page is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "../kselftest.h"

#define INPUT_MAX	65536
#define REPORT_MAX	(16 << 20)
#define SESSION_READ	(128 << 10)

/* How many offsets are read at, and the stride from one to the next, modulo them. */
#define PREADS		23
#define PREAD_STRIDE	9

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ EINVAL, "EINVAL" }, { EPERM, "EPERM" }, { EINTR, "EINTR" },
		{ ENOMEM, "ENOMEM" }, { EFAULT, "EFAULT" }, { ERANGE, "ERANGE" },
		{ ECANCELED, "ECANCELED" }, { EALREADY, "EALREADY" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].error == error)
			return names[i].name;
	return strerror(error);
}

static int open_or_exit(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static char *alloc_or_exit(size_t size)
{
	char *buf = malloc(size);

	if (!buf) {
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return buf;
}

/* Read to the end, at most piece bytes a call; the number of bytes, or -1. */
static ssize_t read_all(int fd, char *buf, size_t size, size_t piece)
{
	size_t done = 0;

	while (done < size) {
		size_t want = size - done < piece ? size - done : piece;
		ssize_t got = read(fd, buf + done, want);

		if (got < 0)
			return -1;
		if (!got)
			break;
		done += got;
	}
	return done;
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* After that many milliseconds, and again: the first may come before the write. */
static void send_signals(unsigned int msecs)
{
	struct timeval time = { .tv_sec = msecs / 1000, .tv_usec = msecs % 1000 * 1000 };
	struct itimerval timer = { .it_interval = time, .it_value = time };
	struct sigaction action = { .sa_handler = do_nothing };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * One write of what standard input holds; says OK or the error's name. With
 * signals after so many milliseconds, if that is not 0.
 */
static int do_write(const char *path, unsigned int msecs)
{
	int fd = open_or_exit(path, O_WRONLY);
	char *buf = alloc_or_exit(INPUT_MAX);
	ssize_t len = read_all(STDIN_FILENO, buf, INPUT_MAX, INPUT_MAX);
	ssize_t done;

	if (len < 0) {
		perror("standard input");
		return 2;
	}
	if (msecs)
		send_signals(msecs);
	done = write(fd, buf, len);
	if (done < 0)
		puts(error_name(errno));
	else if (done < len)
		printf("SHORT %zd of %zd\n", done, len);
	else
		puts("OK");
	return 0;
}

static bool ends_in(const char *buf, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && !memcmp(buf + len - end_len, end, end_len);
}

/* Leave out ages, which grow from one read to the next; the length without them. */
static ssize_t drop_ages(char *buf, ssize_t len)
{
	ssize_t from, to = 0;
	bool age = false;

	for (from = 0; from < len; from++) {
		if (age && memchr("0123456789.", buf[from], 11))
			continue;
		buf[to++] = buf[from];
		age = ends_in(buf, to, "\"age_ms\":") || ends_in(buf, to, ", age ");
	}
	return to;
}

/* Whether two reads of one open file, split and from 0 again, give this. */
static bool reads_same(const char *path, const char *whole, ssize_t len, size_t piece)
{
	int fd = open_or_exit(path, O_RDONLY);
	char *buf = alloc_or_exit(REPORT_MAX);
	bool same = true;
	int turn;

	for (turn = 0; turn < 2 && same; turn++) {
		ssize_t got = drop_ages(buf, read_all(fd, buf, REPORT_MAX, piece));

		same = got == len && !memcmp(buf, whole, len);
		if (!same)
			printf("%s read by %zu differs from %zd bytes read at once: %zd\n",
			       turn ? "second" : "first", piece, len, got);
		if (lseek(fd, 0, SEEK_SET)) {
			printf("cannot seek to 0: %s\n", error_name(errno));
			same = false;
		}
	}
	free(buf);
	close(fd);
	return same;
}

/* The report shows a per-CPU object as it is on the CPU that reads. */
static void stay_on_this_cpu(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static int do_reread(const char *path)
{
	static const size_t pieces[] = { 1, 7, 100, 4096, REPORT_MAX };
	char *whole = alloc_or_exit(REPORT_MAX);
	ssize_t len;
	size_t i;

	stay_on_this_cpu();
	len = drop_ages(whole, read_all(open_or_exit(path, O_RDONLY), whole, REPORT_MAX,
					REPORT_MAX));
	if (len <= 0) {
		printf("nothing to read\n");
		return 1;
	}
	for (i = 0; i < ARRAY_SIZE(pieces); i++)
		if (!reads_same(path, whole, len, pieces[i]))
			return 1;
	return 0;
}

/* Whether what lies at this offset of the report is read there. */
static bool pread_same(int fd, const char *whole, size_t len, size_t offset, size_t size)
{
	static char buf[SESSION_READ];
	size_t left = offset < len ? len - offset : 0;
	ssize_t got = pread(fd, buf, size, offset);

	/* It may be less than there is, but not nothing. */
	if (got >= 0 && !got == !left && (size_t)got <= left &&
	    !memcmp(buf, whole + offset, got))
		return true;
	printf("%zu bytes at %zu of %zu are not as read at once: %zd\n",
	       size, offset, len, got);
	return false;
}

/* Forth and back, at the end, and behind it. */
static bool preads_same(int fd, const char *whole, size_t len, size_t size)
{
	size_t i, offset;

	for (i = 0; i < PREADS; i++) {
		offset = (i * PREAD_STRIDE % PREADS) * len / (PREADS - 2);
		if (!pread_same(fd, whole, len, offset, size))
			return false;
	}
	return true;
}

/* Nor does it matter to who reads one piece after the other from the same file. */
static bool reads_same_with_preads(int fd, const char *whole, size_t len, size_t piece)
{
	char *buf = alloc_or_exit(piece);
	size_t done = 0;
	bool same = true;

	while (same && done < len) {
		ssize_t got = read(fd, buf, piece);

		same = got > 0 && (size_t)got <= len - done && !memcmp(buf, whole + done, got);
		if (!same)
			printf("%zu bytes after %zu and a pread differ: %zd\n", piece, done, got);
		done += got;
		same = same && pread_same(fd, whole, len, len - done, piece);
	}
	free(buf);
	return same;
}

static int do_pread(const char *path)
{
	static const size_t sizes[] = { 1, 7, 4096, SESSION_READ };
	char *whole = alloc_or_exit(REPORT_MAX);
	int fd = open_or_exit(path, O_RDONLY);
	ssize_t len = read_all(fd, whole, REPORT_MAX, REPORT_MAX);
	size_t i;

	if (len <= 0) {
		printf("nothing to read\n");
		return 1;
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (!preads_same(fd, whole, len, sizes[i]))
			return 1;
	return lseek(fd, 0, SEEK_SET) || !reads_same_with_preads(fd, whole, len, len / 10 + 1);
}

/* One read, however little it gets, into a file. */
static bool read_into(int fd, const char *path)
{
	static char buf[SESSION_READ];
	ssize_t got = read(fd, buf, sizeof(buf));
	int to;

	if (got < 0)
		return false;
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (to < 0 || write(to, buf, got) != got)
		return false;
	return !close(to);
}

static bool do_step(int fd, const char *verb, const char *arg)
{
	if (!strcmp(verb, "write"))
		return write(fd, arg, strlen(arg)) == (ssize_t)strlen(arg);
	if (!strcmp(verb, "read"))
		return read_into(fd, arg);
	if (!strcmp(verb, "seek"))
		return lseek(fd, atol(arg), SEEK_SET) == atol(arg);
	if (!strcmp(verb, "wait"))
		return !usleep(atoi(arg) * 1000);
	errno = EINVAL;
	return false;
}

/* As a program does that has the file open for as long as it runs. */
static int do_session(const char *path, char **steps, int nr)
{
	int fd = open_or_exit(path, O_RDWR);
	int i;

	for (i = 0; i + 1 < nr; i += 2) {
		if (!do_step(fd, steps[i], steps[i + 1])) {
			printf("%s %s: %s\n", steps[i], steps[i + 1], error_name(errno));
			return 1;
		}
	}
	return 0;
}

#define NOBODY		65534

/* ---- Modules ---- */

#define MODULE_MAX	(4 << 20)

/* A module, in memory. Its name, wherever it stands there, becomes another one. */
static char *read_module(const char *path, const char *name, const char *as,
			 size_t *size)
{
	int fd = open_or_exit(path, O_RDONLY);
	char *image = alloc_or_exit(MODULE_MAX);
	size_t i, length = strlen(name);
	ssize_t got = read_all(fd, image, MODULE_MAX, MODULE_MAX);

	if (got < (ssize_t)length || got == MODULE_MAX || strlen(as) != length) {
		fprintf(stderr, "%s: cannot be read, or called %s\n", path, as);
		exit(2);
	}
	close(fd);
	for (i = 0; i + length <= (size_t)got; i++) {
		if (!memcmp(image + i, name, length))
			memcpy(image + i, as, length);
	}
	*size = got;
	return image;
}

/* Load a module under another name of the same length, and so often unload it. */
static int do_load(const char *path, const char *name, const char *as, int times)
{
	size_t size;
	char *image = read_module(path, name, as, &size);
	int i;

	for (i = 0; i == 0 || i < times; i++) {
		if (syscall(SYS_init_module, image, size, "") ||
		    (times && syscall(SYS_delete_module, as, O_NONBLOCK))) {
			perror(as);
			return 1;
		}
	}
	return 0;
}

static int do_as_nobody(char **argv)
{
	if (setgid(NOBODY) || setuid(NOBODY)) {
		perror("cannot be nobody");
		return 2;
	}
	execv(argv[0], argv);
	perror(argv[0]);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "write"))
		return do_write(argv[2], 0);
	if (argc == 4 && !strcmp(argv[1], "write"))
		return do_write(argv[2], atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "reread"))
		return do_reread(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "pread"))
		return do_pread(argv[2]);
	if (argc >= 5 && !strcmp(argv[1], "session"))
		return do_session(argv[2], argv + 3, argc - 3);
	if (argc == 5 && !strcmp(argv[1], "load"))
		return do_load(argv[2], argv[3], argv[4], 0);
	if (argc == 5 && !strcmp(argv[1], "reload"))
		return do_load(argv[2], argv[3], argv[3], atoi(argv[4]));
	if (argc >= 3 && !strcmp(argv[1], "as-nobody"))
		return do_as_nobody(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "page-size"))
		return printf("%ld\n", sysconf(_SC_PAGESIZE)) < 0;
	fprintf(stderr, "usage: kmemleak_ctl write FILE [MILLISECONDS] < BYTES\n"
			"       kmemleak_ctl reread FILE\n"
			"       kmemleak_ctl pread FILE\n"
			"       kmemleak_ctl session FILE STEP...\n"
			"       kmemleak_ctl load FILE NAME ANOTHER_NAME\n"
			"       kmemleak_ctl reload FILE NAME TIMES\n"
			"       kmemleak_ctl as-nobody PROGRAM [ARGUMENT...]\n"
			"       kmemleak_ctl page-size\n"
			"steps: write TEXT, read INTO, seek OFFSET, wait MILLISECONDS\n");
	return 2;
}
