// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps a kernel busy in ways that a shell cannot: with sockets, with files on their
 * way from one to the other, with threads, and with waits for files. Ends when the
 * file that is named on the command line is gone.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGES	8
#define ROUNDS		16

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* A pipe's end, of which nobody but the message knows until it is read. */
static void send_file(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec text = { .iov_base = "file", .iov_len = 4 };
	struct msghdr msg = {
		.msg_iov = &text, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int ends[2];

	check(!pipe(ends), "pipe");
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &ends[1], sizeof(int));
	check(sendmsg(sock, &msg, 0) == 4, "sendmsg");
	close(ends[0]);
	close(ends[1]);
}

static void receive_file(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], buf[4];
	struct iovec text = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &text, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	check(recvmsg(sock, &msg, 0) == 4 && CMSG_FIRSTHDR(&msg), "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	close(fd);
}

/* The last message is never read: it goes with the sockets. */
static void pass_files(void)
{
	int socks[2], i;

	check(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, socks), "socketpair");
	for (i = 0; i < MESSAGES; i++)
		send_file(socks[0]);
	for (i = 0; i < MESSAGES - 1; i++)
		receive_file(socks[1]);
	close(socks[0]);
	close(socks[1]);
}

static void connect_once(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(addr);
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[1000] = {};
	int peer;

	/* The kernel finds a name. */
	check(!bind(server, (struct sockaddr *)&addr, sizeof(sa_family_t)), "bind");
	check(!getsockname(server, (struct sockaddr *)&addr, &len), "getsockname");
	check(!listen(server, 1), "listen");
	check(!connect(client, (struct sockaddr *)&addr, len), "connect");
	peer = accept(server, NULL, NULL);
	check(write(client, text, sizeof(text)) == sizeof(text), "write");
	check(read(peer, text, sizeof(text)) == sizeof(text), "read");
	close(client);
	close(server);
	close(peer);
}

static void wait_for_event(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0);
	int ends[2];

	check(!pipe(ends), "pipe");
	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), "epoll_ctl");
	check(write(ends[1], "", 1) == 1, "write");
	check(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
	close(epoll);
	close(ends[0]);
	close(ends[1]);
}

static void *map_and_unmap(void *unused)
{
	size_t size = 1 << 20;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(map != MAP_FAILED, "mmap");
	map[size / 2] = 1;
	check(!mprotect(map, size / 4, PROT_READ), "mprotect");
	munmap(map, size);
	return unused;
}

static void run_thread(void)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, map_and_unmap, NULL), "pthread_create");
	check(!pthread_join(thread, NULL), "pthread_join");
}

int main(int argc, char **argv)
{
	int i;

	if (argc != 2) {
		fprintf(stderr, "usage: kmemleak_load FILE\n");
		return 2;
	}
	while (!access(argv[1], F_OK)) {
		for (i = 0; i < ROUNDS; i++) {
			pass_files();
			connect_once();
			wait_for_event();
			run_thread();
		}
		usleep(10000);
	}
	return 0;
}
