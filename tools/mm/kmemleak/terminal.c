// SPDX-License-Identifier: GPL-2.0
/*
 * Live views: a screen that is drawn anew, and is left as it was whatever ends
 * the tool; and the signals that matter then.
 *
 * The signals are blocked but while the tool waits, and while the detector scans:
 * one that is sent in between is not lost, and a window that changes its size
 * does not end a scan.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "kmemleak.h"

/* To another screen, no cursor, lines that are too long are cut; and back. */
#define ENTER	"\033[?1049h\033[?25l\033[?7l"
#define LEAVE	"\033[?7h\033[?25h\033[?1049l"

/* Until the first look is over. */
#define PATIENCE	"\033[Hkmemleak: scanning ...\033[K"

/* Milliseconds in which a terminal tells its size, if it ever does. */
#define ANSWER_TIME	300

static atomic_int stopped_by;
static atomic_int resized;
static atomic_int suspended;
static sigset_t waiting_mask;
static sigset_t stop_mask;

static bool entered;
static bool keys;
static bool mute;
/* A key that came while the terminal was asked for its size, or 0. */
static char typed;
static struct termios modes;
static unsigned int rows, columns;
static char *frame;
static size_t frame_size;
static FILE *drawing;

static void on_stop(int signal)
{
	stopped_by = signal;
}

static void on_resize(int signal)
{
	(void)signal;
	resized = 1;
}

static void on_suspend(int signal)
{
	(void)signal;
	suspended = 1;
}

static void handle(int signal, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(signal, &action, NULL);
}

/**
 * signals_catch() - from here on signals end waits and scans, not the tool
 */
void signals_catch(void)
{
	sigset_t blocked;

	sigemptyset(&stop_mask);
	sigaddset(&stop_mask, SIGINT);
	sigaddset(&stop_mask, SIGTERM);
	sigaddset(&stop_mask, SIGHUP);
	blocked = stop_mask;
	sigaddset(&blocked, SIGWINCH);
	sigaddset(&blocked, SIGTSTP);
	sigprocmask(SIG_BLOCK, &blocked, &waiting_mask);
	handle(SIGINT, on_stop);
	handle(SIGTERM, on_stop);
	handle(SIGHUP, on_stop);
	handle(SIGWINCH, on_resize);
	handle(SIGTSTP, on_suspend);
}

/**
 * signals_stopped() - whether one was sent that is to end the tool
 *
 * Return: true if so.
 */
bool signals_stopped(void)
{
	return stopped_by;
}

/**
 * signals_let_through() - let those that end the tool end a scan
 * @through: true before the scan, false after it
 */
void signals_let_through(bool through)
{
	sigprocmask(through ? SIG_UNBLOCK : SIG_BLOCK, &stop_mask, NULL);
}

/**
 * signals_pass_on() - end as a program does that does not catch the signal
 *
 * Not for SIGINT: Ctrl-C is how a live view ends.
 */
void signals_pass_on(void)
{
	if (!stopped_by || stopped_by == SIGINT)
		return;
	fflush(NULL);
	handle(stopped_by, SIG_DFL);
	signals_let_through(true);
	raise(stopped_by);
}

/* The shell gets its terminal back for as long as it wants it. */
static void suspend(void)
{
	bool live = entered;
	sigset_t only;

	suspended = 0;
	terminal_leave();
	handle(SIGTSTP, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	sigprocmask(SIG_BLOCK, &only, NULL);
	handle(SIGTSTP, on_suspend);
	if (live)
		terminal_enter();
}

/* No time if it is over. */
static bool time_left(const struct timespec *end, struct timespec *left)
{
	clock_gettime(CLOCK_MONOTONIC, left);
	left->tv_sec = end->tv_sec - left->tv_sec;
	left->tv_nsec = end->tv_nsec - left->tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_sec--;
		left->tv_nsec += 1000000000;
	}
	if (left->tv_sec >= 0)
		return true;
	*left = (struct timespec){ 0 };
	return false;
}

/* 0 if the time is over, or if a signal came first. */
static char next_key(const struct timespec *left)
{
	struct pollfd input = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
	char key = typed;

	typed = 0;
	if (!key && ppoll(&input, 1, left, &waiting_mask) > 0 &&
	    read(STDIN_FILENO, &key, 1) <= 0)
		keys = false;
	return key;
}

/**
 * wait_until() - wait for a time, a key or a signal
 * @end: the time, of CLOCK_MONOTONIC
 *
 * Return: what ended it. The key "s" ends it as if the time had come.
 */
enum wait_end wait_until(const struct timespec *end)
{
	struct timespec left;
	bool more;

	/* Keys count, and signals are let in, also where looks take too long. */
	do {
		char key;

		more = time_left(end, &left);
		key = next_key(&left);
		if (key == 'q' || key == 3 || key == 4)
			return WAIT_STOPPED;
		if (key == 's' || key == ' ')
			return WAIT_OVER;
		if (suspended) {
			suspend();
			return WAIT_REDRAW;
		}
		if (resized) {
			resized = 0;
			return WAIT_REDRAW;
		}
	} while (more && !stopped_by);
	return stopped_by ? WAIT_STOPPED : WAIT_OVER;
}

/**
 * terminal_live() - whether somebody is there to look at a live view
 * @options: of the command line
 *
 * Return: true if so.
 */
bool terminal_live(const struct options *options)
{
	const char *term = getenv("TERM");

	return options->format == FORMAT_TEXT && !options->output && isatty(STDOUT_FILENO) &&
	       !(term && !strcmp(term, "dumb"));
}

static void put(const char *text, size_t len)
{
	while (len) {
		ssize_t done = write(STDOUT_FILENO, text, len);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			text += done;
			len -= done;
		}
	}
}

/**
 * terminal_enter() - take the screen and the keys
 */
void terminal_enter(void)
{
	struct termios raw;

	if (entered)
		return;
	keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &modes);
	if (keys) {
		raw = modes;
		raw.c_lflag &= ~(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		/* From the background this would stop the tool for ever. */
		if (tcgetpgrp(STDIN_FILENO) != getpgrp() ||
		    tcsetattr(STDIN_FILENO, TCSANOW, &raw))
			keys = false;
	}
	entered = true;
	put(ENTER, strlen(ENTER));
	put(PATIENCE, strlen(PATIENCE));
}

/**
 * terminal_leave() - give back the screen and the keys
 */
void terminal_leave(void)
{
	if (!entered)
		return;
	entered = false;
	put(LEAVE, strlen(LEAVE));
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &modes);
}

/*
 * A serial line does not tell the size of the terminal at its other end. That
 * one says where its cursor is, if it was sent as far as it goes.
 */
static bool ask_size(unsigned int *to_rows, unsigned int *to_columns)
{
	static const char question[] = "\0337\033[999;999H\033[6n\0338";
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char answer[32];
	size_t len = 0;
	char *start;

	if (!keys || mute)
		return false;
	put(question, sizeof(question) - 1);
	while (len < sizeof(answer) - 1 && poll(&input, 1, ANSWER_TIME) > 0) {
		char byte;

		if (read(STDIN_FILENO, &byte, 1) != 1)
			break;
		if (!len && byte != '\033') {
			typed = byte;
			continue;
		}
		answer[len++] = byte;
		if (byte == 'R')
			break;
	}
	answer[len] = '\0';
	start = strstr(answer, "\033[");
	if (start && sscanf(start, "\033[%u;%uR", to_rows, to_columns) == 2)
		return true;
	mute = !len;
	return false;
}

static unsigned int from_environment(const char *name, unsigned int usual)
{
	const char *text = getenv(name);
	int value = text ? atoi(text) : 0;

	return value > 0 ? (unsigned int)value : usual;
}

static void find_size(void)
{
	struct winsize size = { 0 };

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		rows = size.ws_row;
		columns = size.ws_col;
	} else if (!ask_size(&rows, &columns)) {
		rows = from_environment("LINES", 24);
		columns = from_environment("COLUMNS", 80);
	}
}

/**
 * terminal_begin() - begin to draw
 *
 * Return: where to write lines, of printable ASCII. One that begins with a byte
 *	of 1 is a heading.
 */
FILE *terminal_begin(void)
{
	find_size();
	drawing = open_memstream(&frame, &frame_size);
	if (!drawing)
		die(EXIT_TROUBLE, "out of memory");
	return drawing;
}

/**
 * terminal_rows() - the height of the screen since terminal_begin()
 *
 * Return: its lines.
 */
unsigned int terminal_rows(void)
{
	return rows;
}

/**
 * terminal_show() - show what was drawn, as far as there is room for it
 */
void terminal_show(void)
{
	const char *line;
	unsigned int row;
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	fclose(drawing);
	to = open_memstream(&text, &size);
	if (!to)
		die(EXIT_TROUBLE, "out of memory");
	fputs("\033[H", to);
	line = frame;
	for (row = 0; row < rows && *line; row++) {
		bool heading = *line == 1;
		size_t len, width;

		line += heading;
		len = strcspn(line, "\n");
		width = len < columns ? len : columns;
		fprintf(to, "%s%s%.*s%s\033[K", row ? "\n" : "", heading ? "\033[7m" : "",
			(int)width, line, heading ? "\033[0m" : "");
		line += len + (line[len] == '\n');
	}
	fputs("\033[J", to);
	fclose(to);
	put(text, size);
	free(text);
	free(frame);
	frame = NULL;
}
