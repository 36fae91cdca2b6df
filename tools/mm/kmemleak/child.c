// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that are run, and how they ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmemleak.h"

/* 0 while nothing runs. */
static atomic_int running;
static atomic_int told_to_end;

/*
 * The terminal, which is the kernel, has sent what Ctrl-C stands for to the program as
 * well, for which it is meant. What comes from a process, such as timeout(1), is for both.
 */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if ((signal == SIGINT || signal == SIGQUIT) && info->si_code == SI_KERNEL)
		return;
	told_to_end = signal;
	if (running > 0)
		kill(running, signal);
}

static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
static struct sigaction before[ARRAY_SIZE(signals)];

static void take_signals(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action = {
			.sa_sigaction = pass_on,
			.sa_flags = SA_SIGINFO,
		};

		sigaction(signals[i], NULL, &before[i]);
		/* As for a program that nohup started. */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

static void reset_signals(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &before[i], NULL);
}

/* Does not return. Why it could not be run goes to a pipe that exec closes. */
static void __noreturn become(char **argv, bool keep_output, int report)
{
	int error;

	reset_signals();
	if (!keep_output)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(argv[0], argv);
	error = errno;
	if (write(report, &error, sizeof(error)) != sizeof(error))
		_exit(EXIT_TROUBLE);
	_exit(EXIT_CHILD_NOT_RUNNABLE);
}

/**
 * child_start() - start a program
 * @child: filled in; child_wait() has to be told of its end
 * @argv: its name, which is looked for in PATH, its arguments and NULL
 * @keep_output: its standard output is ours; else it is our standard error
 *
 * Signals of the terminal, as with Ctrl-C, are for the program. Those that a process
 * sends to the tool are for both.
 */
void child_start(struct child *child, char **argv, bool keep_output)
{
	int pipe_fds[2];
	pid_t pid;

	memset(child, 0, sizeof(*child));
	fflush(NULL);
	if (pipe2(pipe_fds, O_CLOEXEC))
		die(EXIT_TROUBLE, "pipe: %s", strerror(errno));
	take_signals();

	pid = fork();
	if (pid < 0)
		die(EXIT_TROUBLE, "fork: %s", strerror(errno));
	if (!pid)
		become(argv, keep_output, pipe_fds[1]);
	child->pid = pid;
	running = pid;
	if (told_to_end)
		kill(pid, told_to_end);
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &child->error, sizeof(child->error)) < 0 && errno == EINTR)
		;
	close(pipe_fds[0]);
}

static int milliseconds_to(const struct timespec *until)
{
	struct timespec now;
	long long left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (until->tv_sec - now.tv_sec) * 1000LL + (until->tv_nsec - now.tv_nsec) / 1000000;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Whether it has ended, at that time at the latest. */
static bool has_ended(pid_t pid, const struct timespec *until)
{
	struct pollfd end = { .events = POLLIN };
	int ready;

	end.fd = syscall(SYS_pidfd_open, pid, 0);
	if (end.fd < 0)
		die(EXIT_TROUBLE, "cannot wait for a program: %s", strerror(errno));
	do
		ready = poll(&end, 1, milliseconds_to(until));
	while (ready < 0 && errno == EINTR);
	close(end.fd);
	return ready > 0;
}

/**
 * child_wait() - wait for the end of a program
 * @child: from child_start(); set to how it ended
 * @until: not beyond this time, of CLOCK_MONOTONIC; NULL: for as long as it takes
 *
 * Return: false if it runs still.
 */
bool child_wait(struct child *child, const struct timespec *until)
{
	int status;

	if (until && !has_ended(child->pid, until))
		return false;
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	running = 0;
	reset_signals();
	if (told_to_end)
		raise(told_to_end);
	if (WIFSIGNALED(status))
		child->signal = WTERMSIG(status);
	else
		child->status = WEXITSTATUS(status);
	return true;
}

/**
 * child_run() - run a program to its end
 * @child: set to how it ended
 * @argv: as of child_start()
 * @keep_output: the same
 */
void child_run(struct child *child, char **argv, bool keep_output)
{
	child_start(child, argv, keep_output);
	child_wait(child, NULL);
}

/**
 * child_ok() - whether a program did what it should
 * @child: from child_run()
 *
 * Return: true if it ended with status 0.
 */
bool child_ok(const struct child *child)
{
	return !child->error && !child->signal && !child->status;
}

/**
 * child_describe() - how a program ended, in words
 * @child: from child_run()
 * @to: where to
 * @size: bytes there
 */
void child_describe(const struct child *child, char *to, size_t size)
{
	if (child->error)
		snprintf(to, size, "could not be run: %s", strerror(child->error));
	else if (child->signal)
		snprintf(to, size, "was ended by signal %d (%s)", child->signal,
			 strsignal(child->signal));
	else
		snprintf(to, size, "ended with status %d", child->status);
}

/**
 * child_exit() - what the tool ends with for a program, if nothing was leaked
 * @child: from child_run()
 *
 * Return: the status.
 */
enum exit_status child_exit(const struct child *child)
{
	if (child->error == ENOENT)
		return EXIT_CHILD_NOT_FOUND;
	if (child->error)
		return EXIT_CHILD_NOT_RUNNABLE;
	return child_ok(child) ? EXIT_CLEAN : EXIT_CHILD_FAILED;
}

/**
 * child_json() - how a program ended, as a JSON object
 * @json: where
 * @key: its name
 * @child: from child_run()
 */
void child_json(struct json *json, const char *key, const struct child *child)
{
	json_open(json, key, '{');
	if (child->error)
		json_string(json, "error", strerror(child->error));
	else if (child->signal)
		json_number(json, "signal", child->signal);
	else
		json_number(json, "status", child->status);
	json_close(json, '}');
}

/**
 * child_read() - run a program to read what it has to say
 * @argv: its name, which is looked for in PATH, its arguments and NULL
 * @pid: set to its process, to be waited for
 *
 * Return: its standard output, to be closed, or NULL.
 */
FILE *child_read(char **argv, pid_t *pid)
{
	int pipe_fds[2], none;

	fflush(NULL);
	if (pipe2(pipe_fds, O_CLOEXEC))
		return NULL;
	*pid = fork();
	if (*pid < 0) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return NULL;
	}
	if (!*pid) {
		none = open("/dev/null", O_RDWR);
		if (none >= 0) {
			dup2(none, STDIN_FILENO);
			dup2(none, STDERR_FILENO);
		}
		dup2(pipe_fds[1], STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(EXIT_CHILD_NOT_FOUND);
	}
	close(pipe_fds[1]);
	return fdopen(pipe_fds[0], "r");
}
