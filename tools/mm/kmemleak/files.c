// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are written: never in a place that another user has prepared.
 *
 * Root runs the tool, perhaps in /tmp. A symbolic link there can lead to a file that
 * root did not mean, and in a directory of another user that one can read what is
 * found, and replace it. So the tool looks up a path one component at a time, in
 * the directory that it has opened for the component before, and checks what it
 * has opened, not what a path leads to: nobody can exchange that in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kmemleak.h"

/* A directory in which something is looked up. */
#define OPEN_DIR	(O_PATH | O_DIRECTORY | O_CLOEXEC)

static bool others_write(const struct stat *st)
{
	return st->st_mode & 022;
}

/* A file of root is not made by an enemy: root needs no link to do harm. */
static bool is_trusted(const struct stat *st)
{
	return !st->st_uid || st->st_uid == geteuid();
}

static void __noreturn fail(const char *path, int error)
{
	die(EXIT_TROUBLE, "%s: %s", path, strerror(error));
}

static void check(const struct stat *st, const char *path)
{
	if (S_ISLNK(st->st_mode))
		die(EXIT_TROUBLE, "%s is a symbolic link: name what it leads to", path);
	/* Only root makes these, and some are for all, as /dev/null. */
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		return;
	if (st->st_uid != geteuid())
		die(EXIT_TROUBLE, "%s belongs to another user (%u): name one of your own",
		    path, (unsigned int)st->st_uid);
	if (others_write(st))
		die(EXIT_TROUBLE, "%s is for others to write to (mode %o): chmod go-w forbids it",
		    path, st->st_mode & 07777);
	if (S_ISREG(st->st_mode) && st->st_nlink != 1)
		die(EXIT_TROUBLE, "%s has other names, too (hard links): remove it", path);
}

/* Whether another user can have put a link there. */
static bool is_foreign_link(int dir, const char *name)
{
	struct stat link, holder;

	if (fstatat(dir, name, &link, AT_SYMLINK_NOFOLLOW) || !S_ISLNK(link.st_mode))
		return false;
	return !is_trusted(&link) || fstat(dir, &holder) || !is_trusted(&holder) ||
	       (others_write(&holder) && !(holder.st_mode & S_ISVTX));
}

/* Links on the way, such as /var/run, are followed if no other user has made them. */
static int enter(int dir, const char *name, const char *path)
{
	int next = openat(dir, name, OPEN_DIR | O_NOFOLLOW);

	if (next < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		if (is_foreign_link(dir, name))
			die(EXIT_TROUBLE, "%s: others may have made the symbolic link \"%s\"",
			    path, name);
		next = openat(dir, name, OPEN_DIR);
	}
	if (next < 0)
		fail(path, errno);
	close(dir);
	return next;
}

/* The last component, to be freed, and the directory that it is in. */
static int open_parent(const char *path, char **last)
{
	const char *at = path;
	int dir = open(*path == '/' ? "/" : ".", OPEN_DIR);

	if (dir < 0)
		fail(path, errno);
	if (!*path)
		fail("\"\"", ENOENT);
	*last = xstrdup(".");
	for (;;) {
		size_t len;

		/* With a slash behind it, the last one would be followed as well. */
		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (!len)
			return dir;
		free(*last);
		*last = xstrndup(at, len);
		at += len;
		if (!at[strspn(at, "/")])
			return dir;
		dir = enter(dir, *last, path);
	}
}

static FILE *stream(int fd, const char *mode, const char *path)
{
	FILE *file = fdopen(fd, mode);

	if (!file)
		fail(path, errno);
	return file;
}

static int open_checked(int dir, const char *name, int flags, const char *path)
{
	struct stat st;
	int fd;

	/* To open a FIFO is to wait for its reader, who may be anybody. */
	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		check(&st, path);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (fd < 0 || fstat(fd, &st))
		fail(path, errno);
	check(&st, path);
	return fd;
}

/*
 * A link that leads to a file which the tool has open already, as /dev/stdout and a
 * shell's /dev/fd/63 do, or -1. Whoever has made it, nothing else can come of it.
 */
static int open_again(int dir, const char *name, const char *path)
{
	char target[64], own[96];
	const char *number = NULL;
	struct statfs fs;
	ssize_t len;
	int fd;

	len = readlinkat(dir, name, target, sizeof(target) - 1);
	if (len < 0)
		return -1;
	target[len] = '\0';
	if (!strncmp(target, "/proc/self/fd/", 14))
		number = target + 14;
	else if (!strncmp(target, "fd/", 3))
		number = target + 3;
	if (number && *number && !number[strspn(number, "0123456789")]) {
		snprintf(own, sizeof(own), "/proc/self/fd/%s", number);
		fd = open(own, O_WRONLY | O_TRUNC | O_CLOEXEC);
	} else if (!fstatfs(dir, &fs) && fs.f_type == PROC_SUPER_MAGIC) {
		fd = openat(dir, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	} else {
		return -1;
	}
	if (fd < 0)
		fail(path, errno);
	return fd;
}

/**
 * file_replace() - open a file for what is new, or end the tool
 * @path: the file, which is made if it is not there, for its owner alone
 *
 * Return: the file, which is empty.
 */
FILE *file_replace(const char *path)
{
	char *name;
	int dir = open_parent(path, &name);
	int fd = open_again(dir, name, path);
	struct stat st;

	if (fd < 0) {
		fd = open_checked(dir, name, 0, path);
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) && ftruncate(fd, 0))
			fail(path, errno);
	}
	close(dir);
	free(name);
	return stream(fd, "w", path);
}

/**
 * folder_open() - open a directory for files, or end the tool
 * @path: the directory, which is made if it is not there, for its owner alone
 *
 * Return: a descriptor, for folder_append() and folder_create().
 */
int folder_open(const char *path)
{
	struct stat st;
	char *name;
	int dir = open_parent(path, &name);
	int folder;

	if (mkdirat(dir, name, 0700) && errno != EEXIST)
		fail(path, errno);
	/* With O_PATH a link would be opened, and O_DIRECTORY says that it is none. */
	folder = openat(dir, name, OPEN_DIR | O_NOFOLLOW);
	if (folder < 0 && errno == ENOTDIR && !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) &&
	    S_ISLNK(st.st_mode))
		check(&st, path);
	if (folder < 0 || fstat(folder, &st))
		fail(path, errno);
	check(&st, path);
	close(dir);
	free(name);
	return folder;
}

/**
 * folder_append() - open a file to add to it, or end the tool
 * @folder: from folder_open()
 * @path: of the directory, for messages
 * @name: the file, which is made if it is not there, for its owner alone
 *
 * Return: the file.
 */
FILE *folder_append(int folder, const char *path, const char *name)
{
	char *whole = path_join(path, name);
	FILE *file = stream(open_checked(folder, name, O_APPEND, whole), "a", whole);

	free(whole);
	return file;
}

/**
 * folder_create() - make a file that is not there
 * @folder: from folder_open()
 * @name: the file, which is for its owner alone
 *
 * Return: the file, or NULL with errno.
 */
FILE *folder_create(int folder, const char *name)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int error = errno;

	if (fd >= 0 && !file)
		close(fd);
	errno = error;
	return file;
}
